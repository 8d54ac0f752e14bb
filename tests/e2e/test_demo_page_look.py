"""Test the layout, accessibility and security of the demo page, and that the page needs DEBUG."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.docs.pages import MAX_PICTURE_BYTES
from tests.e2e.axe import find_violations, load_axe
from tests.e2e.clients import Curl
from tests.e2e.demopage import (
    DESKTOP,
    PHONE,
    PLAYGROUND,
    Visit,
    Visitor,
    overflow_width,
    press,
    shown_statuses,
    start_demo,
    steal,
    tab_to,
    visits,
    wait_for_text,
)
from tests.e2e.example import Example, StartExample
from tests.e2e.node import require_modules

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZES = pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])


@pytest.fixture
def example(start_example: StartExample) -> Example:
    return start_demo(start_example)


@pytest.fixture
def visit(chromium: Browser, example: Example) -> Iterator[Visit]:
    with visits(chromium, example) as make:
        yield make


def open_all_code(page: Page) -> None:
    """Expand every visible code section, and wait until its code is loaded."""
    for details in page.locator("details:visible").all():
        details.locator("summary").click()
        details.locator("code:not(:empty)").wait_for()


def use_cards(page: Page) -> None:
    """Press buttons on the page's cards, so that the cards show results."""
    press(page, "20 at once")
    wait_for_text(page, "#calls-out", "1 refresh.")
    press(page, "Expire now, and call")
    shown_statuses(page, "#expire-out")
    press(page, "Log in on a phone")
    wait_for_text(page, "#devices", "Safari on iPhone")
    steal(page)
    press(page, "Refresh as yourself")
    wait_for_text(page, "#theft-out", "the new token")


@SIZES
def test_page_needs_no_horizontal_scrolling(visit: Visit, viewport: dict[str, int]) -> None:
    visitor = visit(viewport=viewport)
    page = visitor.open()
    open_all_code(page)
    assert overflow_width(page) == 0
    press(page, "Log in")
    wait_for_text(page, "#devices", "this device")
    use_cards(page)
    open_all_code(page)
    assert overflow_width(page) == 0
    assert visitor.console_errors(401) == []


def test_event_log_stays_in_sight_on_a_phone_while_a_card_is_used(visit: Visit) -> None:
    page = visit(viewport=PHONE).log_in()
    for button, path in (("One call", "/hello/"), ("Reload the list", "/auth/sessions/")):
        with page.expect_response(f"**{path}"):
            press(page, button)
        newest = wait_for_text(page, "#events li:first-child", path).bounding_box()
        assert newest is not None
        assert newest["y"] + newest["height"] < PHONE["height"]
        assert page.get_by_role("button", name=button, exact=True).is_visible()
    press(page, "Show more")
    assert page.locator("#log").evaluate("(log) => log.clientHeight") > PHONE["height"] / 3
    press(page, "Show less")
    assert page.locator("#log").evaluate("(log) => log.clientHeight") < PHONE["height"] / 6


#: The height of the largest empty space between two elements of each card, in pixels.
GAPS = """(cards) => cards.map((card) => {
  const boxes = [...card.children].map((child) => child.getBoundingClientRect());
  const last = boxes.at(-1).bottom + parseFloat(getComputedStyle(card).paddingBottom);
  const gaps = boxes.slice(1).map((box, place) => box.top - boxes[place].bottom);
  return Math.max(...gaps, card.getBoundingClientRect().bottom - last);
})"""


def test_no_card_is_stretched_to_the_height_of_its_neighbour(visit: Visit) -> None:
    page = visit().log_in()
    for _ in range(4):
        press(page, "Log in on a phone")
        page.locator("#device:not([aria-disabled])").wait_for()
    use_cards(page)
    gaps = page.locator(".cards .card").evaluate_all(GAPS)
    assert len(gaps) == 8
    assert max(gaps) <= 24


def test_disabled_button_looks_different_from_the_same_button_when_enabled(visit: Visit) -> None:
    page = visit().log_in()
    button = page.get_by_role("button", name="Refresh as the thief")
    look = "({color, borderStyle, cursor}) => [color, borderStyle, cursor]"
    get_look = f"(button) => ({look})(getComputedStyle(button))"
    disabled = button.evaluate(get_look)
    steal(page)
    page.locator("#replay:enabled").wait_for()
    assert [a for a, b in zip(disabled, button.evaluate(get_look), strict=True) if a == b] == []
    assert disabled[2] == "not-allowed"


FIND_SMALL = """(elements) => elements
  .map((element) => ['radio', 'checkbox'].includes(element.type) ? element.parentElement : element)
  .filter((element) => element.getBoundingClientRect().height < 44)
  .map((element) => element.outerHTML)"""


def test_touch_targets_are_at_least_44_pixels_high(visit: Visit) -> None:
    visitor = visit(viewport=PHONE, has_touch=True)
    page = visitor.open()
    targets = ":is(a, button, input, summary):visible"
    # Ignore the first link, which is the skip link: it is off screen until it has the focus.
    assert page.locator(targets).evaluate_all(FIND_SMALL)[1:] == []
    press(page, "Log in")
    wait_for_text(page, "#devices", "this device")
    assert page.locator(targets).count() > 20
    assert page.locator(targets).evaluate_all(FIND_SMALL)[1:] == []


def test_page_works_by_keyboard_and_the_focus_is_always_visible(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open()
    tab_to(page, ".skip")
    tab_to(page, "#username")
    page.keyboard.press("Enter")
    page.locator("#in-title:focus").wait_for()
    tab_to(page, "#call")
    page.keyboard.press("Enter")
    wait_for_text(page, "#calls-out", "Hello, World!")
    tab_to(page, "[name=weather]")
    page.keyboard.press("ArrowRight")
    wait_for_text(page, "#weather-now", "offline")
    page.keyboard.press("ArrowLeft")
    tab_to(page, "#logout", key="Shift+Tab")
    page.keyboard.press("Enter")
    wait_for_text(page, "#why", "You are logged out.")
    page.locator("#username:focus").wait_for()
    assert visitor.console_errors() == []


def test_refresh_moves_neither_the_focus_nor_the_scroll_position(visit: Visit) -> None:
    page = visit().log_in()
    page.evaluate("document.activeElement.blur(); scrollTo(0, 700)")
    old_payload = page.locator("#token-payload").inner_text()
    # Click with JavaScript: a click by Playwright would scroll the page and move the focus.
    page.locator("#renew").evaluate("(button) => button.click()")
    page.wait_for_function(
        "(old) => document.querySelector('#token-payload').textContent !== old", arg=old_payload
    )
    assert page.evaluate("[document.activeElement.tagName, scrollY]") == ["BODY", 700]


@SIZES
def test_axe_finds_no_violation_in_light_and_dark(visit: Visit, viewport: dict[str, int]) -> None:
    """Run axe-core with `bypass_csp`: the page's Content-Security-Policy would block axe-core."""
    require_modules()
    page = visit(viewport=viewport, bypass_csp=True).open()
    load_axe(page)
    open_all_code(page)
    assert find_violations(page) == []
    press(page, "Log in")
    wait_for_text(page, "#devices", "this device")
    use_cards(page)
    open_all_code(page)
    assert find_violations(page) == []
    press(page, "Log out")
    wait_for_text(page, "#why", "You are logged out.")
    assert find_violations(page) == []


def test_code_shown_in_each_card_is_the_code_that_runs(visit: Visit) -> None:
    page = visit().log_in()
    open_all_code(page)
    cards = page.locator(".cards .card")
    assert cards.count() == 8
    assert [card for card in cards.all() if card.locator("details").count() == 0] == []
    files = [*PLAYGROUND.glob("static/playground/*.js"), PLAYGROUND / "theft.py"]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    running = re.sub(r"^ +", "", source, flags=re.MULTILINE)
    for code in page.locator("details code").all_inner_texts():
        lines = [line.strip() for line in code.strip().splitlines()]
        assert not code or "\n".join(lines) in running


def test_files_of_the_page_are_at_most_300_lines_long() -> None:
    files = [path for path in PLAYGROUND.rglob("*.*") if path.suffix in {".js", ".css", ".html"}]
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert len(lines) > 20
    assert {name: number for name, number in lines.items() if number > 300} == {}


def test_event_log_lists_each_request_and_is_announced_by_screen_readers(visit: Visit) -> None:
    page = visit().log_in()
    log = page.get_by_role("log", name="Event log")
    assert log.get_attribute("aria-live") == "polite"
    before = log.locator("li").count()
    press(page, "One call")
    wait_for_text(page, "#calls-out", "Hello, World!")
    assert log.locator("li").count() == before + 1
    entry = log.locator("li").first.inner_text().split("\n")
    assert re.fullmatch(r"\d\d:\d\d:\d\d GET /hello/ 200 a protected call \d+ ms", " ".join(entry))
    press(page, "Clear")
    assert log.locator("li").count() == 0


def test_only_the_demo_page_has_a_content_security_policy(example: Example) -> None:
    policy = Curl().get(example.url("")).headers["Content-Security-Policy"]
    assert policy is not None
    parts = dict(part.split(" ", 1) for part in policy.split("; "))
    assert parts["default-src"] == parts["frame-ancestors"] == "'none'"
    assert parts["script-src"] == parts["style-src"] == parts["connect-src"] == "'self'"
    assert "unsafe" not in policy
    for path in ("hello/", "api/token/", "admin/login/"):
        assert "Content-Security-Policy" not in Curl().get(example.url(path)).headers


def test_injected_inline_script_does_not_run(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open()
    page.evaluate("""() => {
      const script = document.createElement('script');
      try { script.text = 'window.ran = true'; } catch { window.blocked = true; }
      document.head.append(script);
    }""")
    assert page.evaluate("[window.ran, window.blocked]") == [None, True]
    assert visitor.console != []  # Chromium logs the violation of the policy


def test_demo_page_and_its_endpoints_are_404_without_debug(start_example: StartExample) -> None:
    example = start_example(django_debug="0")
    assert Curl().get(example.url("")).status == 404
    for name in ("expired", "device", "theft", "thief", "tour", "user"):
        for method in ("GET", "POST"):
            assert Curl().run("-X", method, example.url(f"playground/{name}/")).status == 404, name


def test_weather_header_is_ignored_without_debug(start_example: StartExample) -> None:
    example = start_example(django_debug="0")
    page = ["X-Weather: failing", "X-Requested-With: x", "Sec-Fetch-Site: same-origin"]
    headers = [part for line in (*page, "Content-Type: application/json") for part in ("-H", line)]
    assert Curl().run(*headers, "-d", "{}", example.url("auth/refresh/")).status == 204


@pytest.mark.parametrize("path", ["playground/theft/", "playground/thief/"])
def test_theft_endpoints_reject_requests_from_other_sites(example: Example, path: str) -> None:
    answer = Curl().run("-X", "POST", "-H", "Content-Type: application/json", example.url(path))
    assert (answer.status, answer.json["reason"]) == (403, "header_missing")


def picture(page: Page, name: str, directory: Path) -> Path:
    """Save a screenshot for the documentation, and return the path of the file.

    The environment variable SIGNET_SCREENSHOTS contains the folder for the file. If the variable is
    not set, the folder is `directory`. The format is lossless WebP, because WebP files are much
    smaller than PNG files.
    """
    folder = Path(os.environ.get("SIGNET_SCREENSHOTS") or directory)
    folder.mkdir(parents=True, exist_ok=True)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    path = folder / f"demo-{name}.webp"
    with Image.open(BytesIO(page.screenshot(animations="disabled"))) as taken:
        taken.save(path, lossless=True, quality=100, method=6)  # slow, but creates small files
    return path


LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 1180}},
    "dark": {"viewport": {"width": 1280, "height": 1180}, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "device_scale_factor": 2},
}


@pytest.mark.parametrize("name", LOOKS)
def test_pictures_for_the_documentation_can_be_taken(
    visit: Visit, tmp_path: Path, name: str
) -> None:
    visitor: Visitor = visit(**LOOKS[name])
    page = visitor.log_in()
    press(page, "End the tour")
    press(page, "Clear")
    use_cards(page)
    assert 10_000 < picture(page, name, tmp_path).stat().st_size <= MAX_PICTURE_BYTES
