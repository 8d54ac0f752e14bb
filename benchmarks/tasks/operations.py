"""Count the SQL statements of each operation, as Django's `assertNumQueries` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from benchmarks.tasks import calls
from benchmarks.wire import Call, Tokens


def count() -> dict[str, dict[str, Any]]:
    """Count the SQL statements of each operation of the package, after a warm-up round."""
    _round()
    return _round()


def _round() -> dict[str, dict[str, Any]]:
    wire, counted = calls.wire(), {}
    counted["login"], tokens = _counted(lambda: calls.logged_in(0))
    counted["request"], _ = _counted(lambda: _ok(wire.protected(tokens.access)))
    if tokens.refresh:
        counted["refresh"], tokens = _counted(lambda: _refreshed(tokens))
    if calls.has("/logout/"):
        counted["logout"], _ = _counted(lambda: _ok(wire.logout(tokens)))
    return counted


def _refreshed(tokens: Tokens) -> Tokens:
    wire = calls.wire()
    return wire.read(calls.json(calls.make(wire.refresh(tokens)), 200), tokens)


def _ok(call: Call) -> None:
    response = calls.make(call)
    if response.status_code not in (200, 204):
        raise RuntimeError(f"{call.path}: {response.status_code}")


def _counted(operation: Callable[[], Any]) -> tuple[dict[str, Any], Any]:
    with CaptureQueriesContext(connection) as captured:
        result = operation()
    sql = [query["sql"].split()[0].upper() for query in captured.captured_queries]
    own = [word for word in sql if word not in _TRANSACTIONS]
    return {"statements": len(sql), "without_transactions": len(own), "words": sql}, result


#: Statements that open or close transactions and savepoints. Each of them is a round trip too.
_TRANSACTIONS = {"BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK"}
