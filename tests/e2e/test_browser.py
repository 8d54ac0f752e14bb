"""Test DRF's browsable API, a front end on another origin, and the admin in Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import jwt_by_hand
from tests.e2e.chromium import file_server
from tests.e2e.clients import Curl
from tests.e2e.example import IMPORT_PATHS, SECRET_KEY, VITOR, Example, StartExample

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

FRONT_END = Path(__file__).with_name("front_end")


@dataclass(frozen=True, kw_only=True)
class Interface:
    """DRF's browsable API, opened in a browser, and the folder for screenshots."""

    page: Page
    example: Example
    screenshots: Path

    def open(self, path: str) -> tuple[int, Any]:
        """Open a page of the API, and return the status and JSON that the page shows."""
        self.page.goto(self.example.url(path))
        return self._read_response(f"get {path}")

    def post(self, path: str, **fields: str) -> tuple[int, Any]:
        """Submit the HTML form of an endpoint. Return the status and JSON of the response."""
        self.page.goto(self.example.url(path))
        self._select_tab("HTML form")
        form = self.page.locator("#post-object-form form")
        for name, value in fields.items():
            form.locator(f"[name={name}]").fill(value)
        return self._send(form, f"form {path}")

    def post_raw(self, path: str, **fields: str) -> tuple[int, Any]:
        """Submit the raw data form of an endpoint. Return the status and JSON of the response."""
        self.page.goto(self.example.url(path))
        self._select_tab("Raw data")
        form = self.page.locator("#post-generic-content-form form")
        form.locator("[name=_content]").fill(json.dumps(fields))
        return self._send(form, f"raw {path}")

    def _send(self, form: Locator, screenshot: str) -> tuple[int, Any]:
        form.get_by_role("button", name="POST").click()
        # A script sends the raw data form, so Playwright does not wait for the response by itself.
        self.page.locator(".request-info", has_text="POST /").wait_for()
        return self._read_response(screenshot)

    def _read_response(self, screenshot: str) -> tuple[int, Any]:
        """Take a screenshot of the page, and return the status and JSON that the page shows."""
        text = self.page.locator(".response-info pre").inner_text()
        self.page.screenshot(path=self.screenshots / f"{screenshot.replace('/', ' ')}.png")
        head, _, body = text.partition("\n\n")
        match = re.match(r"HTTP (\d+) ", head)
        assert match is not None, text
        return int(match[1]), json.loads(body) if body.strip() else None

    def _select_tab(self, name: str) -> None:
        self.page.get_by_role("link", name=name).click()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Yield a page in a new browser profile. Fail the test if a script on the page fails."""
    with chromium.new_context(viewport={"width": 1100, "height": 900}) as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        assert errors == []


@pytest.fixture
def interface(page: Page, example: Example, tmp_path: Path) -> Interface:
    return Interface(page=page, example=example, screenshots=tmp_path)


def test_login_form_returns_two_tokens(interface: Interface) -> None:
    assert interface.open("api/token/")[0] == 405, "the page with the form did not show 405 for GET"
    status, pair = interface.post("api/token/", **VITOR)
    assert (status, pair.keys()) == (200, {"access", "refresh"})
    signing_input, _, signature = pair["access"].rpartition(".")
    assert signature == jwt_by_hand.signature(signing_input, SECRET_KEY)


def test_wrong_password_is_rejected_and_not_shown(interface: Interface) -> None:
    status, answer = interface.post("api/token/", username="vitor", password="wrong-password")
    assert (status, answer["code"]) == (401, "no_active_account")
    assert "wrong-password" not in interface.page.content()


def test_empty_login_form_lists_the_missing_fields(interface: Interface) -> None:
    status, answer = interface.post("api/token/")
    assert (status, answer["code"]) == (400, "invalid")
    assert answer.keys() >= {"username", "password"}


def test_refresh_form_returns_a_new_access_token(interface: Interface) -> None:
    _, pair = interface.post("api/token/", **VITOR)
    for post in (interface.post, interface.post_raw):
        status, answer = post("api/token/refresh/", refresh=pair["refresh"])
        assert (status, answer.keys()) == (200, {"access"})


def test_verify_and_logout_forms_work(interface: Interface) -> None:
    _, pair = interface.post_raw("api/token/", **VITOR)
    assert interface.post("api/token/verify/", token=pair["access"]) == (200, {})
    assert interface.post("api/token/logout/", refresh=pair["refresh"]) == (204, None)
    status, answer = interface.post("api/token/refresh/", refresh=pair["refresh"])
    assert (status, answer["code"]) == (401, "token_not_valid")


def test_protected_view_shows_the_user_of_the_token(interface: Interface) -> None:
    assert interface.open("hello/")[0] == 401
    _, pair = interface.post("api/token/", **VITOR)
    interface.page.set_extra_http_headers({"Authorization": f"Bearer {pair['access']}"})
    assert interface.open("hello/") == (200, {"message": "Hello, World!"})
    assert interface.page.locator(".navbar").inner_text().strip().endswith("vitor")
    status, sessions = interface.open("api/token/sessions/")
    assert (status, [session["current"] for session in sessions].count(True)) == (200, 1)


def test_login_in_the_menu_lasts_until_the_logout(interface: Interface) -> None:
    page = interface.page
    assert interface.open("hello/")[0] == 401
    page.get_by_role("link", name="Log in").click()
    page.locator("[name=username]").fill(VITOR["username"])
    page.locator("[name=password]").fill(VITOR["password"])
    page.screenshot(path=interface.screenshots / "log in.png")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(interface.example.url("hello/"))
    assert interface.open("hello/") == (200, {"message": "Hello, World!"})
    status, pair = interface.post("api/token/", **VITOR)
    assert (status, pair.keys()) == (200, {"access", "refresh"})
    assert interface.open("api/token/sessions/")[0] == 401, "Django's login counts as a token"

    interface.open("hello/")
    page.get_by_role("link", name="vitor").click()
    page.screenshot(path=interface.screenshots / "menu.png")
    page.get_by_role("link", name="Log out").click()
    assert interface.open("hello/")[0] == 401


def test_response_without_a_token_keeps_its_challenge(interface: Interface, curl: Curl) -> None:
    response = curl.get(interface.example.url("hello/"))
    assert response.status == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="api"'


def test_logout_everywhere_form_ends_the_session(interface: Interface) -> None:
    interface.example.make_user("rita")
    _, pair = interface.post("api/token/", username="rita", password="123")
    interface.page.set_extra_http_headers({"Authorization": f"Bearer {pair['access']}"})
    assert interface.post_raw("api/token/logout/all/")[0] == 204
    interface.page.set_extra_http_headers({})
    status, _ = interface.post("api/token/refresh/", refresh=pair["refresh"])
    assert status == 401


@pytest.mark.parametrize("package", IMPORT_PATHS)
def test_front_end_of_another_origin_keeps_tokens_in_local_storage(
    package: str, page: Page, start_example: StartExample, curl: Curl
) -> None:
    example = start_example(**IMPORT_PATHS[package])
    with file_server(FRONT_END) as origin:
        page.goto(f"{origin}/index.html?api={example.base}")
        page.locator("#hello").click()
        result = page.locator("#result")
        result.get_by_text("401 token_not_valid").wait_for()
        for field, value in VITOR.items():
            page.locator(f"[name={field}]").fill(value)
        page.get_by_role("button", name="Log in").click()
        result.get_by_text("200 ok").wait_for()
        page.locator("#hello").click()
        result.get_by_text("200 Hello, World!").wait_for()

        page.reload()
        first_token = page.evaluate("localStorage.getItem('access')")
        page.locator("#refresh").click()
        result.get_by_text("200 ok").wait_for()
        page.wait_for_function(f"localStorage.getItem('access') !== '{first_token}'")
        page.locator("#hello").click()
        result.get_by_text("200 Hello, World!").wait_for()

        stored_token = page.evaluate("localStorage.getItem('access')")
    assert curl.get(example.url("hello/"), access=stored_token).status == 200


def test_admin_lists_and_ends_sessions(interface: Interface, curl: Curl) -> None:
    example, page = interface.example, interface.page
    refresh_token = curl.post(example.url("api/token/"), **VITOR).json["refresh"]
    page.goto(example.url("admin/"))
    page.locator("[name=username]").fill(VITOR["username"])
    page.locator("[name=password]").fill(VITOR["password"])
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Sessions", exact=True).click()
    page.screenshot(path=interface.screenshots / "admin sessions.png")
    assert refresh_token not in page.content()

    sid = jwt_by_hand.claims(refresh_token)["sid"]
    page.locator(f"input[name=_selected_action][value='{sid}']").check()
    page.locator("select[name=action]").select_option("end_selected")
    page.get_by_role("button", name="Go").click()
    page.get_by_text("1 session was ended.").wait_for()
    assert curl.post(example.url("api/token/refresh/"), refresh=refresh_token).status == 401
