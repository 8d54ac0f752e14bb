"""Test which database errors are outages, and that a problem is logged once per interval."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import Error, InterfaceError, InternalError, OperationalError, ProgrammingError

from drf_signet.db.outages import REPORT_EVERY, Reports, outage_of, outages_as_errors
from drf_signet.errors import Busy, DatabaseUnavailable, SignetError


class DriverError(Exception):
    """An exception of a database driver. Each driver has its own attribute for the error code."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        vars(self).update(attributes)


def database_error(kind: type[Error], *args: Any, **attributes: Any) -> Error:
    """Return a database error whose cause is the driver's exception with these attributes."""
    error = kind(*args)
    error.__cause__ = DriverError(**attributes) if attributes else None
    return error


#: Database errors, and the error of this package for each of them.
OUTAGES: list[tuple[str, Error, type[SignetError] | None]] = [
    ("no connection, psycopg", database_error(OperationalError, "x"), DatabaseUnavailable),
    (
        "shutdown, PostgreSQL",
        database_error(OperationalError, sqlstate="57P01"),
        DatabaseUnavailable,
    ),
    (
        "starting up, PostgreSQL",
        database_error(OperationalError, sqlstate="57P03"),
        DatabaseUnavailable,
    ),
    (
        "too many, PostgreSQL",
        database_error(OperationalError, sqlstate="53300"),
        DatabaseUnavailable,
    ),
    ("standby, psycopg", database_error(InternalError, sqlstate="25006"), DatabaseUnavailable),
    ("standby, psycopg2", database_error(InternalError, pgcode="25006"), DatabaseUnavailable),
    ("closed, psycopg2", database_error(InterfaceError, "connection closed"), DatabaseUnavailable),
    ("closed, MySQL", database_error(InterfaceError, 0, ""), DatabaseUnavailable),
    ("no connection, MySQL", database_error(OperationalError, 2003, "x"), DatabaseUnavailable),
    ("server gone, MySQL", database_error(OperationalError, 2006, "x"), DatabaseUnavailable),
    ("connection lost, MySQL", database_error(OperationalError, 2013, "x"), DatabaseUnavailable),
    ("too many, MySQL", database_error(OperationalError, 1040, "x"), DatabaseUnavailable),
    ("shutdown, MySQL", database_error(OperationalError, 1053, "x"), DatabaseUnavailable),
    ("read-only, MySQL", database_error(OperationalError, 1290, "x"), DatabaseUnavailable),
    (
        "disk full, SQLite",
        database_error(OperationalError, sqlite_errorcode=13),
        DatabaseUnavailable,
    ),
    ("locked, SQLite", database_error(OperationalError, sqlite_errorcode=5), Busy),
    ("deadlock, PostgreSQL", database_error(OperationalError, sqlstate="40P01"), Busy),
    ("missing table, SQLite", database_error(OperationalError, sqlite_errorcode=1), None),
    ("misuse, SQLite", database_error(InterfaceError, sqlite_errorcode=21), None),
    ("missing column, MySQL", database_error(OperationalError, 1054, "x"), None),
    ("no privilege, MySQL", database_error(OperationalError, 1142, "x"), None),
    ("mixed collations, MySQL", database_error(OperationalError, 1267, "x"), None),
    ("value outside of the character set", database_error(OperationalError, 1366, "x"), None),
    ("missing table, PostgreSQL", database_error(ProgrammingError, sqlstate="42P01"), None),
    ("failed transaction", database_error(InternalError, sqlstate="25P02"), None),
]


@pytest.mark.parametrize(
    ("error", "expected"), [row[1:] for row in OUTAGES], ids=[name for name, *_ in OUTAGES]
)
def test_only_an_error_that_may_not_occur_again_is_an_outage(
    error: Error, expected: type[SignetError] | None
) -> None:
    outage = outage_of(error)
    assert outage is None if expected is None else type(outage) is expected
    with pytest.raises(expected or type(error)) as caught, outages_as_errors():
        raise error
    assert (caught.value if expected is None else caught.value.__cause__) is error


class Clock:
    """A clock whose time changes only when a test sets `now`."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_problem_is_reported_once_per_interval() -> None:
    clock = Clock()
    due = Reports(clock)
    assert [due.is_due(problem) for problem in ("a", "a", "b", "b")] == [True, False, True, False]
    clock.now += REPORT_EVERY - 1
    assert not due.is_due("a")
    clock.now += 1
    assert [due.is_due("a"), due.is_due("a")] == [True, False]
