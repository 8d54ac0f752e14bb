"""Fixtures for pytest. Put `pytest_plugins = ["drf_signet.testing.pytest"]` in a `conftest.py`."""

from __future__ import annotations

import pytest

from . import auth_client as _auth_client
from . import browser_client as _browser_client
from . import deterministic
from . import token_for as _token_for


@pytest.fixture(autouse=True)
def signet_deterministic():  # type: ignore[no-untyped-def]
    """Run every test inside `drf_signet.testing.deterministic`."""
    with deterministic():
        yield


@pytest.fixture
def auth_client():  # type: ignore[no-untyped-def]  # a fixture
    """Return `drf_signet.testing.auth_client`, which returns a client with an access token."""
    return _auth_client


@pytest.fixture
def token_for():  # type: ignore[no-untyped-def]
    """Return `drf_signet.testing.token_for`, which returns a token for a user."""
    return _token_for


@pytest.fixture
def browser_client():  # type: ignore[no-untyped-def]
    """Return `drf_signet.testing.browser_client`.

    It returns a client that sends requests like a browser.
    """
    return _browser_client
