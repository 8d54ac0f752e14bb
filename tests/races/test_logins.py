"""Many logins of one user at once, and many adoptions of one token."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from drf_signet import sessions
from drf_signet.models import Session
from tests.conftest import PASSWORD
from tests.situations import ADOPTING, ROTATING, generation_of, post, token_of_old

from .crew import Act, Crew, refreshing

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 16


def logging_in(user: Any) -> Act[Any]:
    credentials = {"username": user.username, "password": PASSWORD}
    return lambda client: post(client, "token_obtain_pair", **credentials)


@pytest.fixture(params=[None, 3], ids=["no limit", "at most 3"])
def limit(request: pytest.FixtureRequest, settings: Any) -> int | None:
    """Return `MAX_SESSIONS_PER_USER`, having set it."""
    limit: int | None = request.param
    settings.SIGNET = {**ROTATING, "LOGIN_THROTTLE": None, "MAX_SESSIONS_PER_USER": limit}
    return limit


def test_each_login_of_one_user_opens_a_session_when_all_come_at_once(
    user: Any, limit: int | None, isolation: str, assemble: Callable[[int], Crew]
) -> None:
    """Above READ COMMITTED, so many can be too many for one row: 503, and nobody has a token."""
    crew = assemble(CLIENTS)
    opened = 0
    for _ in range(10):
        codes = [answer.status_code for answer in crew.act([logging_in(user)] * CLIENTS)]
        assert set(codes) <= ({200} if isolation == "READ COMMITTED" else {200, 503})
        assert codes.count(200) > 0
        opened += codes.count(200)
        if limit is None or set(codes) == {200}:
            assert Session.objects.live().count() == (limit or opened)
    assert [answer.status_code for answer in crew.act([logging_in(user)])] == [200]
    assert Session.objects.live().count() == (limit or opened + 1)


def test_a_token_of_old_becomes_one_session_however_many_present_it(
    user: Any, assemble: Callable[[int], Crew], settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, **ADOPTING}
    crew = assemble(CLIENTS)
    for rounds in range(1, 11):
        answers = crew.act([refreshing(token_of_old(user))] * CLIENTS)
        assert [answer.status_code for answer in answers] == [200] * CLIENTS
        assert len({generation_of(answer.data["refresh"]) for answer in answers}) == 1
        assert Session.objects.count() == rounds


def test_a_row_is_cleared_once_however_many_clear(
    user: Any, assemble: Callable[[int], Crew]
) -> None:
    crew = assemble(4)
    now = time.time()
    drafts = [
        sessions.draft(
            id=sessions.new_id(now), user=user, now=now - 90_000, lifetime=timedelta(hours=1)
        )
        for _ in range(3000)
    ]
    Session.objects.bulk_create(drafts)
    cleared = crew.act([lambda _: sessions.clear_expired(now=now)] * 4)
    assert sum(cleared) == 3000
    assert not Session.objects.exists()
