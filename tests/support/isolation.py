"""Make a connection look like a PostgreSQL connection with a given isolation level."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

#: PostgreSQL isolation level → True if a transaction at this level cannot see rows that are
#: committed after the transaction began.
MISSES_NEW_ROWS = {
    "read uncommitted": False,
    "read committed": False,
    "repeatable read": True,
    "serializable": True,
}


@contextmanager
def like_postgresql(monkeypatch: pytest.MonkeyPatch, level: str) -> Iterator[None]:
    """Make a connection to any database report this isolation level, as PostgreSQL does."""

    def show(execute: Any, sql: str, *args: Any) -> Any:
        return execute(f"SELECT '{level}'" if sql == "SHOW transaction_isolation" else sql, *args)

    with monkeypatch.context() as patch, connection.execute_wrapper(show):
        patch.setattr(connection, "vendor", "postgresql")
        yield
