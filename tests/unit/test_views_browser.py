"""Test the browser endpoints, which keep the refresh token only in a cookie."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.signals import user_logged_out
from django.urls import reverse

import drf_signet
from drf_signet import EndReason, Session, flows
from drf_signet.db.database import DbNow
from drf_signet.testing import browser_client
from tests.conftest import PASSWORD
from tests.support.page_requests import (
    REFRESH_COOKIE,
    cookie_of,
    deletes_cookie,
    log_in,
    send,
    with_cookie,
)
from tests.support.session_states import (
    backdate_rotation,
    generation_of,
    legacy_token,
    refresh_token,
    set_row,
)

pytestmark = pytest.mark.usefixtures("user")

NAMES = ["login", "refresh", "logout", "logout_all", "logout_others"]


def sessions(client: Any) -> Any:
    return client.get(reverse("signet_browser:session_list"))


def end(client: Any, session: Any) -> Any:
    return client.delete(reverse("signet_browser:session_detail", args=[session]))


def get_session(**which: Any) -> Session:
    return Session.objects.get(**which)


# Login


def test_login_returns_the_access_token_and_sets_the_cookie(user) -> None:
    client = browser_client()
    answer = send(client, "login", {"username": "vitor", "password": PASSWORD})
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert answer.json().keys() == {"access", "expires_in"}
    assert answer.json()["expires_in"] == 300
    session = get_session()
    assert (session.transport, session.user) == ("cookie", user)
    assert session.expires_at - session.created_at == timedelta(days=30)
    assert generation_of(cookie_of(client)) == (session.pk, 0)
    header = answer.cookies[REFRESH_COOKIE].OutputString()
    attributes = {part.strip().partition("=")[0] for part in header.split(";")[1:]}
    assert attributes == {"expires", "HttpOnly", "Max-Age", "Path", "SameSite", "Secure"}
    assert "Max-Age=1209600; Path=/; SameSite=Strict; Secure" in header


def test_access_token_of_a_cookie_session_opens_protected_views(client) -> None:
    answer = send(browser_client(), "login", {"username": "vitor", "password": PASSWORD})
    header = f"Bearer {answer.json()['access']}"
    assert client.get("/hello/", HTTP_AUTHORIZATION=header).status_code == 200


def test_failed_login_sets_no_cookie_and_ends_no_session() -> None:
    client = log_in()
    token_before = cookie_of(client)
    answer = send(client, "login", {"username": "vitor", "password": "no"})
    assert (answer.status_code, answer.json()["code"]) == (401, "no_active_account")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'
    assert (answer.cookies, cookie_of(client), get_session().end_reason) == ({}, token_before, "")


def test_failed_logins_are_throttled(settings) -> None:
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": "1/day"}}
    wrong = {"username": "vitor", "password": "no"}
    assert send(browser_client(), "login", wrong).status_code == 401
    answer = send(browser_client(), "login", wrong)
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")


def test_login_while_logged_in_ends_the_previous_session(make_user) -> None:
    client = log_in()
    previous = get_session()
    make_user(username="ada")
    log_in(client, "ada")
    previous.refresh_from_db()
    assert previous.end_reason == EndReason.LOGOUT
    assert generation_of(cookie_of(client))[0] == get_session(end_reason="").pk


def test_replaced_session_does_not_count_against_max_sessions_per_user(settings) -> None:
    settings.SIGNET = {"MAX_SESSIONS_PER_USER": 2}
    other, client = log_in(), log_in()
    log_in(client)
    assert send(other, "refresh").status_code == 200


def test_login_with_a_token_session_in_the_cookie_does_not_end_that_session(user) -> None:
    pair = drf_signet.issue(user)
    log_in(with_cookie(pair.refresh))
    assert get_session(pk=pair.session.pk).end_reason == ""


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJ", "null", ""])
@pytest.mark.parametrize("name", ["login", "logout"])
def test_invalid_cookie_blocks_neither_login_nor_logout(token, name) -> None:
    answer = send(with_cookie(token), name, {"username": "vitor", "password": PASSWORD})
    assert answer.status_code == {"login": 200, "logout": 204}[name]


def test_cookie_of_an_ended_session_blocks_neither_login_nor_logout() -> None:
    client = log_in()
    drf_signet.end(get_session())
    ended_token = cookie_of(client)
    log_in(client)
    assert send(with_cookie(ended_token), "logout").status_code == 204


# Refresh


def test_refresh_rotates_the_cookie(django_assert_num_queries) -> None:
    client = log_in()
    with django_assert_num_queries(2):
        answer = send(client, "refresh")
    assert answer.status_code == 200
    assert answer.json().keys() == {"access", "expires_in"}
    assert generation_of(cookie_of(client)) == (get_session().pk, 1)


def test_refresh_without_a_cookie_is_204_without_a_statement(django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        answer = send(browser_client(), "refresh")
    assert (answer.status_code, answer.content, answer.cookies) == (204, b"", {})
    assert answer["Cache-Control"] == "no-store"


def test_retried_refresh_within_the_grace_period_sets_the_same_successor_again() -> None:
    client = log_in()
    old_token = cookie_of(client)
    send(client, "refresh")
    retrying = with_cookie(old_token)
    assert send(retrying, "refresh").status_code == 200
    assert generation_of(cookie_of(retrying)) == generation_of(cookie_of(client))


def test_replay_after_the_grace_period_ends_the_session_and_deletes_the_cookie() -> None:
    client = log_in()
    old_token = cookie_of(client)
    send(client, "refresh")
    backdate_rotation(get_session(), seconds=31)
    answer = send(with_cookie(old_token), "refresh")
    assert (answer.status_code, answer.json()["reason"]) == (401, "reused")
    assert deletes_cookie(answer)
    answer = send(client, "refresh")
    assert (answer.status_code, answer.json()["reason"]) == (401, "ended")
    assert deletes_cookie(answer)
    assert get_session().end_reason == EndReason.REUSE
    assert send(client, "refresh").status_code == 204


@pytest.mark.parametrize("overtaken_by", ["login", "logout"])
def test_refresh_overtaken_by_a_login_or_logout_does_not_delete_the_cookie(overtaken_by) -> None:
    client = log_in()
    previous, old_token = get_session(), cookie_of(client)
    send(client, overtaken_by, {"username": "vitor", "password": PASSWORD})
    answer = send(with_cookie(old_token), "refresh")
    assert (answer.status_code, answer.json()["reason"], answer.cookies) == (401, "ended", {})
    set_row(previous, ended_at=DbNow() - timedelta(seconds=61))
    answer = send(with_cookie(old_token), "refresh")
    assert (answer.status_code, answer.json()["reason"]) == (401, "ended")
    assert deletes_cookie(answer), "the session ended long ago, so no response is on its way"


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_refresh_with_a_forged_cookie_is_401_without_sql(token, django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        answer = send(with_cookie(token), "refresh")
    assert (answer.status_code, answer.json()["reason"]) == (401, "invalid")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'
    assert deletes_cookie(answer)


def test_refresh_of_an_inactive_user_is_401_and_deletes_the_cookie(user) -> None:
    client = log_in()
    type(user).objects.update(is_active=False)
    answer = send(client, "refresh")
    assert (answer.status_code, answer.json()["code"]) == (401, "user_inactive")
    assert deletes_cookie(answer)


def test_refresh_while_the_database_is_busy_is_503_and_keeps_the_cookie(busy_database) -> None:
    client = log_in()
    with busy_database():
        answer = send(client, "refresh")
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert (answer["Retry-After"], answer.cookies) == ("1", {})


def test_max_age_of_the_cookie_is_the_idle_lifetime_and_at_most_the_session_lifetime(
    settings,
) -> None:
    settings.SIGNET = {"SESSION_LIFETIME": timedelta(days=3)}
    client = browser_client()
    answer = send(client, "login", {"username": "vitor", "password": PASSWORD})
    assert answer.cookies[REFRESH_COOKIE]["max-age"] == 3 * 86400
    settings.SIGNET = {"COOKIE": {"IDLE_LIFETIME": timedelta(hours=1)}}
    answer = send(client, "refresh")
    assert answer.cookies[REFRESH_COOKIE]["max-age"] == 3600
    assert Session.objects.live().count() == 1
    backdate_rotation(get_session(), seconds=3601)
    assert Session.objects.live().count() == 0


def test_own_claims_are_in_the_access_token_and_not_in_the_cookie(settings) -> None:
    settings.SIGNET = {"CLAIMS": lambda user, session: {"motto": "m" * 5000}}
    client = log_in()
    answer = send(client, "refresh")
    assert flows.verify(answer.json()["access"])["motto"] == "m" * 5000
    assert len(cookie_of(client)) < 600


# Tokens in the wrong place: a cookie, a body or a header


def test_refresh_token_of_a_cookie_session_is_refused_in_a_body(client) -> None:
    token = cookie_of(log_in())
    for name in ("token_refresh", "token_logout", "token_verify"):
        field = "token" if name == "token_verify" else "refresh"
        answer = client.post(reverse(name), {field: token})
        assert answer.status_code == 401, name
    assert (get_session().end_reason, get_session().generation) == ("", 0)


def test_refresh_token_of_a_token_session_is_refused_in_a_cookie(user) -> None:
    session = drf_signet.issue(user).session
    client = with_cookie(refresh_token(session))
    answer = send(client, "refresh")
    assert (answer.status_code, answer.json()["reason"]) == (401, "invalid")
    assert sessions(with_cookie(refresh_token(session))).status_code == 401
    assert send(with_cookie(refresh_token(session)), "logout").status_code == 204
    assert get_session().end_reason == ""


def test_legacy_token_is_not_adopted_from_a_cookie(user, settings) -> None:
    settings.SIGNET = {"ADOPT_TOKENS_UNTIL": "2100-01-01T00:00:00Z"}
    token = legacy_token(user)
    answer = send(with_cookie(token), "refresh")
    assert (answer.status_code, answer.json()["reason"]) == (401, "invalid")
    assert not Session.objects.exists()


@pytest.mark.parametrize("name", ["refresh", "logout", "logout_all"])
def test_token_in_the_body_of_a_browser_endpoint_is_ignored(user, name) -> None:
    token = drf_signet.issue(user, transport="cookie").refresh
    answer = send(browser_client(), name, {"refresh": token, "token": token})
    assert answer.status_code == {"logout_all": 401}.get(name, 204)
    assert get_session().end_reason == ""


def test_authorization_header_is_ignored_by_browser_endpoints(user) -> None:
    access_token = drf_signet.issue(user).access
    client = browser_client()
    for header in (f"Bearer {access_token}", "Bearer x", "Bearer a, Bearer b"):
        answer = client.get(reverse("signet_browser:session_list"), HTTP_AUTHORIZATION=header)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("name", NAMES)
def test_no_response_has_a_refresh_token_in_its_body(name) -> None:
    client = log_in()
    answer = send(client, name, {"username": "vitor", "password": PASSWORD})
    assert answer.status_code < 300
    assert "refresh" not in answer.content.decode()


# Logout


def test_logout_ends_the_session_deletes_the_cookie_and_sends_the_signal(user) -> None:
    client = log_in()
    logged_out = []

    def receive(**arguments: Any) -> None:
        logged_out.append(arguments["user"])

    user_logged_out.connect(receive)
    try:
        answer = send(client, "logout")
    finally:
        user_logged_out.disconnect(receive)
    assert (answer.status_code, answer["Cache-Control"]) == (204, "no-store")
    assert deletes_cookie(answer)
    assert get_session().end_reason == EndReason.LOGOUT
    assert logged_out == [user]
    assert deletes_cookie(send(client, "logout"))


def test_logout_everywhere_ends_all_sessions_of_the_user_and_deletes_the_cookie(
    user, make_user
) -> None:
    other = drf_signet.issue(make_user()).session
    drf_signet.issue(user)
    client = log_in()
    answer = send(client, "logout_all")
    assert answer.status_code == 204
    assert deletes_cookie(answer)
    live = Session.objects.filter(end_reason="")
    assert [session.pk for session in live] == [other.pk]
    assert send(client, "logout_all").json()["code"] == "not_authenticated"


# Sessions


def test_list_marks_the_session_of_the_cookie(user, django_assert_num_queries) -> None:
    drf_signet.issue(user)
    client = log_in()
    with django_assert_num_queries(2):
        answer = sessions(client)
    assert (answer.status_code, answer.cookies) == (200, {})
    current = {session["transport"]: session["current"] for session in answer.json()}
    assert current == {"cookie": True, "token": False}


def test_ending_the_session_of_another_device_keeps_the_cookie(user) -> None:
    other = drf_signet.issue(user).session
    client = log_in()
    answer = end(client, other.pk)
    assert (answer.status_code, answer.cookies) == (204, {})
    assert get_session(pk=other.pk).end_reason == EndReason.ENDED_BY_USER


def test_ending_the_current_session_deletes_the_cookie() -> None:
    client = log_in()
    answer = end(client, get_session().pk)
    assert answer.status_code == 204
    assert deletes_cookie(answer)


def test_ending_the_session_of_another_user_is_404(make_user) -> None:
    other = drf_signet.issue(make_user()).session
    answer = end(log_in(), other.pk)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_listing_sessions_with_a_rotated_cookie_ends_no_session() -> None:
    client = log_in()
    old_token = cookie_of(client)
    send(client, "refresh")
    assert sessions(with_cookie(old_token)).status_code == 200, "within the grace period"
    backdate_rotation(get_session(), seconds=31)
    answer = sessions(with_cookie(old_token))
    assert (answer.status_code, answer.json()["reason"], answer.cookies) == (401, "ended", {})
    assert send(client, "refresh").status_code == 200


# HTTP methods and request bodies


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "text/plain",
        "application/json; charset=zlib",
        "application/problem+json",
        "",
    ],
)
def test_body_of_another_type_than_json_is_415(name, content_type) -> None:
    client = browser_client()
    url = reverse(f"signet_browser:{name}")
    for body in ("", "{}"):
        answer = client.generic("POST", url, body, content_type)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD"])
def test_other_methods_are_405_even_without_csrf_headers(name, method, client) -> None:
    answer = client.generic(method, reverse(f"signet_browser:{name}"))
    assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")


@pytest.mark.parametrize("name", NAMES)
def test_body_that_is_not_json_is_400(name) -> None:
    answer = browser_client().generic(
        "POST", reverse(f"signet_browser:{name}"), "{", "application/json"
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")


@pytest.mark.parametrize("name", ["refresh", "logout"])
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'{"refresh": 7}'])
def test_refresh_and_logout_accept_any_json_body(name, body) -> None:
    url = reverse(f"signet_browser:{name}")
    answer = log_in().generic("POST", url, body, "application/json")
    assert answer.status_code in (200, 204)


def test_options_request_needs_no_csrf_headers(client) -> None:
    assert client.options(reverse("signet_browser:login")).status_code == 200
