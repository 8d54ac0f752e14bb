"""The revocation feed, which tells a process which sessions have ended recently.

At most once per interval, a process reads recently ended sessions from the database (see `polls`).
Between polls, the feed answers from memory. In two cases, it looks a session up by its primary key:
until the first whole read has been completed, and if an access token may be valid for longer than
the feed remembers an ended session.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import uuid
from collections.abc import Callable

from ..db.outages import reports
from ..errors import RevocationUnknown
from .ended import EndedSessions, ended_sessions
from .polls import Polls, Timing
from .sources import Source

logger = logging.getLogger("drf_signet")

#: For how many seconds an ended session is remembered after its last access token has expired.
MARGIN = 60.0
#: Maximum number of look-up results that are kept. Each result is kept for one interval.
CAPACITY = 4096


class Feed:
    """Tells whether a session is known to have ended. Thread-safe.

    A session's key is its id as an int (`UUID.int`).

    Args:
        source: the source to poll.
        interval: seconds between polls. With 0, each request looks its session up. With None, the
            feed never polls. It then knows only the sessions that this process has ended.
        max_staleness: maximum age of the last successful poll, in seconds; at least two intervals.
        reach: for how many seconds to remember an ended session.
        ended: the ended sessions that this process knows. The feeds of a process share them.
        clock: a monotonic clock, in seconds.
        wall: the wall clock, in POSIX seconds.
        make_condition: creates the condition on which threads wait while another thread polls.
    """

    def __init__(
        self,
        source: Source,
        *,
        interval: float | None,
        max_staleness: float,
        reach: float,
        ended: EndedSessions = ended_sessions,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        make_condition: Callable[[], threading.Condition] = threading.Condition,
    ) -> None:
        self._source = source
        self._interval = interval
        self._known = ended
        self._clock = clock
        timing = Timing(
            interval=interval or 0,
            max_staleness=max(max_staleness, 2 * (interval or 0)),
            reach=reach,
        )
        self._polls = Polls(
            source, ended, timing, clock=clock, wall=wall, make_condition=make_condition
        )
        if interval is None:
            self._polls.due_at = math.inf
        #: Session key → the time until which the result of a look-up is kept, and whether the
        #: session has ended.
        self._looked_up: dict[int, tuple[float, bool]] = {}

    def has_ended(self, key: int, *, ask: bool = True) -> bool:
        """Return whether a session is known to have ended.

        Args:
            ask: whether this call may query the source and wait for the result.

        Raises:
            RevocationUnknown: the query failed, or the last successful poll is too old.
        """
        if key in self._known.ended:
            return True
        if not ask or self._clock() < self._polls.due_at or self._known.alone:
            return False
        if self._interval == 0:
            return self._query(key)
        self._polls.renew()
        if key in self._known.ended:
            return True
        return False if self._polls.is_complete else self._look_up(key)

    def has_ended_for_long(self, key: int, *, ask: bool = True) -> bool:
        """Do the same as `has_ended`, but for a long-lived token.

        Such a token may be valid for longer than the feed remembers an ended session. So the
        session is looked up by its primary key, at most once per interval.

        Raises:
            RevocationUnknown: the session was not looked up, or the query failed.
        """
        if key in self._known.ended:
            return True
        if self._interval is None or self._known.alone:
            return False
        return self._look_up(key, ask=ask)

    def is_due(self, key: int | None = None) -> bool:
        """Return whether the next call may query the source.

        Args:
            key: the session key if the next call is `has_ended_for_long`; None for `has_ended`.
        """
        if self._known.alone or self._interval is None:
            return False
        if key is None:
            return self._clock() >= self._polls.due_at
        return key not in self._known.ended and self._kept(key) is None

    def _look_up(self, key: int, *, ask: bool = True) -> bool:
        """Return whether a session has ended. Keep the source's answer for one interval."""
        # Without `ask`, `is_due` has found a kept result. It may have expired since then.
        kept = self._kept(key) if ask else self._looked_up.get(key, (0.0, None))[1]
        if kept is not None:
            return kept
        if not ask:
            raise RevocationUnknown
        ended = self._query(key)
        if len(self._looked_up) >= CAPACITY:
            self._looked_up.clear()
        self._looked_up[key] = self._clock() + (self._interval or 0), ended
        return ended

    def _kept(self, key: int) -> bool | None:
        until, ended = self._looked_up.get(key, (0.0, False))
        return ended if self._clock() < until else None

    def _query(self, key: int) -> bool:
        try:
            return self._source.has_ended(uuid.UUID(int=key))
        except Exception as error:
            if reports.is_due("session look-up"):
                logger.exception("the state of a session could not be read")
            raise RevocationUnknown from error


def remembered_lifetime(*, access_lifetime: float) -> int:
    """Return the longest token lifetime for which ended sessions are remembered long enough.

    The lifetime is `exp` minus `iat`. Both claims are rounded down to whole seconds. The lifetime
    may therefore be longer than the configured one, by less than a second.

    Args:
        access_lifetime: ACCESS_TOKEN_LIFETIME, in seconds.
    """
    return math.ceil(access_lifetime + MARGIN)


def reach(*, access_lifetime: float, leeway: float) -> float:
    """Return for how many seconds an ended session must be remembered.

    The leeway counts twice: the clock of the server that issued the token may be ahead, and the
    clock of the server that verifies the token may be behind.
    """
    return remembered_lifetime(access_lifetime=access_lifetime) + 2 * leeway
