"""`drf_signet.moving.tokens` and the command: outstanding tokens of simplejwt become sessions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from rest_framework.test import APIClient

from drf_signet import adoption, flows, runtime, sessions
from drf_signet.models import EndReason, Session
from drf_signet.moving import tokens
from tests.oldtables import adopted, empty_tables, installed, old_tables, outstand, put_on_blacklist
from tests.situations import ADOPTING, ROTATING, post, token_of_old

__all__ = ["empty_tables", "installed", "old_tables"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_tables")]


@pytest.fixture(autouse=True)
def _adopting(settings: Any) -> None:
    settings.SIGNET = {**ADOPTING, **ROTATING}


@pytest.fixture
def small_batches(monkeypatch: Any) -> None:
    """Let three rows be a batch."""
    monkeypatch.setattr(tokens, "BATCH", 3)


def run(*options: str) -> str:
    out = StringIO()
    call_command("signet_migrate_from_simplejwt", *options, stdout=out, no_color=True)
    return out.getvalue()


def lines(*options: str) -> list[str]:
    """Return what the command says of tokens."""
    said = run(*options).split("Tokens\n")[1]
    return [line.strip() for line in said.splitlines()]


def rows() -> list[Any]:
    return list(Session.objects.order_by("pk").values())


class TestImport:
    def test_a_live_token_becomes_the_session_that_its_first_use_would_make(
        self, client: APIClient, user: Any
    ) -> None:
        imported, used = outstand(user), outstand(user)
        assert "1 live tokens" not in lines()[0]
        post(client, "token_refresh", refresh=used.token)
        assert Session.objects.count() == 2
        one, other = (adopted(outstanding) for outstanding in (imported, used))
        assert one is not None
        assert other is not None
        for name in ("user", "password_stamp", "transport", "end_reason", "ended_at", "ip_address"):
            assert getattr(one, name) == getattr(other, name), name
        for name in ("created_at", "auth_time", "refreshed_at", "expires_at"):
            apart = getattr(one, name) - getattr(other, name)
            assert abs(apart) < timedelta(seconds=20), name
        assert (one.generation, other.generation) == (0, 1)

    def test_a_client_with_an_imported_token_notices_nothing(
        self, client: APIClient, user: Any
    ) -> None:
        outstanding = outstand(user)
        run()
        for _ in range(2):
            answer = post(client, "token_refresh", refresh=outstanding.token)
            assert set(answer.data) == {"access", "refresh"}
        assert Session.objects.count() == 1

    def test_it_may_be_repeated_and_changes_no_session(self, client: APIClient, user: Any) -> None:
        first, second = outstand(user), outstand(user)
        post(client, "token_refresh", refresh=first.token)
        post(client, "token_logout", refresh=second.token)
        before = rows()
        assert lines()[:2] == ["0 live tokens became sessions", "2 are sessions already"]
        run()
        assert rows() == before

    def test_all_batches_are_imported(self, user: Any, small_batches: None) -> None:
        outstanding = [outstand(user) for _ in range(7)]
        put_on_blacklist(outstanding[3])
        assert lines()[:2] == ["6 live tokens became sessions", "1 blacklisted"]
        assert {one.jti for one in outstanding if adopted(one)} == {
            one.jti for one in outstanding if one is not outstanding[3]
        }

    def test_statements_of_a_batch_are_four(
        self, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        for _ in range(5):
            outstand(user)
        with django_assert_num_queries(4 + 1):  # and one that finds no further batch
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
    def test_what_cannot_be_used_is_counted_by_its_reason(
        self, user: Any, claims: dict[str, Any], reason: str
    ) -> None:
        outstand(user, **claims)
        outstand(user)
        assert lines()[:2] == ["1 live tokens became sessions", f"1 refused: {reason}"]
        assert Session.objects.count() == 1

    def test_a_token_signed_by_a_lost_key_is_counted_as_such(
        self, user: Any, settings: Any
    ) -> None:
        outstand(user)
        settings.SECRET_KEY = "another key, long enough for every algorithm: 0123456789abcdef01"
        assert lines()[:2] == ["0 live tokens became sessions", "1 refused: bad_signature"]

    def test_users_who_are_gone_or_inactive_get_no_session(self, make_user: Any) -> None:
        gone, inactive, active = make_user(), make_user(is_active=False), make_user()
        for one in (gone, inactive, active):
            outstand(one)
        gone.delete()
        said = lines()[:3]
        assert said == [
            "1 live tokens became sessions",
            "1 of users who are gone",
            "1 of users who may not authenticate",
        ]
        assert Session.objects.get().user == active

    def test_a_token_from_before_a_change_of_the_password_gets_no_session(self, user: Any) -> None:
        outstand(user, hash_password="of another password")
        said = lines()[:2]
        assert said == ["0 live tokens became sessions", "1 refused: another password"]
        assert not Session.objects.exists()

    def test_a_token_beyond_the_refresh_lifetime_is_imported_until_its_end(self, user: Any) -> None:
        outstanding = outstand(user, seconds=300 * 86400)
        run()
        session = adopted(outstanding)
        assert session is not None
        assert abs(session.expires_at - outstanding.expires_at) < timedelta(seconds=2)

    def test_expired_tokens_are_counted_alone(self, user: Any) -> None:
        outstand(user, seconds=-1)
        assert lines()[:2] == ["0 live tokens became sessions", "1 expired"]
        assert not Session.objects.exists()

    def test_a_token_of_ours_is_a_session_already(self, user: Any) -> None:
        """The alias writes such rows; their text can only end the session."""
        claims = runtime.current().codec.decode(flows.issue(user).refresh)
        del claims["gen"]
        outstanding = outstand(user, **claims)
        assert lines()[:2] == ["0 live tokens became sessions", "1 are sessions already"]
        put_on_blacklist(outstanding)
        run("--with-blacklisted")
        assert Session.objects.count() == 1

    def test_a_session_that_comes_meanwhile_is_met_and_not_doubled(self, user: Any) -> None:
        outstanding = outstand(user)
        claims = tokens._read(outstanding.token, runtime.now(), tokens.Tally())
        assert claims is not None
        draft = adoption.draft(claims, user, now=runtime.now())
        tokens._insert([draft])
        tokens._insert([draft])  # as if the look for known ones had been too early
        assert Session.objects.count() == 1

    def test_an_imported_session_ends_with_the_password(self, client: APIClient, user: Any) -> None:
        outstanding = outstand(user)
        run()
        user.set_password("another")
        user.save()
        assert post(client, "token_refresh", refresh=outstanding.token).status_code == 401


class TestDryRun:
    def test_nothing_is_written(self, user: Any) -> None:
        outstand(user)
        put_on_blacklist(outstand(user))
        said = lines("--dry-run", "--with-blacklisted")
        assert said[:2] == ["1 live tokens would become sessions", "1 blacklisted"]
        assert not Session.objects.exists()

    def test_it_says_what_adoption_would_have_to_be(self, user: Any, settings: Any) -> None:
        settings.SIGNET = {}
        latest = outstand(user, seconds=90_000).expires_at
        outstand(user)
        assert f'"ADOPT_TOKENS_UNTIL": "{latest.isoformat(timespec="seconds")}"' in run("--dry-run")


class TestBlacklisted:
    @pytest.fixture
    def dead(self, user: Any) -> Any:
        """Return a token on the blacklist."""
        outstanding = outstand(user)
        put_on_blacklist(outstanding)
        return outstanding

    def test_it_stays_dead_without_the_tables(
        self, client: APIClient, dead: Any, old_tables: Any
    ) -> None:
        assert "1 blacklisted tokens kept as ended sessions" in lines("--with-blacklisted")
        old_tables.BlacklistedToken.objects.all().delete()
        answer = post(client, "token_refresh", refresh=dead.token)
        assert (answer.status_code, answer.data["reason"]) == (401, "ended")

    def test_it_stays_until_the_token_has_expired(self, dead: Any) -> None:
        run("--with-blacklisted")
        before = dead.expires_at.timestamp() - 60
        assert sessions.clear_expired(now=before + sessions.KEPT_AFTER_END.total_seconds()) == 0

    def test_a_session_that_its_token_has_become_before_is_ended(
        self, client: APIClient, user: Any
    ) -> None:
        outstanding = outstand(user)
        successor = post(client, "token_refresh", refresh=outstanding.token).data["refresh"]
        put_on_blacklist(outstanding)
        run("--with-blacklisted")
        assert Session.objects.get().end_reason == EndReason.LOGOUT
        assert post(client, "token_refresh", refresh=successor).status_code == 401

    def test_it_may_be_repeated(self, dead: Any) -> None:
        run("--with-blacklisted")
        before = rows()
        run("--with-blacklisted")
        assert rows() == before

    def test_all_batches_are_kept(self, user: Any, small_batches: None) -> None:
        for _ in range(7):
            put_on_blacklist(outstand(user))
        assert "7 blacklisted tokens kept as ended sessions" in lines("--with-blacklisted")
        assert Session.objects.filter(end_reason=EndReason.LOGOUT).count() == 7


class TestTables:
    """When they may be dropped."""

    NOW = "The old tables may be dropped once nothing runs simplejwt any more."

    def test_at_once_if_nothing_is_blacklisted_that_could_come_back(self, user: Any) -> None:
        outstand(user)
        put_on_blacklist(outstand(user, seconds=-1))
        assert lines()[-1] == self.NOW

    def test_at_once_if_the_blacklisted_ones_are_kept_here(self, user: Any) -> None:
        put_on_blacklist(outstand(user))
        assert lines("--with-blacklisted")[-1] == self.NOW

    def test_else_when_the_last_of_them_expires(self, user: Any) -> None:
        outstanding = outstand(user, seconds=9000)
        put_on_blacklist(outstanding)
        put_on_blacklist(outstand(user))
        latest = outstanding.expires_at.isoformat(timespec="seconds")
        assert lines()[-1] == f"The old tables may be dropped after {latest}."

    def test_or_when_adoption_ends(self, user: Any, settings: Any) -> None:
        put_on_blacklist(outstand(user, seconds=9000))
        until = sessions.as_datetime(int(runtime.now()) + 60)
        settings.SIGNET = {"ADOPT_TOKENS_UNTIL": until.isoformat()}
        assert lines()[-1] == f"The old tables may be dropped after {until.isoformat()}."


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_a_project_without_time_zones_has_the_same_instants(
    user: Any, settings: Any, zone: str
) -> None:
    """simplejwt stores `exp` in UTC, also where the project's other instants are local."""
    settings.USE_TZ, settings.TIME_ZONE = False, zone
    live, dead, expired = outstand(user), outstand(user), outstand(user, seconds=-60)
    put_on_blacklist(dead)
    latest = dead.expires_at.isoformat(timespec="seconds")
    assert lines() == [
        "1 live tokens became sessions",
        "1 blacklisted",
        "1 expired",
        f"The old tables may be dropped after {latest}+00:00.",
    ]
    run("--with-blacklisted")
    ends = [adopted(one) for one in (live, dead)]
    assert all(one and one.expires_at.timestamp() > runtime.now() + 3000 for one in ends)
    assert ends[1].expires_at.timestamp() < runtime.now() + 3700  # type: ignore[union-attr]
    assert adopted(expired) is None


class TestCommand:
    def test_it_is_refused_while_adoption_is_off(self, user: Any, settings: Any) -> None:
        settings.SIGNET = {}
        put_on_blacklist(outstand(user))
        with pytest.raises(CommandError, match="Set ADOPT_TOKENS_UNTIL first"):
            run("--with-blacklisted")
        assert not Session.objects.exists()

    def test_a_database_without_our_table_is_reported_with_the_rest(
        self, user: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        outstand(user)
        monkeypatch.setattr(Session._meta, "db_table", "not_migrated_yet")
        out = StringIO()
        with pytest.raises(CommandError, match=r"manage\.py migrate"), transaction.atomic():
            call_command("signet_migrate_from_simplejwt", "--dry-run", stdout=out)
        assert "Settings" in out.getvalue()

    def test_settings_that_cannot_be_used_are_reported_with_the_rest(self, settings: Any) -> None:
        settings.SIGNET = {"SIGNING_KEY": "short"}
        out = StringIO()
        with pytest.raises(CommandError, match=r"cannot be used: .* 32 bytes"):
            call_command("signet_migrate_from_simplejwt", stdout=out)
        assert "the signing key: it cannot be used" in out.getvalue()
        settings.SIMPLE_JWT = "no dict"
        with pytest.raises(CommandError, match="SIMPLE_JWT must be a dict"):
            run()

    def test_what_is_to_be_written_is_printed(self, settings: Any) -> None:
        settings.SIMPLE_JWT = {"LEEWAY": 5}
        assert 'SIGNET = {\n      "LEEWAY": 5,\n  }\n' in run()

    def test_places_in_the_code_are_printed(self, settings: Any, tmp_path: Any) -> None:
        settings.BASE_DIR = tmp_path
        module = tmp_path / "shop.py"
        module.write_text("\nfrom rest_framework_simplejwt import views\n", encoding="utf-8")
        (tmp_path / "torn.py").write_text("def", encoding="utf-8")
        said = run()
        assert f"{module}:2 rest_framework_simplejwt.views → drf_signet.views\n" in said
        assert f"{tmp_path / 'torn.py'} cannot be read as Python\n" in said

    def test_code_without_it_is_said_to_be(self, settings: Any, tmp_path: Any) -> None:
        settings.BASE_DIR = tmp_path
        assert "Nothing names rest_framework_simplejwt." in run()


def test_without_tables_there_is_nothing_to_import(old_tables: Any, monkeypatch: Any) -> None:
    from drf_signet import blacklist

    monkeypatch.setattr(blacklist.Outstanding._meta, "db_table", "not_there")
    assert lines()[0].startswith("There are no tables")


def test_tokens_without_a_row_become_sessions_at_their_first_use(
    client: APIClient, user: Any
) -> None:
    run()
    assert post(client, "token_refresh", refresh=token_of_old(user)).status_code == 200
