"""`Crew`, a pool of threads for tests of race conditions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection, connections
from django.urls import reverse
from rest_framework.test import APIClient

from tests.support.page_requests import REFRESH_COOKIE
from tests.support.session_states import post

T = TypeVar("T")
Act = Callable[[APIClient], T]

VENDOR = settings.DATABASES["default"]["ENGINE"].rsplit(".", 1)[-1]
#: REPEATABLE READ with MariaDB's `innodb_snapshot_isolation` (the default since MariaDB 11.6):
#: writing a row that another transaction has changed fails with error 1020.
SNAPSHOT = "SNAPSHOT"
_STANDARD = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
#: The isolation levels to test. SQLite has only one level, which cannot be changed.
ISOLATION_LEVELS = {
    "sqlite3": ("SERIALIZABLE",),
    "postgresql": _STANDARD,
    "mysql": (*_STANDARD, SNAPSHOT),
}[VENDOR]


def _statements_to_set(level: str) -> list[str]:
    """Return the SQL statements that set the isolation level of a connection."""
    if VENDOR == "postgresql":
        return [f"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}"]
    if VENDOR == "sqlite3":
        return []
    if level == SNAPSHOT:
        return [
            *_statements_to_set("REPEATABLE READ"),
            "SET SESSION innodb_snapshot_isolation = ON",
        ]
    return [f"SET SESSION TRANSACTION ISOLATION LEVEL {level}"]


class Crew:
    """A pool of threads, each with its own database connection and its own API client.

    Args:
        size: the number of threads.
        isolation: the isolation level of the threads' connections, one of `ISOLATION_LEVELS`.
    """

    def __init__(self, size: int, *, isolation: str) -> None:
        self._isolation = isolation
        self._own = threading.local()
        self._pool = ThreadPoolExecutor(size, initializer=self._begin)
        self.size = size

    def act(self, acts: Sequence[Act[T]]) -> list[T]:
        """Run each function in its own thread, all at the same moment; return the results."""
        barrier = threading.Barrier(len(acts))

        def run(act: Act[T]) -> T:
            barrier.wait(timeout=60)  # start all functions at the same moment
            return act(self._own.client)

        return [future.result() for future in [self._pool.submit(run, act) for act in acts]]

    def disband(self) -> None:
        """Close every thread's connection, and end the threads."""
        self.act([lambda _: connections.close_all()] * self.size)
        self._pool.shutdown()

    def _begin(self) -> None:
        self._own.client = APIClient(raise_request_exception=False)
        with connection.cursor() as cursor:
            for statement in _statements_to_set(self._isolation):
                cursor.execute(statement)
        # Keep the connection open. A new connection would have the default isolation level.
        connection.close_at = None


def refreshing(token: str | None) -> Act[Any]:
    """Return a function that sends a refresh request with the token in the body."""
    return lambda client: post(client, "token_refresh", refresh=token)


def refreshing_in_a_cookie(token: str | None) -> Act[Any]:
    """Return a function that sends a refresh request with the token in a cookie, as browsers do."""
    headers = {
        "x-requested-with": "XMLHttpRequest",
        "sec-fetch-site": "same-origin",
        "cookie": f"{REFRESH_COOKIE}={token}",
    }
    url = reverse("signet_browser:refresh")
    return lambda client: client.post(url, {}, format="json", headers=headers)
