"""Test the management commands for sessions."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.utils import timezone

import drf_signet
from drf_signet import EndReason, runtime
from drf_signet.errors import Busy
from drf_signet.management import selection
from drf_signet.models import Session
from drf_signet.sessions import endings, store
from drf_signet.sessions.store import KEPT_AFTER_END
from tests.support.session_states import delete_row_of, expire, open_session, set_row

pytestmark = pytest.mark.django_db


def clear_expired() -> str:
    out = StringIO()
    call_command("signet_clear_expired", stdout=out)
    return out.getvalue()


def expired_session(user: Any, *, seconds_ago: float) -> Session:
    """Open a session whose row became eligible for deletion `seconds_ago` seconds ago."""
    session = open_session(user)
    kept = KEPT_AFTER_END.total_seconds()
    set_row(session, expires_at=store.as_datetime(runtime.now() - kept - seconds_ago))
    return session


def test_command_deletes_expired_sessions_and_prints_their_number(user: Any) -> None:
    expired_session(user, seconds_ago=60)
    expired_session(user, seconds_ago=3600)
    live_session = open_session(user)
    assert clear_expired() == "2 expired sessions deleted\n"
    assert Session.objects.get() == live_session


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def cleared_on_a_terminal(**options: Any) -> list[str]:
    """Run the command on a terminal, and return the parts that were written over each other."""
    out = Terminal()
    call_command("signet_clear_expired", stdout=out, **options)
    return out.getvalue().split("\r")


def test_command_draws_a_progress_bar_on_a_terminal(user: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(store, "BATCH", 2)
    for _ in range(4):
        expired_session(user, seconds_ago=60)
    empty, half, full = cleared_on_a_terminal()
    assert (empty, half.count("."), full.count(".")) == ("", 37, 75)
    assert full.endswith("]\n4 expired sessions deleted\n")


def test_command_draws_no_progress_bar_without_expired_sessions() -> None:
    assert cleared_on_a_terminal() == ["0 expired sessions deleted\n"]


def test_command_draws_no_progress_bar_at_verbosity_zero(user: Any) -> None:
    expired_session(user, seconds_ago=60)
    assert cleared_on_a_terminal(verbosity=0) == ["1 expired sessions deleted\n"]


def test_command_keeps_expired_sessions_within_the_leeway(user: Any, settings: Any) -> None:
    """Guard against a flaw in simplejwt, whose clean-up makes revoked tokens valid again.

    simplejwt accepts a token that has expired within the leeway. So if the clean-up has deleted the
    token's blacklist entry, the token is valid again.
    """
    settings.SIGNET = {"LEEWAY": 120}
    expired_session(user, seconds_ago=60)
    assert clear_expired() == "0 expired sessions deleted\n"
    settings.SIGNET = {}
    assert clear_expired() == "1 expired sessions deleted\n"


def run(command: str, *arguments: str, **options: Any) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out, **options)
    return out.getvalue()


def rows(*arguments: str, **options: Any) -> list[dict[str, Any]]:
    """Return the objects that `signet_sessions --json` writes."""
    found: list[dict[str, Any]] = json.loads(
        run("signet_sessions", "--json", *arguments, **options)
    )
    return found


class TestSessions:
    """Test the command `signet_sessions`."""

    def test_command_lists_the_live_sessions_of_one_user(self, user: Any, make_user: Any) -> None:
        agent = "(X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        session = open_session(
            user, user_agent=agent, ip_address="192.0.2.1", label="the desk", transport="cookie"
        )
        expire(open_session(user))
        open_session(make_user())
        lines = run("signet_sessions", "--user", "vitor").splitlines()
        used = timezone.now().date().isoformat()
        assert len(lines) == 2
        assert lines[0].startswith(f"{session.pk}  live     {used} ")
        assert lines[0].endswith("vitor  192.0.2.1  the desk – Firefox on Linux")  # noqa: RUF001
        assert lines[1] == "1 sessions"

    def test_json_has_the_facts_of_a_session_and_no_secret(self, user: Any) -> None:
        session = open_session(user, ip_address="192.0.2.1")
        output = run("signet_sessions", "--json")
        (row,) = json.loads(output)
        assert (row["id"], row["user"], row["user_id"]) == (str(session.pk), "vitor", user.pk)
        assert (row["state"], row["ended_at"], row["end_reason"]) == ("live", None, "")
        assert session.password_stamp
        assert session.password_stamp not in output

    def test_command_lists_all_states_on_request(self, user: Any) -> None:
        live, ended, expired = (open_session(user) for _ in range(3))
        set_row(ended, end_reason=EndReason.LOGOUT)
        expire(expired)
        assert {row["id"]: row["state"] for row in rows("--all-states")} == {
            str(live.pk): "live",
            str(ended.pk): "ended",
            str(expired.pk): "expired",
        }
        assert [row["id"] for row in rows()] == [str(live.pk)]

    def test_command_lists_a_session_whose_user_is_gone(self, user: Any) -> None:
        open_session(user)
        delete_row_of(user)
        assert [row["user"] for row in rows()] == [None]
        assert "  -  -  -" in run("signet_sessions")

    @pytest.mark.parametrize("number", [0, 1, 3, 4, 7])
    def test_command_reads_a_limited_number_of_sessions_at_a_time(
        self,
        user: Any,
        monkeypatch: pytest.MonkeyPatch,
        django_assert_num_queries: Any,
        number: int,
    ) -> None:
        monkeypatch.setattr(selection, "BATCH", 3)
        opened = [open_session(user, id=store.new_id(runtime.now() - age)) for age in range(number)]
        with django_assert_num_queries(number // 3 + 1) as captured:
            found = rows()
        assert [row["id"] for row in found] == [str(session.pk) for session in opened]
        assert all("LIMIT 3" in query["sql"] for query in captured)


class TestEndSessions:
    """Test the command `signet_end_sessions`."""

    def test_command_ends_the_sessions_of_one_user(self, user: Any, make_user: Any) -> None:
        ended = [open_session(user).pk for _ in range(2)]
        other = open_session(make_user())
        assert run("signet_end_sessions", "--user", "vitor") == "2 sessions ended\n"
        by_admin = Session.objects.filter(end_reason=EndReason.ENDED_BY_ADMIN)
        assert set(by_admin.values_list("pk", flat=True)) == set(ended)
        assert Session.objects.live().get() == other
        assert run("signet_end_sessions", "--user", "vitor") == "0 sessions ended\n"

    def test_command_ends_the_sessions_of_all_users(self, user: Any, make_user: Any) -> None:
        for owner in (user, make_user()):
            open_session(owner)
        assert json.loads(run("signet_end_sessions", "--all", "--json")) == {
            "ended": 2,
            "dry_run": False,
        }
        assert not Session.objects.live().exists()

    def test_dry_run_counts_and_ends_nothing(self, user: Any) -> None:
        open_session(user)
        set_row(open_session(user), end_reason=EndReason.LOGOUT)
        expired = open_session(user)
        set_row(expired, expires_at=store.as_datetime(runtime.now() - 3600))
        before = list(Session.objects.values())
        arguments = ("--user", "vitor", "--dry-run")
        assert run("signet_end_sessions", *arguments) == "1 sessions would be ended\n"
        answer = json.loads(run("signet_end_sessions", *arguments, "--json"))
        assert answer == {"ended": 1, "dry_run": True}
        assert list(Session.objects.values()) == before
        assert run("signet_end_sessions", "--user", "vitor") == "1 sessions ended\n"

    def test_process_that_runs_the_command_refuses_the_access_tokens(
        self, user: Any, client: Any
    ) -> None:
        pair = drf_signet.issue(user)
        run("signet_end_sessions", "--all")
        response = client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {pair.access}")
        assert response.json()["reason"] == "ended"

    @pytest.mark.parametrize("options", [{"user": None}, {"user_id": None}])
    def test_call_with_none_as_the_user_ends_nothing(self, user: Any, options: Any) -> None:
        open_session(user)
        with pytest.raises(CommandError, match="Choose --user, --user-id or --all"):
            run("signet_end_sessions", **options)
        assert Session.objects.live().exists()

    @pytest.mark.parametrize("arguments", [(), ("--user", "vitor", "--all")])
    def test_exactly_one_choice_of_sessions_is_required(self, user: Any, arguments: Any) -> None:
        with pytest.raises(CommandError):
            run("signet_end_sessions", *arguments)

    def test_conflicts_are_an_error_that_asks_for_another_run(
        self, user: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def conflict(*args: Any, **kwargs: Any) -> int:
            raise Busy

        monkeypatch.setattr(endings, "end_selected", conflict)
        with pytest.raises(CommandError, match="Run it again"):
            run("signet_end_sessions", "--all")


@pytest.mark.parametrize("command", ["signet_sessions", "signet_end_sessions"])
class TestUser:
    """Test the options of both commands that identify a user."""

    @pytest.mark.parametrize("username", ["nobody", "", "vitor!", "a\x00b", "x" * 5000])
    def test_unknown_username_is_an_error(self, user: Any, command: str, username: str) -> None:
        open_session(user)
        with pytest.raises(CommandError) as caught:
            run(command, f"--user={username}")
        assert str(caught.value) == f"There is no user with the username {username!r}."
        assert caught.value.returncode == 1
        assert Session.objects.live().exists()

    @pytest.mark.parametrize("key", ["0", "", "x", "9" * 30, "-1"])
    def test_unknown_key_is_an_error(self, user: Any, command: str, key: str) -> None:
        with pytest.raises(CommandError, match="There is no user with the primary key"):
            run(command, f"--user-id={key}")

    def test_user_can_be_identified_by_the_primary_key(
        self, user: Any, make_user: Any, command: str
    ) -> None:
        open_session(make_user())
        open_session(user)
        assert "1 sessions" in run(command, f"--user-id={user.pk}")
        Session.objects.update(end_reason="")
        assert "1 sessions" in run(command, user_id=user.pk)

    def test_username_of_several_users_is_an_error(
        self, user: Any, make_user: Any, command: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Test a user model whose usernames are unique only together with another column."""
        monkeypatch.setattr(get_user_model(), "USERNAME_FIELD", "first_name")
        for _ in range(2):
            make_user(first_name="Eva")
        with pytest.raises(CommandError, match="Several users have the username 'Eva'"):
            run(command, "--user=Eva")

    def test_user_whom_the_default_manager_hides_is_found(
        self, user: Any, command: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        open_session(user)
        nobody = get_user_model()._base_manager.none()
        monkeypatch.setattr(get_user_model()._default_manager, "get_queryset", lambda: nobody)
        assert "1 sessions" in run(command, "--user=vitor")


def test_exit_code_tells_scripts_that_the_arguments_are_wrong() -> None:
    command = [sys.executable, "-m", "django", "signet_end_sessions", "--settings=tests.settings"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "one of the arguments --user --user-id --all is required" in done.stderr
