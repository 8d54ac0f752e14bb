"""Test concurrent refreshes inside transactions that the callers opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

import drf_signet
from drf_signet import flows
from drf_signet.errors import Busy
from drf_signet.models import Session
from drf_signet.tokens import TokenPair
from tests.support.session_states import generation_of

from .crew import SNAPSHOT, VENDOR, Act, Crew

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 8
ROUNDS = 10

#: Pairs (database, isolation level) for which a concurrent refresh may raise Busy.
LOSER_MUST_RETRY = {
    ("postgresql", "REPEATABLE READ"),
    ("postgresql", "SERIALIZABLE"),
    ("mysql", "SERIALIZABLE"),
    ("mysql", SNAPSHOT),
}


def refreshing_inside(token: str | None) -> Act[str | None]:
    """Return a function that refreshes in a transaction.

    The function returns the new refresh token, or None if the refresh raised Busy.
    """

    def act(client: Any) -> str | None:
        try:
            with transaction.atomic():
                answer = flows.refresh(token)
        except Busy:
            return None
        assert isinstance(answer, TokenPair)
        return answer.refresh

    return act


def test_concurrent_refreshes_in_transactions_get_the_same_successor_or_are_busy(
    user: Any, isolation: str, assemble: Callable[[int], Crew]
) -> None:
    crew = assemble(CLIENTS)
    pair = drf_signet.issue(user)
    token = pair.refresh
    for generation in range(1, ROUNDS + 1):
        answers = crew.act([refreshing_inside(token)] * CLIENTS)
        successors = [answer for answer in answers if answer]
        assert successors
        assert len(successors) == CLIENTS or (VENDOR, isolation) in LOSER_MUST_RETRY
        assert {generation_of(successor) for successor in successors} == {
            (pair.session.pk, generation)
        }
        assert Session.objects.get().generation == generation
        token = successors[0]
