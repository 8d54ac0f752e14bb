"""Test the endpoints that a list of devices uses: token endpoints and browser endpoints."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

import drf_signet
from drf_signet import EndReason, Session
from drf_signet.sessions import store
from drf_signet.testing import browser_client
from tests.support.endpoint_table import UNKNOWN_SESSION_ID
from tests.support.session_states import expire, set_row


class Caller:
    """A client of the token endpoints or the browser endpoints, with its current session."""

    def __init__(self, client: Any, namespace: str, current: Session) -> None:
        self.client, self.namespace, self.current = client, namespace, current

    def url(self, name: str, *args: Any) -> str:
        prefix = "token_" if name.startswith("logout") and not self.namespace else ""
        return reverse(f"{self.namespace}{prefix}{name}", args=args)

    def rename(self, session_id: Any, data: Any) -> Any:
        # DRF's test client cannot encode surrogates, so escape all characters beyond ASCII.
        url = self.url("session_detail", session_id)
        return self.client.generic("PATCH", url, json.dumps(data), "application/json")

    def end_others(self) -> Any:
        return self.client.post(self.url("logout_others"), {}, format="json")

    def list(self) -> Any:
        return self.client.get(self.url("session_list")).json()


@pytest.fixture(params=["token", "cookie"])
def caller(request: pytest.FixtureRequest, user: Any, client: Any) -> Caller:
    """Return a logged-in caller of the token endpoints or of the browser endpoints."""
    if request.param == "token":
        pair = drf_signet.issue(user)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair.access}")
        return Caller(client, "", pair.session)
    return Caller(browser_client(user), "signet_browser:", Session.objects.get())


@pytest.fixture
def other(user: Any) -> Session:
    """Return another session of the same user."""
    return drf_signet.issue(user).session


def label_of(session: Session) -> str:
    return Session.objects.get(pk=session.pk).label


def test_user_can_name_the_current_session_and_others(caller, other) -> None:
    for session in (caller.current, other):
        response = caller.rename(session.pk, {"label": "the phone"})
        assert response.status_code == 200
        assert response["Cache-Control"] == "no-store"
        (listed,) = (each for each in caller.list() if each["id"] == str(session.pk))
        assert response.json() == listed
        assert listed["label"] == "the phone"
        assert listed["current"] is (session == caller.current)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("", ""),
        ("   ", ""),
        ("  the \t phone\n", "the phone"),
        ("a\x00b\x1b[31m\u202ec\ud800d", "ab[31mcd"),
        ("Jos\u00e9 \U0001f469\u200d\U0001f4bb", "Jos\u00e9 \U0001f469\u200d\U0001f4bb"),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        ("\u202e \x00", ""),
        ("x" * 64, "x" * 64),
    ],
)
def test_label_is_one_line_of_printable_characters(caller, sent, kept) -> None:
    set_row(caller.current, label="before")
    response = caller.rename(caller.current.pk, {"label": sent})
    assert (response.status_code, response.json()["label"]) == (200, kept)
    assert label_of(caller.current) == kept


@pytest.mark.parametrize("label", ["x" * 65, "x" * 100_000, None, 7, True, [], {}, ["x"]], ids=repr)
def test_label_that_is_too_long_or_not_a_string_is_refused(caller, label) -> None:
    set_row(caller.current, label="before")
    response = caller.rename(caller.current.pk, {"label": label})
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert response.json()["label"]
    assert label_of(caller.current) == "before"


@pytest.mark.parametrize("body", ["[]", '"x"', "7", "null", '{"label": "x"'])
def test_body_that_is_not_an_object_is_refused(caller, body) -> None:
    url = caller.url("session_detail", caller.current.pk)
    response = caller.client.generic("PATCH", url, body, "application/json")
    assert response.status_code == 400
    assert label_of(caller.current) == ""


def test_only_the_label_can_be_changed(caller, other) -> None:
    before = Session.objects.values().get(pk=other.pk)
    body = {name: "x" for name in (*before, "device", "current") if name != "label"}
    assert caller.rename(other.pk, body).status_code == 200
    assert Session.objects.values().get(pk=other.pk) == before


def test_renaming_keeps_what_a_concurrent_refresh_writes(caller, other, monkeypatch) -> None:
    """Test a refresh between the SELECT and the UPDATE of a request."""
    rename = store.rename

    def refreshed(*args: Any, **kwargs: Any) -> bool:
        set_row(other, generation=7)
        return rename(*args, **kwargs)

    monkeypatch.setattr(store, "rename", refreshed)
    assert caller.rename(other.pk, {"label": "the phone"}).status_code == 200
    row = Session.objects.get(pk=other.pk)
    assert (row.label, row.generation) == ("the phone", 7)


def test_session_that_ends_during_its_renaming_is_404(caller, other, monkeypatch) -> None:
    rename = store.rename

    def ended(*args: Any, **kwargs: Any) -> bool:
        set_row(other, end_reason=EndReason.LOGOUT)
        return rename(*args, **kwargs)

    monkeypatch.setattr(store, "rename", ended)
    assert caller.rename(other.pk, {"label": "the phone"}).status_code == 404
    assert label_of(other) == ""


@pytest.mark.parametrize("state", ["foreign", "ended", "expired", "unknown", "malformed"])
def test_session_that_is_not_in_the_list_cannot_be_renamed(caller, other, make_user, state) -> None:
    session_id: Any = other.pk
    if state == "foreign":
        session_id = drf_signet.issue(make_user()).session.pk
    elif state == "ended":
        set_row(other, end_reason=EndReason.LOGOUT)
    elif state == "expired":
        expire(other)
    else:
        session_id = UNKNOWN_SESSION_ID if state == "unknown" else "nothing"
    response = caller.rename(session_id, {"label": "mine"})
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert not Session.objects.filter(label="mine").exists()


def test_logout_others_ends_all_sessions_except_the_current_session(
    caller, user, make_user
) -> None:
    ended = [
        drf_signet.issue(user).session.pk,
        drf_signet.issue(user, transport="cookie").session.pk,
    ]
    foreign = drf_signet.issue(make_user()).session
    for _ in range(2):
        response = caller.end_others()
        assert (response.status_code, response.content) == (204, b"")
        assert response["Cache-Control"] == "no-store"
        assert [UUID(each["id"]) for each in caller.list()] == [caller.current.pk]
    by_user = Session.objects.filter(end_reason=EndReason.ENDED_BY_USER)
    assert set(by_user.values_list("pk", flat=True)) == set(ended)
    assert Session.objects.get(pk=foreign.pk).end_reason == ""


def test_access_tokens_of_the_other_sessions_are_refused_at_once(caller, user, client) -> None:
    pair = drf_signet.issue(user)
    caller.end_others()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    assert client.get("/hello/").json()["reason"] == "ended"


def test_request_without_a_session_ends_all_sessions(client, user, other) -> None:
    client.force_authenticate(user)
    assert client.post(reverse("token_logout_others")).status_code == 204
    assert Session.objects.get().end_reason == EndReason.ENDED_BY_USER


def test_browser_endpoint_refuses_a_label_that_is_not_json(user) -> None:
    client = browser_client(user)
    url = reverse("signet_browser:session_detail", args=[Session.objects.get().pk])
    response = client.patch(url, "label=x", content_type="application/x-www-form-urlencoded")
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("method", ["patch", "post"])
def test_browser_endpoints_refuse_a_page_of_another_site(user, other, method) -> None:
    page = APIClient(HTTP_X_REQUESTED_WITH="x", HTTP_SEC_FETCH_SITE="cross-site")
    page.cookies = browser_client(user).cookies
    name = "session_detail" if method == "patch" else "logout_others"
    url = reverse(f"signet_browser:{name}", args=[other.pk] if method == "patch" else [])
    response = getattr(page, method)(url, {"label": "x"}, format="json")
    assert (response.status_code, response.json()["code"]) == (403, "csrf_failed")
    assert set(Session.objects.values_list("label", "end_reason")) == {("", "")}


@pytest.mark.parametrize("method", ["patch", "post"])
def test_browser_endpoints_without_a_cookie_are_401(db, method) -> None:
    name = "session_detail" if method == "patch" else "logout_others"
    url = reverse(f"signet_browser:{name}", args=[UNKNOWN_SESSION_ID] if method == "patch" else [])
    response = getattr(browser_client(), method)(url, {"label": "x"}, format="json")
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")


def test_list_names_the_device_of_each_session(caller, other) -> None:
    agent = (
        "(iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148"
    )
    set_row(other, user_agent=f"{agent} Safari/604.1")
    set_row(caller.current, user_agent="Dart/3.8 (dart:io)")
    assert {each["current"]: each["device"] for each in caller.list()} == {
        True: "Dart/3.8 (dart:io)",
        False: "Safari on iPhone",
    }
