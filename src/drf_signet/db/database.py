"""The database's clock, reads of committed rows, and retries after conflicts."""

from __future__ import annotations

import random
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.db import Error, OperationalError, connections, transaction
from django.db.models import DateTimeField, FloatField, Func, QuerySet
from django.db.models.functions import Now

from ..errors import Busy

if TYPE_CHECKING:
    _DateTimeField = DateTimeField[Any, Any]
else:
    _DateTimeField = DateTimeField

T = TypeVar("T")

#: Maximum number of attempts if conflicts make a statement or a refresh token rotation fail.
ATTEMPTS = 5
#: Error codes of conflicts between transactions. PostgreSQL: serialization failure and deadlock.
#: MySQL and MariaDB: deadlock, and a row that has changed since it was read. SQLite: database
#: locked.
CONFLICTS = frozenset({"40001", "40P01", 1213, 1020, sqlite3.SQLITE_BUSY})


class DbClockField(_DateTimeField):
    """A DateTimeField for times that `DbNow` writes. Its column contains UTC.

    SQLite, MySQL and MariaDB store no time zone. Django's own field assumes the time zone of the
    connection, which may not be UTC. This field converts between UTC in the database and the time
    zone that Django uses in Python. On these databases, lookups such as `__date` compare in UTC.
    """

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Convert a value from the database to the time zone that Django uses in Python."""
        if value is None or connection.features.supports_timezones:
            return value
        utc = value.replace(tzinfo=UTC)
        if settings.USE_TZ:
            return utc
        return datetime.fromtimestamp(utc.timestamp())  # noqa: DTZ006 - local time

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """Convert a value for the database, to UTC if the database stores no time zone."""
        value = value if prepared else self.get_prep_value(value)
        if isinstance(value, datetime) and not connection.features.supports_timezones:
            value = value.astimezone(UTC).replace(tzinfo=None)  # a naive `value` is local time
        return super().get_db_prep_value(value, connection, prepared=True)

    def deconstruct(self) -> Any:
        """Describe the field in migrations as a DateTimeField, because the columns are the same."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs


class DbNow(Now):
    """The current time of the database server, in UTC, with fractions of a second.

    Django's `Now()` returns local time on MySQL and MariaDB. When a query returns the
    value, it is converted as in `DbClockField`.
    """

    output_field = DbClockField()

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the SQL for MySQL and MariaDB."""
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)


class SecondsAgo(Func):
    """The current time of the database server minus a number of seconds from an expression."""

    output_field = DbClockField()
    template = "(STATEMENT_TIMESTAMP() - make_interval(secs => %(expressions)s))"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the SQL for SQLite: a string in the format of `DbNow`."""
        form = "%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f"
        template = f"STRFTIME('{form}', 'NOW', -(%(expressions)s) || ' seconds')"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the SQL for MySQL and MariaDB."""
        template = "TIMESTAMPADD(SECOND, -(%(expressions)s), UTC_TIMESTAMP(6))"
        return self.as_sql(compiler, connection, template=template, **context)


class SecondsUntil(Func):
    """The number of seconds from the current time of the database server until a time."""

    output_field = FloatField()
    template = "EXTRACT(EPOCH FROM (%(expressions)s - STATEMENT_TIMESTAMP()))::float8"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the SQL for SQLite."""
        template = "((JULIANDAY(%(expressions)s) - JULIANDAY('NOW')) * 86400.0)"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the SQL for MySQL and MariaDB."""
        template = "(TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), %(expressions)s) / 1e6)"
        return self.as_sql(compiler, connection, template=template, **context)


def unique_time(now: datetime) -> datetime:
    """Return `now` plus a random time of less than a millisecond.

    SQLite's clock counts milliseconds, so two statements may read the same time. The random part
    makes it unlikely that they write the same time.
    """
    return now + timedelta(microseconds=secrets.randbelow(1000))


def in_transaction(using: str) -> bool:
    """Return whether the caller has an open transaction on the database `using`."""
    return connections[using].in_atomic_block


def misses_new_rows(using: str) -> bool:
    """Return whether the caller has a transaction that cannot read rows committed since it began.

    This is the case on PostgreSQL at isolation levels above READ COMMITTED. On other databases,
    return False: on MySQL and MariaDB, a locking read finds these rows, and on SQLite, a
    transaction cannot write if rows were committed after its snapshot.
    """
    connection = connections[using]
    if connection.vendor != "postgresql" or not connection.in_atomic_block:
        return False
    with connection.cursor() as cursor:
        # Ask the server, because the level may be set for the role, for the database or in this
        # transaction.
        cursor.execute("SHOW transaction_isolation")
        (level,) = cursor.fetchone()
    return level not in ("read committed", "read uncommitted")


@contextmanager
def committed_connection(using: str) -> Iterator[Any]:
    """Return a connection whose queries read the rows that are committed now.

    This is usually the caller's connection. A separate connection is opened, and closed afterwards,
    in three cases: the caller's transaction has failed, its isolation level is above READ
    COMMITTED, or it has ended sessions and may still be rolled back.
    """
    shared: Any = connections[using]
    if not shared.in_atomic_block or not (
        shared.needs_rollback or _reads_snapshot(shared) or _has_uncommitted_ends(shared)
    ):
        yield shared
        return
    separate = shared.copy()
    if hasattr(shared, "set_tenant"):  # the copy has no tenant selected
        separate.set_tenant(shared.tenant, shared.include_public_schema)
    try:
        yield separate
    finally:
        separate.close()


def read_committed(rows: QuerySet[Any, T], *, using: str) -> list[T]:
    """Read the rows that are committed now, regardless of the caller's transaction.

    Args:
        rows: a queryset that returns tuples.
    """
    with committed_connection(using) as connection:
        compiler = rows.query.get_compiler(connection=connection)
        return list(compiler.results_iter(tuple_expected=True))


class _AfterEnds(partial[object]):
    """A function to call after the commit of a transaction that has ended sessions."""


def after_ends(act: Callable[..., object], *arguments: Any, using: str) -> None:
    """Call a function after the commit of the open transaction, in which sessions were ended.

    If no transaction is open, call the function now. An exception that the function raises is
    logged, and is not raised again.
    """
    callback = _AfterEnds(act, *arguments)
    callback.__qualname__ = act.__qualname__  # type: ignore[attr-defined]  # for Django's log
    transaction.on_commit(callback, using=using, robust=True)


@contextmanager
def keeping_transactions() -> Iterator[None]:
    """After the `with` block, restore `needs_rollback` of all connections in a transaction."""
    in_transaction = [c for c in connections.all(initialized_only=True) if c.in_atomic_block]
    marks = [(connection, connection.needs_rollback) for connection in in_transaction]
    yield
    for connection, needs_rollback in marks:
        connection.set_rollback(needs_rollback)


def retried(statement: Callable[[], T], *, using: str) -> T:
    """Run a statement, and retry it after a conflict with another transaction.

    Inside the caller's transaction, the statement is not retried, because the conflict has rolled
    back the whole transaction.

    Raises:
        Busy: each attempt ended in a conflict; nothing was changed.
    """
    attempt = 1
    while True:
        try:
            return statement()
        except OperationalError as error:
            if not _is_conflict(error):
                raise
            if attempt == ATTEMPTS or in_transaction(using):
                raise Busy from error
        time.sleep(random.random() * 0.005 * 2**attempt)  # noqa: S311 - jitter, not a secret
        attempt += 1


def _reads_snapshot(connection: Any) -> bool:
    """Return whether a transaction on this connection may read an older snapshot.

    Django does not report an isolation level for SQLite. Return False for SQLite, because a
    transaction, and therefore its snapshot, is usually no older than the current request.
    """
    level = getattr(connection, "isolation_level", None)
    name = str(getattr(level, "name", level)).replace("_", " ").lower()
    return connection.vendor != "sqlite" and name not in ("read committed", "read uncommitted")


def _has_uncommitted_ends(connection: Any) -> bool:
    """Return whether the open transaction of a connection has ended sessions.

    On SQLite, return False, so that no separate connection is opened: it could not read an
    in-memory database.
    """
    callbacks = [callback for _, callback, *_ in connection.run_on_commit]
    has_ended = any(isinstance(callback, _AfterEnds) for callback in callbacks)
    return has_ended and connection.vendor != "sqlite"


def _is_conflict(error: OperationalError) -> bool:
    return not CONFLICTS.isdisjoint(codes_of(error))


def codes_of(error: Error) -> tuple[Any, ...]:
    """Return the codes of a database error. Each driver has its own place for the code."""
    cause = error.__cause__
    return (
        getattr(cause, "sqlstate", None),  # psycopg
        getattr(cause, "pgcode", None),  # psycopg2
        getattr(cause, "sqlite_errorcode", 0) & 0xFF,  # SQLITE_BUSY_SNAPSHOT → SQLITE_BUSY
        error.args[0] if error.args else None,  # mysqlclient
    )
