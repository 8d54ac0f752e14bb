"""Test `signet_migrate_from_simplejwt`: outstanding tokens of simplejwt become sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, connection
from rest_framework.test import APIClient

from drf_signet import flows, runtime
from drf_signet.compat.simplejwt import adoption
from drf_signet.compat.simplejwt.moving import tokens
from drf_signet.models import EndReason, Session
from drf_signet.sessions import store
from tests.support.session_states import ADOPTING, ROTATING, legacy_token, post
from tests.support.simplejwt_tables import (
    APP,
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
def _adopting(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SIGNET = {**ADOPTING, **ROTATING}
    # Do not parse the files of this test suite.
    monkeypatch.setattr("drf_signet.compat.simplejwt.moving.sources._packages_of_the_project", list)


@contextmanager
def without_table(model: Any) -> Iterator[None]:
    """Rename the table of a model during a `with` block, as if the table did not exist."""
    table, other_name = model._meta.db_table, f"{model._meta.db_table}_renamed"
    with connection.schema_editor() as editor:
        editor.alter_db_table(model, table, other_name)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(model, other_name, table)


def run(*options: str) -> str:
    out = StringIO()
    call_command("signet_migrate_from_simplejwt", *options, stdout=out, no_color=True)
    return out.getvalue()


def lines(*options: str) -> list[str]:
    """Run the command; return the lines that it prints about tokens."""
    output = run(*options).split("Tokens\n")[1]
    return [line.strip() for line in output.splitlines()]


def rows() -> list[Any]:
    return list(Session.objects.order_by("pk").values())


class TestImport:
    def test_live_token_becomes_the_same_session_as_at_its_first_use(
        self, client: APIClient, user: Any
    ) -> None:
        imported, used = outstanding_token(user), outstanding_token(user)
        assert "1 live tokens" not in lines()[0]
        post(client, "token_refresh", refresh=used.token)
        assert Session.objects.count() == 2
        by_import, by_use = (adopted_session(outstanding) for outstanding in (imported, used))
        assert by_import is not None
        assert by_use is not None
        for name in ("user", "password_stamp", "transport", "end_reason", "ended_at", "ip_address"):
            assert getattr(by_import, name) == getattr(by_use, name), name
        for name in ("created_at", "auth_time", "refreshed_at", "expires_at"):
            difference = getattr(by_import, name) - getattr(by_use, name)
            assert abs(difference) < timedelta(seconds=20), name
        assert (by_import.generation, by_use.generation) == (0, 1)

    def test_imported_token_can_be_refreshed_as_before(self, client: APIClient, user: Any) -> None:
        outstanding = outstanding_token(user)
        run()
        for _ in range(2):
            answer = post(client, "token_refresh", refresh=outstanding.token)
            assert set(answer.data) == {"access", "refresh"}
        assert Session.objects.count() == 1

    def test_repeated_import_changes_no_session(self, client: APIClient, user: Any) -> None:
        first, second = outstanding_token(user), outstanding_token(user)
        post(client, "token_refresh", refresh=first.token)
        post(client, "token_logout", refresh=second.token)
        before = rows()
        assert lines()[:3] == [
            "0 live tokens became sessions",
            "1 are sessions already",
            "1 blacklisted",
        ]
        run()
        assert rows() == before

    def test_all_batches_are_imported(self, user: Any) -> None:
        outstanding = [outstanding_token(user) for _ in range(store.BATCH + 2)]
        put_on_blacklist(outstanding[3])
        live = [token.jti for token in outstanding if token is not outstanding[3]]
        assert lines()[:2] == [f"{len(live)} live tokens became sessions", "1 blacklisted"]
        assert len(live) > store.BATCH
        assert set(Session.objects.values_list("pk", flat=True)) == {
            adoption.session_id_of(jti) for jti in live
        }

    def test_batch_takes_four_queries(
        self, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        for _ in range(5):
            outstanding_token(user)
        with django_assert_num_queries(4 + 1):  # the last query finds no more rows
            tokens.import_live(now=runtime.now(), write=True)

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            ({"text": "not a token"}, "malformed"),
            ({"text": "\x01 é" * 20}, "malformed"),
            ({"token_type": "sliding"}, "invalid_claim"),
            ({"token_type": "access"}, "wrong_type"),
            ({"user_id": "no key"}, "invalid_claim"),
            ({"seconds": 401 * 86400}, "invalid_claim"),
            ({"exp": 1}, "expired"),
        ],
    )
    def test_refused_tokens_are_counted_by_reason(
        self, user: Any, claims: dict[str, Any], reason: str
    ) -> None:
        outstanding_token(user, **claims)
        outstanding_token(user)
        assert lines()[:2] == ["1 live tokens became sessions", f"1 refused: {reason}"]
        assert Session.objects.count() == 1

    def test_token_signed_with_a_lost_key_is_counted_as_bad_signature(
        self, user: Any, settings: Any
    ) -> None:
        outstanding_token(user)
        settings.SECRET_KEY = "another key, long enough for every algorithm: 0123456789abcdef01"
        assert lines()[:2] == ["0 live tokens became sessions", "1 refused: bad_signature"]

    def test_tokens_of_deleted_and_inactive_users_are_not_imported(self, make_user: Any) -> None:
        deleted, inactive, active = make_user(), make_user(is_active=False), make_user()
        for user in (deleted, inactive, active):
            outstanding_token(user)
        deleted.delete()
        assert lines()[:3] == [
            "1 live tokens became sessions",
            "1 of users who are gone",
            "1 of users who may not authenticate",
        ]
        assert Session.objects.get().user == active

    def test_token_with_an_outdated_password_hash_is_not_imported(self, user: Any) -> None:
        outstanding_token(user, hash_password="of another password")
        assert lines()[:2] == ["0 live tokens became sessions", "1 refused: another password"]
        assert not Session.objects.exists()

    def test_token_valid_longer_than_the_refresh_lifetime_keeps_its_expiry(self, user: Any) -> None:
        outstanding = outstanding_token(user, seconds=300 * 86400)
        run()
        session = adopted_session(outstanding)
        assert session is not None
        assert abs(session.expires_at - outstanding.expires_at) < timedelta(seconds=2)

    def test_expired_tokens_are_counted_and_not_imported(self, user: Any) -> None:
        outstanding_token(user, seconds=-1)
        assert lines()[:2] == ["0 live tokens became sessions", "1 expired"]
        assert not Session.objects.exists()

    def test_row_of_the_alias_is_counted_as_a_session(self, user: Any) -> None:
        """The alias stores tokens without `gen`. Clients can log out with them, but not refresh."""
        claims = runtime.current().codec.decode(flows.issue(user).refresh)
        del claims["gen"]
        outstanding = outstanding_token(user, **claims)
        assert lines()[:2] == ["0 live tokens became sessions", "1 are sessions already"]
        put_on_blacklist(outstanding)
        run("--with-blacklisted")
        assert Session.objects.count() == 1

    def test_session_adopted_during_the_import_is_not_inserted_twice(self, user: Any) -> None:
        outstanding = outstanding_token(user)
        claims = tokens._read(outstanding.token, runtime.now(), tokens.Tally())
        assert claims is not None
        draft = adoption.draft(claims, user, now=runtime.now())
        tokens._insert([draft])
        tokens._insert([draft])  # as if another process had inserted the session first
        assert Session.objects.count() == 1

    def test_imported_session_ends_when_the_password_changes(
        self, client: APIClient, user: Any
    ) -> None:
        outstanding = outstanding_token(user)
        run()
        user.set_password("another")
        user.save()
        assert post(client, "token_refresh", refresh=outstanding.token).status_code == 401


class TestDryRun:
    def test_writes_no_session(self, user: Any) -> None:
        outstanding_token(user)
        put_on_blacklist(outstanding_token(user))
        output = lines("--dry-run", "--with-blacklisted")
        assert output[:2] == ["1 live tokens would become sessions", "1 blacklisted"]
        assert not Session.objects.exists()

    def test_proposes_a_value_for_adopt_tokens_until(self, user: Any, settings: Any) -> None:
        settings.SIGNET = {}
        latest = outstanding_token(user, seconds=90_000).expires_at
        outstanding_token(user)
        assert f'"ADOPT_TOKENS_UNTIL": "{latest.isoformat(timespec="seconds")}"' in run("--dry-run")


class TestBlacklistedToken:
    @pytest.fixture
    def blacklisted(self, user: Any) -> Any:
        """Create a blacklisted token; return its OutstandingToken row."""
        outstanding = outstanding_token(user)
        put_on_blacklist(outstanding)
        return outstanding

    def test_stays_rejected_after_the_tables_are_emptied(
        self, client: APIClient, blacklisted: Any, blacklist_tables: Any
    ) -> None:
        assert "1 blacklisted tokens kept as ended sessions" in lines("--with-blacklisted")
        blacklist_tables.BlacklistedToken.objects.all().delete()
        answer = post(client, "token_refresh", refresh=blacklisted.token)
        assert (answer.status_code, answer.data["reason"]) == (401, "ended")

    def test_ended_session_is_kept_until_the_token_expires(self, blacklisted: Any) -> None:
        run("--with-blacklisted")
        before_expiry = blacklisted.expires_at.timestamp() - 60
        assert store.clear_expired(now=before_expiry + store.KEPT_AFTER_END.total_seconds()) == 0

    def test_session_adopted_before_the_blacklisting_is_ended(
        self, client: APIClient, user: Any
    ) -> None:
        outstanding = outstanding_token(user)
        successor = post(client, "token_refresh", refresh=outstanding.token).data["refresh"]
        put_on_blacklist(outstanding)
        run("--with-blacklisted")
        assert Session.objects.get().end_reason == EndReason.LOGOUT
        assert post(client, "token_refresh", refresh=successor).status_code == 401

    def test_repeated_import_changes_no_session(self, blacklisted: Any) -> None:
        run("--with-blacklisted")
        before = rows()
        run("--with-blacklisted")
        assert rows() == before

    def test_all_batches_are_kept(self, user: Any) -> None:
        count = store.BATCH + 1
        for _ in range(count):
            put_on_blacklist(outstanding_token(user))
        assert f"{count} blacklisted tokens kept as ended sessions" in lines("--with-blacklisted")
        assert Session.objects.filter(end_reason=EndReason.LOGOUT).count() == count


class TestDroppingTheTables:
    """Test the command's last line, which tells when simplejwt's tables may be dropped."""

    NOW = "The old tables may be dropped once nothing runs simplejwt any more."

    def test_is_allowed_at_once_if_all_blacklisted_tokens_have_expired(self, user: Any) -> None:
        outstanding_token(user)
        put_on_blacklist(outstanding_token(user, seconds=-1))
        assert lines()[-1] == self.NOW

    def test_is_allowed_at_once_if_blacklisted_tokens_are_kept_as_sessions(self, user: Any) -> None:
        put_on_blacklist(outstanding_token(user))
        assert lines("--with-blacklisted")[-1] == self.NOW

    def test_is_allowed_after_the_last_blacklisted_token_has_expired(self, user: Any) -> None:
        outstanding = outstanding_token(user, seconds=9000)
        put_on_blacklist(outstanding)
        put_on_blacklist(outstanding_token(user))
        latest = outstanding.expires_at.isoformat(timespec="seconds")
        assert lines()[-1] == f"The old tables may be dropped after {latest}."

    def test_is_allowed_after_adopt_tokens_until_if_that_is_earlier(
        self, user: Any, settings: Any
    ) -> None:
        put_on_blacklist(outstanding_token(user, seconds=9000))
        until = store.as_datetime(int(runtime.now()) + 60)
        settings.SIGNET = {"ADOPT_TOKENS_UNTIL": until.isoformat()}
        assert lines()[-1] == f"The old tables may be dropped after {until.isoformat()}."


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_expiry_is_read_as_utc_in_a_project_without_time_zones(
    user: Any, settings: Any, zone: str
) -> None:
    """simplejwt stores `expires_at` in UTC, even if other times in the database are local times."""
    settings.USE_TZ, settings.TIME_ZONE = False, zone
    live, blacklisted = outstanding_token(user), outstanding_token(user)
    expired = outstanding_token(user, seconds=-60)
    put_on_blacklist(blacklisted)
    latest = blacklisted.expires_at.isoformat(timespec="seconds")
    assert lines() == [
        "1 live tokens became sessions",
        "1 blacklisted",
        "1 expired",
        f"The old tables may be dropped after {latest}+00:00.",
    ]
    run("--with-blacklisted")
    sessions = [adopted_session(token) for token in (live, blacklisted)]
    earliest = runtime.now() + 3000
    assert all(session and session.expires_at.timestamp() > earliest for session in sessions)
    assert sessions[1].expires_at.timestamp() < runtime.now() + 3700  # type: ignore[union-attr]
    assert adopted_session(expired) is None


class TestCommand:
    def test_fails_while_adoption_is_off(self, user: Any, settings: Any) -> None:
        settings.SIGNET = {}
        put_on_blacklist(outstanding_token(user))
        with pytest.raises(CommandError, match="Set ADOPT_TOKENS_UNTIL first"):
            run("--with-blacklisted")
        assert not Session.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_dry_run_before_migrate_counts_the_tokens(self, user: Any) -> None:
        outstanding_token(user)
        put_on_blacklist(outstanding_token(user))
        with without_table(Session):
            shown = lines("--dry-run")
        assert shown[:2] == [
            "There is no table of sessions yet: `manage.py migrate` creates it.",
            "1 live tokens would become sessions",
        ]
        assert "1 blacklisted" in shown

    @pytest.mark.django_db(transaction=True)
    def test_import_before_migrate_is_refused_after_the_advice(self, user: Any) -> None:
        outstanding_token(user)
        out = StringIO()
        with without_table(Session), pytest.raises(CommandError, match=r"manage\.py migrate"):
            call_command("signet_migrate_from_simplejwt", stdout=out)
        assert "What will change" in out.getvalue()

    @pytest.mark.parametrize("error", [OperationalError, InterfaceError])
    @pytest.mark.parametrize("options", [[], ["--dry-run"]])
    def test_database_that_is_away_is_reported_after_the_advice(
        self, error: type[Exception], options: list[str]
    ) -> None:
        def fail(*call: Any) -> None:
            raise error("no server")

        out = StringIO()
        refused = pytest.raises(CommandError, match="The database cannot be read: no server")
        with connection.execute_wrapper(fail), refused:
            call_command("signet_migrate_from_simplejwt", *options, stdout=out)
        assert "What will change" in out.getvalue()

    def test_invalid_settings_are_reported_after_the_advice(self, settings: Any) -> None:
        settings.SIGNET = {"SIGNING_KEY": "short"}
        out = StringIO()
        with pytest.raises(CommandError, match=r"cannot be used: .* 32 bytes"):
            call_command("signet_migrate_from_simplejwt", stdout=out)
        assert "the signing key: it cannot be used" in out.getvalue()
        settings.SIMPLE_JWT = "no dict"
        with pytest.raises(CommandError, match="SIMPLE_JWT must be a dict"):
            run()

    def test_prints_the_proposed_settings(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {"LEEWAY": 5}
        assert 'SIGNET = {\n      "LEEWAY": 5,\n  }\n' in run()

    def test_prints_mentions_of_simplejwt_in_the_code(self, settings: Any, tmp_path: Any) -> None:
        settings.BASE_DIR = tmp_path
        module = tmp_path / "shop.py"
        module.write_text("\nfrom rest_framework_simplejwt import views\n", encoding="utf-8")
        (tmp_path / "invalid.py").write_text("def", encoding="utf-8")
        output = run()
        assert f"{module}:2 rest_framework_simplejwt.views → drf_signet.views\n" in output
        assert f"{tmp_path / 'invalid.py'} cannot be read as Python\n" in output

    def test_reports_that_nothing_mentions_simplejwt(self, settings: Any, tmp_path: Any) -> None:
        settings.BASE_DIR = tmp_path
        assert "Nothing names rest_framework_simplejwt." in run()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("app_is_installed", [True, False])
@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_command_without_simplejwt_s_tables_imports_nothing(
    blacklist_tables: Any, settings: Any, app_is_installed: bool, options: list[str]
) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, *[APP] * app_is_installed]
    with without_table(blacklist_tables.OutstandingToken):
        assert lines(*options)[0].startswith("There are no tables")


@pytest.mark.django_db(transaction=True)
def test_dry_run_before_migrate_and_without_simplejwt_s_tables_reports_both(
    blacklist_tables: Any,
) -> None:
    with without_table(Session), without_table(blacklist_tables.OutstandingToken):
        shown = lines("--dry-run")
    assert shown[0].startswith("There is no table of sessions yet")
    assert shown[1].startswith("There are no tables")


def test_token_without_a_row_becomes_a_session_at_its_first_use(
    client: APIClient, user: Any
) -> None:
    run()
    assert post(client, "token_refresh", refresh=legacy_token(user)).status_code == 200
