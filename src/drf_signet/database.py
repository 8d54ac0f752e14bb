"""What the databases must be asked for: their clock, and another try after a conflict."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import OperationalError, connections
from django.db.models import QuerySet
from django.db.models.functions import Now

from .errors import Busy

T = TypeVar("T")

#: Tries of one statement, and of one rotation that keeps losing its race.
ATTEMPTS = 5
#: Serialization failure and deadlock (PostgreSQL); deadlock and changed row (MySQL, MariaDB);
#: a writer in the way (SQLite).
_CONFLICTS = frozenset({"40001", "40P01", 1213, 1020, sqlite3.SQLITE_BUSY})


class DbNow(Now):
    """The database's clock, in UTC, with fractions of a second.

    Django's `Now()` is the server's local time on MySQL and MariaDB.
    """

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Render for MySQL and MariaDB."""
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)


def in_transaction(using: str) -> bool:
    """Whether the caller already holds a transaction, whose snapshot and fate we share."""
    return connections[using].in_atomic_block


def read_committed(rows: QuerySet[Any, T], *, using: str) -> list[T]:
    """Fetch rows as they are committed by now, whatever transaction the caller is in.

    A transaction above READ COMMITTED shows the past, and a broken one nothing: then they are read
    over a connection of their own.
    """
    shared = connections[using]
    if not shared.in_atomic_block or not (shared.needs_rollback or _shows_the_past(shared)):
        return list(rows.using(using))
    own = shared.copy()
    try:
        compiler = rows.query.get_compiler(connection=own)
        return list(compiler.results_iter(tuple_expected=True))
    finally:
        own.close()


def retried(statement: Callable[[], T], *, using: str) -> T:
    """Run a statement that commits alone, again after a conflict with another transaction.

    Inside a transaction it runs once: there a conflict has already undone what came before.

    Raises:
        Busy: it lost every time; nothing was changed.
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
        time.sleep(random.random() * 0.005 * 2**attempt)  # noqa: S311 - jitter, no secret
        attempt += 1


def _shows_the_past(connection: Any) -> bool:
    # On SQLite, which cannot tell, a transaction is as short as the one request that holds it.
    level = getattr(connection, "isolation_level", None)
    name = str(getattr(level, "name", level)).replace("_", " ").lower()
    return connection.vendor != "sqlite" and name not in ("read committed", "read uncommitted")


def _is_conflict(error: OperationalError) -> bool:
    cause = error.__cause__
    codes = (
        getattr(cause, "sqlstate", None),  # psycopg
        getattr(cause, "pgcode", None),  # psycopg2
        getattr(cause, "sqlite_errorcode", 0) & 0xFF,  # less what extends it: BUSY_SNAPSHOT is BUSY
        error.args[0] if error.args else None,  # mysqlclient
    )
    return not _CONFLICTS.isdisjoint(codes)
