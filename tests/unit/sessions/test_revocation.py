"""Test the revocation feed. Most tests use an in-memory source; the last ones use the database."""

from __future__ import annotations

import logging
import os
import sys
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
from django.db import OperationalError, transaction
from hypothesis import given
from hypothesis import strategies as st

import drf_signet
from drf_signet import runtime
from drf_signet.db.database import DbNow
from drf_signet.errors import RevocationUnknown
from drf_signet.models import EndReason, Session
from drf_signet.sessions import revocation, store
from drf_signet.sessions.ended import EndedSessions
from drf_signet.sessions.polls import BUDGET, LATE, LATE_EVERY, LONG_WAIT, WAIT, WHOLE_EVERY
from drf_signet.sessions.revocation import CAPACITY, Feed
from drf_signet.sessions.sources import DatabaseSource
from tests.contracts.revocation_source import MemorySource, ids

INTERVAL, STALENESS, REACH = 1.0, 60.0, 360.0
#: The period that a whole read covers, in seconds.
WHOLE = REACH + LATE

Feeds = Callable[..., Feed]


@dataclass
class Clock:
    """Clock whose time changes only when a test advances it."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def signet_deterministic() -> None:
    """Let the feed poll: override the pytest plugin's fixture, which prevents polling."""
    runtime.current.cache_clear()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(clock: Clock) -> MemorySource:
    return MemorySource(clock=clock)


@pytest.fixture
def make_feed(source: MemorySource, clock: Clock) -> Feeds:
    """Return a function that creates feeds that poll the in-memory source."""

    def make(polled: MemorySource = source, /, **options: Any) -> Feed:
        options = {
            "interval": INTERVAL,
            "max_staleness": STALENESS,
            "reach": REACH,
            "ended": EndedSessions(clock),
            "clock": clock,
            "wall": clock,
            **options,
        }
        return Feed(polled, **options)

    return make


@pytest.fixture
def polled_feed(make_feed: Feeds, source: MemorySource) -> Feed:
    """Return a feed that has polled the source once."""
    feed = make_feed()
    has_ended(feed)
    source.queries.clear()
    return feed


def has_ended(feed: Feed, session_id: uuid.UUID | None = None) -> bool:
    """Return whether the feed says that a session has ended; by default, one with a random id."""
    return feed.has_ended((session_id or uuid.uuid4()).int)


@contextmanager
def polling(feed: Feed, source: MemorySource) -> Iterator[Callable[[], None]]:
    """Block a thread during a poll of the feed; yield a function that lets the thread continue."""
    inside, release = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        assert release.wait(timeout=30)

    source.before_answer = wait
    with ThreadPoolExecutor(1) as pool:
        poller = pool.submit(has_ended, feed)
        try:
            assert inside.wait(timeout=30)
            source.before_answer = lambda: None
            yield release.set
        finally:
            release.set()
        poller.result()


# When the feed polls, and which period of time a poll covers


def test_the_first_query_covers_the_whole_reach(make_feed: Feeds, source: MemorySource) -> None:
    session_id = source.open()
    source.end(session_id, seconds_ago=WHOLE - 1)
    assert has_ended(make_feed(), session_id)
    assert source.queries == [WHOLE]


def test_a_live_session_has_not_ended(make_feed: Feeds, source: MemorySource) -> None:
    assert not has_ended(make_feed(), source.open())


def test_the_feed_sends_no_query_within_the_interval(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    clock.advance(INTERVAL - 0.001)
    for _ in range(1000):
        has_ended(polled_feed)
    assert source.queries == []


def test_an_end_in_another_process_is_known_after_the_interval(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    session_id = source.open()
    source.end(session_id)
    assert not has_ended(polled_feed, session_id)
    clock.advance(INTERVAL)
    assert has_ended(polled_feed, session_id)


@pytest.mark.parametrize("elapsed", [1.0, 2.5, 14.0])
def test_a_query_overlaps_the_last_query_by_ten_seconds(
    elapsed: float, polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    clock.advance(elapsed)
    has_ended(polled_feed)
    assert source.queries == [10 + elapsed]


def test_each_query_starts_from_the_last_query_and_not_from_the_first(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    for elapsed in (1, 1, 4, 1):
        clock.advance(elapsed)
        has_ended(polled_feed)
    assert source.queries == [11, 11, 14, 11]


def test_a_query_after_a_long_pause_covers_the_whole_reach(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    clock.advance(2 * WHOLE)
    has_ended(polled_feed)
    assert source.queries == [WHOLE]


def test_a_query_after_a_pause_covers_the_pause(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    feed = make_feed(max_staleness=1e9)
    has_ended(feed)
    session_id = source.open()
    clock.advance(1)
    source.end(session_id)
    clock.advance(WHOLE_EVERY - 2)
    assert has_ended(feed, session_id)
    assert source.queries == [WHOLE, LATE]


def test_a_query_reaches_far_back_every_fifteen_seconds_and_wholly_every_minute(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    for _ in range(int(WHOLE_EVERY) + 1):
        clock.advance(1)
        has_ended(polled_feed)
    far = {at: span for at, span in enumerate(source.queries, 1) if span != 11}
    assert far == {LATE_EVERY: LATE, 2 * LATE_EVERY: LATE, 3 * LATE_EVERY: LATE, WHOLE_EVERY: WHOLE}


def test_an_end_that_commits_after_a_later_end_is_not_missed(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    early, late = source.open(), source.open()
    clock.advance(5)
    source.end(late)
    assert has_ended(polled_feed, late)
    clock.advance(5)
    source.end(early, seconds_ago=9.5)
    assert has_ended(polled_feed, early)


def test_an_end_that_commits_later_than_the_overlap_is_known_within_fifteen_seconds(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    session_id = source.open()
    clock.advance(1)
    has_ended(polled_feed)
    source.end(session_id, seconds_ago=LATE - LATE_EVERY)
    for _ in range(int(LATE_EVERY)):
        clock.advance(1)
        has_ended(polled_feed)
    assert has_ended(polled_feed, session_id)


def test_an_end_is_kept_for_the_reach_after_it_was_last_read(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    feed, session_id = make_feed(), source.open()
    source.end(session_id)
    assert has_ended(feed, session_id)
    del source.ended[session_id]  # as if a replica without this row had become the primary
    clock.advance(1)
    known = []
    for _ in range(int(1.2 * REACH)):
        has_ended(feed)
        known.append(has_ended(feed, session_id))
        clock.advance(1)
    assert all(known[: int(REACH)])
    assert not any(known[int(1.1 * REACH) :])


def test_an_end_is_kept_although_the_clock_of_the_source_jumps_ahead(
    make_feed: Feeds, clock: Clock
) -> None:
    of_source = Clock()
    source = MemorySource(clock=of_source)
    feed = make_feed(source)
    known, unseen = source.open(), source.open()
    source.end(known)
    assert has_ended(feed, known)
    source.end(unseen)
    for each, seconds in ((of_source, 2 * 86400.0), (of_source, INTERVAL), (clock, INTERVAL)):
        each.advance(seconds)
    assert has_ended(feed, unseen)
    for _ in range(int(REACH)):
        clock.advance(1)
        of_source.advance(1)
        assert has_ended(feed, known)


def test_an_end_that_was_forgotten_is_known_again_after_the_wall_clock_was_set_back(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    """Tokens that have expired during the last hour become valid again."""
    wall, session_id = Clock(), source.open()
    feed = make_feed(wall=wall)
    source.end(session_id)
    assert has_ended(feed, session_id)
    for _ in range(3600):
        clock.advance(1)
        wall.advance(1)
        has_ended(feed)
    assert not has_ended(feed, session_id)
    clock.advance(1)
    wall.advance(-3600)
    assert has_ended(feed, session_id)


def test_a_new_process_reads_further_if_the_clocks_differ(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    session_id = source.open()
    source.end(session_id, seconds_ago=3600)
    assert has_ended(make_feed(wall=lambda: clock() - 3600), session_id)
    assert source.queries == [WHOLE, WHOLE + 3600]


def test_clocks_that_differ_by_little_do_not_matter(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    wall = Clock()
    feed = make_feed(wall=wall)
    has_ended(feed)
    for each, seconds in ((wall, 5.5), (clock, 1.0)):
        each.advance(seconds)
    has_ended(feed)
    assert source.queries == [WHOLE, 11]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("end"), st.floats(0, 9.9)),
        st.tuples(st.just("advance"), st.floats(0, 45)),
        st.tuples(st.just("error"), st.booleans()),
    ),
    max_size=40,
)


@given(steps=STEPS)
def test_no_end_is_missed_for_longer_than_an_interval(steps: list[tuple[str, Any]]) -> None:
    """Test the feed when logouts are committed in any order and when some of its queries fail."""
    clock = Clock()
    source = MemorySource(clock=clock)
    feed = Feed(
        source,
        interval=INTERVAL,
        max_staleness=1e9,
        reach=REACH,
        ended=EndedSessions(clock),
        clock=clock,
        wall=clock,
    )
    visible_at: dict[uuid.UUID, float] = {}
    no_error_since = clock.now
    has_ended(feed)
    for step, value in steps:
        if step == "advance":
            clock.advance(value)
        elif step == "end":
            source.end(session_id := uuid.uuid4(), seconds_ago=value)
            visible_at[session_id] = clock.now
        else:
            source.error = OperationalError() if value else None
            no_error_since = float("inf") if value else clock.now
        has_ended(feed)
        if clock.now >= no_error_since + INTERVAL:
            overdue = [ended for ended, at in visible_at.items() if at <= clock.now - INTERVAL]
            assert all(has_ended(feed, session_id) for session_id in overdue)
    assert not has_ended(feed)


# Queries that fail


def test_after_an_error_the_known_ends_stay_known(
    polled_feed: Feed, source: MemorySource, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    session_id = source.open()
    source.end(session_id)
    clock.advance(1)
    assert has_ended(polled_feed, session_id)
    source.error = OperationalError("gone away")
    clock.advance(1)
    assert has_ended(polled_feed, session_id)
    assert not has_ended(polled_feed)
    [record] = caplog.records
    assert (record.name, record.levelno) == ("drf_signet", logging.ERROR)
    assert record.exc_info
    assert record.exc_info[1] is source.error


def test_after_an_error_the_feed_sends_no_query_for_an_interval(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    source.error = OperationalError()
    clock.advance(1)
    for _ in range(5):
        has_ended(polled_feed)
    clock.advance(0.999)
    has_ended(polled_feed)
    assert len(source.queries) == 1
    clock.advance(0.001)
    has_ended(polled_feed)
    assert len(source.queries) == 2


def test_after_an_error_queries_cover_the_whole_reach_until_a_query_succeeds(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    source.error = OperationalError()
    for error in (OperationalError(), OperationalError(), None, None):
        source.error = error
        clock.advance(1)
        has_ended(polled_feed)
    assert source.queries == [11, WHOLE, WHOLE, 11]


def test_the_feed_answers_until_its_last_answer_is_too_stale(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    source.error = OperationalError()
    clock.advance(STALENESS)
    assert not has_ended(polled_feed)
    clock.advance(0.001)
    with pytest.raises(RevocationUnknown):
        has_ended(polled_feed)


def test_a_session_that_is_known_to_have_ended_is_refused_by_a_stale_feed(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    own = EndedSessions(clock)
    feed, session_id = make_feed(ended=own), source.open()
    source.error = OperationalError()
    own.mark([session_id], keep=REACH)
    assert has_ended(feed, session_id)
    with pytest.raises(RevocationUnknown):
        has_ended(feed)


def test_a_stale_feed_answers_again_after_a_successful_query(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    session_id = source.open()
    source.error = OperationalError()
    clock.advance(STALENESS + 1)
    with pytest.raises(RevocationUnknown):
        has_ended(polled_feed)
    source.end(session_id)
    source.error = None
    clock.advance(INTERVAL)
    assert has_ended(polled_feed, session_id)
    assert not has_ended(polled_feed)


def test_a_feed_without_a_first_answer_raises_revocation_unknown(
    make_feed: Feeds, source: MemorySource
) -> None:
    source.error = OperationalError()
    with pytest.raises(RevocationUnknown):
        has_ended(make_feed())


@pytest.mark.parametrize(("interval", "staleness"), [(120.0, 60.0), (1.0, 0.0)])
def test_other_threads_do_not_fail_during_a_poll_with_a_short_max_staleness(
    interval: float, staleness: float, make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    feed = make_feed(interval=interval, max_staleness=staleness)
    has_ended(feed)
    clock.advance(1.5 * interval)
    with polling(feed, source):
        assert not has_ended(feed)


# The polling interval, and sessions that end in this process


def test_an_interval_of_zero_queries_the_session_at_each_request(
    make_feed: Feeds, source: MemorySource
) -> None:
    feed, session_id = make_feed(interval=0.0), source.open()
    assert not has_ended(feed, session_id)
    source.end(session_id)
    assert has_ended(feed, session_id)
    assert source.queries == [session_id, session_id]


def test_an_interval_of_zero_distinguishes_an_outage_from_an_end(
    make_feed: Feeds, source: MemorySource
) -> None:
    source.error = OperationalError("gone away")
    with pytest.raises(RevocationUnknown) as caught:
        has_ended(make_feed(interval=0.0), source.open())
    assert caught.value.__cause__ is source.error


def test_a_feed_without_an_interval_only_knows_ends_in_this_process(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    own = EndedSessions(clock)
    feed = make_feed(interval=None, ended=own)
    ended_here, ended_elsewhere = source.open(), source.open()
    own.mark([ended_here], keep=REACH)
    source.end(ended_elsewhere)
    clock.advance(1_000_000)
    assert has_ended(feed, ended_here)
    assert not has_ended(feed, ended_elsewhere)
    assert not feed.is_due()
    assert source.queries == []


def test_an_end_in_this_process_is_known_without_a_query(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    own, session_id = EndedSessions(clock), source.open()
    feed = make_feed(ended=own)
    own.mark([session_id], keep=REACH)
    assert has_ended(feed, session_id)
    assert source.queries == []


def test_a_feed_is_due_at_the_start_and_once_per_interval(make_feed: Feeds, clock: Clock) -> None:
    feed = make_feed()
    assert feed.is_due()
    has_ended(feed)
    assert not feed.is_due()
    clock.advance(INTERVAL)
    assert feed.is_due()


def test_has_ended_sends_no_query_with_ask_false(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    clock.advance(INTERVAL)
    assert not polled_feed.has_ended(source.open().int, ask=False)
    assert source.queries == []
    assert polled_feed.is_due()


def test_a_feed_in_the_only_process_sends_no_query(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    own = EndedSessions(clock)
    own.alone = True
    feed, session_id = make_feed(ended=own), source.open()
    source.end(session_id)
    assert not has_ended(feed, session_id)
    assert not feed.has_ended_for_long(session_id.int)
    assert not feed.is_due()
    own.mark([session_id], keep=REACH)
    assert has_ended(feed, session_id)
    assert source.queries == []


def test_ended_sessions_are_kept_for_their_time_and_removed_afterwards(clock: Clock) -> None:
    own = EndedSessions(clock)
    for _ in range(100):
        own.mark((uuid.uuid4() for _ in range(100)), keep=50)
        clock.advance(1)
    last = uuid.uuid4()
    own.mark([last], keep=50)
    ages = [clock.now - at for at in own.ended.values()]
    assert last.int in own.ended
    assert sum(age <= 50 for age in ages) == 1 + 50 * 100
    assert len(ages) <= 1 + 100 * (50 + 50 // 16 + 2)


def test_the_set_keeps_no_space_of_removed_sessions(clock: Clock) -> None:
    own, sizes = EndedSessions(clock), []
    for _ in range(1000):
        own.mark((uuid.uuid4() for _ in range(16)), keep=50)
        clock.advance(1)
        sizes.append(sys.getsizeof(own.ended))
    assert max(sizes) == sys.getsizeof(dict(own.ended))


def test_the_reach_exceeds_the_longest_access_token_by_a_margin() -> None:
    assert revocation.reach(access_lifetime=7200, leeway=30) == 7200 + 2 * 30 + 60
    assert revocation.reach(access_lifetime=300, leeway=0) == 360
    assert revocation.remembered_lifetime(access_lifetime=300) == 360
    assert revocation.remembered_lifetime(access_lifetime=300.5) == 361


# Sessions that are looked up by their primary key


@pytest.fixture
def large_source(clock: Clock) -> MemorySource:
    """Return a source with five pages of ended sessions. Each page takes more than `BUDGET`."""
    source = MemorySource(clock=clock, page=10)
    for number in range(45):
        source.end(uuid.uuid4(), seconds_ago=5 * number)

    def take_time() -> None:
        if not isinstance(source.queries[-1], uuid.UUID):
            clock.advance(1.01 * BUDGET)

    source.before_answer = take_time
    return source


def test_until_everything_was_read_each_session_is_looked_up_once_per_interval(
    make_feed: Feeds, large_source: MemorySource, clock: Clock
) -> None:
    feed = make_feed(large_source)
    alive, ended = large_source.open(), large_source.open()
    large_source.end(ended, seconds_ago=REACH - 1)
    for _ in range(3):
        assert not has_ended(feed, alive)
        assert has_ended(feed, ended)
        assert feed.is_due()
    assert large_source.queries == [WHOLE, "page", alive, ended]
    clock.advance(INTERVAL)
    assert not has_ended(feed, alive)
    assert large_source.queries[4:] == [pytest.approx(11 + 2.02 * BUDGET), "page", alive]


def test_sessions_are_not_looked_up_after_everything_was_read(
    make_feed: Feeds, large_source: MemorySource, clock: Clock
) -> None:
    feed = make_feed(large_source)
    oldest = min(large_source.ended, key=lambda pk: large_source.ended[pk])
    for _ in range(4):
        has_ended(feed)
        clock.advance(INTERVAL)
    large_source.queries.clear()
    assert has_ended(feed, oldest)
    assert not has_ended(feed)
    assert [query for query in large_source.queries if isinstance(query, uuid.UUID)] == []


def test_a_poll_with_many_pages_is_a_renewal_as_soon_as_recent_ends_were_read(
    make_feed: Feeds, large_source: MemorySource, clock: Clock
) -> None:
    """Other threads do not have to wait until the pages with older sessions have been read."""
    feed = make_feed(large_source)
    for _ in range(5):
        has_ended(feed)
        clock.advance(INTERVAL)
    clock.advance(WHOLE_EVERY)
    recent = large_source.open()
    large_source.end(recent, seconds_ago=WHOLE_EVERY)
    large_source.queries.clear()
    assert has_ended(feed, recent)
    assert large_source.queries[0] == WHOLE
    assert large_source.queries[1:] == ["page"] * (len(large_source.queries) - 1)
    assert not feed.is_due()


def test_a_failed_page_begins_a_new_whole_read(
    make_feed: Feeds, large_source: MemorySource, clock: Clock
) -> None:
    feed, session_id = make_feed(large_source), large_source.open()
    assert not has_ended(feed, session_id)
    large_source.error = OperationalError()
    clock.advance(INTERVAL)
    with pytest.raises(RevocationUnknown):
        has_ended(feed, session_id)
    large_source.error = None
    large_source.queries.clear()
    clock.advance(INTERVAL)
    assert not has_ended(feed, session_id)
    assert large_source.queries == [WHOLE, "page", session_id]


def test_a_source_that_does_not_answer_at_the_start_is_asked_once_per_interval(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    feed = make_feed()
    source.error = OperationalError()
    for _ in range(5):
        with pytest.raises(RevocationUnknown):
            has_ended(feed)
    assert len(source.queries) == 1


def test_the_session_of_a_long_lived_token_is_looked_up_once_per_interval(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    key = (session_id := source.open()).int
    assert polled_feed.is_due(key)
    assert [polled_feed.has_ended_for_long(key) for _ in range(3)] == [False] * 3
    assert not polled_feed.is_due(key)
    source.end(session_id, seconds_ago=100 * REACH)
    clock.advance(INTERVAL)  # the result expires between `is_due` and the next call
    assert not polled_feed.has_ended_for_long(key, ask=False)
    assert polled_feed.is_due(key)
    assert [polled_feed.has_ended_for_long(key) for _ in range(3)] == [True] * 3
    assert source.queries == [session_id, session_id]


def test_a_session_that_would_have_to_be_looked_up_is_unknown_with_ask_false(
    polled_feed: Feed, source: MemorySource
) -> None:
    with pytest.raises(RevocationUnknown):
        polled_feed.has_ended_for_long(source.open().int, ask=False)


def test_a_session_that_is_known_to_have_ended_is_not_looked_up(
    make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    own, session_id = EndedSessions(clock), source.open()
    feed = make_feed(ended=own)
    own.mark([session_id], keep=REACH)
    assert not feed.is_due(session_id.int)
    assert feed.has_ended_for_long(session_id.int)
    assert source.queries == []


def test_without_an_interval_no_session_is_looked_up(
    make_feed: Feeds, source: MemorySource
) -> None:
    feed, key = make_feed(interval=None), source.open().int
    assert not feed.has_ended_for_long(key)
    assert not feed.is_due(key)
    assert source.queries == []


def test_the_number_of_kept_states_is_limited(polled_feed: Feed, source: MemorySource) -> None:
    sessions = [source.open() for _ in range(CAPACITY + 1)]
    for session_id in (*sessions, sessions[0], sessions[-1]):
        assert not polled_feed.has_ended_for_long(session_id.int)
    assert source.queries == [*sessions, sessions[0]]


# Threads


def test_many_threads_send_one_query_per_interval(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            clock.advance(INTERVAL)
            assert not any(pool.map(lambda _: has_ended(polled_feed), range(64)))
    assert len(source.queries) == 20


class Waits(threading.Condition):
    """A condition whose `wait` records the timeout, and returns at once."""

    def __init__(self, recorded: list[float | None]) -> None:
        super().__init__()
        self._recorded = recorded

    def wait(self, timeout: float | None = None) -> bool:
        self._recorded.append(timeout)
        return False


@pytest.mark.parametrize(
    ("age", "waits"),
    [
        (2 * INTERVAL - 0.001, []),
        (2 * INTERVAL, [WAIT]),
        (STALENESS, [WAIT]),
        (STALENESS + 1, [LONG_WAIT]),
    ],
)
def test_other_threads_wait_for_a_poll_depending_on_the_age_of_the_set(
    age: float, waits: list[float], make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    recorded: list[float | None] = []
    feed = make_feed(make_condition=lambda: Waits(recorded))
    has_ended(feed)
    clock.advance(age)
    with polling(feed, source):
        if age > STALENESS:
            with pytest.raises(RevocationUnknown):
                has_ended(feed)
        else:
            assert not has_ended(feed)
    assert recorded == waits
    assert len(source.queries) == 2


def test_other_threads_wait_briefly_for_the_first_poll_and_then_look_the_session_up(
    make_feed: Feeds, source: MemorySource
) -> None:
    recorded: list[float | None] = []
    feed = make_feed(make_condition=lambda: Waits(recorded))
    with polling(feed, source):
        assert has_ended(feed, uuid.uuid4())
        assert not has_ended(feed, source.open())
    assert recorded == [WAIT, WAIT]


def test_other_threads_do_not_wait_while_later_polls_complete_the_first_read(
    make_feed: Feeds, large_source: MemorySource, clock: Clock
) -> None:
    recorded: list[float | None] = []
    feed = make_feed(large_source, make_condition=lambda: Waits(recorded))
    has_ended(feed, large_source.open())
    clock.advance(INTERVAL)
    with polling(feed, large_source):
        assert not has_ended(feed, large_source.open())
    assert recorded == []


def test_simultaneous_requests_succeed_after_a_pause_with_a_slow_poll(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    """The last poll was too long ago, so the requests wait for the slow poll."""
    clock.advance(STALENESS + 1)
    with ThreadPoolExecutor(7) as pool, polling(polled_feed, source) as release:
        waiting = [pool.submit(has_ended, polled_feed) for _ in range(7)]
        release()
        assert not any(future.result() for future in waiting)
    assert len(source.queries) == 1


@pytest.mark.parametrize("age", [2.0, 90.0, float("inf")], ids=["old set", "too old", "no set"])
def test_waiting_threads_get_the_new_answer_and_send_no_query(
    age: float, make_feed: Feeds, source: MemorySource, clock: Clock
) -> None:
    feed, session_id = make_feed(), source.open()
    if age < float("inf"):
        has_ended(feed)
        source.queries.clear()
        clock.advance(age)
    source.end(session_id)
    with ThreadPoolExecutor(4) as pool, polling(feed, source) as release:
        waiting = [pool.submit(has_ended, feed, session_id) for _ in range(4)]
        release()
        assert all(future.result() for future in waiting)
    assert len(source.queries) == 1


def test_ends_that_several_threads_mark_are_all_kept(clock: Clock) -> None:
    own = EndedSessions(clock)
    ended = [uuid.uuid4() for _ in range(4000)]

    def mark(first: int) -> None:
        for session_id in ended[first::8]:
            own.mark([session_id], keep=50)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(mark, range(8)))
    assert own.ended.keys() == {session_id.int for session_id in ended}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork")
def test_a_forked_child_polls_although_another_thread_was_polling_at_the_fork(
    polled_feed: Feed, source: MemorySource, clock: Clock
) -> None:
    session_id = source.open()
    clock.advance(2 * INTERVAL)
    with polling(polled_feed, source):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # os.fork warns about other threads
            child = os.fork()
        if child == 0:
            known = False
            try:
                source.end(session_id)
                clock.advance(INTERVAL)
                known = has_ended(polled_feed, session_id)
            finally:
                os._exit(0 if known else 1)
        _, status = os.waitpid(child, 0)
    assert status == 0


# Sessions that end in this process


def is_known_to_have_ended(session: Session) -> bool:
    return runtime.current().feed.has_ended(session.pk.int)


@pytest.fixture
def _no_polling(settings: Any) -> None:
    """Turn polling off, so that the feed knows only the sessions that this process has ended."""
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": None}


@pytest.mark.usefixtures("_no_polling")
@pytest.mark.django_db(transaction=True)
def test_an_end_outside_a_transaction_is_known_in_this_process_at_once(user: Any) -> None:
    session, other = drf_signet.issue(user).session, drf_signet.issue(user).session
    drf_signet.end(session)
    assert is_known_to_have_ended(session)
    assert not is_known_to_have_ended(other)


@pytest.mark.usefixtures("_no_polling")
@pytest.mark.django_db(transaction=True)
def test_an_end_inside_a_transaction_is_known_in_this_process_after_the_commit(user: Any) -> None:
    session = drf_signet.issue(user).session
    with transaction.atomic():
        drf_signet.end(session)
        assert not is_known_to_have_ended(session)
    assert is_known_to_have_ended(session)


@pytest.mark.usefixtures("_no_polling")
@pytest.mark.django_db(transaction=True)
def test_an_end_that_is_rolled_back_is_not_known(user: Any) -> None:
    session = drf_signet.issue(user).session
    with transaction.atomic():
        with transaction.atomic():
            drf_signet.end(session)
            transaction.set_rollback(True)
        drf_signet.issue(user)
    assert not is_known_to_have_ended(session)


@pytest.mark.usefixtures("_no_polling")
@pytest.mark.django_db(transaction=True)
def test_an_end_is_not_marked_if_another_process_has_ended_the_session(user: Any) -> None:
    session = drf_signet.issue(user).session
    Session.objects.update(end_reason=EndReason.LOGOUT, ended_at=DbNow())
    assert not drf_signet.end(session)
    assert not is_known_to_have_ended(session)


@pytest.mark.django_db(transaction=True)
def test_ended_at_is_set_again_at_the_commit(user: Any) -> None:
    """Test a slow transaction: if `ended_at` were not updated, a poll would miss the session."""
    session = drf_signet.issue(user).session
    with transaction.atomic():
        drf_signet.end(session)
        Session.objects.update(ended_at=DbNow() - timedelta(seconds=300))
    assert ids(DatabaseSource().ended_within(10)) == [session.pk]


@pytest.mark.usefixtures("_no_polling")
@pytest.mark.django_db(transaction=True)
def test_all_ended_sessions_of_a_user_are_known_in_this_process(user: Any) -> None:
    """End more sessions than one batch contains."""
    now = time.time()
    drafts = [
        store.draft(id=store.new_id(now), user=user, now=now, lifetime=timedelta(days=1))
        for _ in range(store.BATCH + 2)
    ]
    *ended, kept = Session.objects.bulk_create(drafts)
    drf_signet.end_all(user, keep=kept)
    assert all(map(is_known_to_have_ended, ended))
    assert not is_known_to_have_ended(kept)


@pytest.mark.usefixtures("_no_polling")
@pytest.mark.django_db(transaction=True)
def test_an_evicted_session_is_known_in_this_process_to_have_ended(
    user: Any, settings: Any
) -> None:
    settings.SIGNET = {**settings.SIGNET, "MAX_SESSIONS_PER_USER": 1}
    first, second = drf_signet.issue(user).session, drf_signet.issue(user).session
    assert is_known_to_have_ended(first)
    assert not is_known_to_have_ended(second)
