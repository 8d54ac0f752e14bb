"""Test DRF's browsable API: every endpoint has a page and a working form."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

import drf_signet
from drf_signet import EndReason, Session
from tests.conftest import PASSWORD
from tests.support.endpoint_table import (
    ALL,
    LOGOUT,
    LOGOUT_ALL,
    OBTAIN,
    OPEN,
    PROTECTED,
    REFRESH,
    SESSION,
    SESSIONS,
    VERIFY,
)

#: The Accept header that a browser sends.
ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def browser():
    """Return a client that requests HTML, with CSRF checks enabled as for a browser."""
    return Client(enforce_csrf_checks=True, headers={"Accept": ACCEPT})


@pytest.fixture
def pair(user):
    """Open a session for the user; return its first pair of tokens."""
    return drf_signet.issue(user)


def page(response: Any, status: int) -> str:
    """Check that a response is an HTML page and is not cached; return the HTML."""
    assert response.status_code == status
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert response["Cache-Control"] == "no-store"
    text: str = response.content.decode()
    assert "</html>" in text
    return text


def inputs(text: str) -> dict[str, str]:
    """Return the names and types of the input fields in the page's form."""
    fields = re.findall(r'<input name="(\w+)"[^>]* type="(\w+)"', text)
    return {name: kind for name, kind in fields if not name.startswith("_")}


def post_form(browser, url: str, form: str, fields: dict[str, str]) -> Any:
    """Post a form in the given encoding, as a browser does."""
    if form == FORM:
        body = "&".join(f"{name}={value.replace(' ', '+')}" for name, value in fields.items())
        return browser.generic("POST", url, body, FORM)
    return browser.post(url, fields)


forms = pytest.mark.parametrize("form", [FORM, "multipart/form-data"])


@pytest.mark.parametrize("endpoint", OPEN, ids=str)
def test_page_of_an_endpoint_has_a_form_with_its_fields(browser, endpoint) -> None:
    fields = inputs(page(browser.get(endpoint.url), 405))
    assert fields == {
        name: "password" if name == "password" else "text" for name in endpoint.fields
    }


@pytest.mark.parametrize("endpoint", PROTECTED, ids=str)
def test_page_of_a_protected_endpoint_asks_for_a_token(browser, endpoint) -> None:
    text = page(browser.generic(endpoint.method, endpoint.url), 401)
    assert "Authentication credentials were not provided." in text


@forms
def test_login_form_returns_tokens_and_does_not_show_the_password(browser, user, form) -> None:
    fields = {"username": "vitor", "password": PASSWORD}
    text = page(post_form(browser, OBTAIN.url, form, fields), 200)
    assert "&quot;access&quot;: &quot;" in text
    assert "&quot;refresh&quot;: &quot;" in text
    assert PASSWORD not in text


@forms
def test_refresh_form_returns_an_access_token(browser, pair, form) -> None:
    text = page(post_form(browser, REFRESH.url, form, {"refresh": pair.refresh}), 200)
    assert "&quot;access&quot;: &quot;" in text
    assert pair.refresh not in text


@forms
@pytest.mark.parametrize("token_type", ["access", "refresh"])
def test_verify_form_accepts_a_valid_token(browser, pair, form, token_type) -> None:
    token = getattr(pair, token_type)
    assert token not in page(post_form(browser, VERIFY.url, form, {"token": token}), 200)


@forms
def test_logout_form_ends_the_session(browser, pair, form) -> None:
    # DRF renders a page even for an empty response, and changes the status from 204 to 200.
    text = page(post_form(browser, LOGOUT.url, form, {"refresh": pair.refresh}), 200)
    assert "204 No Content" in text
    assert Session.objects.get().end_reason == EndReason.LOGOUT


@forms
def test_login_form_with_a_wrong_password_shows_the_error_and_not_the_password(
    browser, user, form
) -> None:
    fields = {"username": "vitor", "password": "wrong horse"}
    text = page(post_form(browser, OBTAIN.url, form, fields), 401)
    assert "No active account found" in text
    assert "wrong horse" not in text
    assert "wrong+horse" not in text


@forms
def test_refresh_form_with_an_invalid_token_shows_the_error_and_not_the_token(
    browser, form
) -> None:
    text = page(post_form(browser, REFRESH.url, form, {"refresh": "a-bad-token"}), 401)
    assert "token_not_valid" in text
    assert "a-bad-token" not in text


def test_login_form_without_a_username_shows_the_error_and_not_the_password(browser) -> None:
    text = page(browser.post(OBTAIN.url, {"username": "", "password": "a secret"}), 400)
    assert "This field may not be blank." in text
    assert "a secret" not in text
    assert inputs(text) == {"username": "text", "password": "password"}


def test_login_form_with_a_too_long_password_does_not_show_it(browser) -> None:
    text = page(browser.post(OBTAIN.url, {"username": "vitor", "password": "secret" * 1000}), 400)
    assert "secret" not in text


@pytest.mark.parametrize("endpoint", ALL, ids=str)
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_other_methods_return_a_page(browser, user, token_for, endpoint, method) -> None:
    header = f"Bearer {token_for(user)}"
    response = browser.generic(method, endpoint.url, HTTP_AUTHORIZATION=header)
    assert response.status_code < 500
    assert response["Content-Type"] == "text/html; charset=utf-8"


def test_session_list_is_shown_on_a_page(browser, pair) -> None:
    header = f"Bearer {pair.access}"
    text = page(browser.get(SESSIONS.url, HTTP_AUTHORIZATION=header), 200)
    assert str(pair.session.pk) in text


def test_user_agents_and_labels_are_escaped_on_the_page(browser, pair) -> None:
    Session.objects.update(user_agent="<script>alert(1)</script>", label="</pre>")
    header = f"Bearer {pair.access}"
    text = page(browser.get(SESSIONS.url, HTTP_AUTHORIZATION=header), 200)
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_session_can_be_ended_from_its_page(browser, pair) -> None:
    header = f"Bearer {pair.access}"
    url = f"{SESSIONS.url}{pair.session.pk}/"
    page(browser.get(url, HTTP_AUTHORIZATION=header), 405)
    page(browser.delete(url, HTTP_AUTHORIZATION=header), 200)
    assert Session.objects.get().end_reason == EndReason.ENDED_BY_USER


def test_unknown_session_is_404_on_a_page(browser, pair) -> None:
    header = f"Bearer {pair.access}"
    assert "not_found" in page(browser.delete(SESSION.url, HTTP_AUTHORIZATION=header), 404)


@forms
def test_logout_everywhere_form_ends_the_session(browser, pair, form) -> None:
    browser.defaults["HTTP_AUTHORIZATION"] = f"Bearer {pair.access}"
    page(browser.get(LOGOUT_ALL.url), 405)
    page(post_form(browser, LOGOUT_ALL.url, form, {"csrfmiddlewaretoken": "x"}), 200)
    assert Session.objects.get().end_reason == EndReason.LOGOUT_ALL


def test_throttled_login_form_returns_a_page(browser, user) -> None:
    fields = {"username": "vitor", "password": "wrong"}
    for _ in range(10):
        browser.post(OBTAIN.url, fields, headers={"Accept": "application/json"})
    response = browser.post(OBTAIN.url, fields)
    assert "throttled" in page(response, 429)
    assert response["Retry-After"]


def test_django_session_does_not_authenticate_on_the_pages(browser, user) -> None:
    browser.force_login(user)
    assert inputs(page(browser.get(OBTAIN.url), 405)) == {
        "username": "text",
        "password": "password",
    }
    page(browser.get(SESSIONS.url), 401)  # a Django session does not replace the token
