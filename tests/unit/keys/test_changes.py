"""Test rotation and retirement of the keys in the database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

import drf_signet
from drf_signet import runtime
from drf_signet.errors import TokenError
from drf_signet.keys import changes, succession
from drf_signet.keys.models import CONFIGURED, SigningKey
from drf_signet.keys.succession import NotPossible
from tests.support.session_states import ADOPTING
from tests.support.signing_keys import DAY, IN_DATABASE, kid_of, new_process, pass_time, states

pytestmark = pytest.mark.usefixtures("keys_in_database")


def rotate(**options: Any) -> str:
    change = changes.rotate(**options)
    assert change is not None
    return change.kid


def is_accepted(token: str | None) -> bool:
    try:
        runtime.current().codec.decode(token)
    except TokenError:
        return False
    return True


class TestRotate:
    def test_new_key_is_published_before_it_signs_and_verifies_after_it_has_signed(
        self, user: Any
    ) -> None:
        before = drf_signet.issue(user).access
        first = rotate()
        assert states() == {"settings": "signing", "1": "standby"}
        assert kid_of(drf_signet.issue(user).access) is None
        pass_time(3600)
        assert states() == {"settings": "verifying", "1": "signing"}
        signed = drf_signet.issue(user).access
        assert kid_of(signed) == first
        assert is_accepted(before)
        second = rotate()
        pass_time(3600)
        assert states() == {"settings": "verifying", "1": "verifying", "2": "signing"}
        assert kid_of(drf_signet.issue(user).access) == second
        assert is_accepted(signed)

    def test_key_retires_when_its_last_token_has_expired(self, user: Any) -> None:
        rotate()
        pass_time(3600)
        pair = drf_signet.issue(user)
        rotate()
        pass_time(3600 + DAY + 50)  # REVOCATION_MAX_STALENESS is added, 60 s
        assert states()["1"] == "verifying"
        assert is_accepted(pair.refresh)
        pass_time(20)
        assert states()["1"] == "retired"
        assert not is_accepted(pair.refresh)

    def test_key_verifies_longer_if_it_has_signed_a_token_that_lives_longer(
        self, user: Any
    ) -> None:
        rotate()
        pass_time(3600)
        pair = drf_signet.issue(user, lifetime=timedelta(days=200), idle=timedelta(days=100))
        rotate()
        pass_time(3600 + 99 * DAY)
        assert is_accepted(pair.refresh)
        pass_time(2 * DAY)
        assert not is_accepted(pair.refresh)

    def test_keys_of_the_settings_verify_as_long_as_a_session_that_is_already_open(
        self, user: Any, settings: Any
    ) -> None:
        pair = drf_signet.issue(user, lifetime=timedelta(days=100), idle=timedelta(days=100))
        rotate()
        pass_time(3600 + 99 * DAY)
        assert is_accepted(pair.refresh)
        pass_time(2 * DAY)
        assert not is_accepted(pair.refresh)
        assert states()["settings"] == "retired"

    def test_keys_of_the_settings_verify_until_adopt_tokens_until(self, settings: Any) -> None:
        settings.SIGNET = {**IN_DATABASE, **ADOPTING}
        rotate()
        assert SigningKey.objects.get(pk=0).token_lifetime > 60 * 365 * DAY

    def test_private_key_is_erased_at_the_next_rotation_after_the_key_has_retired(self) -> None:
        rotate()
        pass_time(3600)
        rotate()
        pass_time(3600 + 40 * DAY)
        rotate()
        assert states() == {"settings": "retired", "1": "retired", "2": "signing", "3": "standby"}
        assert SigningKey.objects.get(pk=1).private_key == ""
        assert SigningKey.objects.get(pk=2).private_key != ""

    def test_second_rotation_is_refused_while_a_key_is_published_and_does_not_sign(self) -> None:
        kid = rotate()
        with pytest.raises(NotPossible, match=f"{kid}.* is already published"):
            changes.rotate()
        assert changes.rotate(only_if_due=True) is None

    def test_dry_run_changes_nothing(self) -> None:
        rotate(dry_run=True)
        assert states() == {}

    def test_process_that_loses_the_race_for_the_first_rows_changes_nothing(
        self, monkeypatch: Any
    ) -> None:
        def lose(*args: Any) -> Any:
            raise IntegrityError

        monkeypatch.setattr(changes, "_add", lose)
        assert changes.rotate() is None

    @pytest.mark.parametrize("algorithm", ["HS512", "RS256", "ES384", "EdDSA"])
    def test_new_key_has_the_configured_algorithm(
        self, user: Any, settings: Any, algorithm: str
    ) -> None:
        rotation = {**IN_DATABASE["KEY_ROTATION"], "ALGORITHM": algorithm}
        settings.SIGNET = {**IN_DATABASE, "KEY_ROTATION": rotation}
        rotate()
        pass_time(3600)
        token = drf_signet.issue(user).access
        assert is_accepted(token)
        assert SigningKey.objects.get(pk=1).algorithm == algorithm


class TestRotateTo:
    def test_former_key_signs_again_at_once_while_its_tokens_are_accepted(self, user: Any) -> None:
        first = rotate()
        pass_time(3600)
        rotate()
        pass_time(3600)
        change = changes.rotate(to=first)
        assert change == changes.Change(kid=first)
        new_process()
        assert states() == {"settings": "verifying", "1": "signing", "2": "verifying"}
        assert kid_of(drf_signet.issue(user).access) == first

    def test_keys_of_the_settings_sign_again_and_nobody_is_logged_out(
        self, user: Any, settings: Any
    ) -> None:
        """Switch the provider on and off, and use the first token of each step in the next."""
        at_first = drf_signet.issue(user).refresh
        rotate()
        pass_time(3600)
        in_between = drf_signet.issue(user).refresh
        assert is_accepted(at_first)
        assert rotate(to=CONFIGURED) == CONFIGURED
        new_process()
        assert states() == {"settings": "signing", "1": "verifying"}
        at_last = drf_signet.issue(user).refresh
        assert kid_of(at_last) is None
        assert is_accepted(in_between)
        pass_time(DAY + 70)
        assert states() == {"settings": "signing", "1": "retired"}
        settings.SIGNET = {}
        assert is_accepted(at_last)

    def test_keys_of_the_settings_are_published_again_after_they_had_retired(self) -> None:
        rotate()
        pass_time(40 * DAY)
        change = changes.rotate(to=CONFIGURED)
        assert change == changes.Change(kid=CONFIGURED, signs_in=3600)
        assert states() == {"settings": "standby", "1": "signing"}

    def test_keys_of_the_settings_do_not_sign_again_with_a_schedule(self, settings: Any) -> None:
        rotate()
        pass_time(3600)
        settings.SIGNET = {"KEY_PROVIDER": "database"}
        with pytest.raises(NotPossible, match="PERIOD"):
            changes.rotate(to=CONFIGURED)

    def test_key_that_signs_or_has_retired_or_does_not_exist_is_refused(self) -> None:
        first = rotate()
        pass_time(3600)
        with pytest.raises(NotPossible, match="signs already"):
            changes.rotate(to=first)
        with pytest.raises(NotPossible, match="no key 'other'"):
            changes.rotate(to="other")
        changes.retire(first, now=True)
        with pytest.raises(NotPossible, match="already published"):
            changes.rotate(to=first)
        pass_time(2)
        with pytest.raises(NotPossible, match="erased"):
            changes.rotate(to=first)


class TestRetire:
    def test_key_that_has_not_signed_is_cancelled_and_the_current_key_goes_on(
        self, user: Any
    ) -> None:
        kid = rotate()
        assert changes.retire(kid) == changes.Change(retired=kid)
        pass_time(7200)
        assert states() == {"settings": "signing", "1": "retired"}
        assert kid_of(drf_signet.issue(user).access) is None
        assert rotate() != kid

    def test_key_whose_tokens_are_valid_is_retired_only_with_now(self) -> None:
        first = rotate()
        pass_time(3600)
        with pytest.raises(NotPossible, match=r"signs.*--now"):
            changes.retire(first)
        rotate()
        pass_time(3600)
        with pytest.raises(NotPossible, match=r"retires by itself in 0:01:0.*--now"):
            changes.retire(first)
        assert changes.retire(first, now=True) == changes.Change(retired=first)
        assert changes.retire(first, now=True) is None

    def test_retired_key_that_signs_is_replaced_when_every_process_knows_the_new_key(
        self, user: Any
    ) -> None:
        first = rotate()
        pass_time(3600)
        token = drf_signet.issue(user).refresh
        change = changes.retire(first, now=True)
        assert change is not None
        assert (change.retired, change.signs_in) == (first, 2)
        new_process()
        assert not is_accepted(token)
        with pytest.raises(drf_signet.errors.KeysUnavailable):
            drf_signet.issue(user)
        pass_time(2)
        assert kid_of(drf_signet.issue(user).refresh) == change.kid

    def test_published_key_takes_over_at_once_from_a_retired_key(self, user: Any) -> None:
        first = rotate()
        pass_time(3600)
        second = rotate()
        assert changes.retire(first, now=True) == changes.Change(kid=second, retired=first)
        new_process()
        assert kid_of(drf_signet.issue(user).access) == second

    def test_keys_of_the_settings_are_refused_before_and_after_the_first_rotation(
        self, user: Any
    ) -> None:
        token = drf_signet.issue(user).access
        change = changes.retire(CONFIGURED, now=True)
        assert change is not None
        assert (change.retired, change.signs_in) == (CONFIGURED, 2)
        pass_time(2)
        assert states() == {"settings": "retired", "1": "signing"}
        assert not is_accepted(token)
        assert is_accepted(drf_signet.issue(user).access)

    def test_cancelled_key_without_a_key_that_signs_leaves_the_others_alone(self) -> None:
        first = rotate()
        pass_time(3600)
        change = changes.retire(first, now=True)
        assert change is not None
        assert changes.retire(change.kid) == changes.Change(retired=change.kid)
        assert succession.read().signer is None


class TestReencrypt:
    def test_keys_are_encrypted_under_the_new_secret(self, user: Any, settings: Any) -> None:
        rotate()
        pass_time(3600)
        token = drf_signet.issue(user).access
        old, settings.SECRET_KEY = settings.SECRET_KEY, "n" * 64
        settings.SECRET_KEY_FALLBACKS = [old]
        new_process()
        assert is_accepted(token)
        assert changes.reencrypt(dry_run=True) == 1
        assert changes.reencrypt() == 1
        settings.SECRET_KEY_FALLBACKS = []
        new_process()
        assert is_accepted(token)
        assert is_accepted(drf_signet.issue(user).access)

    def test_unknown_secret_is_reported_and_nothing_is_written(self, settings: Any) -> None:
        rotate()
        settings.SECRET_KEY = "n" * 64
        with pytest.raises(NotPossible, match="cannot be decrypted"):
            changes.reencrypt()
