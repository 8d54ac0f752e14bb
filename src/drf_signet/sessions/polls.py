"""The polls of the revocation feed: when to read ended sessions, and how far back to read.

It is not enough to read the sessions whose `ended_at` is later than that of all known sessions,
because transactions are not always committed in the order of `ended_at`. So a poll reads the
sessions that ended since the last poll or in the `OVERLAP` seconds before it. Every `LATE_EVERY`
seconds, a poll reads the sessions that ended in the last `LATE` seconds. At the start, after an
error, every `WHOLE_EVERY` seconds and after a clock has jumped, a poll begins a whole read: it
reads all ended sessions whose access tokens may still be valid. A poll reads pages for `BUDGET`
seconds, and the next poll continues with the remaining pages.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..db.outages import reports
from ..errors import RevocationUnknown
from .clocks import Clocks
from .ended import EndedSessions
from .sources import Page, Source

logger = logging.getLogger("drf_signet")

#: A poll also reads the sessions that ended up to this many seconds before the last poll, because
#: their transactions may have been committed after that poll.
OVERLAP = 10.0
#: Every `LATE_EVERY` seconds, a poll reads the sessions that ended in the last `LATE` seconds, to
#: find those whose transactions were committed even later.
LATE, LATE_EVERY = 300.0, 15.0
#: Seconds from the beginning of one whole read to the beginning of the next.
WHOLE_EVERY = 60.0
#: After this many seconds, a poll reads no more pages. The next poll reads the remaining pages.
BUDGET = 0.25
#: Maximum number of seconds that a thread waits for the poll of another thread: `WAIT`, or
#: `LONG_WAIT` if the last successful poll was more than `max_staleness` seconds ago.
WAIT, LONG_WAIT = 0.25, 5.0

_NEVER = float("-inf")


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The settings of the polls, in seconds.

    Args:
        interval: the time between polls.
        max_staleness: the maximum age of the last successful poll. It must be at least two
            intervals, because threads do not wait for the poll of another thread before the last
            successful poll is that old.
        reach: how long an ended session is remembered.
    """

    interval: float
    max_staleness: float
    reach: float


@dataclass(frozen=True, kw_only=True)
class _Unread:
    """A read that still has pages left. This poll or later polls read them."""

    began: float
    whole: bool
    following: Any


class Polls:
    """The polls of one source: when they are due, and what they have to read. Thread-safe.

    Only one thread of a process polls at a time.

    Args:
        source: the source to poll.
        ended: the set to which the ended sessions are added.
        clock: a monotonic clock, in seconds.
        wall: the wall clock, in POSIX seconds.
        make_condition: creates the condition on which threads wait while another thread polls.
    """

    def __init__(
        self,
        source: Source,
        ended: EndedSessions,
        timing: Timing,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        make_condition: Callable[[], threading.Condition] = threading.Condition,
    ) -> None:
        self._source, self._ended, self._timing = source, ended, timing
        self._clock, self._wall = clock, wall
        #: Whether a whole read has been completed.
        self.is_complete = False
        #: When the next poll is due; negative infinity until a whole read has been completed.
        self.due_at = _NEVER
        self._clocks = Clocks(keep=timing.reach)
        self._polled_at = self._attempted_at = self._late_at = self._whole_at = _NEVER
        self._unread: _Unread | None = None
        #: Process id → condition. In a forked child, the parent's lock might never be released.
        self._conditions: dict[int, threading.Condition] = {}
        self._make_condition = make_condition
        #: The id of the process in which a thread is polling; None if no thread is polling.
        self._polls_in: int | None = None

    def renew(self) -> None:
        """Poll if a poll is due, unless another thread is already polling.

        Raises:
            RevocationUnknown: the last successful poll was too long ago, or the last poll failed
                before a whole read was completed.
        """
        # `setdefault` is atomic: all threads get the same condition.
        condition = self._conditions.setdefault(os.getpid(), self._make_condition())
        with condition:
            if polls := self._polls_in != os.getpid():
                self._polls_in = os.getpid()
            elif timeout := self._timeout():
                condition.wait(timeout)
        if polls:
            try:
                self._poll_if_due(condition)
            finally:
                with condition:
                    self._polls_in = None
                    condition.notify_all()
        if self._is_too_old():
            raise RevocationUnknown

    def _timeout(self) -> float:
        """Return how many seconds to wait for the poll of another thread."""
        age = self._clock() - self._polled_at
        if not self.is_complete:
            return WAIT if age == float("inf") else 0.0
        if age < 2 * self._timing.interval:
            return 0.0
        return LONG_WAIT if age > self._timing.max_staleness else WAIT

    def _is_too_old(self) -> bool:
        """Return whether the last successful poll was so long ago that the feed must not be used.

        Until a whole read has been completed, the feed looks sessions up in the source. It must
        then not be used if the last poll has failed.
        """
        if not self.is_complete:
            return self._attempted_at > self._polled_at and self._polls_in != os.getpid()
        return self._clock() - self._polled_at > self._timing.max_staleness

    def _poll_if_due(self, condition: threading.Condition) -> None:
        began = self._clock()
        if began - self._attempted_at < self._timing.interval:
            return
        self._attempted_at = began
        try:
            self._poll(began)
            with condition:
                condition.notify_all()
            self._read_on(began)
        except Exception:
            if reports.is_due("revocation feed"):
                logger.exception("the revocation feed could not be renewed")
            self._whole_at, self._unread = _NEVER, None

    def _poll(self, began: float) -> None:
        """Read the sessions that ended since the last poll. Begin a longer read if one is due."""
        elapsed = 0.0 if self._polled_at == _NEVER else began - self._polled_at
        whole = self._timing.reach + LATE + self._clocks.further(self._wall())
        recent = min(OVERLAP + elapsed, whole)
        is_whole = self._unread is None and began - self._whole_at >= WHOLE_EVERY
        is_late = self._unread is None and began - self._late_at >= LATE_EVERY
        page = self._read(whole if is_whole else max(recent, LATE) if is_late else recent)
        wall, ended = self._wall(), self._clock()
        jump = self._clocks.compare(source=page.now, wall=wall, began=began, ended=ended)
        if jump:
            is_whole, recent = True, recent + jump
            page = self._read(self._timing.reach + LATE + self._clocks.further(wall))
        while page.following and page.covers < recent:
            page = self._add(self._source.page_after(page.following))
        if is_whole or is_late:
            self._unread = _Unread(began=began, whole=is_whole, following=page.following)
        self._polled_at = began
        self._finish()

    def _read_on(self, began: float) -> None:
        """Read the remaining pages: at least one, and more until `BUDGET` seconds have passed."""
        while self._unread:
            page = self._add(self._source.page_after(self._unread.following))
            self._unread = replace(self._unread, following=page.following)
            self._finish()
            if self._clock() - began >= BUDGET:
                break

    def _finish(self) -> None:
        """Mark the read as complete if it has no pages left. Set the time of the next poll."""
        unread = self._unread
        if unread and not unread.following:
            self._unread, self._late_at = None, unread.began
            if unread.whole:
                self._whole_at, self.is_complete = unread.began, True
        if self.is_complete:
            self.due_at = self._polled_at + self._timing.interval

    def _read(self, seconds: float) -> Page:
        return self._add(self._source.ended_within(seconds))

    def _add(self, page: Page) -> Page:
        self._ended.add(page.each(), keep=self._timing.reach)
        return page
