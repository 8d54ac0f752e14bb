"""Test concurrent refreshes of the same session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import drf_signet
from drf_signet.models import Session
from tests.support.page_requests import REFRESH_COOKIE
from tests.support.session_states import generation_of

from .crew import Crew, refreshing, refreshing_in_a_cookie

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 32
ROUNDS = 50


def test_concurrent_refreshes_of_a_token_get_the_same_successor(
    user: Any, assemble: Callable[[int], Crew]
) -> None:
    """In Keycloak CVE-2026-1035 and simplejwt #985, concurrent refreshes got different tokens."""
    crew = assemble(CLIENTS)
    pair = drf_signet.issue(user)
    token = pair.refresh
    for generation in range(1, ROUNDS + 1):
        answers = crew.act([refreshing(token)] * CLIENTS)
        assert [answer.status_code for answer in answers] == [200] * CLIENTS
        successors = {generation_of(answer.data["refresh"]) for answer in answers}
        assert successors == {(pair.session.pk, generation)}
        assert Session.objects.get().generation == generation
        token = answers[0].data["refresh"]


def test_concurrent_refreshes_of_a_cookie_get_the_same_successor(
    user: Any, assemble: Callable[[int], Crew]
) -> None:
    """The response to a retry within the grace period also sets the cookie."""
    crew = assemble(CLIENTS)
    pair = drf_signet.issue(user, transport="cookie")
    token = pair.refresh
    for generation in range(1, 6):
        answers = crew.act([refreshing_in_a_cookie(token)] * CLIENTS)
        assert [answer.status_code for answer in answers] == [200] * CLIENTS
        tokens = [answer.cookies[REFRESH_COOKIE].value for answer in answers]
        assert {generation_of(token) for token in tokens} == {(pair.session.pk, generation)}
        token = tokens[0]
