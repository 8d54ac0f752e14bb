"""Fixtures that several modules use: factories, and the endpoints as a client sees them."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from rest_framework.test import APIClient

PASSWORD = "correct horse"

pytest_plugins = ["drf_signet.testing.pytest"]

# A fifth of the suite's time went to looking for garbage among what stays: modules and tests.
gc.set_threshold(100_000, 20, 100)


def pytest_collection_finish() -> None:
    gc.freeze()


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    """Let no test inherit the failed logins of another."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def make_user(db: None) -> Callable[..., Any]:
    """Return a factory of users, whose password is `PASSWORD`."""
    numbers = itertools.count(1)

    def make(**fields: Any) -> Any:
        fields.setdefault("username", f"user-{next(numbers)}")
        return get_user_model().objects.create_user(**{"password": PASSWORD, **fields})

    return make


@pytest.fixture
def user(make_user: Callable[..., Any]) -> Any:
    """Return the tutorial's user."""
    return make_user(username="vitor")


@pytest.fixture
def client() -> APIClient:
    """Return a client without credentials. In place of pytest-django's: it speaks JSON."""
    return APIClient()
