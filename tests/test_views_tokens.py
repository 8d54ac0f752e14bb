"""Refresh, verify and logout, as a client sees them."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.signals import user_logged_out
from django.core.handlers.wsgi import WSGIRequest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

import drf_signet
from drf_signet import EndReason, Session
from drf_signet.errors import TokenReused
from drf_signet.views import TokenRefreshView
from tests.endpoints import LOGOUT, REFRESH, VERIFY

ROTATING = {"ROTATE_REFRESH_TOKENS": True}
#: Long ago, for a token that is presented after its grace period.
AGO = timedelta(hours=1)


@pytest.fixture
def pair(user):
    """Return the first tokens of a session of the user."""
    return drf_signet.issue(user)


def refresh(client, token: str | None) -> Any:
    return client.post(REFRESH.url, {"refresh": token}, format="json")


def assert_refused(response: Any, reason: str) -> None:
    assert response.status_code == 401
    assert response.json() == {
        "detail": "Token is invalid or expired",
        "code": "token_not_valid",
        "reason": reason,
    }
    assert response["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'
    assert response["Cache-Control"] == "no-store"


@contextmanager
def database_is_busy():
    """Let every statement fail as it does on SQLite while somebody else writes."""

    def fail(execute, sql, params, many, context):
        cause = sqlite3.OperationalError("database is locked")
        cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise OperationalError(*cause.args) from cause

    with connection.execute_wrapper(fail):
        yield


def test_refresh_answers_with_an_access_token(client, pair, django_assert_num_queries) -> None:
    with django_assert_num_queries(1):
        response = refresh(client, pair.refresh)
    assert response.status_code == 200
    assert response.json().keys() == {"access"}
    access = response.json()["access"]
    assert client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {access}").status_code == 200


def test_refresh_may_be_repeated_without_rotation(client, pair) -> None:
    answers = [refresh(client, pair.refresh).json()["access"] for _ in range(3)]
    assert len(set(answers)) == 3


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"]
)
def test_refresh_reads_a_form(client, pair, content_type) -> None:
    if content_type.startswith("multipart"):
        name = 'Content-Disposition: form-data; name="refresh"'
        body = f"--b\r\n{name}\r\n\r\n{pair.refresh}\r\n--b--\r\n"
    else:
        body = f"refresh={pair.refresh}"
    response = client.generic("POST", REFRESH.url, body, content_type)
    assert response.status_code == 200


def test_rotating_refresh_answers_with_both(
    client, pair, settings, django_assert_num_queries
) -> None:
    settings.SIGNET = ROTATING
    with django_assert_num_queries(2):
        response = refresh(client, pair.refresh)
    assert response.json().keys() == {"access", "refresh"}
    assert Session.objects.get().generation == 1
    assert refresh(client, response.json()["refresh"]).status_code == 200


def test_repeated_refresh_gets_the_same_successor_within_the_grace(client, pair, settings) -> None:
    settings.SIGNET = ROTATING
    successors = [refresh(client, pair.refresh).json()["refresh"] for _ in range(3)]
    assert Session.objects.get().generation == 1
    assert [refresh(client, token).status_code for token in successors] == [200] * 3
    assert Session.objects.get().generation == 2


@pytest.mark.usefixtures("transactional_db")
def test_reused_token_ends_the_session_and_says_so(client, make_user, settings) -> None:
    settings.SIGNET = ROTATING
    pair = drf_signet.issue(make_user())
    successor = refresh(client, pair.refresh).json()["refresh"]
    Session.objects.update(refreshed_at=timezone.now() - AGO)
    assert_refused(refresh(client, pair.refresh), "reused")
    assert Session.objects.get().end_reason == EndReason.REUSE
    assert_refused(refresh(client, pair.refresh), "ended")
    assert_refused(refresh(client, successor), "ended")


@pytest.fixture
def atomic_requests():
    """Let DRF's exception handler mark transactions, as it does under ATOMIC_REQUESTS."""
    before = connection.settings_dict["ATOMIC_REQUESTS"]
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    yield
    connection.settings_dict["ATOMIC_REQUESTS"] = before


@pytest.mark.usefixtures("atomic_requests")
def test_end_by_reuse_outlives_its_401_inside_a_transaction(client, pair, settings) -> None:
    settings.SIGNET = ROTATING
    refresh(client, pair.refresh)
    Session.objects.update(refreshed_at=timezone.now() - AGO)
    with transaction.atomic():
        assert_refused(refresh(client, pair.refresh), "reused")
    assert Session.objects.get().end_reason == EndReason.REUSE


@pytest.mark.usefixtures("atomic_requests")
def test_transaction_that_was_to_be_rolled_back_still_is_after_a_refusal(db, rf) -> None:
    class Refusing(TokenRefreshView):
        def answer(self, request, data):
            transaction.set_rollback(True)
            return self.refuse(TokenReused(behind=1))

    with transaction.atomic():
        assert Refusing.as_view()(rf.post("/", {"refresh": "x"})).status_code == 401
        assert transaction.get_rollback()


def test_refresh_of_an_ended_session_is_401(client, pair, django_assert_num_queries) -> None:
    drf_signet.end(pair.session)
    with django_assert_num_queries(1):
        assert_refused(refresh(client, pair.refresh), "ended")


def test_refresh_of_a_session_that_is_gone_is_401(client, pair) -> None:
    Session.objects.all().delete()
    assert_refused(refresh(client, pair.refresh), "ended")


def test_refresh_of_a_deleted_user_is_401(client, pair, user) -> None:
    user.delete()
    assert_refused(refresh(client, pair.refresh), "ended")


def test_refresh_after_a_change_of_the_password_is_401(client, pair, user) -> None:
    user.set_password("another")
    user.save()
    assert_refused(refresh(client, pair.refresh), "ended")


def test_refresh_of_an_inactive_user_is_401_with_a_code_of_its_own(client, pair, user) -> None:
    type(user).objects.update(is_active=False)
    response = refresh(client, pair.refresh)
    assert response.status_code == 401
    assert response.json() == {"detail": "User is inactive", "code": "user_inactive"}
    assert response["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'
    assert Session.objects.get().end_reason == EndReason.USER_INACTIVE


def test_expired_refresh_token_is_401_and_asks_no_database(
    client, user, token_for, django_assert_num_queries
) -> None:
    token = token_for(user, token_type="refresh", expired=True)
    with django_assert_num_queries(0):
        assert_refused(refresh(client, token), "expired")


@pytest.mark.parametrize("endpoint", [REFRESH, LOGOUT], ids=str)
def test_access_token_does_not_refresh(client, pair, endpoint, django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        response = client.post(endpoint.url, {"refresh": pair.access})
    assert_refused(response, "wrong_type")


def test_token_of_another_secret_is_401(client, pair, settings, django_assert_num_queries) -> None:
    settings.SECRET_KEY = "another key for tests, long enough too: 0123456789abcdef"
    with django_assert_num_queries(0):
        assert_refused(refresh(client, pair.refresh), "invalid")


def test_refresh_while_the_database_is_busy_is_503(client, pair) -> None:
    with database_is_busy():
        response = refresh(client, pair.refresh)
    assert response.status_code == 503
    assert response.json()["code"] == "busy"
    assert response["Retry-After"] == "1"
    assert response["Cache-Control"] == "no-store"
    assert refresh(client, pair.refresh).status_code == 200


def test_refresh_passes_other_errors_of_the_database_on(client, pair) -> None:
    def fail(*args):
        raise OperationalError("disk full")

    with connection.execute_wrapper(fail), pytest.raises(OperationalError):
        refresh(client, pair.refresh)


def test_refresh_takes_the_token_as_it_is(client, pair) -> None:
    assert_refused(refresh(client, f" {pair.refresh}"), "invalid")
    assert_refused(refresh(client, f"{pair.refresh}\n"), "invalid")


def test_verify_of_an_access_token_asks_no_database(
    client, pair, django_assert_num_queries
) -> None:
    with django_assert_num_queries(0):
        response = client.post(VERIFY.url, {"token": pair.access})
    assert (response.status_code, response.json()) == (200, {})


def test_verify_of_a_refresh_token_asks_for_its_session(
    client, pair, django_assert_num_queries
) -> None:
    with django_assert_num_queries(1):
        response = client.post(VERIFY.url, {"token": pair.refresh})
    assert (response.status_code, response.json()) == (200, {})


def test_verify_of_a_refresh_token_of_an_ended_session_is_401(client, pair) -> None:
    drf_signet.end(pair.session)
    assert_refused(client.post(VERIFY.url, {"token": pair.refresh}), "ended")


@pytest.mark.parametrize("token_type", ["access", "refresh"])
def test_verify_of_an_expired_token_is_401(client, user, token_for, token_type) -> None:
    token = token_for(user, token_type=token_type, expired=True)
    assert_refused(client.post(VERIFY.url, {"token": token}), "expired")


def test_verify_changes_nothing_even_for_a_reused_token(client, pair, settings) -> None:
    settings.SIGNET = ROTATING
    refresh(client, pair.refresh)
    Session.objects.update(refreshed_at=timezone.now() - AGO)
    before = Session.objects.values().get()
    assert_refused(client.post(VERIFY.url, {"token": pair.refresh}), "ended")
    assert Session.objects.values().get() == before


def test_logout_ends_the_session_and_may_be_repeated(
    client, pair, django_assert_max_num_queries
) -> None:
    with django_assert_max_num_queries(2):
        response = client.post(LOGOUT.url, {"refresh": pair.refresh})
    assert (response.status_code, response.content) == (204, b"")
    assert response["Cache-Control"] == "no-store"
    session = Session.objects.values().get()
    assert session["end_reason"] == EndReason.LOGOUT
    assert client.post(LOGOUT.url, {"refresh": pair.refresh}).status_code == 204
    assert Session.objects.values().get() == session
    assert_refused(refresh(client, pair.refresh), "ended")


def test_logout_ends_no_other_session(client, pair, user) -> None:
    other = drf_signet.issue(user)
    client.post(LOGOUT.url, {"refresh": pair.refresh})
    assert refresh(client, other.refresh).status_code == 200


def test_logout_of_a_session_that_is_gone_is_204(client, pair) -> None:
    Session.objects.all().delete()
    assert client.post(LOGOUT.url, {"refresh": pair.refresh}).status_code == 204


def test_logout_by_a_token_of_an_earlier_generation_ends_the_session(
    client, pair, settings
) -> None:
    settings.SIGNET = ROTATING
    refresh(client, refresh(client, pair.refresh).json()["refresh"])
    assert client.post(LOGOUT.url, {"refresh": pair.refresh}).status_code == 204
    assert Session.objects.get().end_reason == EndReason.LOGOUT


def test_logout_of_an_inactive_user_is_204(client, pair, user) -> None:
    type(user).objects.update(is_active=False)
    assert client.post(LOGOUT.url, {"refresh": pair.refresh}).status_code == 204


def test_logout_by_an_expired_token_is_401(client, user, token_for) -> None:
    token = token_for(user, token_type="refresh", expired=True)
    assert_refused(client.post(LOGOUT.url, {"refresh": token}), "expired")
    assert Session.objects.get().end_reason == ""


def test_logout_sends_djangos_signal_once(client, pair, user) -> None:
    heard = []

    def receiver(**arguments):
        heard.append((arguments["user"], type(arguments["request"])))

    user_logged_out.connect(receiver)
    try:
        for _ in range(2):
            client.post(LOGOUT.url, {"refresh": pair.refresh})
    finally:
        user_logged_out.disconnect(receiver)
    assert heard == [(user, WSGIRequest)]


@pytest.mark.parametrize("endpoint", [REFRESH, LOGOUT], ids=str)
def test_refresh_token_of_a_cookie_session_is_refused_in_a_body(client, pair, endpoint) -> None:
    Session.objects.update(transport="cookie")
    assert_refused(client.post(endpoint.url, {"refresh": pair.refresh}), "invalid")
    assert Session.objects.get().end_reason == ""


@pytest.mark.parametrize("endpoint", [REFRESH, LOGOUT], ids=str)
def test_token_that_names_another_user_than_its_session_is_refused(
    client, pair, make_user, endpoint
) -> None:
    Session.objects.update(user=make_user(password=None))
    assert client.post(endpoint.url, {"refresh": pair.refresh}).status_code == 401
