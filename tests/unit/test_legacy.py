"""Test `drf_signet.legacy`: registering the functions for the other package."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from drf_signet import legacy
from tests.support.session_states import ADOPTING, legacy_token, post


@pytest.fixture
def _nothing_registered() -> Any:
    registered = legacy.register(None)
    yield
    legacy.register(registered)


@pytest.mark.usefixtures("_nothing_registered")
def test_legacy_token_is_refused_if_nothing_is_registered(
    client: APIClient, user: Any, settings: Any
) -> None:
    settings.SIGNET = ADOPTING
    answer = post(client, "token_refresh", refresh=legacy_token(user))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")


def test_register_returns_the_functions_registered_before() -> None:
    registered = legacy.register(None)
    assert registered is not None
    assert legacy.register(registered) is None
