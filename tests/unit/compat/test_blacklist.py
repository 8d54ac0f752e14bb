"""Test that blacklisted legacy tokens are not adopted, and that blacklisting ends sessions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.db import OperationalError, connection, transaction
from django.test import override_settings
from django.utils import timezone
from rest_framework.test import APIClient

from drf_signet import flows, runtime, tokens
from drf_signet.compat.simplejwt import adoption, blacklist, checks
from drf_signet.models import EndReason, Session
from tests.support.session_states import ADOPTING, ROTATING, legacy_token, post
from tests.support.simplejwt_tables import (
    adopted_session,
    blacklist_tables,
    empty_tables,
    installed,
    outstanding_token,
    put_on_blacklist,
)

__all__ = ["blacklist_tables", "empty_tables", "installed"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_tables")]


@pytest.fixture(autouse=True)
def _adopting(settings: Any) -> None:
    settings.SIGNET = {**ADOPTING, **ROTATING}


@pytest.fixture(params=[True, False], ids=["app installed", "app removed"])
def app_installed(request: pytest.FixtureRequest) -> bool:
    """Run the test twice: with and without the blacklist app installed. The tables always exist."""
    if request.param:
        request.getfixturevalue("installed")
    return bool(request.param)


@pytest.fixture
def blacklist_by_saving(django_capture_on_commit_callbacks: Any) -> Callable[[Any], Any]:
    """Return a function that saves a BlacklistedToken and runs the on_commit callbacks."""

    def write(outstanding: Any) -> Any:
        from tests.tokenblacklist.models import BlacklistedToken

        with django_capture_on_commit_callbacks(execute=True):
            return BlacklistedToken.objects.create(token=outstanding)

    return write


def end_reason_of(outstanding: Any) -> str:
    session = adopted_session(outstanding)
    assert session is not None
    return session.end_reason


class TestAdoption:
    @pytest.mark.parametrize("use", ["token_refresh", "token_logout", "token_verify"])
    def test_blacklisted_token_is_rejected_and_makes_no_session(
        self, client: APIClient, user: Any, app_installed: bool, use: str
    ) -> None:
        outstanding = outstanding_token(user)
        put_on_blacklist(outstanding)
        field = "token" if use == "token_verify" else "refresh"
        for _ in range(2):
            answer = post(client, use, **{field: outstanding.token})
            assert (answer.status_code, answer.data["reason"]) == (401, "ended")
        assert not Session.objects.exists()

    def test_outstanding_token_is_adopted_although_another_is_blacklisted(
        self, client: APIClient, user: Any, app_installed: bool
    ) -> None:
        put_on_blacklist(outstanding_token(user))
        outstanding = outstanding_token(user)
        assert post(client, "token_refresh", refresh=outstanding.token).status_code == 200
        assert adopted_session(outstanding)

    def test_token_without_an_outstanding_row_is_adopted(
        self, client: APIClient, user: Any, app_installed: bool
    ) -> None:
        """Before version 5.5, simplejwt wrote no OutstandingToken row when it rotated a token."""
        assert post(client, "token_refresh", refresh=legacy_token(user)).status_code == 200

    def test_access_token_is_not_looked_up_in_the_blacklist(
        self, client: APIClient, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        access = legacy_token(user, token_type="access")
        with django_assert_num_queries(0):
            assert client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {access}").status_code == 200


class TestQueries:
    """Test that each refresh reads the blacklist once, until ADOPT_TOKENS_UNTIL."""

    def test_each_use_of_a_legacy_token_queries_the_blacklist_once(
        self, user: Any, installed: None, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        claims = tokens.verify(legacy_token(user), "refresh", now=runtime.now())
        with django_assert_num_queries(4 + 2):  # 2 queries create and release a savepoint
            adoption.adopt(claims, now=runtime.now())
        with django_assert_num_queries(2):
            adoption.adopt(claims, now=runtime.now())

    def test_first_adoption_without_the_app_also_queries_the_table_names(
        self, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        claims = tokens.verify(legacy_token(user), "refresh", now=runtime.now())
        with django_assert_num_queries(5 + 2):
            adoption.adopt(claims, now=runtime.now())

    @pytest.mark.parametrize("adopts", [True, False])
    def test_token_with_a_session_is_looked_up_only_until_adopt_tokens_until(
        self,
        user: Any,
        installed: None,
        settings: Any,
        django_assert_num_queries: Callable[..., Any],
        adopts: bool,
    ) -> None:
        settings.SIGNET = {**(ADOPTING if adopts else {}), **ROTATING}
        refresh = flows.issue(user).refresh
        with django_assert_num_queries(2 + adopts):
            flows.refresh(refresh)


class TestBlacklisting:
    """Test that saving a BlacklistedToken ends the token's session and prevents its adoption."""

    pytestmark = pytest.mark.usefixtures("installed")

    def test_blacklisting_an_adopted_token_ends_its_session(
        self, client: APIClient, user: Any, blacklist_by_saving: Callable[[Any], Any]
    ) -> None:
        outstanding = outstanding_token(user)
        successor = post(client, "token_refresh", refresh=outstanding.token).data["refresh"]
        blacklist_by_saving(outstanding)
        assert end_reason_of(outstanding) == EndReason.LOGOUT
        for token in (outstanding.token, successor):
            assert post(client, "token_refresh", refresh=token).status_code == 401

    def test_blacklisting_a_token_without_a_session_writes_an_ended_session(
        self, client: APIClient, user: Any, blacklist_by_saving: Callable[[Any], Any]
    ) -> None:
        """A concurrent request that has already read the blacklist finds the ended session."""
        outstanding = outstanding_token(user)
        blacklist_by_saving(outstanding)
        assert end_reason_of(outstanding) == EndReason.LOGOUT
        assert post(client, "token_refresh", refresh=outstanding.token).status_code == 401

    def test_saving_the_blacklist_row_again_changes_nothing(
        self,
        user: Any,
        blacklist_by_saving: Callable[[Any], Any],
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        row = blacklist_by_saving(outstanding_token(user))
        with django_capture_on_commit_callbacks(execute=True):
            row.save()
        assert Session.objects.get().end_reason == EndReason.LOGOUT

    @pytest.mark.parametrize(
        "claims",
        [
            {"seconds": -60},
            {"token_type": "sliding"},
            {"text": "not a token"},
            {"sid": "01980a3c-7d1e-7000-8000-00000000002a", "gen": 0, "iat": 1},
            {"sid": "01980a3c-7d1e-7000-8000-00000000002a", "iat": 1},
        ],
        ids=[
            "expired",
            "sliding",
            "malformed",
            "drf-signet token",
            "OutstandingToken row of the alias",
        ],
    )
    def test_blacklisting_a_token_that_cannot_be_adopted_writes_no_session(
        self, user: Any, blacklist_by_saving: Callable[[Any], Any], claims: dict[str, Any]
    ) -> None:
        blacklist_by_saving(outstanding_token(user, **claims))
        assert not Session.objects.exists()

    @pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "inactive"])
    def test_blacklisting_a_token_of_a_deleted_or_inactive_user_writes_no_session(
        self, user: Any, blacklist_by_saving: Callable[[Any], Any], deleted: bool
    ) -> None:
        outstanding = outstanding_token(user)
        if deleted:
            user.delete()
        else:
            type(user).objects.update(is_active=False)
        outstanding.refresh_from_db()
        blacklist_by_saving(outstanding)
        assert not Session.objects.exists()

    def test_loading_a_fixture_of_the_blacklist_writes_no_session(self, user: Any) -> None:
        from tests.tokenblacklist.models import BlacklistedToken

        row = BlacklistedToken(token=outstanding_token(user), blacklisted_at=timezone.now())
        row.save_base(raw=True)
        assert not Session.objects.exists()

    def test_blacklisting_that_is_rolled_back_writes_no_session(
        self, user: Any, django_capture_on_commit_callbacks: Any
    ) -> None:
        from tests.tokenblacklist.models import BlacklistedToken

        outstanding = outstanding_token(user)
        run_callbacks = django_capture_on_commit_callbacks(execute=True)
        with run_callbacks, contextlib.suppress(KeyError), transaction.atomic():
            BlacklistedToken.objects.create(token=outstanding)
            raise KeyError
        assert not Session.objects.exists()


def test_model_with_another_table_is_not_the_blacklist(installed: None, monkeypatch: Any) -> None:
    model = apps.get_model(blacklist.LABEL, "BlacklistedToken")
    assert blacklist.model() is model
    with monkeypatch.context() as patch:
        patch.setattr(model._meta, "db_table", "something_else")
        assert blacklist.model() is None


def test_jti_with_a_nul_is_not_blacklisted_and_not_queried(
    installed: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert not blacklist.holds("a\0b")


def test_models_of_the_tables_belong_to_no_app() -> None:
    assert blacklist.model() is None
    with override_settings(INSTALLED_APPS=[*django_settings.INSTALLED_APPS]):
        assert blacklist.Outstanding not in apps.get_models()
    assert str(blacklist.Outstanding(jti="a")) == "a"
    assert str(blacklist.Blacklisted(pk=1)) == "1"


class TestCheck:
    """Test `signet.I002`, which reports blacklist tables whose app is not installed."""

    def messages(self, databases: list[str] | None) -> list[str]:
        reported = checks.check_old_tables(databases=databases)
        assert {message.id for message in reported} <= {"signet.I002"}
        return [message.msg for message in reported]

    def test_tables_in_use_are_reported(self) -> None:
        (message,) = self.messages(["default"])
        assert message.startswith("simplejwt's blacklist is read")

    def test_unused_tables_are_reported_while_adoption_is_off(self, settings: Any) -> None:
        settings.SIGNET = {}
        (message,) = self.messages(["default"])
        assert "nothing reads them" in message

    def test_tables_of_an_installed_app_are_not_reported(self, installed: None) -> None:
        assert self.messages(["default"]) == []

    @pytest.mark.parametrize("databases", [None, [], ["other"]])
    def test_databases_that_are_not_checked_are_not_reported(
        self, databases: list[str] | None
    ) -> None:
        assert self.messages(databases) == []

    def test_invalid_settings_are_left_to_their_own_check(self, settings: Any) -> None:
        settings.SIGNET = {"LEEWAY": -1}
        assert self.messages(["default"]) == []

    def test_unavailable_database_is_not_reported(self) -> None:
        def fail(*query: Any) -> Any:
            raise OperationalError

        with connection.execute_wrapper(fail):
            assert self.messages(["default"]) == []
