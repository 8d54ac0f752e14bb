"""The feed by an injected clock and a source in memory; then its source, the table."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

import drf_signet
from drf_signet import revocation, runtime, sessions
from drf_signet.database import DbNow, read_committed
from drf_signet.errors import RevocationUnknown
from drf_signet.models import EndReason, Session
from drf_signet.revocation import WAIT, DatabaseSource, Feed, OwnEndings, Source

from .contracts.revocation_source import MemorySource, SourceContract

INTERVAL, STALENESS, REACH = 1.0, 60.0, 3660.0

Feeds = Callable[..., Feed]


@dataclass
class Clock:
    """A clock that stands still until it is told to go on."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def signet_deterministic() -> None:
    """Let the feed ask here, unlike everywhere else."""
    runtime.current.cache_clear()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(clock: Clock) -> MemorySource:
    return MemorySource(clock=clock)


@pytest.fixture
def make_feed(source: MemorySource, clock: Clock) -> Feeds:
    """Return a factory of feeds on the source in memory."""

    def make(**options: Any) -> Feed:
        options = {
            "interval": INTERVAL,
            "max_staleness": STALENESS,
            "reach": REACH,
            "own": OwnEndings(clock),
            "clock": clock,
            **options,
        }
        return Feed(source, **options)

    return make


@pytest.fixture
def asked_feed(make_feed: Feeds, source: MemorySource) -> Feed:
    """Return a feed that has just had its first answer."""
    feed = make_feed()
    ask(feed)
    source.asked.clear()
    return feed


def ask(feed: Feed, session_id: uuid.UUID | None = None) -> bool:
    return feed.has_ended(str(session_id or uuid.uuid4()))


@contextmanager
def renewing(feed: Feed, source: MemorySource) -> Iterator[Callable[[], None]]:
    """Hold a thread inside the source; give the function that lets it go on."""
    inside, release = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        assert release.wait(timeout=30)

    source.before_answer = wait
    with ThreadPoolExecutor(1) as pool:
        renewer = pool.submit(ask, feed)
        try:
            assert inside.wait(timeout=30)
            source.before_answer = lambda: None
            yield release.set
        finally:
            release.set()
        renewer.result()


# When it asks, and for what


def test_the_first_question_is_for_the_whole_reach(make_feed: Feeds, source: MemorySource) -> None:
    session_id = source.open()
    source.end(session_id, seconds_ago=REACH - 1)
    assert ask(make_feed(), session_id)
    assert source.asked == [REACH]


def test_a_live_session_has_not_ended(make_feed: Feeds, source: MemorySource) -> None:
    assert not ask(make_feed(), source.open())


def test_nothing_is_asked_within_the_interval(
    asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    clock.advance(INTERVAL - 0.001)
    for _ in range(1000):
        ask(asked_feed)
    assert source.asked == []


def test_an_end_elsewhere_is_known_after_the_interval(
    asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    session_id = source.open()
    source.end(session_id)
    assert not ask(asked_feed, session_id)
    clock.advance(INTERVAL)
    assert ask(asked_feed, session_id)


@pytest.mark.parametrize("since", [1.0, 2.5, 29.0])
def test_a_question_reaches_ten_seconds_behind_the_last_answer(
    since: float, asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    clock.advance(since)
    ask(asked_feed)
    assert source.asked == [10 + since]


def test_each_question_reaches_behind_the_last_one_and_not_behind_the_first(
    asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    for since in (1, 1, 4, 1):
        clock.advance(since)
        ask(asked_feed)
    assert source.asked == [11, 11, 14, 11]


def test_no_question_reaches_further_than_the_reach(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    feed = make_feed(reach=12.0)
    ask(feed)
    clock.advance(5)
    ask(feed)
    assert source.asked == [12, 12]


def test_the_whole_reach_is_asked_for_every_thirty_seconds(
    asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    for _ in range(61):
        clock.advance(1)
        ask(asked_feed)
    assert [index for index, back in enumerate(source.asked, 1) if back == REACH] == [30, 60]


def test_a_transaction_that_commits_after_a_later_one_is_not_missed(
    asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    early, late = source.open(), source.open()
    clock.advance(5)
    source.end(late)
    assert ask(asked_feed, late)
    clock.advance(5)
    source.end(early, seconds_ago=9.5)
    assert ask(asked_feed, early)


def test_a_transaction_that_was_slower_than_the_overlap_is_known_within_thirty_seconds(
    asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    session_id = source.open()
    clock.advance(1)
    ask(asked_feed)
    source.end(session_id, seconds_ago=200)
    clock.advance(29)
    assert ask(asked_feed, session_id)


def test_an_end_is_remembered_for_the_reach_and_then_forgotten(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    feed, session_id = make_feed(reach=100.0), source.open()
    source.end(session_id)
    known = []
    for _ in range(140):
        known.append(ask(feed, session_id))
        clock.advance(1)
    assert all(known[:100])
    assert not any(known[-10:])


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("end"), st.floats(0, 9.9)),
        st.tuples(st.just("advance"), st.floats(0, 45)),
        st.tuples(st.just("trouble"), st.booleans()),
    ),
    max_size=40,
)


@given(steps=STEPS)
def test_no_end_is_missed_for_longer_than_an_interval(steps: list[tuple[str, Any]]) -> None:
    """Whatever the order of commits, and whichever questions failed in between."""
    clock = Clock()
    source = MemorySource(clock=clock)
    feed = Feed(
        source,
        interval=INTERVAL,
        max_staleness=1e9,
        reach=REACH,
        own=OwnEndings(clock),
        clock=clock,
    )
    visible_at: dict[uuid.UUID, float] = {}
    well_since = clock.now
    ask(feed)
    for step, value in steps:
        if step == "advance":
            clock.advance(value)
        elif step == "end":
            source.end(session_id := uuid.uuid4(), seconds_ago=value)
            visible_at[session_id] = clock.now
        else:
            source.trouble = OperationalError() if value else None
            well_since = float("inf") if value else clock.now
        ask(feed)
        if clock.now >= well_since + INTERVAL:
            overdue = [one for one, at in visible_at.items() if at <= clock.now - INTERVAL]
            assert all(ask(feed, one) for one in overdue)
    assert not ask(feed)


# When it gets no answer


def test_an_error_leaves_what_is_known(
    asked_feed: Feed, source: MemorySource, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    session_id = source.open()
    source.end(session_id)
    clock.advance(1)
    assert ask(asked_feed, session_id)
    source.trouble = OperationalError("gone away")
    clock.advance(1)
    assert ask(asked_feed, session_id)
    assert not ask(asked_feed)
    [record] = caplog.records
    assert (record.name, record.levelno) == ("drf_signet", logging.ERROR)
    assert record.exc_info
    assert record.exc_info[1] is source.trouble


def test_after_an_error_nothing_is_asked_for_an_interval(
    asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    source.trouble = OperationalError()
    clock.advance(1)
    for _ in range(5):
        ask(asked_feed)
    clock.advance(0.999)
    ask(asked_feed)
    assert len(source.asked) == 1
    clock.advance(0.001)
    ask(asked_feed)
    assert len(source.asked) == 2


def test_after_an_error_the_whole_reach_is_asked_for_until_it_is_answered(
    asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    source.trouble = OperationalError()
    for trouble in (OperationalError(), OperationalError(), None, None):
        source.trouble = trouble
        clock.advance(1)
        ask(asked_feed)
    assert source.asked == [11, REACH, REACH, 11]


def test_an_old_answer_serves_until_it_is_too_stale(
    asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    source.trouble = OperationalError()
    clock.advance(STALENESS)
    assert not ask(asked_feed)
    clock.advance(0.001)
    with pytest.raises(RevocationUnknown):
        ask(asked_feed)


def test_a_session_known_to_have_ended_is_refused_however_stale_the_feed(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    own = OwnEndings(clock)
    feed, session_id = make_feed(own=own), source.open()
    source.trouble = OperationalError()
    own.mark([session_id], keep=REACH)
    assert ask(feed, session_id)
    with pytest.raises(RevocationUnknown):
        ask(feed)


def test_it_serves_again_as_soon_as_there_is_an_answer(
    asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    session_id = source.open()
    source.trouble = OperationalError()
    clock.advance(STALENESS + 1)
    with pytest.raises(RevocationUnknown):
        ask(asked_feed)
    source.end(session_id)
    source.trouble = None
    clock.advance(INTERVAL)
    assert ask(asked_feed, session_id)
    assert not ask(asked_feed)


def test_without_a_first_answer_nothing_is_known(make_feed: Feeds, source: MemorySource) -> None:
    source.trouble = OperationalError()
    with pytest.raises(RevocationUnknown):
        ask(make_feed())


@pytest.mark.parametrize(("interval", "staleness"), [(120.0, 60.0), (1.0, 0.0)])
def test_others_go_on_during_a_renewal_however_short_the_permitted_staleness(
    interval: float, staleness: float, make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    feed = make_feed(interval=interval, max_staleness=staleness)
    ask(feed)
    clock.advance(1.5 * interval)
    with renewing(feed, source):
        assert not ask(feed)


# How often, and whose word counts


def test_an_interval_of_zero_asks_about_each_session_at_each_request(
    make_feed: Feeds, source: MemorySource
) -> None:
    feed, session_id = make_feed(interval=0.0), source.open()
    assert not ask(feed, session_id)
    source.end(session_id)
    assert ask(feed, session_id)
    assert source.asked == [session_id, session_id]


def test_an_interval_of_zero_tells_an_outage_from_an_end(
    make_feed: Feeds, source: MemorySource
) -> None:
    source.trouble = OperationalError("gone away")
    with pytest.raises(RevocationUnknown) as caught:
        ask(make_feed(interval=0.0), source.open())
    assert caught.value.__cause__ is source.trouble


def test_without_an_interval_only_this_process_is_believed(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    own = OwnEndings(clock)
    feed, here, elsewhere = make_feed(interval=None, own=own), source.open(), source.open()
    own.mark([here], keep=REACH)
    source.end(elsewhere)
    clock.advance(1_000_000)
    assert ask(feed, here)
    assert not ask(feed, elsewhere)
    assert not feed.is_due()
    assert source.asked == []


def test_an_end_of_this_process_is_known_without_a_question(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    own, session_id = OwnEndings(clock), source.open()
    feed = make_feed(own=own)
    own.mark([session_id], keep=REACH)
    assert ask(feed, session_id)
    assert source.asked == []


def test_it_is_due_at_the_start_and_once_per_interval(make_feed: Feeds, clock: Clock) -> None:
    feed = make_feed()
    assert feed.is_due()
    ask(feed)
    assert not feed.is_due()
    clock.advance(INTERVAL)
    assert feed.is_due()


def test_who_must_not_wait_asks_nothing(
    asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    clock.advance(INTERVAL)
    assert not asked_feed.has_ended(str(source.open()), ask=False)
    assert source.asked == []
    assert asked_feed.is_due()


def test_a_process_that_is_alone_asks_nothing(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    own = OwnEndings(clock)
    own.alone = True
    feed, session_id = make_feed(own=own), source.open()
    source.end(session_id)
    assert not ask(feed, session_id)
    assert not feed.is_due()
    own.mark([session_id], keep=REACH)
    assert ask(feed, session_id)
    assert source.asked == []


def test_own_endings_are_kept_for_their_time_and_in_bounded_room(clock: Clock) -> None:
    own = OwnEndings(clock)
    for _ in range(100):
        own.mark((uuid.uuid4() for _ in range(100)), keep=50)
        clock.advance(1)
    last = uuid.uuid4()
    own.mark([last], keep=50)
    ages = [clock.now - at for at in own.ended.values()]
    assert str(last) in own.ended
    assert sum(age < 50 for age in ages) == 1 + 49 * 100
    assert len(ages) <= 2 * 50 * 100 + 100


def test_the_reach_covers_the_longest_access_token_with_a_margin() -> None:
    assert revocation.reach(access_lifetime=7200, leeway=30) == 7200 + 2 * 30 + 60
    assert revocation.reach(access_lifetime=300, leeway=0) == 3600 + 60


# Threads


def test_there_is_one_question_per_interval_however_many_threads(
    asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            clock.advance(INTERVAL)
            assert not any(pool.map(lambda _: ask(asked_feed), range(64)))
    assert len(source.asked) == 20


def test_the_others_go_on_while_one_thread_renews(
    asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    session_id = source.open()
    source.end(session_id)
    clock.advance(2 * INTERVAL - 0.001)
    with renewing(asked_feed, source):
        began = time.monotonic()
        assert not any(ask(asked_feed, session_id) for _ in range(100))
        assert time.monotonic() - began < 100 * WAIT
    assert ask(asked_feed, session_id)
    assert len(source.asked) == 1


def test_a_set_older_than_two_intervals_is_waited_for_a_quarter_of_a_second(
    asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    clock.advance(2 * INTERVAL)
    with renewing(asked_feed, source):
        began = time.monotonic()
        assert not ask(asked_feed)
        assert WAIT * 0.9 < time.monotonic() - began < 20 * WAIT
    assert len(source.asked) == 1


@pytest.mark.parametrize("age", [2.0, float("inf")], ids=["an old set", "none yet"])
def test_who_waits_gets_the_newer_answer_and_asks_nothing(
    age: float, make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    feed, session_id = make_feed(), source.open()
    if age < float("inf"):
        ask(feed)
        source.asked.clear()
        clock.advance(age)
    source.end(session_id)
    with ThreadPoolExecutor(4) as pool, renewing(feed, source) as go_on:
        waiting = [pool.submit(ask, feed, session_id) for _ in range(4)]
        go_on()
        assert all(one.result() for one in waiting)
    assert len(source.asked) == 1


def test_threads_that_end_sessions_lose_none_to_each_other(clock: Clock) -> None:
    own = OwnEndings(clock)
    ended = [uuid.uuid4() for _ in range(4000)]

    def mark(first: int) -> None:
        for one in ended[first::8]:
            own.mark([one], keep=50)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(mark, range(8)))
    assert own.ended.keys() == {str(one) for one in ended}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_asks_for_itself_though_another_thread_was_asking_at_the_fork(
    asked_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    session_id = source.open()
    clock.advance(2 * INTERVAL)
    with renewing(asked_feed, source):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
            child = os.fork()
        if child == 0:
            known = False
            try:
                source.end(session_id)
                clock.advance(INTERVAL)
                known = ask(asked_feed, session_id)
            finally:
                os._exit(0 if known else 1)
        _, status = os.waitpid(child, 0)
    assert status == 0


# The table


class TestMemorySource(SourceContract):
    @pytest.fixture
    def source(self, clock: Clock) -> MemorySource:
        return MemorySource(clock=clock)

    @pytest.fixture
    def opened(self, source: MemorySource) -> Any:
        return source.open

    @pytest.fixture
    def end(self, source: MemorySource) -> Any:
        return source.end


class TestDatabaseSource(SourceContract):
    @pytest.fixture
    def source(self, db: None) -> Source:
        return DatabaseSource()

    @pytest.fixture
    def opened(self, user: Any) -> Any:
        return lambda: drf_signet.issue(user).session.pk

    @pytest.fixture
    def end(self) -> Any:
        def end(session_id: uuid.UUID, *, seconds_ago: float = 0) -> None:
            at = DbNow() - timedelta(seconds=seconds_ago)
            Session.objects.filter(pk=session_id).update(
                ended_at=at, end_reason=EndReason.ENDED_BY_ADMIN
            )

        return end

    @pytest.mark.parametrize("many", [False, True], ids=["the user", "a queryset"])
    def test_the_sessions_of_a_deleted_user_are_named(
        self, many: bool, source: Source, opened: Any, user: Any
    ) -> None:
        session_id = opened()
        type(user).objects.filter(pk=user.pk).delete() if many else user.delete()
        assert list(source.ended_within(10)) == [session_id]
        assert source.has_ended(session_id)

    def test_each_question_is_one_statement(
        self, source: Source, opened: Any, django_assert_num_queries: Any
    ) -> None:
        session_id = opened()
        with django_assert_num_queries(1):
            list(source.ended_within(10))
        with django_assert_num_queries(1):
            source.has_ended(session_id)


@pytest.mark.django_db(transaction=True)
def test_a_broken_transaction_is_read_past(user: Any) -> None:
    session = drf_signet.issue(user).session
    drf_signet.end(session)
    with transaction.atomic():
        with pytest.raises(DatabaseError), transaction.atomic(savepoint=False):
            Session.objects.create(pk=session.pk, user=user)
        assert connection.needs_rollback
        assert list(DatabaseSource().ended_within(10)) == [session.pk]
        assert DatabaseSource().has_ended(session.pk)


@pytest.mark.django_db(transaction=True)
def test_a_connection_of_its_own_reads_what_is_committed_and_nothing_else(user: Any) -> None:
    committed, pending = drf_signet.issue(user).session, drf_signet.issue(user).session
    drf_signet.end(committed)
    ended = Session.objects.exclude(end_reason="").values_list("id")
    with transaction.atomic():
        drf_signet.end(pending)
        in_transaction = read_committed(ended, using="default")
        transaction.set_rollback(True)
        beside_it = read_committed(ended, using="default")
    assert {pk for (pk,) in in_transaction} == {committed.pk, pending.pk}
    assert {pk for (pk,) in beside_it} == {committed.pk}


# What this process ends


def refused(session: Session) -> bool:
    return runtime.current().feed.has_ended(str(session.pk))


@pytest.fixture
def _never_asks(settings: Any) -> None:
    """Let only this process's own word count."""
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": None}


@pytest.mark.usefixtures("_never_asks")
@pytest.mark.django_db(transaction=True)
def test_an_end_outside_a_transaction_is_known_here_at_once(user: Any) -> None:
    session, other = drf_signet.issue(user).session, drf_signet.issue(user).session
    drf_signet.end(session)
    assert refused(session)
    assert not refused(other)


@pytest.mark.usefixtures("_never_asks")
@pytest.mark.django_db(transaction=True)
def test_an_end_inside_a_transaction_is_known_here_at_its_commit(user: Any) -> None:
    session = drf_signet.issue(user).session
    with transaction.atomic():
        drf_signet.end(session)
        assert not refused(session)
    assert refused(session)


@pytest.mark.usefixtures("_never_asks")
@pytest.mark.django_db(transaction=True)
def test_an_end_that_is_rolled_back_is_none(user: Any) -> None:
    session = drf_signet.issue(user).session
    with transaction.atomic():
        with transaction.atomic():
            drf_signet.end(session)
            transaction.set_rollback(True)
        drf_signet.issue(user)
    assert not refused(session)


@pytest.mark.usefixtures("_never_asks")
@pytest.mark.django_db(transaction=True)
def test_an_end_of_a_session_that_had_ended_elsewhere_is_not_marked(user: Any) -> None:
    session = drf_signet.issue(user).session
    Session.objects.update(end_reason=EndReason.LOGOUT, ended_at=DbNow())
    assert not drf_signet.end(session)
    assert not refused(session)


@pytest.mark.django_db(transaction=True)
def test_an_end_is_stamped_anew_at_its_commit(user: Any) -> None:
    """A slow transaction would otherwise be out of the next question's reach."""
    session = drf_signet.issue(user).session
    with transaction.atomic():
        drf_signet.end(session)
        Session.objects.update(ended_at=DbNow() - timedelta(seconds=300))
    assert list(DatabaseSource().ended_within(10)) == [session.pk]


@pytest.mark.django_db(transaction=True)
def test_all_sessions_of_a_user_are_known_here_to_have_ended(
    user: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": None}
    monkeypatch.setattr(sessions, "BATCH", 2)
    *ended, kept = [drf_signet.issue(user).session for _ in range(6)]
    drf_signet.end_all(user, keep=kept)
    assert all(map(refused, ended))
    assert not refused(kept)


@pytest.mark.usefixtures("_never_asks")
@pytest.mark.django_db(transaction=True)
def test_an_evicted_session_is_known_here_to_have_ended(user: Any, settings: Any) -> None:
    settings.SIGNET = {**settings.SIGNET, "MAX_SESSIONS_PER_USER": 1}
    first, second = drf_signet.issue(user).session, drf_signet.issue(user).session
    assert refused(first)
    assert not refused(second)
