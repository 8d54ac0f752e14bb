"""`drf_signet.models`: the table, and what the deletion of users does to it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext

from drf_signet import models, sessions
from drf_signet.models import EndReason, Session
from tests.situations import ROTATING, delete_row_of, expire, let_pass, open_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(user: Any) -> Session:
    """Return a session of the tutorial's user that a browser opened."""
    return open_session(user, user_agent="Mozilla/5.0", ip_address="192.0.2.1", label="the phone")


def test_a_session_is_called_by_its_id(session: Session) -> None:
    assert str(session) == str(session.pk)


def test_no_session_is_alive_for_a_reason() -> None:
    assert "" not in EndReason.values


def test_a_session_is_live_until_something_ends_it(session: Session) -> None:
    assert Session.objects.live().get() == session
    sessions.end(session.pk, user_id=session.user_id, reason=EndReason.LOGOUT)
    assert not Session.objects.live().exists()


def test_a_session_is_not_live_past_its_absolute_end(session: Session) -> None:
    """Expiry must not wait for the clean-up job."""
    expire(session)
    assert not Session.objects.live().exists()


def test_a_session_is_not_live_when_idle_for_longer_than_its_refresh_token_lives(
    session: Session, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "REFRESH_TOKEN_LIFETIME": timedelta(minutes=10)}
    let_pass(session, seconds=590)
    assert Session.objects.live().exists()
    let_pass(session, seconds=610)
    assert not Session.objects.live().exists()


def delete_object(user: Any) -> None:
    user.delete()


def delete_queryset(user: Any) -> None:
    get_user_model().objects.filter(pk=user.pk).delete()


@pytest.mark.parametrize("delete", [delete_object, delete_queryset])
def test_deleting_a_user_ends_the_sessions_and_forgets_who_it_was(
    session: Session, delete: Callable[[Any], None]
) -> None:
    delete(session.user)
    row = Session.objects.get()
    assert (row.end_reason, row.user_id) == (EndReason.USER_DELETED, None)
    assert row.ended_at is not None
    assert (row.user_agent, row.ip_address, row.label) == ("", None, "")


def test_deleting_a_user_leaves_the_sessions_of_others_alone(
    session: Session, make_user: Callable[..., Any]
) -> None:
    before = Session.objects.values().get()
    other = make_user()
    open_session(other)
    other.delete()
    assert Session.objects.filter(pk=session.pk).values().get() == before


def test_deleting_a_user_forgets_an_ended_session_too_but_not_why_it_ended(
    session: Session, user: Any
) -> None:
    sessions.end(session.pk, user_id=session.user_id, reason=EndReason.REUSE)
    ended_at = Session.objects.get().ended_at
    user.delete()
    row = Session.objects.get()
    assert (row.end_reason, row.ended_at, row.user_id) == (EndReason.REUSE, ended_at, None)
    assert (row.user_agent, row.ip_address, row.label) == ("", None, "")


def statements_of(act: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        act()
    return [query["sql"] for query in queries]


def test_deleting_a_user_takes_as_many_statements_for_fifty_sessions_as_for_one(
    make_user: Callable[..., Any],
) -> None:
    """Ending a family row by row: django-oauth-toolkit #1809."""
    taken = []
    for number in (1, 50):
        user = make_user()
        for _ in range(number):
            open_session(user)
        taken.append(len(statements_of(user.delete)))
    assert taken[0] == taken[1]


def test_deleting_users_takes_as_many_statements_for_fifty_as_for_one(
    make_user: Callable[..., Any],
) -> None:
    taken = []
    for number in (1, 50):
        for _ in range(number):
            open_session(make_user())
        sql = statements_of(get_user_model().objects.all().delete)
        assert sum("drf_signet_session" in one for one in sql) == 6
        taken.append(len(sql))
    assert taken[0] == taken[1]
    assert Session.objects.filter(end_reason=EndReason.USER_DELETED, user=None).count() == 51


def test_a_session_outlives_the_row_of_its_user_when_that_is_deleted_by_hand(
    session: Session,
) -> None:
    delete_row_of(session.user)
    row = Session.objects.select_related("user").get()
    assert (row.user, row.user_id, row.end_reason) == (None, session.user_id, "")


def test_importing_the_models_says_what_to_do_when_the_app_is_not_installed(
    settings: Any,
) -> None:
    settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name != "drf_signet"]
    with pytest.raises(ImproperlyConfigured, match=r"signet.E003.*INSTALLED_APPS.*migrate"):
        importlib.reload(models)
