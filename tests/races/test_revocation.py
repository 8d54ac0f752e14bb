"""Test revocation across connections, threads and processes, with committed transactions."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections, transaction
from rest_framework.test import APIClient

import drf_signet
from drf_signet import runtime
from drf_signet.db.database import DbNow
from drf_signet.models import EndReason, Session
from drf_signet.sessions.ended import EndedSessions, ended_sessions
from drf_signet.sessions.revocation import Feed
from drf_signet.sessions.sources import DatabaseSource
from drf_signet.tokens import TokenPair
from tests.conftest import PASSWORD
from tests.support.peer_process import PeerProcess
from tests.support.session_states import ROTATING, post, user_with_outdated_hash

from .crew import VENDOR, Act, Crew, refreshing
from .peer import peer

pytestmark = pytest.mark.django_db(transaction=True)

SHORT_INTERVAL = 0.02
#: Seconds for which a test waits for an event before the test fails.
DEADLINE = 30.0


@pytest.fixture(autouse=True)
def signet_deterministic() -> Iterator[None]:
    """Let the feed poll. This overrides the fixture of the same name, which prevents polls."""
    before = ended_sessions.alone
    ended_sessions.alone = False
    runtime.current.cache_clear()
    yield
    ended_sessions.alone = before


@pytest.fixture
def pair(user: Any) -> TokenPair:
    return drf_signet.issue(user)


def hello(access: str, client: APIClient | None = None) -> int:
    answer = (client or APIClient()).get("/hello/", headers={"authorization": f"Bearer {access}"})
    return answer.status_code


def until(condition: Callable[[], bool]) -> bool:
    """Repeat a check until it returns True or DEADLINE has passed; return its last result."""
    deadline = time.monotonic() + DEADLINE
    while not (holds := condition()) and time.monotonic() < deadline:
        pass
    return holds


# Tests with two connections


class OtherFeed:
    """A feed like that of another process: it reads ended sessions only from the database."""

    def __init__(self) -> None:
        self.now = 0.0
        self.feed = Feed(
            DatabaseSource(),
            interval=1,
            max_staleness=60,
            reach=3660,
            ended=EndedSessions(),
            clock=lambda: self.now,
        )

    def knows(self, session: Session) -> bool:
        """Advance the clock so that the feed polls, and return whether the session has ended."""
        self.now += 1
        return self.feed.has_ended(session.pk.int)


@pytest.fixture
def other_thread() -> Iterator[ThreadPoolExecutor]:
    """Return a pool with one thread, which has its own database connection."""
    with ThreadPoolExecutor(1) as pool:
        yield pool
        pool.submit(connections.close_all).result()


def test_feed_finds_a_session_whose_end_commits_after_a_poll(
    pair: TokenPair, user: Any, other_thread: ThreadPoolExecutor
) -> None:
    other_feed, later = OtherFeed(), drf_signet.issue(user)
    ended, commit = threading.Event(), threading.Event()

    def end_slowly() -> None:
        with transaction.atomic():
            drf_signet.end(pair.session)
            ended.set()
            assert commit.wait(timeout=DEADLINE)

    assert not other_feed.knows(pair.session)
    slow = other_thread.submit(end_slowly)
    assert ended.wait(timeout=DEADLINE)
    if VENDOR != "sqlite3":  # on SQLite, this write would wait for the other thread
        drf_signet.end(later.session)
        assert other_feed.knows(later.session)
    assert not other_feed.knows(pair.session)
    commit.set()
    slow.result()
    assert other_feed.knows(pair.session)


def test_feed_finds_a_session_that_ended_in_a_transaction_longer_than_the_overlap(
    pair: TokenPair,
) -> None:
    other_feed = OtherFeed()
    assert not other_feed.knows(pair.session)
    with transaction.atomic():
        drf_signet.end(pair.session)
        Session.objects.update(ended_at=DbNow() - timedelta(seconds=600))  # ended ten minutes ago
    assert other_feed.knows(pair.session)


@pytest.mark.parametrize("change", ["deleted", "deactivated", "new password"])
def test_session_ended_by_a_user_change_is_known_in_another_process(
    change: str, pair: TokenPair, user: Any
) -> None:
    other_feed = OtherFeed()
    assert not other_feed.knows(pair.session)
    if change == "deleted":
        user.delete()
    elif change == "deactivated":
        user.is_active = False
        user.save()
    else:
        user.set_password("another")
        user.save()
    assert other_feed.knows(pair.session)


_STANDARD = ("read committed", "repeatable read", "serializable")
_LEVELS: dict[str, dict[str, Any]] = {
    "postgresql": dict(zip(_STANDARD, (2, 3, 4), strict=True)),
    "mysql": {**dict(zip(_STANDARD, _STANDARD, strict=True)), "the server's default": None},
}
#: Isolation level → the value of `isolation_level` in the database's OPTIONS.
LEVELS = _LEVELS.get(VENDOR, {"the only level": None})


@pytest.mark.skipif(
    VENDOR == "sqlite3", reason="SQLite locks out other writers during a transaction"
)
@pytest.mark.parametrize("level", LEVELS)
def test_a_poll_inside_a_transaction_reads_rows_committed_after_its_snapshot(
    level: str, pair: TokenPair, user: Any, other_thread: ThreadPoolExecutor
) -> None:
    first_request_done, ended = threading.Event(), threading.Event()

    def send_two_requests() -> list[int]:
        own = connections["default"].copy()
        own.settings_dict["OPTIONS"]["isolation_level"] = LEVELS[level]
        connections["default"] = own
        with transaction.atomic():
            assert get_user_model().objects.get().pk == user.pk  # this query takes the snapshot
            before = hello(pair.access)
            first_request_done.set()
            assert ended.wait(timeout=DEADLINE)
            runtime.current.cache_clear()
            return [before, hello(pair.access)]

    requests = other_thread.submit(send_two_requests)
    assert first_request_done.wait(timeout=DEADLINE)
    Session.objects.update(ended_at=DbNow(), end_reason=EndReason.LOGOUT)
    ended.set()
    assert requests.result() == [200, 401]


# Tests with many threads


def test_many_threads_send_one_query_per_interval(
    user: Any, settings: Any, assemble: Callable[[int], Crew]
) -> None:
    settings.SIGNET = {**ROTATING, "REVOCATION_POLL_INTERVAL": 3599}
    access, queries = drf_signet.issue(user).access, []

    def record(execute: Any, sql: str, *args: Any) -> Any:
        queries.append(sql)
        return execute(sql, *args)

    def act(client: APIClient) -> set[int]:
        with connection.execute_wrapper(record):
            return {hello(access, client) for _ in range(50)}

    assert assemble(16).act([act] * 16) == [{200}] * 16
    assert len(queries) == 1


def test_no_thread_accepts_a_token_after_its_logout_was_confirmed(
    user: Any, settings: Any, assemble: Callable[[int], Crew]
) -> None:
    settings.SIGNET = {**ROTATING, "REVOCATION_POLL_INTERVAL": SHORT_INTERVAL}
    crew = assemble(5)
    for _ in range(20):
        pair, confirmed = drf_signet.issue(user), threading.Event()

        def use(client: APIClient, pair: TokenPair = pair, confirmed: Any = confirmed) -> list[int]:
            answers = []
            while not confirmed.is_set():
                answers.append(hello(pair.access, client))
            return [*answers, hello(pair.access, client)]

        def end(client: APIClient, pair: TokenPair = pair, confirmed: Any = confirmed) -> list[int]:
            try:
                return [post(client, "token_logout", refresh=pair.refresh).status_code]
            finally:
                confirmed.set()

        acts: list[Act[list[int]]] = [end, *[use] * 4]
        ended, *used = crew.act(acts)
        assert ended == [204]
        for answers in used:
            assert set(answers) <= {200, 401}
            assert answers[-1] == 401
            assert answers == sorted(answers)  # no 200 after the first 401


def test_refreshes_succeed_while_a_login_upgrades_the_hash(
    make_user: Callable[..., Any], settings: Any, assemble: Callable[[int], Crew]
) -> None:
    crew = assemble(4)
    for _ in range(60):
        user = user_with_outdated_hash(settings, make_user)
        pairs = [drf_signet.issue(user) for _ in range(3)]

        def refresh(pair: TokenPair) -> Act[list[int]]:
            def act(client: APIClient) -> list[int]:
                token, answers = pair.refresh, []
                for _ in range(3):
                    answer = post(client, "token_refresh", refresh=token)
                    answers.append(answer.status_code)
                    token = answer.data.get("refresh")
                return answers

            return act

        def log_in(client: APIClient, user: Any = user) -> list[int]:
            credentials = {"username": user.username, "password": PASSWORD}
            return [post(client, "token_obtain_pair", **credentials).status_code]

        assert crew.act([log_in, *map(refresh, pairs)]) == [[200], *[[200] * 3] * 3]
        assert get_user_model().objects.get(pk=user.pk).password.startswith("new$")
    assert not Session.objects.exclude(end_reason="").exists()


def test_concurrent_logins_that_upgrade_the_hash_end_no_session(
    make_user: Callable[..., Any], settings: Any, assemble: Callable[[int], Crew]
) -> None:
    crew = assemble(4)
    for _ in range(60):
        user = user_with_outdated_hash(settings, make_user)
        pairs = [drf_signet.issue(user) for _ in range(2)]

        def log_in(client: APIClient, user: Any = user) -> Any:
            credentials = {"username": user.username, "password": PASSWORD}
            return post(client, "token_obtain_pair", **credentials)

        acts = [log_in] * 2 + [refreshing(pair.refresh or "") for pair in pairs]
        *logins, first, second = crew.act(acts)
        assert (first.status_code, second.status_code) == (200, 200)
        # At levels above READ COMMITTED, a login may fail, because both logins update the user.
        login_tokens = [login.data["refresh"] for login in logins if login.status_code == 200]
        assert login_tokens
        for token in (*login_tokens, first.data["refresh"], second.data["refresh"]):
            assert post(APIClient(), "token_refresh", refresh=token).status_code == 200
    assert not Session.objects.exclude(end_reason="").exists()


# Tests with a second process


@pytest.fixture
def process() -> Iterator[PeerProcess]:
    """Start another process that uses the same database and polls often."""
    with peer({"REVOCATION_POLL_INTERVAL": SHORT_INTERVAL}) as started:
        yield started


def test_session_ended_in_this_process_is_known_in_another_process(
    pair: TokenPair, process: PeerProcess
) -> None:
    assert process.hello(pair.access) == 200
    drf_signet.end(pair.session)
    assert until(lambda: process.hello(pair.access) == 401)


def test_session_ended_in_another_process_is_known_in_this_process(
    pair: TokenPair, process: PeerProcess, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "REVOCATION_POLL_INTERVAL": SHORT_INTERVAL}
    assert hello(pair.access) == 200
    assert process.end(pair.session.pk) is True
    assert process.hello(pair.access) == 401
    assert until(lambda: hello(pair.access) == 401)


def test_session_ended_in_another_process_is_known_after_the_commit(
    pair: TokenPair, process: PeerProcess, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "REVOCATION_POLL_INTERVAL": timedelta(microseconds=1)}
    process.begin()
    assert process.end(pair.session.pk) is True
    assert {hello(pair.access) for _ in range(20)} == {200}
    process.commit()
    assert process.hello(pair.access) == 401
    assert hello(pair.access) == 401


def test_session_end_rolled_back_by_another_process_is_ignored(
    pair: TokenPair, process: PeerProcess, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "REVOCATION_POLL_INTERVAL": timedelta(microseconds=1)}
    process.begin()
    assert process.end(pair.session.pk) is True
    process.rollback()
    assert {hello(pair.access) for _ in range(20)} == {200}
    assert process.hello(pair.access) == 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork")
def test_forked_child_knows_a_session_that_its_parent_ended_after_the_fork(
    pair: TokenPair, user: Any, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "REVOCATION_POLL_INTERVAL": SHORT_INTERVAL}
    ended = drf_signet.issue(user)
    drf_signet.end(ended.session)
    assert (hello(pair.access), hello(ended.access)) == (200, 401)
    connections.close_all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # os.fork() warns if there are threads
        child = os.fork()
    if child == 0:
        refuses_both = False
        try:
            refuses_first = hello(ended.access) == 401
            refuses_both = refuses_first and until(lambda: hello(pair.access) == 401)
        finally:
            os._exit(0 if refuses_both else 1)
    drf_signet.end(pair.session)
    _, status = os.waitpid(child, 0)
    assert status == 0
