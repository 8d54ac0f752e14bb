"""Fixtures for tests with a Redis server of their own. The tests run only on SQLite."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.redis_server import RedisServer, redis_server

# The test suite runs once for each database, and the broker does not depend on the database.
if os.environ.get("SIGNET_TEST_DATABASE", "sqlite") != "sqlite":
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """Start a server for the tests of a module."""
    with redis_server() as started:
        started.start()
        yield started
