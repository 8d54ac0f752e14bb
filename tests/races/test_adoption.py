"""Test concurrent refreshes with a legacy token, including while a thread blacklists the token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from drf_signet.models import EndReason, Session
from tests.support.session_states import ADOPTING, ROTATING, generation_of
from tests.support.simplejwt_tables import (
    adopted_session,
    blacklist_tables,
    empty_tables,
    installed,
    outstanding_token,
    put_on_blacklist,
)

from .crew import Act, Crew, refreshing

__all__ = ["blacklist_tables", "empty_tables", "installed"]

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
    """Return a function that inserts the same row as simplejwt's `token.blacklist()`."""

    def act(client: Any) -> Any:
        from tests.tokenblacklist.models import BlacklistedToken

        with transaction.atomic():
            return BlacklistedToken.objects.get_or_create(token=outstanding)

    return act


def test_concurrent_refreshes_adopt_a_legacy_token_once(
    user: Any, assemble: Callable[[int], Crew]
) -> None:
    crew = assemble(CLIENTS)
    for number in range(1, ROUNDS + 1):
        answers = crew.act([refreshing(outstanding_token(user).token)] * CLIENTS)
        assert [answer.status_code for answer in answers] == [200] * CLIENTS
        assert len({generation_of(answer.data["refresh"]) for answer in answers}) == 1
        assert Session.objects.count() == number


def test_concurrent_refreshes_do_not_adopt_a_blacklisted_token(
    user: Any, assemble: Callable[[int], Crew]
) -> None:
    crew = assemble(CLIENTS)
    for _ in range(ROUNDS):
        outstanding = outstanding_token(user)
        put_on_blacklist(outstanding)
        answers = crew.act([refreshing(outstanding.token)] * CLIENTS)
        assert [answer.status_code for answer in answers] == [401] * CLIENTS
    assert not Session.objects.exists()


def test_a_token_blacklisted_during_refreshes_is_refused_afterwards(
    user: Any, assemble: Callable[[int], Crew]
) -> None:
    """If a client refreshed before the blacklisting, the client's new token is also refused."""
    crew = assemble(CLIENTS + 1)
    for _ in range(ROUNDS):
        outstanding = outstanding_token(user)
        acts = [refreshing(outstanding.token)] * CLIENTS
        acts.insert(CLIENTS // 2, blacklisting(outstanding))
        answers = crew.act(acts)
        del answers[CLIENTS // 2]
        assert {answer.status_code for answer in answers} <= {200, 401}
        session = adopted_session(outstanding)
        assert session is not None
        assert session.end_reason == EndReason.LOGOUT
        issued_tokens = [answer.data["refresh"] for answer in answers if answer.status_code == 200]
        for token in {outstanding.token, *issued_tokens}:
            (answer,) = crew.act([refreshing(token)])
            assert answer.status_code == 401
