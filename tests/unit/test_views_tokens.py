"""Test the token endpoints for refresh, verify and logout."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.signals import user_logged_out
from django.core.handlers.wsgi import WSGIRequest
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

import drf_signet
from drf_signet import EndReason, Session
from drf_signet.errors import TokenReused
from drf_signet.views import TokenRefreshView
from tests.support.endpoint_table import LOGOUT, REFRESH, VERIFY

ROTATING = {"ROTATE_REFRESH_TOKENS": True}
#: A time longer than the grace period.
AN_HOUR = timedelta(hours=1)


@pytest.fixture
def pair(user):
    """Open a session of the user; return its first pair of tokens."""
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


def test_refresh_returns_an_access_token_without_rotation(
    client, pair, django_assert_num_queries
) -> None:
    with django_assert_num_queries(1):
        response = refresh(client, pair.refresh)
    assert response.status_code == 200
    assert response.json().keys() == {"access"}
    access = response.json()["access"]
    assert client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {access}").status_code == 200


def test_refresh_can_be_repeated_without_rotation(client, pair) -> None:
    answers = [refresh(client, pair.refresh).json()["access"] for _ in range(3)]
    assert len(set(answers)) == 3


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"]
)
def test_refresh_accepts_a_form(client, pair, content_type) -> None:
    if content_type.startswith("multipart"):
        name = 'Content-Disposition: form-data; name="refresh"'
        body = f"--b\r\n{name}\r\n\r\n{pair.refresh}\r\n--b--\r\n"
    else:
        body = f"refresh={pair.refresh}"
    response = client.generic("POST", REFRESH.url, body, content_type)
    assert response.status_code == 200


def test_rotating_refresh_returns_both_tokens(
    client, pair, settings, django_assert_num_queries
) -> None:
    settings.SIGNET = ROTATING
    with django_assert_num_queries(2):
        response = refresh(client, pair.refresh)
    assert response.json().keys() == {"access", "refresh"}
    assert Session.objects.get().generation == 1
    assert refresh(client, response.json()["refresh"]).status_code == 200


def test_repeated_refresh_returns_the_same_successor_within_the_grace_period(
    client, pair, settings
) -> None:
    settings.SIGNET = ROTATING
    successors = [refresh(client, pair.refresh).json()["refresh"] for _ in range(3)]
    assert Session.objects.get().generation == 1
    assert [refresh(client, token).status_code for token in successors] == [200] * 3
    assert Session.objects.get().generation == 2


@pytest.mark.usefixtures("transactional_db")
def test_reused_token_is_401_and_ends_the_session(client, make_user, settings) -> None:
    settings.SIGNET = ROTATING
    pair = drf_signet.issue(make_user())
    successor = refresh(client, pair.refresh).json()["refresh"]
    Session.objects.update(refreshed_at=timezone.now() - AN_HOUR)
    assert_refused(refresh(client, pair.refresh), "reused")
    assert Session.objects.get().end_reason == EndReason.REUSE
    assert_refused(refresh(client, pair.refresh), "ended")
    assert_refused(refresh(client, successor), "ended")


@pytest.fixture
def atomic_requests():
    """Turn ATOMIC_REQUESTS on, so that DRF's exception handler marks transactions for rollback."""
    before = connection.settings_dict["ATOMIC_REQUESTS"]
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    yield
    connection.settings_dict["ATOMIC_REQUESTS"] = before


@pytest.mark.usefixtures("atomic_requests")
def test_end_by_reuse_is_committed_despite_the_401_inside_a_transaction(
    client, pair, settings
) -> None:
    settings.SIGNET = ROTATING
    refresh(client, pair.refresh)
    Session.objects.update(refreshed_at=timezone.now() - AN_HOUR)
    with transaction.atomic():
        assert_refused(refresh(client, pair.refresh), "reused")
    assert Session.objects.get().end_reason == EndReason.REUSE


@pytest.mark.usefixtures("atomic_requests")
def test_refusal_keeps_the_rollback_mark_of_the_transaction(db, rf) -> None:
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


def test_refresh_of_a_deleted_session_is_401(client, pair) -> None:
    Session.objects.all().delete()
    assert_refused(refresh(client, pair.refresh), "ended")


def test_refresh_of_a_deleted_user_is_401(client, pair, user) -> None:
    user.delete()
    assert_refused(refresh(client, pair.refresh), "ended")


def test_refresh_after_a_password_change_is_401(client, pair, user) -> None:
    user.set_password("another")
    user.save()
    assert_refused(refresh(client, pair.refresh), "ended")


def test_refresh_of_an_inactive_user_is_401_with_code_user_inactive(client, pair, user) -> None:
    type(user).objects.update(is_active=False)
    response = refresh(client, pair.refresh)
    assert response.status_code == 401
    assert response.json() == {"detail": "User is inactive", "code": "user_inactive"}
    assert response["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'
    assert Session.objects.get().end_reason == EndReason.USER_INACTIVE


def test_refresh_with_an_expired_token_is_401_without_a_statement(
    client, user, token_for, django_assert_num_queries
) -> None:
    token = token_for(user, token_type="refresh", expired=True)
    with django_assert_num_queries(0):
        assert_refused(refresh(client, token), "expired")


@pytest.mark.parametrize("endpoint", [REFRESH, LOGOUT], ids=str)
def test_access_token_is_refused_at_refresh_and_logout(
    client, pair, endpoint, django_assert_num_queries
) -> None:
    with django_assert_num_queries(0):
        response = client.post(endpoint.url, {"refresh": pair.access})
    assert_refused(response, "wrong_type")


def test_refresh_with_a_token_signed_with_another_secret_is_401(
    client, pair, settings, django_assert_num_queries
) -> None:
    settings.SECRET_KEY = "another key for tests, long enough too: 0123456789abcdef"
    with django_assert_num_queries(0):
        assert_refused(refresh(client, pair.refresh), "invalid")


def test_refresh_while_the_database_is_busy_is_503(client, pair, busy_database) -> None:
    with busy_database():
        response = refresh(client, pair.refresh)
    assert response.status_code == 503
    assert response.json()["code"] == "busy"
    assert response["Retry-After"] == "1"
    assert response["Cache-Control"] == "no-store"
    assert refresh(client, pair.refresh).status_code == 200


def test_refresh_raises_other_database_errors(client, pair) -> None:
    def fail(*args):
        raise ProgrammingError("no such table")

    with connection.execute_wrapper(fail), pytest.raises(ProgrammingError):
        refresh(client, pair.refresh)


def test_refresh_does_not_trim_the_token(client, pair) -> None:
    assert_refused(refresh(client, f" {pair.refresh}"), "invalid")
    assert_refused(refresh(client, f"{pair.refresh}\n"), "invalid")


def test_verify_of_an_access_token_takes_no_statement(
    client, pair, django_assert_num_queries
) -> None:
    with django_assert_num_queries(0):
        response = client.post(VERIFY.url, {"token": pair.access})
    assert (response.status_code, response.json()) == (200, {})


def test_verify_of_a_refresh_token_takes_one_statement(
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
    Session.objects.update(refreshed_at=timezone.now() - AN_HOUR)
    before = Session.objects.values().get()
    assert_refused(client.post(VERIFY.url, {"token": pair.refresh}), "ended")
    assert Session.objects.values().get() == before


def test_logout_ends_the_session_and_can_be_repeated(
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


def test_logout_of_a_deleted_session_is_204(client, pair) -> None:
    Session.objects.all().delete()
    assert client.post(LOGOUT.url, {"refresh": pair.refresh}).status_code == 204


def test_logout_with_a_token_of_an_earlier_generation_ends_the_session(
    client, pair, settings
) -> None:
    settings.SIGNET = ROTATING
    refresh(client, refresh(client, pair.refresh).json()["refresh"])
    assert client.post(LOGOUT.url, {"refresh": pair.refresh}).status_code == 204
    assert Session.objects.get().end_reason == EndReason.LOGOUT


def test_logout_of_an_inactive_user_is_204(client, pair, user) -> None:
    type(user).objects.update(is_active=False)
    assert client.post(LOGOUT.url, {"refresh": pair.refresh}).status_code == 204


def test_logout_with_an_expired_token_is_401(client, user, token_for) -> None:
    token = token_for(user, token_type="refresh", expired=True)
    assert_refused(client.post(LOGOUT.url, {"refresh": token}), "expired")
    assert Session.objects.get().end_reason == ""


def test_logout_sends_djangos_signal_once(client, pair, user) -> None:
    received = []

    def receiver(**arguments):
        received.append((arguments["user"], type(arguments["request"])))

    user_logged_out.connect(receiver)
    try:
        for _ in range(2):
            client.post(LOGOUT.url, {"refresh": pair.refresh})
    finally:
        user_logged_out.disconnect(receiver)
    assert received == [(user, WSGIRequest)]


@pytest.mark.parametrize("endpoint", [REFRESH, LOGOUT], ids=str)
def test_refresh_token_of_a_cookie_session_is_refused_in_a_body(client, pair, endpoint) -> None:
    Session.objects.update(transport="cookie")
    assert_refused(client.post(endpoint.url, {"refresh": pair.refresh}), "invalid")
    assert Session.objects.get().end_reason == ""


@pytest.mark.parametrize("endpoint", [REFRESH, LOGOUT], ids=str)
def test_token_whose_user_differs_from_the_user_of_its_session_is_refused(
    client, pair, make_user, endpoint
) -> None:
    Session.objects.update(user=make_user(password=None))
    assert client.post(endpoint.url, {"refresh": pair.refresh}).status_code == 401
