"""Which database errors are outages, and how often a lasting problem is logged."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import Error, InterfaceError, OperationalError

from ..errors import Busy, DatabaseUnavailable
from .database import CONFLICTS, codes_of

#: Error codes of statements that can never succeed, although the driver raises the same class of
#: exceptions for them as for an outage. SQLite: an SQL error, such as a missing table, and misuse
#: of the driver. MySQL and MariaDB: a missing column, missing privileges, and a value that the
#: character set or the collation of a column does not allow.
_FAULTS = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, 1054, 1142, 1143, 1267, 1366})
#: PostgreSQL's error code for a write to a standby server, for which the drivers raise an
#: InternalError. A failover may leave a process connected to the former primary server.
_READ_ONLY = "25006"
#: Minimum seconds between two log messages of a process about the same problem.
REPORT_EVERY = 60.0


def outage_of(error: Error) -> Busy | DatabaseUnavailable | None:
    """Return the error of this package for a database error that may not occur again.

    Return None for other errors, such as a missing table: they need a developer.
    """
    codes = codes_of(error)
    if not CONFLICTS.isdisjoint(codes):
        return Busy()
    if isinstance(error, OperationalError | InterfaceError) and _FAULTS.isdisjoint(codes):
        return DatabaseUnavailable()
    return DatabaseUnavailable() if _READ_ONLY in codes else None


@contextmanager
def outages_as_errors() -> Iterator[None]:
    """In the `with` block, replace database errors by the errors that `outage_of` returns."""
    try:
        yield
    except Error as error:
        if outage := outage_of(error):
            raise outage from error
        raise


class Reports:
    """A record of logged problems. Each problem is logged only once per interval.

    There is no lock, which a forked child might never be able to acquire: two threads may log the
    same problem at the same moment.

    Args:
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: Problem → the time of its last report, by `clock`.
        self.reported: dict[str, float] = {}

    def is_due(self, problem: str) -> bool:
        """Return True if a problem is to be reported now, then False until the interval is over."""
        now = self._clock()
        if now - self.reported.get(problem, -math.inf) < REPORT_EVERY:
            return False
        self.reported[problem] = now
        return True


#: The reports of this process. They are kept when settings change.
reports = Reports()
