"""Test which tokens are refused after direct writes to the session table.

The table in docs/concepts/sessions.md lists these writes and the calls to use instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from drf_signet import EndReason, Session, TokenPair, end, end_all, flows, issue, runtime
from drf_signet.errors import SessionEnded
from drf_signet.sessions import store
from drf_signet.sessions.ended import ended_sessions

pytestmark = pytest.mark.django_db(transaction=True)


def rows() -> Any:
    return Session.objects.all()


def delete_with_sql() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {Session._meta.db_table}")


def delete_with_a_queryset() -> None:
    rows().delete()


def end_without_a_time() -> None:
    rows().update(end_reason=EndReason.ENDED_BY_ADMIN)


def end_with_a_time() -> None:
    rows().update(end_reason=EndReason.ENDED_BY_ADMIN, ended_at=timezone.now())


def end_and_add_the_time_later() -> None:
    end_without_a_time()
    rows().filter(end_reason__gt="", ended_at=None).update(ended_at=timezone.now())


def let_expire() -> None:
    rows().update(expires_at=store.as_datetime(runtime.now() - 1))


def end_one_by_one() -> None:
    for session in Session.objects.live().iterator():
        assert end(session, reason=EndReason.ENDED_BY_ADMIN)


def end_all_of_the_user() -> None:
    assert end_all(get_user_model().objects.get()) == 1


@pytest.fixture
def pair(user: Any) -> TokenPair:
    """Open a session of the user; return its first pair of tokens."""
    return issue(user)


def status_in_another_process(client: Any, pair: TokenPair) -> int:
    """Send the access token as if the server had just started, so that it must poll first."""
    ended_sessions.alone = False
    ended_sessions.ended.clear()
    runtime.current.cache_clear()
    status: int = client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {pair.access}").status_code
    return status


ALL = [
    delete_with_sql,
    delete_with_a_queryset,
    end_without_a_time,
    end_with_a_time,
    end_and_add_the_time_later,
    let_expire,
    end_one_by_one,
    end_all_of_the_user,
]


@pytest.mark.parametrize("write", ALL)
def test_refresh_token_is_refused_after_any_write(
    pair: TokenPair, write: Callable[[], None]
) -> None:
    write()
    assert isinstance(flows.refresh(pair.refresh), SessionEnded)


@pytest.mark.parametrize(
    ("write", "status"),
    [
        (delete_with_sql, 200),
        (delete_with_a_queryset, 200),
        (end_without_a_time, 200),
        (let_expire, 200),
        (end_with_a_time, 401),
        (end_and_add_the_time_later, 401),
        (end_one_by_one, 401),
        (end_all_of_the_user, 401),
    ],
)
def test_access_token_is_refused_only_if_the_end_has_a_time(
    client: Any, pair: TokenPair, write: Callable[[], None], status: int
) -> None:
    assert status_in_another_process(client, pair) == 200
    write()
    assert status_in_another_process(client, pair) == status


@pytest.mark.parametrize("write", ALL)
def test_access_token_is_refused_after_any_end_if_each_request_queries(
    client: Any, pair: TokenPair, settings: Any, write: Callable[[], None]
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": 0}
    write()
    expected = 200 if write is let_expire else 401
    assert status_in_another_process(client, pair) == expected
