"""Test the admin for sessions in Chromium: rows, buttons, confirmation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest

from tests.e2e.demopage import press, start_demo
from tests.e2e.example import VITOR, Example, StartExample

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: User agents whose names have different lengths.
AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP2A.240605.024; wv) AppleWebKit/537.36 "
        "(KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.134 Mobile Safari/537.36 Instagram 339.0"
    ),
    "a program whose name is longer than any column of the list can be without a line break " * 2,
    "",
]
HEIGHTS = """
[...new Set([...document.querySelectorAll('#result_list tbody tr')]
    .map((row) => row.getBoundingClientRect().height))]
"""


@pytest.fixture
def example(start_example: StartExample) -> Example:
    return start_demo(start_example)


@pytest.fixture
def page(chromium: Browser, example: Example) -> Iterator[Page]:
    """Log in to the admin in a window of 1280 pixels, after logins from several devices."""
    for agent in AGENTS:
        log_in(example, agent)
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(example.url("admin/"))
    for name, value in VITOR.items():
        page.fill(f"#id_{name}", value)
    press(page, "Log in")
    page.goto(example.url("admin/drf_signet/session/"))
    yield page
    context.close()


def log_in(example: Example, agent: str) -> None:
    headers = {"User-Agent": agent, "Content-Type": "application/json"}
    request = Request(example.url("api/token/"), json.dumps(VITOR).encode(), headers)
    with urlopen(request) as response:
        assert response.status == 200


def states(page: Page) -> set[str]:
    page.wait_for_load_state()  # a click waits only until the next page begins
    return set(page.locator("#result_list .field-state").all_inner_texts())


def test_all_rows_are_equally_high_and_the_page_does_not_scroll(page: Page) -> None:
    assert page.locator("#result_list tbody tr").count() >= len(AGENTS)
    (height,) = page.evaluate(HEIGHTS)
    assert height < 45
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0


def test_staff_find_and_end_sessions(page: Page) -> None:
    page.fill("#searchbar", VITOR["username"])
    press(page, "Search")
    page.get_by_role("link", name="live", exact=True).click()
    assert states(page) == {"live"}
    page.locator("#result_list th a").first.click()
    press(page, "End this session")
    page.get_by_text("1 session was ended.").wait_for()
    page.get_by_role("link", name="End all sessions of this user").click()
    page.locator("#content input[type=submit]").click()
    page.locator(".messagelist").wait_for()
    assert states(page) == {"ended"}
    page.locator("#result_list").wait_for()


def test_page_of_a_user_shows_the_sessions(page: Page, example: Example) -> None:
    page.goto(example.url("admin/auth/user/"))
    page.get_by_role("link", name=VITOR["username"], exact=True).first.click()
    inline: Any = page.locator("#signet_sessions-group")
    assert "Firefox on Linux" in inline.inner_text()
    page.get_by_role("link", name="All sessions of this user", exact=True).click()
    assert "live" in states(page)
