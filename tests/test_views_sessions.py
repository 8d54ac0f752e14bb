"""A user's own sessions: the list, ending one, ending all."""

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
from tests.endpoints import LOGOUT_ALL, NO_SESSION, OBTAIN, SESSION, SESSIONS


@pytest.fixture
def session(user):
    """Return a session of the user."""
    return drf_signet.issue(user).session


@pytest.fixture
def own(client, user):
    """Log the user in, and return the client with the access token."""
    agent = "Mozilla/5.0 (X11; Linux x86_64)"
    credentials = {"username": "vitor", "password": PASSWORD}
    pair = client.post(OBTAIN.url, credentials, HTTP_USER_AGENT=agent).json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    return client


def url(session_id: Any) -> str:
    return f"{SESSIONS.url}{session_id}/"


def listed(client) -> list[dict[str, Any]]:
    response = client.get(SESSIONS.url)
    assert response.status_code == 200
    return list(response.json())


def unchanged() -> list[Any]:
    return list(Session.objects.order_by("pk").values())


def test_list_shows_what_a_user_needs_to_know(own) -> None:
    (shown,) = listed(own)
    session = Session.objects.get()
    assert shown == {
        "id": str(session.pk),
        "current": True,
        "created_at": shown["created_at"],
        "refreshed_at": shown["refreshed_at"],
        "expires_at": shown["expires_at"],
        "transport": "token",
        "user_agent": "(X11; Linux x86_64)",
        "ip_address": "127.0.0.1",
        "label": "",
    }


def test_list_takes_one_statement_however_long_it_is(own, user, django_assert_num_queries) -> None:
    for _ in range(3):
        drf_signet.issue(user)
    with django_assert_num_queries(1):
        assert len(listed(own)) == 4


def test_list_marks_the_session_that_asks(own, user) -> None:
    other = drf_signet.issue(user).session
    assert {one["id"]: one["current"] for one in listed(own)} == {
        str(other.pk): False,
        str(Session.objects.exclude(pk=other.pk).get().pk): True,
    }


def test_list_has_the_last_used_first(own, user) -> None:
    Session.objects.update(refreshed_at=timezone.now() - timedelta(hours=2))
    newer = drf_signet.issue(user).session
    middle = drf_signet.issue(user).session
    Session.objects.filter(pk=middle.pk).update(refreshed_at=timezone.now() - timedelta(hours=1))
    assert [one["id"] for one in listed(own)][:2] == [str(newer.pk), str(middle.pk)]


def test_list_leaves_out_the_sessions_of_others(own, make_user) -> None:
    other = drf_signet.issue(make_user()).session
    assert str(other.pk) not in {one["id"] for one in listed(own)}


@pytest.mark.parametrize(
    "change",
    [
        {"end_reason": EndReason.LOGOUT},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"refreshed_at": timezone.now() - timedelta(days=1, seconds=1)},
    ],
    ids=["ended", "expired", "idle"],
)
def test_list_leaves_out_dead_sessions(own, session, change) -> None:
    Session.objects.filter(pk=session.pk).update(**change)
    assert str(session.pk) not in {one["id"] for one in listed(own)}


def test_list_of_a_user_without_live_sessions_is_empty(auth_client, user) -> None:
    client = auth_client(user)
    Session.objects.update(end_reason=EndReason.LOGOUT)
    assert listed(client) == []


def test_list_for_a_client_that_is_authenticated_by_force_marks_none(client, user, session) -> None:
    client.force_authenticate(user)
    assert [one["current"] for one in listed(client)] == [False]


def test_list_for_another_authentication_class_marks_none(client, user, session, rf) -> None:
    view = SessionListView.as_view(authentication_classes=[SessionAuthentication])
    request = rf.get("/")
    request.user = user
    response = view(request)
    assert [one["current"] for one in response.data] == [False]


def test_list_says_nothing_of_clients_that_are_not_recorded(client, user, settings) -> None:
    settings.SIGNET = {"RECORD_CLIENT": False}
    credentials = {"username": "vitor", "password": PASSWORD}
    pair = client.post(OBTAIN.url, credentials, HTTP_USER_AGENT="Mozilla/5.0").json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    (shown,) = listed(client)
    assert (shown["user_agent"], shown["ip_address"]) == ("", None)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("", ""),
        ("  curl/8.5  ", "curl/8.5"),
        ("a\x00b\x1b[31mc\r\nd\u202ee", "ab[31mcde"),
        ("x" * 64_000, "x" * 160),
        ("caf\xe9", "caf\xe9"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("x" * 159 + "  y", "x" * 159),
    ],
    ids=["empty", "spaces", "control", "long", "latin-1", "markup", "cut in a space"],
)
def test_user_agent_is_cleaned_and_cut(client, user, sent, kept) -> None:
    credentials = {"username": "vitor", "password": PASSWORD}
    assert client.post(OBTAIN.url, credentials, HTTP_USER_AGENT=sent).status_code == 200
    assert Session.objects.get().user_agent == kept


def test_session_is_ended_and_again(own, session, django_assert_max_num_queries) -> None:
    with django_assert_max_num_queries(3):  # the user, the session, its end
        response = own.delete(url(session.pk))
    assert (response.status_code, response.content) == (204, b"")
    assert response["Cache-Control"] == "no-store"
    ended = Session.objects.filter(pk=session.pk).values().get()
    assert ended["end_reason"] == EndReason.ENDED_BY_USER
    assert own.delete(url(session.pk)).status_code == 204
    assert Session.objects.filter(pk=session.pk).values().get() == ended
    assert len(listed(own)) == 1


def test_session_that_asks_may_end_itself(own) -> None:
    (shown,) = listed(own)
    assert own.delete(url(shown["id"])).status_code == 204
    assert own.get(SESSIONS.url).json()["reason"] == "ended"


def test_end_of_a_session_ends_its_refresh_token(own, client, user) -> None:
    pair = drf_signet.issue(user)
    own.delete(url(pair.session.pk))
    response = client.post(f"{OBTAIN.url}refresh/", {"refresh": pair.refresh})
    assert response.json()["reason"] == "ended"


def test_session_of_another_user_is_404_and_nothing_changes(own, make_user) -> None:
    others = drf_signet.issue(make_user()).session
    before = unchanged()
    response = own.delete(url(others.pk))
    unknown = own.delete(url(NO_SESSION))
    assert response.status_code == 404
    assert (response.json(), dict(response.headers)) == (unknown.json(), dict(unknown.headers))
    assert unchanged() == before


@pytest.mark.parametrize(
    "session_id",
    ["1", "null", "0" * 31, "g" * 32, "%00", "%ff%ed%a0%80", "..", "x" * 4000, "'--", "{}"],
)
def test_malformed_id_is_404_with_a_code_and_asks_for_no_session(
    own, session_id, django_assert_num_queries
) -> None:
    before = unchanged()
    with django_assert_num_queries(0):
        response = own.delete(url(session_id))
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"
    assert response["Cache-Control"] == "no-store"
    assert unchanged() == before


def test_id_is_found_however_a_uuid_is_written(own, session) -> None:
    assert own.delete(url(UUID(str(session.pk)).hex.upper())).status_code == 204


def test_end_of_a_session_needs_a_token(client, session) -> None:
    assert client.delete(url(session.pk)).status_code == 401
    assert Session.objects.get().end_reason == ""


@pytest.mark.parametrize("endpoint", [SESSIONS, SESSION, LOGOUT_ALL], ids=str)
def test_refresh_token_is_no_access_token(client, user, endpoint) -> None:
    token = drf_signet.issue(user).refresh
    response = client.generic(endpoint.method, endpoint.url, HTTP_AUTHORIZATION=f"Bearer {token}")
    assert (response.status_code, response.json()["reason"]) == (401, "wrong_type")
    assert Session.objects.get().end_reason == ""


def test_logout_everywhere_ends_all_sessions_of_the_user(own, user, make_user) -> None:
    drf_signet.issue(user)
    others = drf_signet.issue(make_user()).session
    response = own.post(LOGOUT_ALL.url)
    assert (response.status_code, response.content) == (204, b"")
    assert response["Cache-Control"] == "no-store"
    reasons = Session.objects.filter(user=user).values_list("end_reason", flat=True)
    assert set(reasons) == {EndReason.LOGOUT_ALL}
    assert Session.objects.get(pk=others.pk).end_reason == ""


def test_logout_everywhere_ends_the_token_that_asked(own) -> None:
    own.post(LOGOUT_ALL.url)
    before = unchanged()
    response = own.post(LOGOUT_ALL.url)
    assert (response.status_code, response.json()["reason"]) == (401, "ended")
    assert unchanged() == before


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
def test_logout_everywhere_reads_no_body(own, content_type) -> None:
    body = b"{}" if content_type.endswith("json") else b"user=7"
    assert own.generic("POST", LOGOUT_ALL.url, body, content_type).status_code == 204


def test_logout_everywhere_sends_djangos_signal(own, user) -> None:
    heard = []

    def receiver(**arguments):
        heard.append((arguments["user"], type(arguments["request"])))

    user_logged_out.connect(receiver)
    try:
        own.post(LOGOUT_ALL.url)
    finally:
        user_logged_out.disconnect(receiver)
    assert heard == [(user, WSGIRequest)]


def test_head_of_the_list_is_its_headers(own) -> None:
    response = own.head(SESSIONS.url)
    assert (response.status_code, response.content) == (200, b"")
    assert response["Cache-Control"] == "no-store"
