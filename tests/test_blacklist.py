"""`drf_signet.blacklist`, and adoption as far as a token that simplejwt has blacklisted goes."""

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

from drf_signet import adoption, blacklist, checks, flows, runtime, tokens
from drf_signet.models import EndReason, Session
from tests.oldtables import adopted, empty_tables, installed, old_tables, outstand, put_on_blacklist
from tests.situations import ADOPTING, ROTATING, post, token_of_old

__all__ = ["empty_tables", "installed", "old_tables"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_tables")]


@pytest.fixture(autouse=True)
def _adopting(settings: Any) -> None:
    settings.SIGNET = {**ADOPTING, **ROTATING}


@pytest.fixture(params=[True, False], ids=["app installed", "app taken out"])
def kept(request: pytest.FixtureRequest) -> bool:
    """Return whether the app is still installed: its tables are there either way."""
    if request.param:
        request.getfixturevalue("installed")
    return bool(request.param)


@pytest.fixture
def blacklist_row(django_capture_on_commit_callbacks: Any) -> Callable[[Any], Any]:
    """Return a function that writes a row to the blacklist, and commits."""

    def write(outstanding: Any) -> Any:
        from tests.tokenblacklist.models import BlacklistedToken

        with django_capture_on_commit_callbacks(execute=True):
            return BlacklistedToken.objects.create(token=outstanding)

    return write


def end_of(outstanding: Any) -> str:
    session = adopted(outstanding)
    assert session is not None
    return session.end_reason


class TestAdoption:
    @pytest.mark.parametrize("use", ["token_refresh", "token_logout", "token_verify"])
    def test_a_token_on_the_blacklist_stays_dead(
        self, client: APIClient, user: Any, kept: bool, use: str
    ) -> None:
        outstanding = outstand(user)
        put_on_blacklist(outstanding)
        field = "token" if use == "token_verify" else "refresh"
        for _ in range(2):
            answer = post(client, use, **{field: outstanding.token})
            assert (answer.status_code, answer.data["reason"]) == (401, "ended")
        assert not Session.objects.exists()

    def test_a_token_that_is_outstanding_is_adopted(
        self, client: APIClient, user: Any, kept: bool
    ) -> None:
        put_on_blacklist(outstand(user))
        outstanding = outstand(user)
        assert post(client, "token_refresh", refresh=outstanding.token).status_code == 200
        assert adopted(outstanding)

    def test_a_token_that_the_tables_never_knew_is_adopted(
        self, client: APIClient, user: Any, kept: bool
    ) -> None:
        """simplejwt before 5.5 wrote no row for the successor of a rotation."""
        assert post(client, "token_refresh", refresh=token_of_old(user)).status_code == 200

    def test_access_tokens_are_not_looked_up_as_simplejwt_does_not(
        self, client: APIClient, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        access = token_of_old(user, token_type="access")
        with django_assert_num_queries(0):
            assert client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {access}").status_code == 200


class TestStatements:
    """The blacklist is asked at the first use of a token of old, and never again."""

    def test_the_first_use_is_one_statement_more(
        self, user: Any, installed: None, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        claims = tokens.verify_refresh(token_of_old(user), now=runtime.now())
        with django_assert_num_queries(4 + 2):  # a test is a transaction: it takes a savepoint
            adoption.adopt(claims, now=runtime.now())
        with django_assert_num_queries(1):
            adoption.adopt(claims, now=runtime.now())

    def test_without_the_app_the_tables_are_looked_for(
        self, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        claims = tokens.verify_refresh(token_of_old(user), now=runtime.now())
        with django_assert_num_queries(5 + 2):
            adoption.adopt(claims, now=runtime.now())

    def test_a_token_of_ours_is_never_looked_up(
        self, user: Any, installed: None, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        refresh = flows.issue(user).refresh
        with django_assert_num_queries(2):
            flows.refresh(refresh)


class TestBlacklisting:
    """What a process of ours puts on the blacklist ends, whatever has become of it."""

    pytestmark = pytest.mark.usefixtures("installed")

    def test_it_ends_the_session_that_the_token_has_become(
        self, client: APIClient, user: Any, blacklist_row: Callable[[Any], Any]
    ) -> None:
        outstanding = outstand(user)
        successor = post(client, "token_refresh", refresh=outstanding.token).data["refresh"]
        blacklist_row(outstanding)
        assert end_of(outstanding) == EndReason.LOGOUT
        for token in (outstanding.token, successor):
            assert post(client, "token_refresh", refresh=token).status_code == 401

    def test_it_makes_an_ended_session_of_a_token_that_has_become_none(
        self, client: APIClient, user: Any, blacklist_row: Callable[[Any], Any]
    ) -> None:
        """So the primary key stops whoever has looked at the blacklist before."""
        outstanding = outstand(user)
        blacklist_row(outstanding)
        assert end_of(outstanding) == EndReason.LOGOUT
        assert post(client, "token_refresh", refresh=outstanding.token).status_code == 401

    def test_it_may_be_repeated(
        self,
        user: Any,
        blacklist_row: Callable[[Any], Any],
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        row = blacklist_row(outstand(user))
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
        ids=["expired", "sliding", "no token", "of ours", "of ours in a table"],
    )
    def test_a_token_that_cannot_be_adopted_leaves_no_session(
        self, user: Any, blacklist_row: Callable[[Any], Any], claims: dict[str, Any]
    ) -> None:
        blacklist_row(outstand(user, **claims))
        assert not Session.objects.exists()

    @pytest.mark.parametrize("gone", [True, False])
    def test_a_token_of_a_user_who_is_gone_or_inactive_leaves_no_session(
        self, user: Any, blacklist_row: Callable[[Any], Any], gone: bool
    ) -> None:
        outstanding = outstand(user)
        if gone:
            user.delete()
        else:
            type(user).objects.update(is_active=False)
        outstanding.refresh_from_db()
        blacklist_row(outstanding)
        assert not Session.objects.exists()

    def test_fixtures_are_loaded_as_they_are(self, user: Any) -> None:
        from tests.tokenblacklist.models import BlacklistedToken

        row = BlacklistedToken(token=outstand(user), blacklisted_at=timezone.now())
        row.save_base(raw=True)
        assert not Session.objects.exists()

    def test_what_is_rolled_back_ends_nothing(
        self, user: Any, django_capture_on_commit_callbacks: Any
    ) -> None:
        from tests.tokenblacklist.models import BlacklistedToken

        outstanding = outstand(user)
        failing = contextlib.suppress(KeyError), transaction.atomic()
        with django_capture_on_commit_callbacks(execute=True), failing[0], failing[1]:
            BlacklistedToken.objects.create(token=outstanding)
            raise KeyError
        assert not Session.objects.exists()


def test_another_app_of_this_label_is_no_blacklist(installed: None, monkeypatch: Any) -> None:
    model = apps.get_model(blacklist.LABEL, "BlacklistedToken")
    assert blacklist.model() is model
    with monkeypatch.context() as patch:
        patch.setattr(model._meta, "db_table", "something_else")
        assert blacklist.model() is None


def test_a_nul_is_on_no_blacklist_and_no_question(
    installed: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert not blacklist.holds("a\0b")


def test_the_models_belong_to_no_app() -> None:
    assert blacklist.model() is None
    with override_settings(INSTALLED_APPS=[*django_settings.INSTALLED_APPS]):
        assert blacklist.Outstanding not in apps.get_models()
    assert str(blacklist.Outstanding(jti="a")) == "a"
    assert str(blacklist.Blacklisted(pk=1)) == "1"


class TestCheck:
    """What `signet.I002` says of tables without their app."""

    def said(self, databases: list[str] | None) -> list[str]:
        found = checks.check_old_tables(databases=databases)
        assert {one.id for one in found} <= {"signet.I002"}
        return [one.msg for one in found]

    def test_tables_that_are_read_are_named(self) -> None:
        (text,) = self.said(["default"])
        assert text.startswith("simplejwt's blacklist is read")

    def test_tables_that_are_of_no_use_are_named(self, settings: Any) -> None:
        settings.SIGNET = {}
        (text,) = self.said(["default"])
        assert "nothing reads them" in text

    def test_nothing_is_said_where_the_app_is_installed(self, installed: None) -> None:
        assert self.said(["default"]) == []

    @pytest.mark.parametrize("databases", [None, [], ["other"]])
    def test_nothing_is_said_of_databases_that_are_not_asked_for(
        self, databases: list[str] | None
    ) -> None:
        assert self.said(databases) == []

    def test_nothing_is_said_where_the_settings_cannot_be_read(self, settings: Any) -> None:
        settings.SIGNET = {"LEEWAY": -1}
        assert self.said(["default"]) == []

    def test_nothing_is_said_of_a_database_that_is_away(self) -> None:
        def away(*statement: Any) -> Any:
            raise OperationalError

        with connection.execute_wrapper(away):
            assert self.said(["default"]) == []
