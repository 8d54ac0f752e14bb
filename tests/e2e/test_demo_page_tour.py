"""Test the tour of the demo page: three steps, once for each browser, with the keyboard too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e.demopage import PHONE, Visit, press, start_demo, tab_to, visits, wait_for_text
from tests.e2e.example import Example, StartExample

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STEPS = ["The access token", "One call, or twenty at once", "Steal the refresh token"]


@pytest.fixture
def example(start_example: StartExample) -> Example:
    return start_demo(start_example)


@pytest.fixture
def visit(chromium: Browser, example: Example) -> Iterator[Visit]:
    with visits(chromium, example) as make:
        yield make


def marked(page: Page) -> str:
    """Return the heading of the card that the tour marks."""
    return page.locator(".marked h2").inner_text()


@pytest.mark.parametrize("viewport", [PHONE, {"width": 1440, "height": 900}])
def test_tour_stands_beside_the_card_of_each_of_its_three_steps(
    visit: Visit, viewport: dict[str, int]
) -> None:
    page = visit(viewport=viewport).log_in()
    for step, card in enumerate(STEPS, start=1):
        wait_for_text(page, "#tour-title", f"Tour: step {step} of 3")
        assert marked(page) == card
        assert page.locator("#tour + .marked").count() == 1
        press(page, "Next" if step < 3 else "Finish")
    page.locator("#tour").wait_for(state="hidden")
    assert page.locator(".marked").count() == 0


@pytest.mark.parametrize("key", ["Enter", "Escape"])
def test_tour_ends_by_keyboard_and_is_not_shown_again(visit: Visit, key: str) -> None:
    visitor = visit()
    page = visitor.log_in()
    tab_to(page, "#tour-next")
    page.keyboard.press("Enter")
    page.locator("#tour-title:focus").wait_for()
    assert marked(page) == STEPS[1]
    tab_to(page, "#tour-end")
    with page.expect_response("**/playground/tour/") as ended:
        page.keyboard.press(key)
    assert ended.value.status == 204
    page.locator("#calls-title:focus").wait_for()
    page.reload()
    page.locator("[data-status=in]").wait_for()
    assert not page.locator("#tour").is_visible()
    assert page.locator("#places .chip").all_inner_texts() == ["empty"] * 5
    assert visitor.console_errors() == []


def test_tour_can_be_taken_again_after_it_has_ended(visit: Visit) -> None:
    page = visit().log_in()
    again = page.get_by_role("button", name="Take the tour")
    assert not again.is_visible()
    press(page, "End the tour")
    again.click()
    page.locator("#tour-title:focus").wait_for()
    assert marked(page) == STEPS[0]
    assert not again.is_visible()


def test_cookie_that_remembers_the_tour_is_hidden_from_scripts(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    with page.expect_response("**/playground/tour/"):
        press(page, "End the tour")
    (cookie,) = (one for one in visitor.context.cookies() if "tour" in one["name"])
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert page.evaluate("document.cookie") == ""
