"""Test the key provider "database": which keys it returns, how it signs, and when it rotates."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

import drf_signet
from drf_signet import runtime
from drf_signet.errors import KeysUnavailable, UnknownKey, UnusableKey
from drf_signet.jose.keys import Key
from drf_signet.keys import changes, encryption
from drf_signet.keys.database import DatabaseKeys, is_in_use
from drf_signet.keys.models import SigningKey
from tests.conftest import PASSWORD
from tests.support.session_states import post
from tests.support.signing_keys import (
    DAY,
    IN_DATABASE,
    SCHEDULED,
    kid_of,
    new_process,
    pass_time,
    states,
)
from tests.support.token_forge import signer

pytestmark = pytest.mark.usefixtures("keys_in_database")

JWKS = "/.well-known/jwks.json"


def signing_key() -> str:
    """Make a key that signs, and return its `kid`."""
    change = changes.rotate()
    assert change is not None
    pass_time(3600)
    return change.kid


class TestSchedule:
    def test_first_login_publishes_a_key_and_each_period_the_next(
        self, user: Any, settings: Any
    ) -> None:
        settings.SIGNET = SCHEDULED
        drf_signet.issue(user)
        assert states() == {"settings": "signing", "1": "standby"}
        pass_time(3600)
        drf_signet.issue(user)
        pass_time(29 * DAY - 3700)
        drf_signet.issue(user)
        assert states() == {"settings": "verifying", "1": "signing"}
        pass_time(DAY + 100)
        drf_signet.issue(user)
        assert states()["2"] == "standby"
        pass_time(3600)
        assert kid_of(drf_signet.issue(user).access) == SigningKey.objects.get(pk=2).kid

    def test_new_key_is_in_the_jwks_before_it_signs(
        self, user: Any, settings: Any, client: APIClient
    ) -> None:
        settings.SIGNET = SCHEDULED
        drf_signet.issue(user)
        new_process()
        (published,) = client.get(JWKS).json()["keys"]
        assert published["kid"] == SigningKey.objects.get(pk=1).kid
        assert published.keys() == {"kty", "crv", "x", "y", "use", "alg", "kid"}

    def test_request_with_a_token_writes_nothing(
        self, user: Any, settings: Any, client: APIClient
    ) -> None:
        pair = drf_signet.issue(user)
        settings.SIGNET = SCHEDULED
        assert post(client, "token_verify", token=pair.access).status_code == 200
        assert states() == {}

    def test_login_in_a_transaction_leaves_the_rotation_to_the_next_login(
        self, user: Any, settings: Any
    ) -> None:
        settings.SIGNET = SCHEDULED
        with transaction.atomic():
            drf_signet.issue(user)
        assert states() == {}
        drf_signet.issue(user)
        assert states() == {"settings": "signing", "1": "standby"}

    def test_login_succeeds_if_the_rotation_fails_and_the_log_says_so(
        self, user: Any, settings: Any, monkeypatch: Any, caplog: Any
    ) -> None:
        settings.SIGNET = SCHEDULED

        def fail(algorithm: str) -> Any:
            raise OSError("no entropy")

        monkeypatch.setattr(changes, "generate", fail)
        for _ in range(2):
            assert drf_signet.issue(user).access
            new_process()
        assert caplog.text.count("could not be made") == 1
        assert states() == {}

    def test_rotation_that_another_process_has_done_is_not_repeated(self, settings: Any) -> None:
        settings.SIGNET = SCHEDULED
        provider = DatabaseKeys(runtime.key_ring(runtime.current().settings).keys)
        (key,) = provider.keys().keys
        changes.rotate()
        provider.sign(key, b"input", lifetime=0)
        assert states() == {"settings": "signing", "1": "standby"}


class TestKeys:
    def test_request_with_a_known_key_runs_no_statement_until_the_keys_are_read_again(
        self, user: Any
    ) -> None:
        signing_key()
        token = drf_signet.issue(user).access
        runtime.current().codec.decode(token)
        with CaptureQueriesContext(connection) as captured:
            runtime.current().codec.decode(token)
        assert [query["sql"] for query in captured if "signingkey" in query["sql"]] == []

    def test_unknown_kid_runs_no_statement(self, user: Any) -> None:
        """The `kid` may be a path, SQL or a URL: it is only compared with the known keys."""
        signing_key()
        runtime.current().codec.decode(drf_signet.issue(user).access)
        with CaptureQueriesContext(connection) as captured:
            for kid in ("../../etc/passwd", "' OR 1=1 --", "https://evil.example/key", "1"):
                with pytest.raises(UnknownKey):
                    runtime.current().codec.decode(signer("ES256").sign_claims({}, kid=kid))
        assert len(captured) == 0

    def test_token_of_a_key_that_is_not_valid_yet_is_verified_and_of_a_retired_key_refused(
        self, user: Any, client: APIClient
    ) -> None:
        """Every process must accept the first token of a key, even if it learns of it last."""
        kid = signing_key()
        pair = drf_signet.issue(user)
        SigningKey.objects.filter(kid=kid).update(not_before="2100-01-01T00:00:00Z")
        new_process()
        assert post(client, "token_verify", token=pair.access).status_code == 200
        changes.retire(kid)
        new_process()
        answer = post(client, "token_verify", token=pair.access)
        assert (answer.status_code, answer.json()["reason"]) == (401, "invalid")

    def test_key_that_cannot_be_decrypted_is_left_out_and_logged_and_no_token_is_signed(
        self, user: Any, settings: Any, client: APIClient, caplog: Any
    ) -> None:
        kid = signing_key()
        settings.SECRET_KEY = "n" * 64
        credentials = {"username": user.username, "password": PASSWORD}
        answer = post(client, "token_obtain_pair", **credentials)
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
        assert f"the signing key {kid} cannot be used" in caplog.text
        changes.retire(kid, now=True)
        pass_time(2)
        assert post(client, "token_obtain_pair", **credentials).status_code == 200

    def test_key_of_another_row_is_left_out(self, caplog: Any) -> None:
        kid = signing_key()
        other = encryption.encrypt({**signer("ES256").jwk, "kid": "other", "alg": "ES256"})
        SigningKey.objects.filter(kid=kid).update(private_key=other)
        new_process()
        with pytest.raises(UnknownKey):
            runtime.current().codec.decode(signer("ES256").sign_claims({}, kid=kid))
        new_process()
        runtime.current().codec.can_sign  # noqa: B018 - reads the table again
        assert caplog.text.count("another row") == 1

    def test_loaded_key_is_used_after_it_was_encrypted_under_an_unknown_secret(
        self, user: Any, settings: Any
    ) -> None:
        """A process of the former release serves until it is stopped."""
        signing_key()
        provider = DatabaseKeys(runtime.key_ring(runtime.current().settings).keys)
        first = provider.keys()
        (key,) = SigningKey.objects.exclude(private_key="")
        secret, settings.SECRET_KEY = settings.SECRET_KEY, "n" * 64
        settings.SECRET_KEY_FALLBACKS = [secret]
        changes.reencrypt()
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = secret, []
        assert provider.keys().keys == first.keys
        assert provider.sign(first.keys[0], b"input", lifetime=0)
        assert key.kid == first.keys[0].kid

    def test_public_key_that_the_settings_let_sign_is_an_error(self) -> None:
        public = Key(algorithm="ES256", material=signer("ES256").public_jwk)
        provider = DatabaseKeys([public])
        with pytest.raises(UnusableKey, match="only verifies"):
            provider.sign(provider.keys().keys[0], b"input", lifetime=0)

    def test_key_that_the_provider_has_not_returned_does_not_sign(self) -> None:
        provider = DatabaseKeys([])
        with pytest.raises(KeysUnavailable):
            provider.sign(Key(algorithm="HS256", material="s" * 32), b"input", lifetime=0)


class TestOutage:
    def test_process_that_knows_the_keys_uses_them_and_a_new_process_answers_503(
        self,
        user: Any,
        client: APIClient,
        busy_database: Callable[[], AbstractContextManager[None]],
    ) -> None:
        signing_key()
        token = drf_signet.issue(user).access
        assert post(client, "token_verify", token=token).status_code == 200
        with busy_database():
            assert post(client, "token_verify", token=token).status_code == 200
            new_process()
            answer = post(client, "token_verify", token=token)
            assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
            assert answer["Retry-After"] == "1"
        new_process()
        assert post(client, "token_verify", token=token).status_code == 200


class TestSecrecy:
    def test_dump_of_the_database_and_the_logs_contain_no_key_and_no_token(
        self, user: Any, settings: Any, client: APIClient, caplog: Any, tmp_path: Any
    ) -> None:
        settings.SIGNET = {**SCHEDULED, "ROTATE_REFRESH_TOKENS": True}
        for logger in (None, "django.db.backends"):
            caplog.set_level(logging.DEBUG, logger=logger)
        with CaptureQueriesContext(connection):  # Django logs each statement with its parameters
            first = drf_signet.issue(user)
            pass_time(3600)
            pair = drf_signet.issue(user)
            answer = post(client, "token_refresh", refresh=pair.refresh)
            post(client, "token_refresh", refresh="forged." + str(pair.refresh))
            changes.reencrypt()
        jwk = encryption.decrypt(SigningKey.objects.get(pk=1).private_key)
        call_command("dumpdata", output=str(tmp_path / "dump.json"))
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {SigningKey._meta.db_table}")
            rows = str(cursor.fetchall())
        written = (tmp_path / "dump.json").read_text() + rows + caplog.text
        secret_parts = [
            jwk["d"],
            first.access,
            first.refresh,
            pair.access,
            pair.refresh,
            *answer.json().values(),
        ]
        assert "INSERT INTO" in caplog.text
        for secret in map(str, secret_parts):
            assert secret not in written
            assert secret.split(".")[-1] not in written
        assert "gAAAA" in written


def test_provider_is_in_use_only_if_the_setting_says_so(settings: Any) -> None:
    assert is_in_use()
    settings.SIGNET = {}
    assert not is_in_use()


def test_project_test_uses_the_keys_of_the_settings_and_runs_no_statement(
    user: Any, monkeypatch: Any
) -> None:
    signing_key()
    monkeypatch.setattr(DatabaseKeys, "alone", True)
    new_process()
    with CaptureQueriesContext(connection) as captured:
        assert kid_of(drf_signet.issue(user).access) is None
    assert [query["sql"] for query in captured if "signingkey" in query["sql"]] == []


def test_polls_follow_the_interval_of_the_feed(settings: Any) -> None:
    intervals = {None: 60.0, 0: 1.0, 5: 5.0, timedelta(seconds=0.5): 0.5}
    for setting, seconds in intervals.items():
        settings.SIGNET = {**IN_DATABASE, "REVOCATION_POLL_INTERVAL": setting}
        assert DatabaseKeys([]).keys().fresh_for == seconds
