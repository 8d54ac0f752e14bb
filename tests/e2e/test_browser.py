"""In Chromium: the forms of DRF's web interface, a front end of another origin, the admin."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import byhand
from tests.e2e.browser import file_server
from tests.e2e.clients import Curl
from tests.e2e.example import NAMES, SECRET_KEY, VITOR, Example, StartExample

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

FRONT_END = Path(__file__).with_name("front_end")


@dataclass(frozen=True, kw_only=True)
class Interface:
    """DRF's web interface, and a folder for pictures of it."""

    page: Page
    example: Example
    pictures: Path

    def open(self, path: str) -> tuple[int, Any]:
        """Open a page, and read the answer that it shows."""
        self.page.goto(self.example.url(path))
        return self.shown(f"get {path}")

    def post(self, path: str, **fields: str) -> tuple[int, Any]:
        """Fill in the form of an endpoint, send it, and read the answer."""
        self.page.goto(self.example.url(path))
        self._tab("HTML form")
        form = self.page.locator("#post-object-form form")
        for name, value in fields.items():
            form.locator(f"[name={name}]").fill(value)
        return self._send(form, f"form {path}")

    def post_raw(self, path: str, **fields: str) -> tuple[int, Any]:
        """Do the same with the form for raw JSON."""
        self.page.goto(self.example.url(path))
        self._tab("Raw data")
        form = self.page.locator("#post-generic-content-form form")
        form.locator("[name=_content]").fill(json.dumps(fields))
        return self._send(form, f"raw {path}")

    def _send(self, form: Locator, picture: str) -> tuple[int, Any]:
        form.get_by_role("button", name="POST").click()
        # The form for raw data is sent by a script, which then writes the page anew.
        self.page.locator(".request-info", has_text="POST /").wait_for()
        return self.shown(picture)

    def shown(self, picture: str) -> tuple[int, Any]:
        """Read status and JSON off the page."""
        text = self.page.locator(".response-info pre").inner_text()
        self.page.screenshot(path=self.pictures / f"{picture.replace('/', ' ')}.png")
        head, _, body = text.partition("\n\n")
        found = re.match(r"HTTP (\d+) ", head)
        assert found is not None, text
        return int(found[1]), json.loads(body) if body.strip() else None

    def _tab(self, name: str) -> None:
        self.page.get_by_role("link", name=name).click()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Return a page with an empty profile, on which no script may fail."""
    with chromium.new_context(viewport={"width": 1100, "height": 900}) as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        assert errors == []


@pytest.fixture
def interface(page: Page, example: Example, tmp_path: Path) -> Interface:
    return Interface(page=page, example=example, pictures=tmp_path)


def test_credentials_typed_into_the_form_get_a_pair(interface: Interface) -> None:
    assert interface.open("api/token/")[0] == 405, "the page with the form; only POST is accepted"
    status, pair = interface.post("api/token/", **VITOR)
    assert (status, pair.keys()) == (200, {"access", "refresh"})
    signing_input, _, signature = pair["access"].rpartition(".")
    assert signature == byhand.signature(signing_input, SECRET_KEY)


def test_a_wrong_password_is_refused_without_being_shown(interface: Interface) -> None:
    status, answer = interface.post("api/token/", username="vitor", password="not this one")
    assert (status, answer["code"]) == (401, "no_active_account")
    assert "not this one" not in interface.page.content()


def test_empty_fields_are_named_beside_the_form(interface: Interface) -> None:
    status, answer = interface.post("api/token/")
    assert (status, answer["code"]) == (400, "invalid")
    assert answer.keys() >= {"username", "password"}


def test_a_refresh_token_pasted_into_the_form_is_refreshed(interface: Interface) -> None:
    _, pair = interface.post("api/token/", **VITOR)
    for post in (interface.post, interface.post_raw):
        status, answer = post("api/token/refresh/", refresh=pair["refresh"])
        assert (status, answer.keys()) == (200, {"access"})


def test_every_other_endpoint_works_by_its_form(interface: Interface) -> None:
    _, pair = interface.post_raw("api/token/", **VITOR)
    assert interface.post("api/token/verify/", token=pair["access"]) == (200, {})
    assert interface.post("api/token/logout/", refresh=pair["refresh"]) == (204, None)
    status, answer = interface.post("api/token/refresh/", refresh=pair["refresh"])
    assert (status, answer["code"]) == (401, "token_not_valid")


def test_the_protected_page_knows_the_user_of_the_token(interface: Interface) -> None:
    assert interface.open("hello/")[0] == 401
    _, pair = interface.post("api/token/", **VITOR)
    interface.page.set_extra_http_headers({"Authorization": f"Bearer {pair['access']}"})
    assert interface.open("hello/") == (200, {"message": "Hello, World!"})
    assert interface.page.locator(".navbar").inner_text().strip().endswith("vitor")
    status, sessions = interface.open("api/token/sessions/")
    assert (status, [one["current"] for one in sessions].count(True)) == (200, 1)


def test_log_out_everywhere_works_by_its_form(interface: Interface) -> None:
    interface.example.make_user("rita")
    _, pair = interface.post("api/token/", username="rita", password="123")
    interface.page.set_extra_http_headers({"Authorization": f"Bearer {pair['access']}"})
    assert interface.post_raw("api/token/logout/all/")[0] == 204
    interface.page.set_extra_http_headers({})
    status, _ = interface.post("api/token/refresh/", refresh=pair["refresh"])
    assert status == 401


@pytest.mark.parametrize("name", NAMES)
def test_a_front_end_of_another_origin_keeps_tokens_in_local_storage(
    name: str, page: Page, start_example: StartExample, curl: Curl
) -> None:
    example = start_example(**NAMES[name])
    with file_server(FRONT_END) as origin:
        page.goto(f"{origin}/index.html?api={example.base}")
        page.locator("#hello").click()
        said = page.locator("#said")
        said.get_by_text("401 token_not_valid").wait_for()
        for field, value in VITOR.items():
            page.locator(f"[name={field}]").fill(value)
        page.get_by_role("button", name="Log in").click()
        said.get_by_text("200 ok").wait_for()
        page.locator("#hello").click()
        said.get_by_text("200 Hello, World!").wait_for()

        page.reload()
        first = page.evaluate("localStorage.getItem('access')")
        page.locator("#refresh").click()
        said.get_by_text("200 ok").wait_for()
        page.wait_for_function(f"localStorage.getItem('access') !== '{first}'")
        page.locator("#hello").click()
        said.get_by_text("200 Hello, World!").wait_for()

        stored = page.evaluate("localStorage.getItem('access')")
    assert curl.get(example.url("hello/"), access=stored).status == 200


def test_the_admin_shows_and_ends_sessions(interface: Interface, curl: Curl) -> None:
    example, page = interface.example, interface.page
    refresh = curl.post(example.url("api/token/"), **VITOR).json["refresh"]
    page.goto(example.url("admin/"))
    page.locator("[name=username]").fill(VITOR["username"])
    page.locator("[name=password]").fill(VITOR["password"])
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Sessions", exact=True).click()
    page.screenshot(path=interface.pictures / "admin sessions.png")
    assert refresh not in page.content()

    sid = byhand.claims(refresh)["sid"]
    page.locator(f"input[name=_selected_action][value='{sid}']").check()
    page.locator("select[name=action]").select_option("end_selected")
    page.get_by_role("button", name="Go").click()
    page.get_by_text("1 session was ended.").wait_for()
    assert curl.post(example.url("api/token/refresh/"), refresh=refresh).status == 401
