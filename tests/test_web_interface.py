"""DRF's web interface: a page with a form for every endpoint, and forms that work."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

import drf_signet
from drf_signet import EndReason, Session
from tests.conftest import PASSWORD
from tests.endpoints import (
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

#: What a browser sends.
ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def browser():
    """Return a client that asks for pages, and posts forms with CSRF checks on, as browsers do."""
    return Client(enforce_csrf_checks=True, headers={"Accept": ACCEPT})


@pytest.fixture
def pair(user):
    """Return the first tokens of a session of the user."""
    return drf_signet.issue(user)


def page(response: Any, status: int) -> str:
    """Return the text of a page."""
    assert response.status_code == status
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert response["Cache-Control"] == "no-store"
    text: str = response.content.decode()
    assert "</html>" in text
    return text


def inputs(text: str) -> dict[str, str]:
    """Return the fields of the form for POST and their types."""
    found = re.findall(r'<input name="(\w+)"[^>]* type="(\w+)"', text)
    return {name: kind for name, kind in found if not name.startswith("_")}


def posted(browser, url: str, form: str, fields: dict[str, str]) -> Any:
    """Post a form as a browser encodes it."""
    if form == FORM:
        body = "&".join(f"{name}={value.replace(' ', '+')}" for name, value in fields.items())
        return browser.generic("POST", url, body, FORM)
    return browser.post(url, fields)


forms = pytest.mark.parametrize("form", [FORM, "multipart/form-data"])


@pytest.mark.parametrize("endpoint", OPEN, ids=str)
def test_page_of_an_endpoint_has_its_form(browser, endpoint) -> None:
    found = inputs(page(browser.get(endpoint.url), 405))
    assert found == {name: "password" if name == "password" else "text" for name in endpoint.fields}


@pytest.mark.parametrize("endpoint", PROTECTED, ids=str)
def test_page_of_a_protected_endpoint_asks_for_a_token(browser, endpoint) -> None:
    text = page(browser.generic(endpoint.method, endpoint.url), 401)
    assert "Authentication credentials were not provided." in text


@forms
def test_credentials_typed_into_the_form_get_tokens(browser, user, form) -> None:
    fields = {"username": "vitor", "password": PASSWORD}
    text = page(posted(browser, OBTAIN.url, form, fields), 200)
    assert "&quot;access&quot;: &quot;" in text
    assert "&quot;refresh&quot;: &quot;" in text
    assert PASSWORD not in text


@forms
def test_refresh_token_typed_into_the_form_gets_an_access_token(browser, pair, form) -> None:
    text = page(posted(browser, REFRESH.url, form, {"refresh": pair.refresh}), 200)
    assert "&quot;access&quot;: &quot;" in text
    assert pair.refresh not in text


@forms
@pytest.mark.parametrize("token_type", ["access", "refresh"])
def test_token_typed_into_the_form_is_verified(browser, pair, form, token_type) -> None:
    token = getattr(pair, token_type)
    assert token not in page(posted(browser, VERIFY.url, form, {"token": token}), 200)


@forms
def test_refresh_token_typed_into_the_form_logs_out(browser, pair, form) -> None:
    # DRF shows a page in place of an empty answer, and for that a 200 in place of the 204.
    text = page(posted(browser, LOGOUT.url, form, {"refresh": pair.refresh}), 200)
    assert "204 No Content" in text
    assert Session.objects.get().end_reason == EndReason.LOGOUT


@forms
def test_wrong_password_typed_into_the_form_is_told_and_not_shown(browser, user, form) -> None:
    fields = {"username": "vitor", "password": "wrong horse"}
    text = page(posted(browser, OBTAIN.url, form, fields), 401)
    assert "No active account found" in text
    assert "wrong horse" not in text
    assert "wrong+horse" not in text


@forms
def test_bad_token_typed_into_the_form_is_told_and_not_shown(browser, form) -> None:
    text = page(posted(browser, REFRESH.url, form, {"refresh": "a-bad-token"}), 401)
    assert "token_not_valid" in text
    assert "a-bad-token" not in text


def test_form_that_is_half_empty_is_told_what_is_missing_and_shows_no_password(browser) -> None:
    text = page(browser.post(OBTAIN.url, {"username": "", "password": "a secret"}), 400)
    assert "This field may not be blank." in text
    assert "a secret" not in text
    assert inputs(text) == {"username": "text", "password": "password"}


def test_password_that_is_too_long_is_not_shown(browser) -> None:
    text = page(browser.post(OBTAIN.url, {"username": "vitor", "password": "secret" * 1000}), 400)
    assert "secret" not in text


@pytest.mark.parametrize("endpoint", ALL, ids=str)
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_other_methods_get_a_page_too(browser, user, token_for, endpoint, method) -> None:
    header = f"Bearer {token_for(user)}"
    response = browser.generic(method, endpoint.url, HTTP_AUTHORIZATION=header)
    assert response.status_code < 500
    assert response["Content-Type"] == "text/html; charset=utf-8"


def test_sessions_are_shown_on_a_page(browser, pair) -> None:
    header = f"Bearer {pair.access}"
    text = page(browser.get(SESSIONS.url, HTTP_AUTHORIZATION=header), 200)
    assert str(pair.session.pk) in text


def test_agents_are_escaped_on_the_page(browser, pair) -> None:
    Session.objects.update(user_agent="<script>alert(1)</script>", label="</pre>")
    header = f"Bearer {pair.access}"
    text = page(browser.get(SESSIONS.url, HTTP_AUTHORIZATION=header), 200)
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_session_is_ended_from_a_page(browser, pair) -> None:
    header = f"Bearer {pair.access}"
    url = f"{SESSIONS.url}{pair.session.pk}/"
    page(browser.get(url, HTTP_AUTHORIZATION=header), 405)
    page(browser.delete(url, HTTP_AUTHORIZATION=header), 200)
    assert Session.objects.get().end_reason == EndReason.ENDED_BY_USER


def test_unknown_session_is_a_page_too(browser, pair) -> None:
    header = f"Bearer {pair.access}"
    assert "not_found" in page(browser.delete(SESSION.url, HTTP_AUTHORIZATION=header), 404)


@forms
def test_logout_everywhere_works_from_a_form(browser, pair, form) -> None:
    browser.defaults["HTTP_AUTHORIZATION"] = f"Bearer {pair.access}"
    page(browser.get(LOGOUT_ALL.url), 405)
    page(posted(browser, LOGOUT_ALL.url, form, {"csrfmiddlewaretoken": "x"}), 200)
    assert Session.objects.get().end_reason == EndReason.LOGOUT_ALL


def test_throttled_form_gets_a_page(browser, user) -> None:
    fields = {"username": "vitor", "password": "wrong"}
    for _ in range(10):
        browser.post(OBTAIN.url, fields, headers={"Accept": "application/json"})
    response = browser.post(OBTAIN.url, fields)
    assert "throttled" in page(response, 429)
    assert response["Retry-After"]


def test_page_for_a_visitor_who_is_logged_in_to_the_site(browser, user) -> None:
    browser.force_login(user)
    assert inputs(page(browser.get(OBTAIN.url), 405)) == {
        "username": "text",
        "password": "password",
    }
    page(browser.get(SESSIONS.url), 401)  # a cookie of Django's is no token
