"""Limit the calls that one refresh makes inside the package: a reviewer has to follow them all."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

import drf_signet
from tests.support.session_states import post

PACKAGE = str(Path(drf_signet.__file__).parent)
MAX_CALLS = 75


def _calls_of_a_refresh(client: APIClient, refresh_token: str) -> list[str]:
    calls: list[str] = []

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            calls.append(f"{frame.f_code.co_filename}: {frame.f_code.co_qualname}")

    sys.setprofile(note)
    try:
        answer = post(client, "token_refresh", refresh=refresh_token)
    finally:
        sys.setprofile(None)
    assert answer.status_code == 200
    return calls


@pytest.mark.parametrize("rotates", [True, False])
def test_a_refresh_makes_at_most_75_calls_inside_the_package(
    client: APIClient, user: Any, settings: Any, rotates: bool
) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": rotates}
    pair = drf_signet.issue(user)
    first = post(client, "token_refresh", refresh=pair.refresh).json()  # fill the caches
    calls = _calls_of_a_refresh(client, first.get("refresh", pair.refresh))
    assert 40 < len(calls) <= MAX_CALLS, calls
