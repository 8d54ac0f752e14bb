"""Test the Session model: which sessions are live, and what deleting a user changes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from drf_signet import flows, issue, models, runtime, tokens
from drf_signet.errors import SessionEnded
from drf_signet.models import EndReason, Session
from drf_signet.sessions import store
from drf_signet.users import loading
from tests.support.session_states import (
    ROTATING,
    backdate_rotation,
    delete_row_of,
    expire,
    open_session,
    refresh_token,
    set_row,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(user: Any) -> Session:
    """Open a session of `user` with a user agent, an address and a label."""
    return open_session(user, user_agent="Mozilla/5.0", ip_address="192.0.2.1", label="the phone")


def test_str_of_a_session_is_its_id(session: Session) -> None:
    assert str(session) == str(session.pk)


def test_no_end_reason_is_the_empty_string_of_live_sessions() -> None:
    assert "" not in EndReason.values


def test_session_is_live_until_it_is_ended(session: Session) -> None:
    assert Session.objects.live().get() == session
    store.end(session.pk, user_id=session.user_id, reason=EndReason.LOGOUT)
    assert not Session.objects.live().exists()


def test_session_is_not_live_after_expires_at(session: Session) -> None:
    """Test that a session expires even if the clean-up command has not run."""
    expire(session)
    assert not Session.objects.live().exists()


def test_session_is_not_live_if_idle_longer_than_the_refresh_token_lifetime(
    session: Session, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "REFRESH_TOKEN_LIFETIME": timedelta(minutes=10)}
    backdate_rotation(session, seconds=590)
    assert Session.objects.live().exists()
    backdate_rotation(session, seconds=610)
    assert not Session.objects.live().exists()


def delete_object(user: Any) -> None:
    user.delete()


def delete_queryset(user: Any) -> None:
    get_user_model().objects.filter(pk=user.pk).delete()


def delete_asynchronously(user: Any) -> None:
    async_to_sync(user.adelete)()


def delete_lazy_user(user: Any) -> None:
    claims = tokens.verify(issue(user).access, now=runtime.now())
    loading.user_for_claims(claims, loading.load, loading.all_users()).delete()


def delete_row_and_refresh(user: Any) -> None:
    """Delete the user's row with SQL; then refresh, because the refresh detects the deletion."""
    refresh_tokens = [refresh_token(row) for row in user.signet_sessions.all()]
    delete_row_of(user)
    for token in refresh_tokens:
        assert isinstance(flows.refresh(token), SessionEnded)


WAYS_TO_DELETE = [
    delete_object,
    delete_queryset,
    delete_asynchronously,
    delete_lazy_user,
    delete_row_and_refresh,
]


@pytest.mark.parametrize("delete", WAYS_TO_DELETE)
def test_deleting_a_user_ends_the_sessions_and_erases_the_personal_data(
    session: Session, delete: Callable[[Any], None]
) -> None:
    before: dict[str, Any] = dict(Session.objects.values().get())
    delete(session.user)
    row: dict[str, Any] = dict(Session.objects.filter(pk=session.pk).values().get())
    assert row.pop("ended_at") is not None
    del before["ended_at"]
    erased = {"user_agent": "", "ip_address": None, "label": "", "password_stamp": ""}
    assert row == {**before, **erased, "end_reason": EndReason.USER_DELETED, "user_id": None}


def test_every_field_of_a_session_is_kept_or_erased_when_its_user_is_deleted() -> None:
    """Fail for a new field until it is added to `of_the_session` or to PERSONAL_DATA."""
    of_the_session = {
        "id",
        "created_at",
        "auth_time",
        "refreshed_at",
        "expires_at",
        "ended_at",
        "generation",
        "idle_seconds",
        "end_reason",
        "transport",
    }
    names = {field.name for field in Session._meta.fields}
    assert names - of_the_session == models.PERSONAL_DATA.keys()


def test_only_the_deletion_of_a_user_erases_the_personal_data(session: Session) -> None:
    before = Session.objects.values().get()
    store.end(session.pk, user_id=session.user_id, reason=EndReason.LOGOUT)
    after = Session.objects.values().get()
    assert after == {**before, "end_reason": "logout", "ended_at": after["ended_at"]}


def test_deleting_a_user_does_not_change_sessions_of_other_users(
    session: Session, make_user: Callable[..., Any]
) -> None:
    before = Session.objects.values().get()
    other = make_user()
    open_session(other)
    other.delete()
    assert Session.objects.filter(pk=session.pk).values().get() == before


def test_deleting_a_user_blanks_ended_sessions_but_keeps_their_end_reason(
    session: Session, user: Any
) -> None:
    store.end(session.pk, user_id=session.user_id, reason=EndReason.REUSE)
    ended_at = Session.objects.get().ended_at
    user.delete()
    row = Session.objects.get()
    assert (row.end_reason, row.ended_at, row.user_id) == (EndReason.REUSE, ended_at, None)
    assert (row.user_agent, row.ip_address, row.label) == ("", None, "")
    assert row.password_stamp == ""


def statements_of(act: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        act()
    return [query["sql"] for query in queries]


def test_deleting_a_user_takes_as_many_statements_for_50_sessions_as_for_1(
    make_user: Callable[..., Any],
) -> None:
    """Sessions must not be ended one by one, as tokens were in django-oauth-toolkit's bug #1809."""
    counts = []
    for number in (1, 50):
        user = make_user()
        for _ in range(number):
            open_session(user)
        counts.append(len(statements_of(user.delete)))
    assert counts[0] == counts[1]


def test_deleting_users_takes_as_many_statements_for_50_users_as_for_1(
    make_user: Callable[..., Any],
) -> None:
    counts = []
    for number in (1, 50):
        for _ in range(number):
            open_session(make_user())
        sql = statements_of(get_user_model().objects.all().delete)
        assert sum("drf_signet_session" in statement for statement in sql) == 8
        counts.append(len(sql))
    assert counts[0] == counts[1]
    assert Session.objects.filter(end_reason=EndReason.USER_DELETED, user=None).count() == 51


def test_session_row_survives_the_deletion_of_its_user_by_raw_sql(
    session: Session,
) -> None:
    delete_row_of(session.user)
    row = Session.objects.select_related("user").get()
    assert (row.user, row.user_id, row.end_reason) == (None, session.user_id, "")


def test_session_row_keeps_its_data_after_raw_sql_until_a_refresh_or_its_deletion(
    session: Session,
) -> None:
    """Test a limitation that docs/concepts/sessions.md describes: raw SQL goes unnoticed."""
    delete_row_of(session.user)
    call_command("signet_clear_expired")
    assert Session.objects.get().user_agent == session.user_agent
    set_row(session, expires_at=store.as_datetime(runtime.now()) - store.KEPT_AFTER_END * 2)
    call_command("signet_clear_expired")
    assert not Session.objects.exists()


def test_importing_the_models_raises_e003_if_the_app_is_not_installed(
    settings: Any,
) -> None:
    settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name != "drf_signet"]
    with pytest.raises(ImproperlyConfigured, match=r"signet.E003.*INSTALLED_APPS.*migrate"):
        importlib.reload(models)
