"""Count the SQL statements that this process executes, on every connection.

Only statements that Django executes through a cursor are counted. On PostgreSQL, BEGIN and COMMIT
are not counted, because the database driver sends them.
"""

from __future__ import annotations

import threading
from typing import Any

from django.db.backends.signals import connection_created

_lock = threading.Lock()
_count = 0


def executed() -> int:
    """Return how many SQL statements this process has executed."""
    return _count


def install() -> None:
    """Count the statements of every connection that Django opens from now on."""
    connection_created.connect(_wrap, dispatch_uid="bench.statements")


def _wrap(connection: Any, **kwargs: Any) -> None:
    if _counted not in connection.execute_wrappers:
        connection.execute_wrappers.append(_counted)


def _counted(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    global _count  # noqa: PLW0603 - one counter for the process
    with _lock:
        _count += 1
    return execute(sql, params, many, context)
