"""Fixtures for the whole test suite."""

from __future__ import annotations

import gc
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import hypothesis
import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import OperationalError, connection
from rest_framework.test import APIClient

from drf_signet.db.outages import reports

PASSWORD = "correct horse"

pytest_plugins = ["drf_signet.testing.pytest"]

# Tests do not measure time: on a busy machine, any example may take long.
hypothesis.settings.register_profile("drf-signet", deadline=None)
hypothesis.settings.load_profile("drf-signet")

# Collect garbage less often. With the default thresholds, garbage collection takes a fifth of the
# suite's time, because it scans imported modules and collected tests, which never become garbage.
gc.set_threshold(100_000, 20, 100)


@pytest.hookimpl(trylast=True)  # after pytest-randomly has shuffled the tests
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slowest tests, so that at the end no process waits for another one."""
    items.sort(key=lambda item: item.path.parent.name != "proof")


def pytest_collection_finish() -> None:
    gc.freeze()


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    """Empty the cache, where failed logins are counted, before and after each test."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _no_reports() -> None:
    """Let each test log a problem, although an earlier test may have just logged the same one."""
    reports.reported.clear()


@pytest.fixture
def make_user(db: None) -> Callable[..., Any]:
    """Return a function that creates a user with the password `PASSWORD`."""
    numbers = itertools.count(1)

    def make(**fields: Any) -> Any:
        fields.setdefault("username", f"user-{next(numbers)}")
        return get_user_model().objects.create_user(**{"password": PASSWORD, **fields})

    return make


@pytest.fixture
def user(make_user: Callable[..., Any]) -> Any:
    """Create the tutorial's user, whose username is vitor."""
    return make_user(username="vitor")


@pytest.fixture
def client() -> APIClient:
    """Return DRF's test client. pytest-django's fixture of this name returns Django's client."""
    return APIClient()


@pytest.fixture
def busy_database() -> Callable[[], AbstractContextManager[None]]:
    """Return a context manager in which every SQL statement fails with SQLITE_BUSY."""

    def fail(*call: Any) -> None:
        cause = sqlite3.OperationalError("database is locked")
        cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise OperationalError(*cause.args) from cause

    @contextmanager
    def busy() -> Iterator[None]:
        with connection.execute_wrapper(fail):
            yield

    return busy
