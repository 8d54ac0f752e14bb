"""Revocation between connections, threads and processes, with real commits."""

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
from drf_signet import revocation, runtime
from drf_signet.database import DbNow
from drf_signet.models import EndReason, Session
from drf_signet.revocation import DatabaseSource, Feed, OwnEndings
from drf_signet.tokens import TokenPair
from tests.conftest import PASSWORD
from tests.situations import ROTATING, hashed_before, post

from .crew import VENDOR, Act, Crew, refreshing
from .peer import Peer, peer

pytestmark = pytest.mark.django_db(transaction=True)

OFTEN = 0.02
#: What never lasts so long unless it never happens.
DEADLINE = 30.0


@pytest.fixture(autouse=True)
def signet_deterministic() -> Iterator[None]:
    """Let the feed ask here, unlike everywhere else."""
    before = revocation.own_endings.alone
    revocation.own_endings.alone = False
    runtime.current.cache_clear()
    yield
    revocation.own_endings.alone = before


@pytest.fixture
def pair(user: Any) -> TokenPair:
    return drf_signet.issue(user)


def hello(access: str, client: APIClient | None = None) -> int:
    answer = (client or APIClient()).get("/hello/", headers={"authorization": f"Bearer {access}"})
    return answer.status_code


def until(condition: Callable[[], bool]) -> bool:
    """Ask again and again, until it holds or the deadline has passed; return whether it holds."""
    deadline = time.monotonic() + DEADLINE
    while not (holds := condition()) and time.monotonic() < deadline:
        pass
    return holds


# Two connections


class Elsewhere:
    """A feed that has heard of no end by itself, as in another process; it asks when told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.feed = Feed(
            DatabaseSource(),
            interval=1,
            max_staleness=60,
            reach=3660,
            own=OwnEndings(),
            clock=lambda: self.now,
        )

    def knows(self, session: Session) -> bool:
        """Ask, one second after the last question, and tell whether the session has ended."""
        self.now += 1
        return self.feed.has_ended(str(session.pk))


@pytest.fixture
def other_thread() -> Iterator[ThreadPoolExecutor]:
    """Return a thread with a connection of its own."""
    with ThreadPoolExecutor(1) as pool:
        yield pool
        pool.submit(connections.close_all).result()


def test_an_end_whose_transaction_commits_after_a_question_is_not_missed(
    pair: TokenPair, user: Any, other_thread: ThreadPoolExecutor
) -> None:
    elsewhere, later = Elsewhere(), drf_signet.issue(user)
    ended, commit = threading.Event(), threading.Event()

    def end_slowly() -> None:
        with transaction.atomic():
            drf_signet.end(pair.session)
            ended.set()
            assert commit.wait(timeout=DEADLINE)

    assert not elsewhere.knows(pair.session)
    slow = other_thread.submit(end_slowly)
    assert ended.wait(timeout=DEADLINE)
    if VENDOR != "sqlite3":  # there it would wait for the slow one to commit
        drf_signet.end(later.session)
        assert elsewhere.knows(later.session)
    assert not elsewhere.knows(pair.session)
    commit.set()
    slow.result()
    assert elsewhere.knows(pair.session)


def test_a_transaction_that_lasts_longer_than_any_question_reaches_is_not_missed(
    pair: TokenPair,
) -> None:
    elsewhere = Elsewhere()
    assert not elsewhere.knows(pair.session)
    with transaction.atomic():
        drf_signet.end(pair.session)
        Session.objects.update(ended_at=DbNow() - timedelta(seconds=600))  # that long ago
    assert elsewhere.knows(pair.session)


@pytest.mark.parametrize("change", ["deleted", "deactivated", "new password"])
def test_what_is_done_to_a_user_is_known_elsewhere(change: str, pair: TokenPair, user: Any) -> None:
    elsewhere = Elsewhere()
    assert not elsewhere.knows(pair.session)
    if change == "deleted":
        user.delete()
    elif change == "deactivated":
        user.is_active = False
        user.save()
    else:
        user.set_password("another")
        user.save()
    assert elsewhere.knows(pair.session)


_STANDARD = ("read committed", "repeatable read", "serializable")
_LEVELS: dict[str, dict[str, Any]] = {
    "postgresql": dict(zip(_STANDARD, (2, 3, 4), strict=True)),
    "mysql": {**dict(zip(_STANDARD, _STANDARD, strict=True)), "the server's own": None},
}
#: Isolation level → how this run's database is told of it in OPTIONS.
LEVELS = _LEVELS.get(VENDOR, {"its only one": None})


@pytest.mark.skipif(VENDOR == "sqlite3", reason="a transaction of SQLite lets nobody else write")
@pytest.mark.parametrize("level", LEVELS)
def test_a_question_inside_a_transaction_is_answered_from_now_and_not_from_its_snapshot(
    level: str, pair: TokenPair, user: Any, other_thread: ThreadPoolExecutor
) -> None:
    looked, ended = threading.Event(), threading.Event()

    def look() -> list[int]:
        own = connections["default"].copy()
        own.settings_dict["OPTIONS"]["isolation_level"] = LEVELS[level]
        connections["default"] = own
        with transaction.atomic():
            assert get_user_model().objects.get().pk == user.pk  # takes the snapshot
            seen = [hello(pair.access)]
            looked.set()
            assert ended.wait(timeout=DEADLINE)
            runtime.current.cache_clear()
            return [*seen, hello(pair.access)]

    looking = other_thread.submit(look)
    assert looked.wait(timeout=DEADLINE)
    Session.objects.update(ended_at=DbNow(), end_reason=EndReason.LOGOUT)
    ended.set()
    assert looking.result() == [200, 401]


# Threads


def test_many_threads_ask_once_per_interval(
    user: Any, settings: Any, assemble: Callable[[int], Crew]
) -> None:
    settings.SIGNET = {**ROTATING, "REVOCATION_POLL_INTERVAL": 3599}
    access, questions = drf_signet.issue(user).access, []

    def count(execute: Any, sql: str, *args: Any) -> Any:
        questions.append(sql)
        return execute(sql, *args)

    def act(client: APIClient) -> set[int]:
        with connection.execute_wrapper(count):
            return {hello(access, client) for _ in range(50)}

    assert assemble(16).act([act] * 16) == [{200}] * 16
    assert len(questions) == 1


def test_no_thread_accepts_a_token_after_its_end_was_confirmed(
    user: Any, settings: Any, assemble: Callable[[int], Crew]
) -> None:
    settings.SIGNET = {**ROTATING, "REVOCATION_POLL_INTERVAL": OFTEN}
    crew = assemble(5)
    for _ in range(20):
        pair, confirmed = drf_signet.issue(user), threading.Event()

        def use(client: APIClient, pair: TokenPair = pair, over: Any = confirmed) -> list[int]:
            answers = []
            while not over.is_set():
                answers.append(hello(pair.access, client))
            return [*answers, hello(pair.access, client)]

        def end(client: APIClient, pair: TokenPair = pair, over: Any = confirmed) -> list[int]:
            try:
                return [post(client, "token_logout", refresh=pair.refresh).status_code]
            finally:
                over.set()

        acts: list[Act[list[int]]] = [end, *[use] * 4]
        ended, *used = crew.act(acts)
        assert ended == [204]
        for answers in used:
            assert set(answers) <= {200, 401}
            assert answers[-1] == 401
            assert answers == sorted(answers)  # never 200 again


def test_a_password_hashed_anew_fails_no_refresh_beside_it(
    make_user: Callable[..., Any], settings: Any, assemble: Callable[[int], Crew]
) -> None:
    crew = assemble(4)
    for _ in range(60):
        user = hashed_before(settings, make_user)
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


def test_two_logins_that_hash_a_password_anew_at_once_end_nothing(
    make_user: Callable[..., Any], settings: Any, assemble: Callable[[int], Crew]
) -> None:
    crew = assemble(4)
    for _ in range(60):
        user = hashed_before(settings, make_user)
        pairs = [drf_signet.issue(user) for _ in range(2)]

        def log_in(client: APIClient, user: Any = user) -> Any:
            credentials = {"username": user.username, "password": PASSWORD}
            return post(client, "token_obtain_pair", **credentials)

        *logins, one, other = crew.act([log_in] * 2 + [refreshing(p.refresh or "") for p in pairs])
        assert (one.status_code, other.status_code) == (200, 200)
        # Above READ COMMITTED, Django's own UPDATE of the user may lose to the other login's.
        welcomed = [login.data["refresh"] for login in logins if login.status_code == 200]
        assert welcomed
        for token in (*welcomed, one.data["refresh"], other.data["refresh"]):
            assert post(APIClient(), "token_refresh", refresh=token).status_code == 200
    assert not Session.objects.exclude(end_reason="").exists()


# Processes


@pytest.fixture
def process() -> Iterator[Peer]:
    """Return another process on the same database."""
    with peer({"REVOCATION_POLL_INTERVAL": OFTEN}) as started:
        yield started


def test_an_end_here_is_known_in_another_process(pair: TokenPair, process: Peer) -> None:
    assert process.do("hello", pair.access) == 200
    drf_signet.end(pair.session)
    assert until(lambda: process.do("hello", pair.access) == 401)


def test_an_end_in_another_process_is_known_here(
    pair: TokenPair, process: Peer, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "REVOCATION_POLL_INTERVAL": OFTEN}
    assert hello(pair.access) == 200
    assert process.do("end", pair.session.pk) is True
    assert process.do("hello", pair.access) == 401
    assert until(lambda: hello(pair.access) == 401)


def test_an_end_in_another_process_counts_from_its_commit(
    pair: TokenPair, process: Peer, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "REVOCATION_POLL_INTERVAL": timedelta(microseconds=1)}
    process.do("begin")
    assert process.do("end", pair.session.pk) is True
    assert {hello(pair.access) for _ in range(20)} == {200}
    process.do("commit")
    assert process.do("hello", pair.access) == 401
    assert hello(pair.access) == 401


def test_an_end_that_another_process_rolls_back_is_none(
    pair: TokenPair, process: Peer, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "REVOCATION_POLL_INTERVAL": timedelta(microseconds=1)}
    process.do("begin")
    assert process.do("end", pair.session.pk) is True
    process.do("rollback")
    assert {hello(pair.access) for _ in range(20)} == {200}
    assert process.do("hello", pair.access) == 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_notices_what_its_parent_ends_after_the_fork(
    pair: TokenPair, user: Any, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "REVOCATION_POLL_INTERVAL": OFTEN}
    before = drf_signet.issue(user)
    drf_signet.end(before.session)
    assert (hello(pair.access), hello(before.access)) == (200, 401)
    connections.close_all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if child == 0:
        noticed = False
        try:
            knew = hello(before.access) == 401
            noticed = knew and until(lambda: hello(pair.access) == 401)
        finally:
            os._exit(0 if noticed else 1)
    drf_signet.end(pair.session)
    _, status = os.waitpid(child, 0)
    assert status == 0
