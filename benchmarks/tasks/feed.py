"""Measure the revocation feed of this process, and write the ended sessions that it reads."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.db import connection

from benchmarks.processes import resident
from benchmarks.tasks import calls
from drf_signet import runtime
from drf_signet.errors import RevocationUnknown
from drf_signet.models import Session
from drf_signet.sessions.ended import EndedSessions
from drf_signet.sessions.polls import LATE
from drf_signet.sessions.revocation import Feed
from drf_signet.sessions.sources import Page

#: Inserts copies of one session, as ended sessions. Their `ended_at` values are spread evenly over
#: a period that ends now.
_FILL = """
    INSERT INTO {table} (id, ended_at, end_reason, {columns})
    SELECT gen_random_uuid(), statement_timestamp() - make_interval(secs => %s * n / %s), 'logout',
        {columns}
    FROM (SELECT * FROM {table} LIMIT 1) AS one, generate_series(0, %s - 1) AS n"""
#: Number of INSERT statements per second while the feed is measured. Each one inserts several rows.
_WRITES = 10


def fill(ends: int, seconds: float) -> None:
    """Write `ends` sessions that ended during the last `seconds` seconds."""
    if not Session.objects.exists():
        calls.logged_in(0)
    _write(ends, seconds)
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM ANALYZE {Session._meta.db_table}")


def reach() -> float:
    """Return how many seconds the feed reads back when it reads all ended sessions."""
    lifetime = runtime.current().settings.ACCESS_TOKEN_LIFETIME.total_seconds()
    return lifetime + 60 + LATE


def write(rate: int, seconds: float) -> None:
    """Write `rate` ended sessions per second, for `seconds` seconds."""
    began = time.monotonic()
    for number in range(int(seconds * _WRITES)):
        time.sleep(max(0.0, began + number / _WRITES - time.monotonic()))
        _write(max(1, rate // _WRITES), 0)


def poll(seconds: float) -> dict[str, float]:
    """Ask the feed about a session four times per second.

    The feed first reads all ended sessions, which is not measured. It reads all of them again every
    60 seconds, so `seconds` should be a multiple of 60.

    Returns:
        The processor time as a percentage of the elapsed time, and the duration of the longest
        call in seconds.
    """
    feed = runtime.current().feed
    key = uuid.uuid4().int
    while feed.is_due():
        feed.has_ended(key)
        time.sleep(0.01)
    longest, used, began = 0.0, time.process_time(), time.monotonic()
    while time.monotonic() - began < seconds:
        time.sleep(0.25)
        asked = time.monotonic()
        feed.has_ended(key)
        longest = max(longest, time.monotonic() - asked)
    elapsed = time.monotonic() - began
    return {"percent": 100 * (time.process_time() - used) / elapsed, "longest": longest}


class _Ends:
    """A source whose sessions end at a constant rate. The ids are generated in advance."""

    def __init__(self, rate: int, clock: Callable[[], float], seconds: float) -> None:
        self._rate, self._clock, self._began = rate, clock, clock()
        self._ids = os.urandom(16 * rate * int(seconds))

    def ended_within(self, seconds: float) -> Page:
        last = int((self._clock() - self._began) * self._rate)
        first = max(0, last - int(seconds * self._rate))
        return Page(ids=self._ids[16 * first : 16 * last], now=self._clock())

    def page_after(self, following: Any) -> Page:
        raise NotImplementedError

    def has_ended(self, session_id: uuid.UUID) -> bool:
        raise NotImplementedError


def memory(rate: int, seconds: int) -> dict[str, float]:
    """Measure how much memory a feed takes if `rate` sessions end per second.

    The clock is virtual. It advances by one second after each poll.

    Returns:
        The number of bytes by which this process has grown, and the number of ended sessions that
        it knows at the end.
    """
    times = [float(time.time())]

    def clock() -> float:
        return times[0]

    ended = EndedSessions(clock)
    settings = runtime.current().settings
    lifetime = settings.ACCESS_TOKEN_LIFETIME.total_seconds()
    source = _Ends(rate, clock, seconds)
    before = resident(os.getpid())
    feed = Feed(
        source,
        interval=1,
        max_staleness=60,
        reach=lifetime + 60,
        ended=ended,
        clock=clock,
        wall=clock,
    )
    for _ in range(seconds):
        feed.has_ended(0)
        times[0] += 1
    return {"bytes": resident(os.getpid()) - before, "known": len(ended.ended)}


def start(threads: int) -> dict[str, float]:
    """Ask a new feed about an ended and a live session until it has read all ended sessions.

    Several threads ask at the same time.

    Returns:
        The number of wrong answers, the number of calls, the duration of the longest call in
        seconds, and the number of seconds until the feed had read all ended sessions.
    """
    runtime.current.cache_clear()
    feed = runtime.current().feed
    ended = Session.objects.exclude(end_reason="").order_by("ended_at").values_list("id", flat=True)
    oldest, live = ended[0].int, Session.objects.filter(end_reason="")[0].pk.int
    results: list[tuple[int, int, float]] = []
    began = time.monotonic()

    def ask() -> None:
        wrong = count = 0
        longest = 0.0
        while feed.is_due() or not count:
            for key, expected in ((oldest, True), (live, False)):
                asked = time.monotonic()
                try:
                    wrong += feed.has_ended(key) is not expected
                except RevocationUnknown:
                    wrong += 1
                longest = max(longest, time.monotonic() - asked)
                count += 1
        results.append((wrong, count, longest))
        connection.close()

    running = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return {
        "wrong": sum(wrong for wrong, _, _ in results),
        "calls": sum(count for _, count, _ in results),
        "longest": max(longest for _, _, longest in results),
        "seconds": time.monotonic() - began,
    }


def _write(ends: int, seconds: float) -> None:
    copied = [
        str(field.column)
        for field in Session._meta.fields
        if field.name not in ("id", "ended_at", "end_reason")
    ]
    sql = _FILL.format(table=Session._meta.db_table, columns=", ".join(copied))
    with connection.cursor() as cursor:
        cursor.execute(sql, [seconds, ends, ends])
