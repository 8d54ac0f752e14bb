"""Many refreshes of one session at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import drf_signet
from drf_signet.models import Session
from tests.browser import REFRESH_COOKIE
from tests.situations import generation_of

from .crew import Crew, refreshing, refreshing_in_a_cookie

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 32
ROUNDS = 50


def test_one_token_has_one_successor_however_many_present_it(
    user: Any, assemble: Callable[[int], Crew]
) -> None:
    """Check-then-write lets several rotations win: Keycloak CVE-2026-1035, simplejwt #985."""
    crew = assemble(CLIENTS)
    pair = drf_signet.issue(user)
    refresh = pair.refresh
    for generation in range(1, ROUNDS + 1):
        answers = crew.act([refreshing(refresh)] * CLIENTS)
        assert [answer.status_code for answer in answers] == [200] * CLIENTS
        successors = {generation_of(answer.data["refresh"]) for answer in answers}
        assert successors == {(pair.session.pk, generation)}
        assert Session.objects.get().generation == generation
        refresh = answers[0].data["refresh"]


def test_one_cookie_has_one_successor_however_many_tabs_present_it(
    user: Any, assemble: Callable[[int], Crew]
) -> None:
    """Also a regression test: the answer within the grace sets the cookie."""
    crew = assemble(CLIENTS)
    pair = drf_signet.issue(user, transport="cookie")
    refresh = pair.refresh
    for generation in range(1, 6):
        answers = crew.act([refreshing_in_a_cookie(refresh)] * CLIENTS)
        assert [answer.status_code for answer in answers] == [200] * CLIENTS
        cookies = [answer.cookies[REFRESH_COOKIE].value for answer in answers]
        assert {generation_of(one) for one in cookies} == {(pair.session.pk, generation)}
        refresh = cookies[0]
