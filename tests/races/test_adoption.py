"""Tokens of old, presented by many and blacklisted by somebody at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from drf_signet.models import EndReason, Session
from tests.oldtables import adopted, empty_tables, installed, old_tables, outstand, put_on_blacklist
from tests.situations import ADOPTING, ROTATING, generation_of

from .crew import Act, Crew, refreshing

__all__ = ["empty_tables", "installed", "old_tables"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("empty_tables", "installed"),
]

CLIENTS = 16
ROUNDS = 10


@pytest.fixture(autouse=True)
def _adopting(settings: Any, _rotating: None) -> None:
    settings.SIGNET = {**ROTATING, **ADOPTING}


def blacklisting(outstanding: Any) -> Act[Any]:
    """Return the act of simplejwt's `token.blacklist()`: a transaction that writes the row."""

    def act(client: Any) -> Any:
        from tests.tokenblacklist.models import BlacklistedToken

        with transaction.atomic():
            return BlacklistedToken.objects.get_or_create(token=outstanding)

    return act


def test_a_token_of_old_becomes_one_session_however_many_present_it(
    user: Any, assemble: Callable[[int], Crew]
) -> None:
    crew = assemble(CLIENTS)
    for rounds in range(1, ROUNDS + 1):
        answers = crew.act([refreshing(outstand(user).token)] * CLIENTS)
        assert [answer.status_code for answer in answers] == [200] * CLIENTS
        assert len({generation_of(answer.data["refresh"]) for answer in answers}) == 1
        assert Session.objects.count() == rounds


def test_a_token_on_the_blacklist_stays_dead_however_many_present_it(
    user: Any, assemble: Callable[[int], Crew]
) -> None:
    crew = assemble(CLIENTS)
    for _ in range(ROUNDS):
        outstanding = outstand(user)
        put_on_blacklist(outstanding)
        answers = crew.act([refreshing(outstanding.token)] * CLIENTS)
        assert [answer.status_code for answer in answers] == [401] * CLIENTS
    assert not Session.objects.exists()


def test_a_token_that_is_blacklisted_while_many_present_it_is_dead_afterwards(
    user: Any, assemble: Callable[[int], Crew]
) -> None:
    """Whoever came before has a token of a session that has ended."""
    crew = assemble(CLIENTS + 1)
    for _ in range(ROUNDS):
        outstanding = outstand(user)
        acts = [refreshing(outstanding.token)] * CLIENTS
        acts.insert(CLIENTS // 2, blacklisting(outstanding))
        answers = crew.act(acts)
        del answers[CLIENTS // 2]
        assert {answer.status_code for answer in answers} <= {200, 401}
        session = adopted(outstanding)
        assert session is not None
        assert session.end_reason == EndReason.LOGOUT
        handed_out = [answer.data["refresh"] for answer in answers if answer.status_code == 200]
        for token in {outstanding.token, *handed_out}:
            (answer,) = crew.act([refreshing(token)])
            assert answer.status_code == 401
