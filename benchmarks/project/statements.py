"""Count the statements that this process executes, on every connection.

What Django sends through a cursor: BEGIN and COMMIT, which the driver sends itself, are not seen.
"""

from __future__ import annotations

import threading
from typing import Any

from django.db.backends.signals import connection_created

_lock = threading.Lock()
_count = 0


def executed() -> int:
    """Return how many statements were executed."""
    return _count


def install() -> None:
    """Count on every connection that is opened from now on."""
    connection_created.connect(_wrap, dispatch_uid="bench.statements")


def _wrap(connection: Any, **kwargs: Any) -> None:
    if _counted not in connection.execute_wrappers:
        connection.execute_wrappers.append(_counted)


def _counted(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    global _count  # noqa: PLW0603 - of this process
    with _lock:
        _count += 1
    return execute(sql, params, many, context)
