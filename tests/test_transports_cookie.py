"""The refresh cookie and the access cookie: found in the raw header, written whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.urls import reverse

import drf_signet
from drf_signet.testing import browser_client
from drf_signet.transports import cookie
from tests.browser import ACCESS_COOKIE, REFRESH_COOKIE, cookie_of, is_deleted, log_in, send
from tests.conftest import PASSWORD
from tests.situations import generation_of

ACCESS = {"COOKIE": {"ACCESS_NAME": "signet-access-token"}}
PAGE = {"HTTP_X_REQUESTED_WITH": "x", "HTTP_SEC_FETCH_SITE": "same-origin"}


def found(rf: Any, header: str) -> str | None:
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
def test_cookie_is_found_once_or_not_at_all(rf, header, value) -> None:
    assert found(rf, header) == value


#: What Python takes for white space, and browsers for the first letter of a name without prefix.
SPACES = [chr(code) for code in range(256) if chr(code).isspace() and chr(code) not in " \t"]


@pytest.mark.parametrize("space", [*SPACES, "\xc2\xa0", "\xe2\x80\x80"], ids=ascii)
def test_cookie_whose_prefix_hides_behind_a_space_is_none_of_ours(rf, space) -> None:
    assert found(rf, f"{space}{REFRESH_COOKIE}=a") is None
    assert found(rf, f"{REFRESH_COOKIE}{space}=a") is None
    assert found(rf, f"{space}{REFRESH_COOKIE}=a; {REFRESH_COOKIE}=b") == "b"


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("cookie", ["signet-refresh-token={}", "{0}; {0}", "{0}; x=1; {0}"])
def test_refresh_ignores_a_cookie_without_its_prefix_or_twice(cookie) -> None:
    token = cookie_of(log_in())
    whole = cookie.format(token if "={}" in cookie else f"{REFRESH_COOKIE}={token}")
    answer = send(browser_client(), "refresh", HTTP_COOKIE=whole)
    assert (answer.status_code, answer.cookies) == (204, {})


def test_name_and_secure_are_those_of_the_settings_whatever_the_request(user, settings) -> None:
    settings.SIGNET = {"COOKIE": {"SECURE": False, "SAMESITE": "Lax", "PATH": "/auth/"}}
    client = browser_client()
    answer = send(client, "login", {"username": "vitor", "password": PASSWORD}, secure=True)
    morsel = answer.cookies["signet-refresh-token"]
    assert (morsel["secure"], morsel["samesite"], morsel["path"]) == ("", "Lax", "/auth/")
    assert morsel["httponly"]
    assert send(client, "refresh").status_code == 200
    gone = send(client, "logout").cookies["signet-refresh-token"]
    assert (gone.value, gone["path"], gone["max-age"]) == ("", "/auth/", 0)


def test_path_of_its_own_has_the_other_prefix(user, settings) -> None:
    settings.SIGNET = {"COOKIE": {"PATH": "/auth/"}}
    client = browser_client(user)
    assert list(client.cookies) == ["__Secure-signet-refresh-token"]
    assert send(client, "refresh").status_code == 200


def test_pair_of_the_token_transport_is_put_into_no_cookie(user) -> None:
    with pytest.raises(ValueError, match='transport="cookie"'):
        drf_signet.set_cookie(HttpResponse(), drf_signet.issue(user))


def test_token_that_browsers_would_drop_is_a_mistake(user, settings) -> None:
    settings.SIGNET = {**ACCESS, "CLAIMS": lambda user, session: {"motto": "m" * 4000}}
    with pytest.raises(ValueError, match="too long for the cookie __Host-signet-access-token"):
        drf_signet.set_cookie(HttpResponse(), drf_signet.issue(user, transport="cookie"))


def test_own_view_sets_and_deletes_the_cookie(user, rf) -> None:
    pair = drf_signet.issue(user, rf.get("/"), transport="cookie")
    response = HttpResponse()
    drf_signet.set_cookie(response, pair)
    assert response.cookies[REFRESH_COOKIE].value == pair.refresh
    assert response.cookies[REFRESH_COOKIE]["max-age"] == pair.refresh_expires_in == 14 * 86400
    gone = HttpResponse()
    drf_signet.delete_cookie(gone)
    assert is_deleted(gone)


def test_issuing_for_a_cookie_ends_the_session_of_the_one_that_came(user, rf) -> None:
    former = drf_signet.issue(user, transport="cookie")
    request = rf.get("/", HTTP_COOKIE=f"{REFRESH_COOKIE}={former.refresh}")
    drf_signet.issue(user, request)
    former.session.refresh_from_db()
    assert former.session.end_reason == ""
    drf_signet.issue(user, request, transport="cookie")
    former.session.refresh_from_db()
    assert former.session.end_reason == "logout"


def test_unknown_transport_is_a_mistake(user) -> None:
    with pytest.raises(ValueError, match="pigeon"):
        drf_signet.issue(user, transport="pigeon")


# The access cookie


@pytest.fixture
def page(user, settings):
    """Return a client whose access token is in a cookie too."""
    settings.SIGNET = ACCESS
    return log_in()


def test_access_cookie_opens_protected_views(page, client) -> None:
    morsel = page.cookies[ACCESS_COOKIE]
    assert (morsel["max-age"], morsel["path"], morsel["httponly"]) == (300, "/", True)
    client.cookies[ACCESS_COOKIE] = morsel.value
    assert client.get("/hello/").status_code == 200


def test_access_cookie_is_ignored_where_it_is_not_switched_on(page, client, settings) -> None:
    client.cookies[ACCESS_COOKIE] = page.cookies[ACCESS_COOKIE].value
    settings.SIGNET = {}
    answer = client.get("/hello/")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="api"')


def test_refresh_token_is_no_access_cookie(page, client) -> None:
    client.cookies[ACCESS_COOKIE] = cookie_of(page)
    answer = client.get("/hello/")
    assert (answer.status_code, answer.json()["reason"]) == (401, "wrong_type")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'


def test_access_cookie_is_deleted_with_the_other(page) -> None:
    answer = send(page, "logout")
    assert is_deleted(answer)
    assert is_deleted(answer, ACCESS_COOKIE)


def test_header_and_cookie_of_different_sessions_are_400(page, user) -> None:
    header = f"Bearer {drf_signet.issue(user).access}"
    answer = page.get("/hello/", HTTP_AUTHORIZATION=header)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_authorization_header")


@pytest.mark.parametrize("other", ["", "x", "a.b.c"])
def test_header_beside_a_cookie_that_is_no_token_counts(page, user, other) -> None:
    page.cookies[ACCESS_COOKIE] = other
    header = f"Bearer {drf_signet.issue(user).access}"
    assert page.get("/hello/", HTTP_AUTHORIZATION=header).status_code == 200


def test_header_and_cookie_of_one_session_are_one_credential(page) -> None:
    access = send(page, "refresh").json()["access"]
    answer = page.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {access}")
    assert answer.status_code == 200


def test_bad_header_is_not_saved_by_a_good_cookie(page) -> None:
    assert page.get("/hello/", HTTP_AUTHORIZATION="Bearer x").status_code == 401


def test_other_cookies_are_ignored(page, client) -> None:
    token = page.cookies[ACCESS_COOKIE].value
    client.cookies.load({"signet-access-token": token, "access": token, "sessionid": token})
    assert client.get("/hello/").status_code == 401


def test_unsafe_method_with_the_access_cookie_is_guarded(page, client) -> None:
    client.cookies[ACCESS_COOKIE] = page.cookies[ACCESS_COOKIE].value
    url = reverse("token_logout_all")
    answer = client.post(url)
    assert (answer.status_code, answer.json()["reason"]) == (403, "header_missing")
    foreign = {"HTTP_X_REQUESTED_WITH": "x", "HTTP_SEC_FETCH_SITE": "cross-site"}
    assert client.post(url, **foreign).json()["reason"] == "cross_site"
    assert client.post(url, **PAGE).status_code == 204


def test_unsafe_method_with_a_header_needs_no_guard(page, client) -> None:
    client.cookies[ACCESS_COOKIE] = token = page.cookies[ACCESS_COOKIE].value
    answer = client.post(reverse("token_logout_all"), HTTP_AUTHORIZATION=f"Bearer {token}")
    assert answer.status_code == 204


def test_access_cookie_costs_no_statement(page, client, django_assert_num_queries) -> None:
    client.cookies[ACCESS_COOKIE] = page.cookies[ACCESS_COOKIE].value
    with django_assert_num_queries(0):
        assert client.get("/hello/").status_code == 200


def test_every_refresh_sets_both(page) -> None:
    before = page.cookies[ACCESS_COOKIE].value
    send(page, "refresh")
    assert page.cookies[ACCESS_COOKIE].value != before
    assert generation_of(cookie_of(page))[1] == 1


def test_idle_lifetime_is_of_the_cookie_alone(user, settings) -> None:
    settings.SIGNET = {"COOKIE": {"IDLE_LIFETIME": timedelta(minutes=7)}}
    assert drf_signet.issue(user, transport="cookie").refresh_expires_in == 420
    assert drf_signet.issue(user).refresh_expires_in == 86400
