"""Test concurrent logins, adoptions of a legacy token, and deletions of expired sessions."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from drf_signet.models import Session
from drf_signet.sessions import store
from tests.conftest import PASSWORD
from tests.support.session_states import ADOPTING, ROTATING, generation_of, legacy_token, post

from .crew import Act, Crew, refreshing

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 16


def logging_in(user: Any) -> Act[Any]:
    credentials = {"username": user.username, "password": PASSWORD}
    return lambda client: post(client, "token_obtain_pair", **credentials)


@pytest.fixture(params=[None, 3], ids=["no limit", "at most 3"])
def limit(request: pytest.FixtureRequest, settings: Any) -> int | None:
    """Set MAX_SESSIONS_PER_USER, and return its value."""
    limit: int | None = request.param
    settings.SIGNET = {**ROTATING, "LOGIN_THROTTLE": None, "MAX_SESSIONS_PER_USER": limit}
    return limit


def test_concurrent_logins_of_the_same_user_each_open_a_session(
    user: Any, limit: int | None, isolation: str, assemble: Callable[[int], Crew]
) -> None:
    """At isolation levels above READ COMMITTED, a login may fail with 503 and open no session."""
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


def test_concurrent_refreshes_adopt_a_legacy_token_once(
    user: Any, assemble: Callable[[int], Crew], settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, **ADOPTING}
    crew = assemble(CLIENTS)
    for number in range(1, 11):
        answers = crew.act([refreshing(legacy_token(user))] * CLIENTS)
        assert [answer.status_code for answer in answers] == [200] * CLIENTS
        assert len({generation_of(answer.data["refresh"]) for answer in answers}) == 1
        assert Session.objects.count() == number


def test_concurrent_clean_ups_delete_each_row_once(
    user: Any, assemble: Callable[[int], Crew]
) -> None:
    crew = assemble(4)
    now = time.time()
    drafts = [
        store.draft(id=store.new_id(now), user=user, now=now - 90_000, lifetime=timedelta(hours=1))
        for _ in range(3000)
    ]
    Session.objects.bulk_create(drafts)
    deleted = crew.act([lambda _: store.clear_expired(now=now)] * 4)
    assert sum(deleted) == 3000
    assert not Session.objects.exists()
