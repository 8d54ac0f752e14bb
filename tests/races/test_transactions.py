"""Refreshes inside transactions of the caller's, whose snapshot they share."""

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
from tests.situations import generation_of

from .crew import SNAPSHOT, VENDOR, Act, Crew

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 8
ROUNDS = 10

#: Where a loser's transaction cannot go on, and has to be tried again as a whole.
GIVES_UP = {
    ("postgresql", "REPEATABLE READ"),
    ("postgresql", "SERIALIZABLE"),
    ("mysql", "SERIALIZABLE"),
    ("mysql", SNAPSHOT),
}


def refreshing_inside(token: str | None) -> Act[str | None]:
    """Return the act of refreshing in a transaction; its result is None if that gave up."""

    def act(client: Any) -> str | None:
        try:
            with transaction.atomic():
                answer = flows.refresh(token)
        except Busy:
            return None
        assert isinstance(answer, TokenPair)
        return answer.refresh

    return act


def test_refreshes_in_transactions_get_one_successor_or_another_try(
    user: Any, isolation: str, assemble: Callable[[int], Crew]
) -> None:
    crew = assemble(CLIENTS)
    pair = drf_signet.issue(user)
    token = pair.refresh
    for generation in range(1, ROUNDS + 1):
        answers = crew.act([refreshing_inside(token)] * CLIENTS)
        served = [answer for answer in answers if answer]
        assert served
        assert len(served) == CLIENTS or (VENDOR, isolation) in GIVES_UP
        assert {generation_of(one) for one in served} == {(pair.session.pk, generation)}
        assert Session.objects.get().generation == generation
        token = served[0]
