"""Test drf-signet while processes of simplejwt use the same database, as in a rolling deploy.

`tests.support.simplejwt_process` writes what such a process writes. `tests/proof/rolling.py` runs
real processes.
"""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings
from rest_framework.test import APIClient

from drf_signet import end_all, flows, issue, runtime
from drf_signet.compat.simplejwt import adoption, blacklist, logout_string
from drf_signet.compat.simplejwt.blacklist import Outstanding
from drf_signet.errors import Busy, SessionEnded
from drf_signet.models import Session
from tests.support.session_states import (
    ADOPTING,
    ROTATING,
    backdate_rotation,
    generation_of,
    legacy_token,
    post,
)
from tests.support.simplejwt_process import (
    insert_row,
    is_blacklisted,
    log_out_at_simplejwt,
    rotate_at_simplejwt,
)
from tests.support.simplejwt_tables import blacklist_tables, empty_tables
from tests.support.tenant_hosts import acme

__all__ = ["blacklist_tables", "empty_tables"]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _adopting(settings: Any) -> None:
    settings.SIGNET = {**ADOPTING, **ROTATING}


def import_blacklisted() -> None:
    call_command("signet_migrate_from_simplejwt", with_blacklisted=True, stdout=StringIO())


def raise_busy(claims: Any) -> None:
    raise Busy


@pytest.mark.usefixtures("empty_tables")
class TestOwnEndpoints:
    @pytest.fixture(params=["drf-signet", "simplejwt"])
    def token(self, request: pytest.FixtureRequest, user: Any) -> str:
        """Return a refresh token that one of the packages has issued."""
        if request.param == "simplejwt":
            return legacy_token(user)
        refresh = issue(user).refresh
        assert refresh is not None
        return refresh

    @pytest.mark.parametrize("use", ["token_refresh", "token_verify"])
    def test_token_is_refused_after_a_logout_at_simplejwt(
        self, client: APIClient, token: str, use: str
    ) -> None:
        adopted = flows.verify(token)  # a legacy token has a session from now on
        log_out_at_simplejwt(token)
        answer = post(client, use, **{"token" if use == "token_verify" else "refresh": token})
        assert (answer.status_code, answer.data["reason"]) == (401, "ended")
        with pytest.raises(SessionEnded):
            flows.identify(token, transport="token")
        session_id = adopted.session_id or adoption.session_id_of(adopted.jti)
        assert Session.objects.get(pk=session_id).end_reason == ""

    def test_rotations_at_both_keep_the_session(self, client: APIClient, token: str) -> None:
        for _ in range(3):
            token = post(client, "token_refresh", refresh=token).data["refresh"]
            token = rotate_at_simplejwt(token)
        assert Session.objects.count() == 1
        assert generation_of(token)[1] == 3

    def test_simplejwt_refuses_a_token_after_a_logout(self, client: APIClient, token: str) -> None:
        post(client, "token_logout", refresh=token)
        assert is_blacklisted(token)
        [kept] = Outstanding._base_manager.values_list("token", flat=True)
        assert logout_string.is_logout_only(kept)

    def test_repeated_logout_reaches_simplejwt_if_the_first_one_failed(
        self, client: APIClient, token: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as failing:
            failing.setattr(adoption, "revoke", raise_busy)
            assert post(client, "token_logout", refresh=token).status_code == 503
        assert post(client, "token_logout", refresh=token).status_code == 204
        assert is_blacklisted(token)

    def test_logout_reaches_simplejwt_if_the_session_has_already_ended(
        self, client: APIClient, token: str, user: Any
    ) -> None:
        flows.verify(token)  # a legacy token has a session from now on
        end_all(user)
        assert post(client, "token_logout", refresh=token).status_code == 204
        assert is_blacklisted(token)

    def test_logout_ends_the_session_of_a_token_that_simplejwt_has_rotated(
        self, client: APIClient, user: Any
    ) -> None:
        first = str(issue(user).refresh)
        second = rotate_at_simplejwt(first)
        assert post(client, "token_logout", refresh=first).status_code == 204
        answer = post(client, "token_refresh", refresh=second)
        assert (answer.status_code, answer.data["reason"]) == (401, "ended")

    def test_token_that_both_have_rotated_ends_the_session_after_the_grace_period(
        self, client: APIClient, user: Any, settings: Any
    ) -> None:
        pair = issue(user)
        again = rotate_at_simplejwt(str(pair.refresh))
        with override_settings(SIGNET={**ADOPTING, "ROTATE_REFRESH_TOKENS": True}):
            flows.refresh(again)
            backdate_rotation(pair.session, seconds=60)
            assert post(client, "token_refresh", refresh=again).status_code == 401
            assert Session.objects.get().end_reason == "reuse"

    def test_token_that_both_have_refreshed_stays_valid_without_rotation(
        self, client: APIClient, user: Any, settings: Any
    ) -> None:
        settings.SIGNET = ADOPTING
        pair = issue(user)
        again = rotate_at_simplejwt(str(pair.refresh))
        for _ in range(2):
            assert post(client, "token_refresh", refresh=again).status_code == 200
            backdate_rotation(pair.session, seconds=60)

    def test_blacklist_is_not_read_after_adopt_tokens_until(
        self, user: Any, settings: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        token = str(issue(user).refresh)
        log_out_at_simplejwt(token)
        settings.SIGNET = ROTATING
        with django_assert_num_queries(2):
            assert not isinstance(flows.refresh(token), Exception)

    def test_blacklist_is_not_written_after_adopt_tokens_until(
        self, user: Any, settings: Any
    ) -> None:
        settings.SIGNET = ROTATING
        flows.logout(issue(user).refresh)
        assert not Outstanding._base_manager.exists()

    @pytest.mark.parametrize("in_own_table", [True, False])
    def test_logout_with_tenants_adds_only_a_token_of_the_own_table(
        self, user: Any, settings: Any, in_own_table: bool
    ) -> None:
        settings.SIGNET = {**ADOPTING, "TENANT": acme}
        token = str(issue(user).refresh)
        if in_own_table:
            insert_row(token)
        flows.logout(token)
        assert is_blacklisted(token) is in_own_table


@pytest.mark.usefixtures("empty_tables")
class TestImport:
    """Test which sessions the command ends, so that simplejwt's tables can be dropped."""

    def test_session_ends_if_simplejwt_has_logged_it_out(self, user: Any) -> None:
        log_out_at_simplejwt(str(issue(user).refresh))
        import_blacklisted()
        assert Session.objects.get().end_reason == "logout"

    def test_session_stays_if_simplejwt_has_rotated_its_token(self, user: Any) -> None:
        rotate_at_simplejwt(str(issue(user).refresh))
        import_blacklisted()
        assert Session.objects.get().end_reason == ""

    def test_session_stays_if_it_has_been_refreshed_since(self, user: Any) -> None:
        token = rotate_at_simplejwt(str(issue(user).refresh))
        flows.refresh(token)
        import_blacklisted()
        assert Session.objects.get().end_reason == ""

    def test_session_ends_if_simplejwt_has_logged_out_the_token_that_it_rotated(
        self, user: Any
    ) -> None:
        log_out_at_simplejwt(rotate_at_simplejwt(str(issue(user).refresh)))
        import_blacklisted()
        assert Session.objects.get().end_reason == "logout"

    def test_session_ends_although_the_row_of_its_login_is_not_blacklisted(self, user: Any) -> None:
        pair = issue(user)
        log_out_at_simplejwt(str(pair.refresh))
        codec, expires_at = runtime.current().codec, int(runtime.now()) + 60
        kept = logout_string.encode(
            codec, jti="j", expires_at=expires_at, session_id=pair.session.pk
        )
        values = {"token": kept, "expires_at": blacklist.as_stored(expires_at)}
        Outstanding._base_manager.create(jti="j", **values)
        import_blacklisted()
        assert Session.objects.get().end_reason == "logout"

    def test_session_of_an_adopted_token_stays_if_simplejwt_has_rotated_its_successor(
        self, user: Any
    ) -> None:
        """The alias gives the successor of an adopted token the `jti` of that token."""
        adopted = legacy_token(user)
        pair: Any = flows.refresh(adopted)
        payload = runtime.current().codec.decode(pair.refresh)
        jti = runtime.current().codec.decode(adopted)["jti"]
        rotate_at_simplejwt(adopted)
        rotate_at_simplejwt(runtime.current().codec.encode({**payload, "jti": jti}))
        import_blacklisted()
        assert Session.objects.get(pk=pair.session.pk).end_reason == ""

    @pytest.mark.parametrize("sid", ["device 7", 7, None])
    def test_token_of_simplejwt_with_its_own_sid_claim_is_kept_as_an_ended_session(
        self, user: Any, sid: Any
    ) -> None:
        log_out_at_simplejwt(legacy_token(user, sid=sid))
        import_blacklisted()
        assert Session.objects.get().end_reason == "logout"
