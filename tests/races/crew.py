"""Threads that act at the same moment, each with a connection and a client of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection, connections
from django.urls import reverse
from rest_framework.test import APIClient

from tests.browser import REFRESH_COOKIE
from tests.situations import post

T = TypeVar("T")
Act = Callable[[APIClient], T]

VENDOR = settings.DATABASES["default"]["ENGINE"].rsplit(".", 1)[-1]
#: MariaDB's REPEATABLE READ as it is by default since 11.6: a changed row is an error (1020).
SNAPSHOT = "SNAPSHOT"
_STANDARD = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
#: The isolation levels of this run's database; of SQLite's one it takes no order.
ISOLATION_LEVELS = {
    "sqlite3": ("SERIALIZABLE",),
    "postgresql": _STANDARD,
    "mysql": (*_STANDARD, SNAPSHOT),
}[VENDOR]


def _set(level: str) -> list[str]:
    """Return the statements that set a connection's isolation level."""
    if VENDOR == "postgresql":
        return [f"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}"]
    if VENDOR == "sqlite3":
        return []
    if level == SNAPSHOT:
        return [*_set("REPEATABLE READ"), "SET SESSION innodb_snapshot_isolation = ON"]
    return [f"SET SESSION TRANSACTION ISOLATION LEVEL {level}"]


class Crew:
    """A pool of threads that stays together for a test.

    Args:
        size: how many.
        isolation: the isolation level of their connections, one of `ISOLATION_LEVELS`.
    """

    def __init__(self, size: int, *, isolation: str) -> None:
        self._isolation = isolation
        self._own = threading.local()
        self._pool = ThreadPoolExecutor(size, initializer=self._begin)
        self.size = size

    def act(self, acts: Sequence[Act[T]]) -> list[T]:
        """Let as many threads as there are acts begin one each, all at once; return the results."""
        barrier = threading.Barrier(len(acts))

        def run(act: Act[T]) -> T:
            barrier.wait(timeout=60)  # nobody takes a second act before all have taken one
            return act(self._own.client)

        return [future.result() for future in [self._pool.submit(run, act) for act in acts]]

    def disband(self) -> None:
        """Close every thread's connection, and end the threads."""
        self.act([lambda _: connections.close_all()] * self.size)
        self._pool.shutdown()

    def _begin(self) -> None:
        self._own.client = APIClient(raise_request_exception=False)
        with connection.cursor() as cursor:
            for statement in _set(self._isolation):
                cursor.execute(statement)
        # The test client closes connections of age 0, and with them what was set above.
        connection.close_at = None


def refreshing(token: str | None) -> Act[Any]:
    """Return the act of sending a refresh token in."""
    return lambda client: post(client, "token_refresh", refresh=token)


def refreshing_in_a_cookie(token: str | None) -> Act[Any]:
    """Return the act of a page that refreshes."""
    headers = {
        "x-requested-with": "XMLHttpRequest",
        "sec-fetch-site": "same-origin",
        "cookie": f"{REFRESH_COOKIE}={token}",
    }
    url = reverse("signet_browser:refresh")
    return lambda client: client.post(url, {}, format="json", headers=headers)
