"""Test the session endpoints: list the sessions of a user, end one session, end all sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.signals import user_logged_out
from django.core.handlers.wsgi import WSGIRequest
from django.utils import timezone
from rest_framework.authentication import SessionAuthentication

import drf_signet
from drf_signet import EndReason, Session
from drf_signet.views import SessionListView
from tests.conftest import PASSWORD
from tests.support.endpoint_table import LOGOUT_ALL, OBTAIN, SESSION, SESSIONS, UNKNOWN_SESSION_ID


@pytest.fixture
def session(user):
    """Return a session of the user."""
    return drf_signet.issue(user).session


@pytest.fixture
def logged_in(client, user):
    """Log the user in; return a client that sends the access token."""
    agent = "Mozilla/5.0 (X11; Linux x86_64)"
    credentials = {"username": "vitor", "password": PASSWORD}
    pair = client.post(OBTAIN.url, credentials, HTTP_USER_AGENT=agent).json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    return client


def url(session_id: Any) -> str:
    return f"{SESSIONS.url}{session_id}/"


def list_sessions(client) -> list[dict[str, Any]]:
    response = client.get(SESSIONS.url)
    assert response.status_code == 200
    return list(response.json())


def rows() -> list[Any]:
    return list(Session.objects.order_by("pk").values())


def test_list_shows_times_client_address_and_label_of_a_session(logged_in) -> None:
    (listed,) = list_sessions(logged_in)
    session = Session.objects.get()
    assert listed == {
        "id": str(session.pk),
        "current": True,
        "created_at": listed["created_at"],
        "refreshed_at": listed["refreshed_at"],
        "expires_at": listed["expires_at"],
        "transport": "token",
        "device": "Linux",
        "user_agent": "(X11; Linux x86_64)",
        "ip_address": "127.0.0.1",
        "label": "",
    }


def test_list_of_several_sessions_takes_one_statement(
    logged_in, user, django_assert_num_queries
) -> None:
    for _ in range(3):
        drf_signet.issue(user)
    with django_assert_num_queries(1):
        assert len(list_sessions(logged_in)) == 4


def test_list_marks_the_session_of_the_request_as_current(logged_in, user) -> None:
    other = drf_signet.issue(user).session
    assert {session["id"]: session["current"] for session in list_sessions(logged_in)} == {
        str(other.pk): False,
        str(Session.objects.exclude(pk=other.pk).get().pk): True,
    }


def test_list_is_sorted_by_last_refresh_newest_first(logged_in, user) -> None:
    Session.objects.update(refreshed_at=timezone.now() - timedelta(hours=2))
    newer = drf_signet.issue(user).session
    middle = drf_signet.issue(user).session
    Session.objects.filter(pk=middle.pk).update(refreshed_at=timezone.now() - timedelta(hours=1))
    assert [session["id"] for session in list_sessions(logged_in)][:2] == [
        str(newer.pk),
        str(middle.pk),
    ]


def test_list_omits_sessions_of_other_users(logged_in, make_user) -> None:
    other = drf_signet.issue(make_user()).session
    assert str(other.pk) not in {listed["id"] for listed in list_sessions(logged_in)}


@pytest.mark.parametrize(
    "change",
    [
        {"end_reason": EndReason.LOGOUT},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"refreshed_at": timezone.now() - timedelta(days=1, seconds=1)},
    ],
    ids=["ended", "expired", "idle"],
)
def test_list_omits_sessions_that_are_not_live(logged_in, session, change) -> None:
    Session.objects.filter(pk=session.pk).update(**change)
    assert str(session.pk) not in {listed["id"] for listed in list_sessions(logged_in)}


def test_list_of_a_user_without_live_sessions_is_empty(auth_client, user) -> None:
    client = auth_client(user)
    Session.objects.update(end_reason=EndReason.LOGOUT)
    assert list_sessions(client) == []


def test_list_marks_no_session_as_current_under_force_authenticate(client, user, session) -> None:
    client.force_authenticate(user)
    assert [listed["current"] for listed in list_sessions(client)] == [False]


def test_list_marks_no_session_as_current_for_another_authentication_class(
    client, user, session, rf
) -> None:
    view = SessionListView.as_view(authentication_classes=[SessionAuthentication])
    request = rf.get("/")
    request.user = user
    response = view(request)
    assert [listed["current"] for listed in response.data] == [False]


def test_list_shows_no_client_if_record_client_is_off(client, user, settings) -> None:
    settings.SIGNET = {"RECORD_CLIENT": False}
    credentials = {"username": "vitor", "password": PASSWORD}
    pair = client.post(OBTAIN.url, credentials, HTTP_USER_AGENT="Mozilla/5.0").json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    (listed,) = list_sessions(client)
    assert (listed["user_agent"], listed["ip_address"]) == ("", None)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("", ""),
        ("  curl/8.5  ", "curl/8.5"),
        ("a\x00b\x1b[31mc\r\nd\u202ee", "ab[31mcde"),
        ("x" * 64_000, "x" * 160),
        ("caf\xe9", "caf\xe9"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("x" * 159 + "  y", "x" * 159),
    ],
    ids=["empty", "spaces", "control", "long", "latin-1", "markup", "truncated at a space"],
)
def test_user_agent_is_cleaned_and_truncated(client, user, sent, stored) -> None:
    credentials = {"username": "vitor", "password": PASSWORD}
    assert client.post(OBTAIN.url, credentials, HTTP_USER_AGENT=sent).status_code == 200
    assert Session.objects.get().user_agent == stored


def test_session_is_ended_once_and_the_request_can_be_repeated(
    logged_in, session, django_assert_max_num_queries
) -> None:
    with django_assert_max_num_queries(3):  # read the user and the session, end the session
        response = logged_in.delete(url(session.pk))
    assert (response.status_code, response.content) == (204, b"")
    assert response["Cache-Control"] == "no-store"
    ended = Session.objects.filter(pk=session.pk).values().get()
    assert ended["end_reason"] == EndReason.ENDED_BY_USER
    assert logged_in.delete(url(session.pk)).status_code == 204
    assert Session.objects.filter(pk=session.pk).values().get() == ended
    assert len(list_sessions(logged_in)) == 1


def test_current_session_can_end_itself(logged_in) -> None:
    (listed,) = list_sessions(logged_in)
    assert logged_in.delete(url(listed["id"])).status_code == 204
    assert logged_in.get(SESSIONS.url).json()["reason"] == "ended"


def test_refresh_token_of_an_ended_session_is_refused(logged_in, client, user) -> None:
    pair = drf_signet.issue(user)
    logged_in.delete(url(pair.session.pk))
    response = client.post(f"{OBTAIN.url}refresh/", {"refresh": pair.refresh})
    assert response.json()["reason"] == "ended"


def test_ending_the_session_of_another_user_is_404_and_changes_nothing(
    logged_in, make_user
) -> None:
    other = drf_signet.issue(make_user()).session
    before = rows()
    response = logged_in.delete(url(other.pk))
    unknown = logged_in.delete(url(UNKNOWN_SESSION_ID))
    assert response.status_code == 404
    assert (response.json(), dict(response.headers)) == (unknown.json(), dict(unknown.headers))
    assert rows() == before


@pytest.mark.parametrize(
    "session_id",
    ["1", "null", "0" * 31, "g" * 32, "%00", "%ff%ed%a0%80", "..", "x" * 4000, "'--", "{}"],
)
def test_malformed_session_id_is_404_without_a_statement(
    logged_in, session_id, django_assert_num_queries
) -> None:
    before = rows()
    with django_assert_num_queries(0):
        response = logged_in.delete(url(session_id))
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"
    assert response["Cache-Control"] == "no-store"
    assert rows() == before


def test_session_id_may_be_uppercase_and_without_hyphens(logged_in, session) -> None:
    assert logged_in.delete(url(UUID(str(session.pk)).hex.upper())).status_code == 204


def test_ending_a_session_needs_a_token(client, session) -> None:
    assert client.delete(url(session.pk)).status_code == 401
    assert Session.objects.get().end_reason == ""


@pytest.mark.parametrize("endpoint", [SESSIONS, SESSION, LOGOUT_ALL], ids=str)
def test_refresh_token_is_refused_as_an_access_token(client, user, endpoint) -> None:
    token = drf_signet.issue(user).refresh
    response = client.generic(endpoint.method, endpoint.url, HTTP_AUTHORIZATION=f"Bearer {token}")
    assert (response.status_code, response.json()["reason"]) == (401, "wrong_type")
    assert Session.objects.get().end_reason == ""


def test_logout_everywhere_ends_all_sessions_of_the_user(logged_in, user, make_user) -> None:
    drf_signet.issue(user)
    other = drf_signet.issue(make_user()).session
    response = logged_in.post(LOGOUT_ALL.url)
    assert (response.status_code, response.content) == (204, b"")
    assert response["Cache-Control"] == "no-store"
    reasons = Session.objects.filter(user=user).values_list("end_reason", flat=True)
    assert set(reasons) == {EndReason.LOGOUT_ALL}
    assert Session.objects.get(pk=other.pk).end_reason == ""


def test_access_token_is_refused_after_logout_everywhere(logged_in) -> None:
    logged_in.post(LOGOUT_ALL.url)
    before = rows()
    response = logged_in.post(LOGOUT_ALL.url)
    assert (response.status_code, response.json()["reason"]) == (401, "ended")
    assert rows() == before


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
def test_logout_everywhere_ignores_the_body(logged_in, content_type) -> None:
    body = b"{}" if content_type.endswith("json") else b"user=7"
    assert logged_in.generic("POST", LOGOUT_ALL.url, body, content_type).status_code == 204


def test_logout_everywhere_sends_user_logged_out(logged_in, user) -> None:
    received = []

    def receiver(**arguments):
        received.append((arguments["user"], type(arguments["request"])))

    user_logged_out.connect(receiver)
    try:
        logged_in.post(LOGOUT_ALL.url)
    finally:
        user_logged_out.disconnect(receiver)
    assert received == [(user, WSGIRequest)]


def test_head_request_for_the_list_is_200_without_a_body(logged_in) -> None:
    response = logged_in.head(SESSIONS.url)
    assert (response.status_code, response.content) == (200, b"")
    assert response["Cache-Control"] == "no-store"
