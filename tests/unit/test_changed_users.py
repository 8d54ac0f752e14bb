"""Test logins whose user changes after the authentication, but before the session is written.

`tests/races/test_changed_users.py` makes the same changes in other threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model, user_logged_in
from django.contrib.auth.backends import RemoteUserBackend
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.db.models import QuerySet
from django.test import RequestFactory
from rest_framework.test import APIClient

import drf_signet
from drf_signet import EndReason, Session, flows
from drf_signet.compat.simplejwt.exceptions import LoginRefused
from drf_signet.compat.simplejwt.tokens import AccessToken, RefreshToken, SlidingToken
from drf_signet.compat.simplejwt.utils import get_md5_hash_password
from drf_signet.errors import CredentialsRefused, UserChanged
from drf_signet.testing import browser_client
from tests.conftest import PASSWORD
from tests.support.changing_backend import change_after_authentication
from tests.support.session_states import ADOPTING, delete_row_of, legacy_token, post

__all__ = ["change_after_authentication"]  # a fixture, imported so that pytest finds it

pytestmark = pytest.mark.django_db
#: Marks a test that must not run in a transaction: a rollback to a savepoint would undo the change.
committing = pytest.mark.django_db(transaction=True)

Change = Callable[[Any], object]
CREDENTIALS = {"username": "vitor", "password": PASSWORD}
LOGINS = ["/api/token/", "/auth/login/", "/alias/", "/alias/sliding/"]


@pytest.fixture(autouse=True)
def _every_login(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.support.every_login"


def rows(user: Any) -> QuerySet[Any]:
    return get_user_model()._default_manager.filter(pk=user.pk)


def new_password(user: Any) -> None:
    row = rows(user).get()
    row.set_password("another")
    row.save()


def new_password_by_a_queryset(user: Any) -> None:
    rows(user).update(password=make_password("another"))


def deactivation(user: Any) -> None:
    row = rows(user).get()
    row.is_active = False
    row.save()


def deactivation_by_a_queryset(user: Any) -> None:
    rows(user).update(is_active=False)


def deletion(user: Any) -> None:
    rows(user).get().delete()


def deletion_by_a_queryset(user: Any) -> None:
    rows(user).delete()


CHANGES: list[Change] = [
    new_password,
    new_password_by_a_queryset,
    deactivation,
    deactivation_by_a_queryset,
    deletion,
    deletion_by_a_queryset,
    delete_row_of,
]


@committing
@pytest.mark.parametrize("path", LOGINS)
@pytest.mark.parametrize("change", CHANGES)
def test_login_of_a_user_changed_meanwhile_is_answered_like_a_wrong_password(
    path: str, change: Change, user: Any, change_after_authentication: Any
) -> None:
    client = browser_client()
    wrong = client.post(path, {**CREDENTIALS, "password": "wrong"})
    change_after_authentication(change)
    answer = client.post(path, CREDENTIALS)
    assert (answer.status_code, answer.content) == (401, wrong.content)
    assert answer.headers["WWW-Authenticate"] == wrong.headers["WWW-Authenticate"]
    assert not answer.cookies
    assert not Session.objects.exists()


@pytest.mark.parametrize("path", LOGINS)
def test_login_of_a_user_changed_meanwhile_counts_as_a_failed_login(
    path: str, user: Any, settings: Any, change_after_authentication: Any
) -> None:
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": "2/day"}}
    change_after_authentication(new_password_by_a_queryset)
    statuses = []
    for _ in range(3):
        statuses.append(browser_client().post(path, CREDENTIALS).status_code)
        rows(user).update(password=make_password(PASSWORD))
    assert statuses == [401, 401, 429]


@pytest.mark.parametrize("path", LOGINS)
def test_login_of_a_user_whom_the_rule_refuses_meanwhile_opens_no_session(
    path: str, user: Any, settings: Any, change_after_authentication: Any
) -> None:
    settings.SIGNET = {"USER_AUTHENTICATION_RULE": lambda user: not user.is_staff}
    assert browser_client().post(path, CREDENTIALS).status_code == 200
    change_after_authentication(lambda user: rows(user).update(is_staff=True))
    assert browser_client().post(path, CREDENTIALS).status_code == 401
    assert Session.objects.count() == 1


@pytest.mark.parametrize("path", LOGINS)
def test_login_of_a_user_whose_other_fields_change_meanwhile_succeeds(
    path: str, user: Any, change_after_authentication: Any
) -> None:
    change_after_authentication(lambda user: rows(user).update(first_name="Ada", is_staff=True))
    assert browser_client().post(path, CREDENTIALS).status_code == 200


def test_receiver_of_user_logged_in_that_reads_the_user_again_hides_no_change(
    user: Any, client: APIClient
) -> None:
    def receive(user: Any, **sent: Any) -> None:
        new_password(user)
        user.refresh_from_db()

    user_logged_in.connect(receive)
    try:
        assert client.post("/api/token/", CREDENTIALS).status_code == 401
    finally:
        user_logged_in.disconnect(receive)
    assert not Session.objects.exists()


@pytest.mark.parametrize("change", CHANGES)
def test_issue_for_a_user_changed_meanwhile_raises_and_opens_no_session(
    change: Change, user: Any
) -> None:
    change(user)
    with pytest.raises(UserChanged) as raised:
        drf_signet.issue(user)
    assert isinstance(raised.value, CredentialsRefused)
    assert not Session.objects.exists()


def test_issue_for_an_unsaved_change_of_the_password_raises(user: Any) -> None:
    user.set_password("another")
    with pytest.raises(UserChanged):
        drf_signet.issue(user)
    user.save()
    assert drf_signet.issue(user).session.user == user


@pytest.mark.parametrize(
    "signet",
    [{}, {"USER_AUTHENTICATION_RULE": lambda user: user.is_active}],
    ids=["default", "own"],
)
def test_issue_for_an_inactive_user_opens_a_session(
    user: Any, settings: Any, signet: dict[str, Any]
) -> None:
    settings.SIGNET = signet
    deactivation(user)
    assert drf_signet.issue(rows(user).get()).session == Session.objects.get()


def test_new_password_ends_the_session_that_a_login_has_just_opened(
    client: APIClient, user: Any
) -> None:
    assert client.post("/api/token/", CREDENTIALS).status_code == 200
    new_password(user)
    assert Session.objects.get().end_reason == EndReason.PASSWORD_CHANGED


@pytest.mark.parametrize("token_class", [AccessToken, RefreshToken, SlidingToken])
@pytest.mark.parametrize("change", CHANGES)
def test_token_object_of_a_user_changed_meanwhile_is_not_signed(
    token_class: Any, change: Change, user: Any
) -> None:
    token = token_class.for_user(user)
    change(user)
    with pytest.raises(LoginRefused):
        str(token)
    with pytest.raises(LoginRefused) as raised:
        str(token)
    assert raised.value.status_code == 401
    assert raised.value.get_codes() == "no_active_account"
    assert not Session.objects.exists()


@committing
@pytest.mark.parametrize("change", CHANGES)
def test_legacy_token_of_a_user_changed_meanwhile_is_not_adopted(
    change: Change, user: Any, client: APIClient, settings: Any
) -> None:
    """Use a token that contains the password hash. Others stay valid after a password change."""
    settings.SIGNET = ADOPTING
    token = legacy_token(user, hash_password=get_md5_hash_password(user.password))
    answer = during_the_adoption(change, user, client, token)
    assert answer.status_code == 401
    assert answer.data["code"] in ("token_not_valid", "user_inactive")
    assert not Session.objects.exists()


def during_the_adoption(change: Change, user: Any, client: APIClient, token: str) -> Any:
    """Refresh with a legacy token, and change the user just before the session is written."""

    def overtake(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith("INSERT") and not overtaken:
            overtaken.append(sql)
            change(user)
        return execute(sql, *args)

    overtaken: list[str] = []
    with connection.execute_wrapper(overtake):
        answer = post(client, "token_refresh", refresh=token)
    assert overtaken
    return answer


@committing
def test_legacy_token_of_a_user_with_a_new_hash_of_the_same_password_is_adopted(
    user: Any, client: APIClient, settings: Any
) -> None:
    settings.SIGNET = ADOPTING
    answer = during_the_adoption(new_password_by_a_queryset, user, client, legacy_token(user))
    assert answer.status_code == 200
    assert Session.objects.get().end_reason == ""


@committing
def test_adoption_of_a_user_who_changes_again_and_again_is_busy(
    user: Any, client: APIClient, settings: Any
) -> None:
    settings.SIGNET = ADOPTING

    def overtake(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith("INSERT"):
            new_password_by_a_queryset(user)
        return execute(sql, *args)

    with connection.execute_wrapper(overtake):
        answer = post(client, "token_refresh", refresh=legacy_token(user))
    assert (answer.status_code, answer.data["code"]) == (503, "busy")
    assert not Session.objects.exists()


class OwnRemoteUserBackend(RemoteUserBackend):
    """An authentication backend that checks only the username, not the password."""

    create_unknown_user = False

    def authenticate(self, request: Any, username: Any = None, **credentials: Any) -> Any:  # type: ignore[override]
        return super().authenticate(request, remote_user=username)


@pytest.mark.parametrize("password", [None, PASSWORD, "!", "", "nonsense"])
def test_login_by_a_backend_that_reads_no_password_succeeds_with_any_stored_hash(
    password: str | None, user: Any, settings: Any, rf: RequestFactory
) -> None:
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.OwnRemoteUserBackend"]
    stored = make_password(password) if password in (None, PASSWORD) else password
    rows(user).update(password=stored)
    flows.login(rf.post("/"), {"username": "vitor", "password": "ignored"})
    assert browser_client().post("/auth/login/", CREDENTIALS).status_code == 200
    assert Session.objects.count() == 2
