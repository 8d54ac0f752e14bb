"""The revocation feed: which sessions ended lately, known to every process at no cost per request.

A process asks for the sessions that ended since it last asked, at most once per interval, and
answers from memory in between. It never asks for "greater than the highest value seen", since
transactions commit out of order: each question reaches back `OVERLAP` beyond the last one, and
every `FULL_EVERY` seconds (and at the start, and after an error) over the feed's whole reach.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Protocol

from .database import DbNow, read_committed
from .errors import RevocationUnknown
from .models import write_database, written

logger = logging.getLogger("drf_signet")

#: Seconds by which a question reaches back behind the last one: for commits that were slow.
OVERLAP = 10.0
#: Seconds after which the whole reach is asked for again.
FULL_EVERY = 30.0
#: Seconds that the reach exceeds the life of an access token.
MARGIN = 60.0
#: Shortest life of an access token, in seconds, that the feed is ready for whatever the settings
#: say, so that shortening it lets no older token out of reach.
LEAST_LIFETIME = 3600.0
#: Seconds that a request waits for another one that is renewing: with an old set, and with none.
WAIT, FIRST_WAIT = 0.25, 5.0


class Source(Protocol):
    """Where ended sessions are looked up. The database is the first; anything shared will do."""

    def ended_within(self, seconds: float) -> Iterable[uuid.UUID]:
        """Return the sessions that ended in the last seconds, by the source's own clock.

        All whose end is committed by now: an answer from an older snapshot is none.
        """

    def has_ended(self, session_id: uuid.UUID) -> bool:
        """Return whether one session has ended, or is not there at all."""


class OwnEndings:
    """What this process ended itself: known at once, without asking. Safe under threads.

    `alone` says that no other process ends sessions, and that an end counts before its commit:
    for tests, see `drf_signet.testing.deterministic`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.alone = False
        self._clock = clock
        #: Session id, as text → when.
        self.ended: dict[str, float] = {}
        self._room = 1024
        self._pruning = threading.Lock()

    def mark(self, session_ids: Iterable[uuid.UUID], *, keep: float) -> None:
        """Remember endings for at least `keep` seconds."""
        now = self._clock()
        with self._pruning:
            if len(self.ended) > self._room:
                self.ended = {sid: at for sid, at in self.ended.items() if now - at < keep}
                self._room = 2 * max(512, len(self.ended))
            self.ended.update((str(session_id), now) for session_id in session_ids)


#: Of this process. Not bound to any settings: an ended session stays ended.
own_endings = OwnEndings()


class Feed:
    """The sessions that ended within reach, as one process knows them. Safe under threads.

    Args:
        source: where to ask.
        interval: seconds between questions; 0 asks about each session at each request; None never
            asks: then only what this process ended itself is known.
        max_staleness: seconds for which an answer serves while no new one is to be had; at least
            two intervals, since that is how old one may be while another thread renews it.
        reach: seconds that an ended session has to be remembered.
        own: what this process ended itself.
        clock: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        source: Source,
        *,
        interval: float | None,
        max_staleness: float,
        reach: float,
        own: OwnEndings = own_endings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._interval = interval
        self._max_staleness = max(max_staleness, 2 * (interval or 0))
        self._reach = reach
        self._own = own
        self._clock = clock
        #: Of each process: one that a thread holds while another forks stays held in the child.
        self._asking: dict[int, threading.Lock] = defaultdict(threading.Lock)
        self._ended: set[str] = set()
        self._asked_at = self._full_at = self._tried_at = float("-inf")
        self._due_at = float("inf") if interval is None else float("-inf")

    def has_ended(self, sid: str, *, ask: bool = True) -> bool:
        """Return whether a session is known to have ended.

        Args:
            ask: whether the source may be asked, and waited for.

        Raises:
            RevocationUnknown: the last answer is too old, and there is no newer one.
        """
        own = self._own
        if sid in own.ended:
            return True
        if ask and self._clock() >= self._due_at and not own.alone:
            if self._interval == 0:
                return self._ask_about(sid)
            self._renew()
        return sid in self._ended

    def is_due(self) -> bool:
        """Whether the next question would be one to the source, rather than to memory."""
        return not self._own.alone and self._clock() >= self._due_at

    def _renew(self) -> None:
        """See to a newer answer: one thread asks, the others go on while theirs is fresh enough."""
        interval = self._interval or 0
        patience = self._patience(self._clock() - self._asked_at, interval)
        asking = self._asking[os.getpid()]
        if asking.acquire(timeout=patience) if patience else asking.acquire(False):
            try:
                if self._clock() - max(self._asked_at, self._tried_at) >= interval:
                    self._ask()
            finally:
                asking.release()
        if self._clock() - self._asked_at > self._max_staleness:
            raise RevocationUnknown

    def _patience(self, age: float, interval: float) -> float:
        """Return how many seconds to wait for a thread that is asking already."""
        if age < 2 * interval:
            return 0
        return WAIT if age < float("inf") else FIRST_WAIT

    def _ask(self) -> None:
        """Ask for what ended since; on an error keep what is known, and ask for all next time."""
        started = self._tried_at = self._clock()
        full = started - self._full_at >= FULL_EVERY
        back = self._reach if full else min(self._reach, OVERLAP + started - self._asked_at)
        try:
            ended = {str(session_id) for session_id in self._source.ended_within(back)}
        except Exception:
            logger.exception("the revocation feed could not be renewed")
            self._full_at = float("-inf")
            return
        self._ended = ended if full else self._ended | ended
        self._full_at = started if full else self._full_at
        self._asked_at = started
        self._due_at = started + (self._interval or 0)

    def _ask_about(self, sid: str) -> bool:
        try:
            return self._source.has_ended(uuid.UUID(sid))
        except Exception as error:
            logger.exception("whether a session has ended could not be asked")
            raise RevocationUnknown from error


class DatabaseSource:
    """The table of sessions, in the database that is written to."""

    def ended_within(self, seconds: float) -> Iterable[uuid.UUID]:
        """Ask with one SELECT, over the index of `ended_at`."""
        using = write_database()
        ended = written().filter(ended_at__gt=DbNow() - timedelta(seconds=seconds))
        return [pk for (pk,) in read_committed(ended.values_list("id"), using=using)]

    def has_ended(self, session_id: uuid.UUID) -> bool:
        """Ask with one SELECT, by primary key."""
        using = write_database()
        alive = written().filter(pk=session_id, end_reason="")
        return not read_committed(alive.values_list("id"), using=using)


def longest(*, access_lifetime: float) -> int:
    """Return for how many seconds an access token may be made to live, by `exp` less `iat`.

    Both are whole seconds: a lifetime with a fraction may come out a second longer.
    """
    return math.ceil(max(access_lifetime, LEAST_LIFETIME))


def reach(*, access_lifetime: float, leeway: float) -> float:
    """Return for how many seconds an ended session has to be remembered.

    Twice the leeway: the clock of who issued the token may be ahead by it, and that of who reads
    the token behind.
    """
    return longest(access_lifetime=access_lifetime) + 2 * leeway + MARGIN
