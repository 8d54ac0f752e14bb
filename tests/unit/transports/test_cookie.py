"""Tests of `drf_signet.transports.cookie`: reading and setting the refresh and access cookies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.urls import reverse

import drf_signet
from drf_signet.testing import browser_client
from drf_signet.transports import cookie
from tests.conftest import PASSWORD
from tests.support.page_requests import (
    ACCESS_COOKIE,
    REFRESH_COOKIE,
    cookie_of,
    deletes_cookie,
    log_in,
    send,
)
from tests.support.session_states import generation_of

ACCESS = {"COOKIE": {"ACCESS_NAME": "signet-access-token"}}
PAGE = {"HTTP_X_REQUESTED_WITH": "x", "HTTP_SEC_FETCH_SITE": "same-origin"}


def read(rf: Any, header: str) -> str | None:
    return cookie.read(rf.get("/", HTTP_COOKIE=header))


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("", None),
        (f"{REFRESH_COOKIE}=a.b.c", "a.b.c"),
        (f'other=1; {REFRESH_COOKIE} = "a.b.c" ;more', "a.b.c"),
        (f"{REFRESH_COOKIE}=", None),
        (f'{REFRESH_COOKIE}=""', None),
        (REFRESH_COOKIE, None),
        ("signet-refresh-token=a.b.c", None),
        ("__Secure-signet-refresh-token=a.b.c", None),
        ("__host-signet-refresh-token=a.b.c", None),
        (f"{REFRESH_COOKIE}=a; {REFRESH_COOKIE}=b", None),
        (f"{REFRESH_COOKIE}=a; {REFRESH_COOKIE}=a", None),
        (f"{REFRESH_COOKIE}=a; x=1; {REFRESH_COOKIE}=", None),
        (f"x=1,{REFRESH_COOKIE}=a", None),
        (f"{REFRESH_COOKIE}={'x' * 8192}", None),
        (f"{REFRESH_COOKIE}={'x' * 8191}", "x" * 8191),
        (f"{REFRESH_COOKIE}=\xff\xfe", "\xff\xfe"),
        ("=;;;==; =", None),
    ],
)
def test_a_cookie_that_is_missing_or_duplicated_is_not_read(rf, header, value) -> None:
    assert read(rf, header) == value


#: Characters that Python strips as white space. To browsers, they are part of the cookie's name. A
#: name that begins with such a character does not begin with the prefix `__Host-`, so browsers do
#: not apply the rules of this prefix to the cookie.
SPACES = [chr(code) for code in range(256) if chr(code).isspace() and chr(code) not in " \t"]


@pytest.mark.parametrize("space", [*SPACES, "\xc2\xa0", "\xe2\x80\x80"], ids=ascii)
def test_a_cookie_with_unusual_white_space_around_its_name_is_ignored(rf, space) -> None:
    assert read(rf, f"{space}{REFRESH_COOKIE}=a") is None
    assert read(rf, f"{REFRESH_COOKIE}{space}=a") is None
    assert read(rf, f"{space}{REFRESH_COOKIE}=a; {REFRESH_COOKIE}=b") == "b"


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("cookie", ["signet-refresh-token={}", "{0}; {0}", "{0}; x=1; {0}"])
def test_refresh_ignores_a_cookie_without_its_prefix_and_a_duplicated_cookie(cookie) -> None:
    token = cookie_of(log_in())
    header = cookie.format(token if "={}" in cookie else f"{REFRESH_COOKIE}={token}")
    answer = send(browser_client(), "refresh", HTTP_COOKIE=header)
    assert (answer.status_code, answer.cookies) == (204, {})


def test_attributes_of_the_cookie_come_from_the_settings_and_not_from_the_request(
    user, settings
) -> None:
    settings.SIGNET = {"COOKIE": {"SECURE": False, "SAMESITE": "Lax", "PATH": "/auth/"}}
    client = browser_client()
    answer = send(client, "login", {"username": "vitor", "password": PASSWORD}, secure=True)
    morsel = answer.cookies["signet-refresh-token"]
    assert (morsel["secure"], morsel["samesite"], morsel["path"]) == ("", "Lax", "/auth/")
    assert morsel["httponly"]
    assert send(client, "refresh").status_code == 200
    deleted = send(client, "logout").cookies["signet-refresh-token"]
    assert (deleted.value, deleted["path"], deleted["max-age"]) == ("", "/auth/", 0)


def test_a_cookie_with_another_path_has_the_secure_prefix(user, settings) -> None:
    settings.SIGNET = {"COOKIE": {"PATH": "/auth/"}}
    client = browser_client(user)
    assert list(client.cookies) == ["__Secure-signet-refresh-token"]
    assert send(client, "refresh").status_code == 200


def test_set_cookie_refuses_a_pair_of_the_token_transport(user) -> None:
    with pytest.raises(ValueError, match='transport="cookie"'):
        drf_signet.set_cookie(HttpResponse(), drf_signet.issue(user))


def test_set_cookie_refuses_a_token_that_is_too_long_for_browsers(user, settings) -> None:
    settings.SIGNET = {**ACCESS, "CLAIMS": lambda user, session: {"motto": "m" * 4000}}
    with pytest.raises(ValueError, match="too long for the cookie __Host-signet-access-token"):
        drf_signet.set_cookie(HttpResponse(), drf_signet.issue(user, transport="cookie"))


def test_a_custom_view_sets_and_deletes_the_cookie(user, rf) -> None:
    pair = drf_signet.issue(user, rf.get("/"), transport="cookie")
    response = HttpResponse()
    drf_signet.set_cookie(response, pair)
    assert response.cookies[REFRESH_COOKIE].value == pair.refresh
    assert response.cookies[REFRESH_COOKIE]["max-age"] == pair.refresh_expires_in == 14 * 86400
    logout_response = HttpResponse()
    drf_signet.delete_cookie(logout_response)
    assert deletes_cookie(logout_response)


def test_issuing_a_cookie_ends_the_session_of_the_cookie_in_the_request(user, rf) -> None:
    former = drf_signet.issue(user, transport="cookie")
    request = rf.get("/", HTTP_COOKIE=f"{REFRESH_COOKIE}={former.refresh}")
    drf_signet.issue(user, request)
    former.session.refresh_from_db()
    assert former.session.end_reason == ""
    drf_signet.issue(user, request, transport="cookie")
    former.session.refresh_from_db()
    assert former.session.end_reason == "logout"


def test_issue_refuses_an_unknown_transport(user) -> None:
    with pytest.raises(ValueError, match="pigeon"):
        drf_signet.issue(user, transport="pigeon")


# The access cookie


@pytest.fixture
def page(user, settings):
    """Return a logged-in client that also has an access cookie."""
    settings.SIGNET = ACCESS
    return log_in()


def test_a_protected_view_accepts_the_access_cookie(page, client) -> None:
    morsel = page.cookies[ACCESS_COOKIE]
    assert (morsel["max-age"], morsel["path"], morsel["httponly"]) == (300, "/", True)
    client.cookies[ACCESS_COOKIE] = morsel.value
    assert client.get("/hello/").status_code == 200


def test_the_access_cookie_is_ignored_without_access_name(page, client, settings) -> None:
    client.cookies[ACCESS_COOKIE] = page.cookies[ACCESS_COOKIE].value
    settings.SIGNET = {}
    answer = client.get("/hello/")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="api"')


def test_a_refresh_token_in_the_access_cookie_is_refused(page, client) -> None:
    client.cookies[ACCESS_COOKIE] = cookie_of(page)
    answer = client.get("/hello/")
    assert (answer.status_code, answer.json()["reason"]) == (401, "wrong_type")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'


def test_logout_deletes_the_access_cookie_and_the_refresh_cookie(page) -> None:
    answer = send(page, "logout")
    assert deletes_cookie(answer)
    assert deletes_cookie(answer, ACCESS_COOKIE)


def test_header_and_cookie_of_different_sessions_are_rejected(page, user) -> None:
    header = f"Bearer {drf_signet.issue(user).access}"
    answer = page.get("/hello/", HTTP_AUTHORIZATION=header)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_authorization_header")


@pytest.mark.parametrize("other", ["", "x", "a.b.c"])
def test_a_valid_header_is_accepted_beside_an_invalid_cookie(page, user, other) -> None:
    page.cookies[ACCESS_COOKIE] = other
    header = f"Bearer {drf_signet.issue(user).access}"
    assert page.get("/hello/", HTTP_AUTHORIZATION=header).status_code == 200


def test_header_and_cookie_of_the_same_session_are_accepted(page) -> None:
    access = send(page, "refresh").json()["access"]
    answer = page.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {access}")
    assert answer.status_code == 200


def test_an_invalid_header_is_refused_beside_a_valid_cookie(page) -> None:
    assert page.get("/hello/", HTTP_AUTHORIZATION="Bearer x").status_code == 401


def test_cookies_with_similar_names_are_ignored(page, client) -> None:
    token = page.cookies[ACCESS_COOKIE].value
    client.cookies.load({"signet-access-token": token, "access": token, "sessionid": token})
    assert client.get("/hello/").status_code == 401


def test_an_unsafe_method_with_the_access_cookie_needs_the_csrf_headers(page, client) -> None:
    client.cookies[ACCESS_COOKIE] = page.cookies[ACCESS_COOKIE].value
    url = reverse("token_logout_all")
    answer = client.post(url)
    assert (answer.status_code, answer.json()["reason"]) == (403, "header_missing")
    foreign = {"HTTP_X_REQUESTED_WITH": "x", "HTTP_SEC_FETCH_SITE": "cross-site"}
    assert client.post(url, **foreign).json()["reason"] == "cross_site"
    assert client.post(url, **PAGE).status_code == 204


def test_an_unsafe_method_with_a_header_needs_no_csrf_headers(page, client) -> None:
    client.cookies[ACCESS_COOKIE] = token = page.cookies[ACCESS_COOKIE].value
    answer = client.post(reverse("token_logout_all"), HTTP_AUTHORIZATION=f"Bearer {token}")
    assert answer.status_code == 204


def test_the_access_cookie_costs_no_statement(page, client, django_assert_num_queries) -> None:
    client.cookies[ACCESS_COOKIE] = page.cookies[ACCESS_COOKIE].value
    with django_assert_num_queries(0):
        assert client.get("/hello/").status_code == 200


def test_a_refresh_sets_both_cookies(page) -> None:
    before = page.cookies[ACCESS_COOKIE].value
    send(page, "refresh")
    assert page.cookies[ACCESS_COOKIE].value != before
    assert generation_of(cookie_of(page))[1] == 1


def test_idle_lifetime_only_applies_to_the_cookie_transport(user, settings) -> None:
    settings.SIGNET = {"COOKIE": {"IDLE_LIFETIME": timedelta(minutes=7)}}
    assert drf_signet.issue(user, transport="cookie").refresh_expires_in == 420
    assert drf_signet.issue(user).refresh_expires_in == 86400
