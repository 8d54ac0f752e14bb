"""The demo page to the eye, the hand and the screen reader; and closed to all others."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.clients import Curl
from tests.e2e.demopage import (
    DESKTOP,
    PHONE,
    PLAYGROUND,
    Visit,
    Visitor,
    press,
    says,
    sideways,
    start_demo,
    steal,
    steps,
    tab_to,
    visits,
)
from tests.e2e.example import Example, StartExample
from tests.e2e.node import MODULES, require_modules

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

AXE = MODULES / "axe-core/axe.min.js"
SIZES = pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])


@pytest.fixture
def example(start_example: StartExample) -> Example:
    return start_demo(start_example)


@pytest.fixture
def visit(chromium: Browser, example: Example) -> Iterator[Visit]:
    with visits(chromium, example) as make:
        yield make


def open_all(page: Page) -> None:
    """Open all there is to open, and wait for the code in it."""
    for details in page.locator("details:visible").all():
        details.locator("summary").click()
        details.locator("code:not(:empty)").wait_for()


def try_all(page: Page) -> None:
    """Leave something to see in each card."""
    press(page, "20 at once")
    says(page, "#calls-out", "1 refresh.")
    press(page, "Expire now, and call")
    steps(page, "#expire-out")
    press(page, "Log in on a phone")
    says(page, "#devices", "Safari on iPhone")
    steal(page)
    press(page, "Refresh as yourself")
    says(page, "#theft-out", "the successor")


@SIZES
def test_nothing_has_to_be_scrolled_sideways(visit: Visit, viewport: dict[str, int]) -> None:
    visitor = visit(viewport=viewport)
    page = visitor.open()
    open_all(page)
    assert sideways(page) == 0
    press(page, "Log in")
    says(page, "#devices", "this one")
    try_all(page)
    open_all(page)
    assert sideways(page) == 0
    assert visitor.complaints(401) == []


SMALL = """(elements) => elements
  .map((element) => element.type === 'radio' ? element.parentElement : element)
  .filter((element) => element.getBoundingClientRect().height < 44)
  .map((element) => element.outerHTML)"""


def test_whatever_is_touched_is_at_least_44_pixels_high(visit: Visit) -> None:
    visitor = visit(viewport=PHONE, has_touch=True)
    page = visitor.open()
    touched = ":is(a, button, input, summary):visible"
    assert page.locator(touched).evaluate_all(SMALL)[1:] == []  # the skip link is not on the page
    press(page, "Log in")
    says(page, "#devices", "this one")
    assert page.locator(touched).count() > 20
    assert page.locator(touched).evaluate_all(SMALL)[1:] == []


def test_a_keyboard_is_enough_and_the_focus_is_always_seen(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open()
    tab_to(page, ".skip")
    tab_to(page, "#username")
    page.keyboard.press("Enter")
    page.locator("#in-title:focus").wait_for()
    tab_to(page, "#call")
    page.keyboard.press("Enter")
    says(page, "#calls-out", "Hello, World!")
    tab_to(page, "[name=weather]")
    page.keyboard.press("ArrowRight")
    says(page, "#weather-now", "offline")
    page.keyboard.press("ArrowLeft")
    tab_to(page, "#logout", key="Shift+Tab")
    page.keyboard.press("Enter")
    says(page, "#why", "You are logged out.")
    page.locator("#username:focus").wait_for()
    assert visitor.complaints() == []


def test_a_refresh_leaves_the_reader_where_the_page_is_scrolled_to(visit: Visit) -> None:
    page = visit().log_in()
    page.evaluate("document.activeElement.blur(); scrollTo(0, 700)")
    token = page.locator("#token-payload").inner_text()
    page.locator("#renew").evaluate("(button) => button.click()")  # without going there
    page.wait_for_function(
        "(old) => document.querySelector('#token-payload').textContent !== old", arg=token
    )
    assert page.evaluate("[document.activeElement.tagName, scrollY]") == ["BODY", 700]


VIOLATIONS = """async () => (await axe.run()).violations.map(({ id, nodes }) =>
  [id, ...nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)])"""


def violations(page: Page) -> list[Any]:
    """Return what axe-core finds wrong, in both colour schemes."""
    found: list[Any] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found += page.evaluate(VIOLATIONS)
    return found


@SIZES
def test_axe_finds_no_violation_in_light_and_dark(visit: Visit, viewport: dict[str, int]) -> None:
    """The policy of the page lets no foreign script in, hence `bypass_csp`: here alone."""
    require_modules()
    page = visit(viewport=viewport, bypass_csp=True).open()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    open_all(page)
    assert violations(page) == []
    press(page, "Log in")
    says(page, "#devices", "this one")
    try_all(page)
    open_all(page)
    assert violations(page) == []
    press(page, "Log out")
    says(page, "#why", "You are logged out.")
    assert violations(page) == []


def test_the_lines_behind_each_card_are_those_that_run(visit: Visit) -> None:
    page = visit().log_in()
    open_all(page)
    cards = page.locator(".cards .card")
    assert cards.count() == 8
    assert [card for card in cards.all() if card.locator("details").count() == 0] == []
    files = [*PLAYGROUND.glob("static/playground/*.js"), PLAYGROUND / "theft.py"]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    running = re.sub(r"^ +", "", source, flags=re.MULTILINE)
    for shown in page.locator("details code").all_inner_texts():
        lines = [line.strip() for line in shown.strip().splitlines()]
        assert not shown or "\n".join(lines) in running


def test_the_files_of_the_page_are_as_short_as_modules() -> None:
    files = [path for path in PLAYGROUND.rglob("*.*") if path.suffix in {".js", ".css", ".html"}]
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert len(lines) > 20
    assert {name: number for name, number in lines.items() if number > 300} == {}


def test_the_log_tells_of_each_request_and_is_read_aloud(visit: Visit) -> None:
    page = visit().log_in()
    log = page.get_by_role("log", name="Event log")
    assert log.get_attribute("aria-live") == "polite"
    before = log.locator("li").count()
    press(page, "One call")
    says(page, "#calls-out", "Hello, World!")
    assert log.locator("li").count() == before + 1
    entry = log.locator("li").first.inner_text().split("\n")
    assert re.fullmatch(r"\d\d:\d\d:\d\d GET /hello/ 200 a protected call \d+ ms", " ".join(entry))
    press(page, "Clear")
    assert log.locator("li").count() == 0


def test_only_the_page_itself_has_the_strict_policy(example: Example) -> None:
    policy = Curl().get(example.url("")).headers["Content-Security-Policy"]
    assert policy is not None
    parts = dict(part.split(" ", 1) for part in policy.split("; "))
    assert parts["default-src"] == parts["frame-ancestors"] == "'none'"
    assert parts["script-src"] == parts["style-src"] == parts["connect-src"] == "'self'"
    assert "unsafe" not in policy
    for path in ("hello/", "api/token/", "admin/login/"):
        assert "Content-Security-Policy" not in Curl().get(example.url(path)).headers


def test_a_script_from_elsewhere_or_in_the_html_does_not_run(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open()
    page.evaluate("""() => {
      const script = document.createElement('script');
      try { script.text = 'window.ran = true'; } catch { window.refused = true; }
      document.head.append(script);
    }""")
    assert page.evaluate("[window.ran, window.refused]") == [None, True]
    assert visitor.console != []  # so that what is against the policy does fail the other tests


def test_page_and_playground_are_404_without_debug(start_example: StartExample) -> None:
    example = start_example(django_debug="0")
    assert Curl().get(example.url("")).status == 404
    for name in ("expired", "device", "theft", "thief"):
        for method in ("GET", "POST"):
            assert Curl().run("-X", method, example.url(f"playground/{name}/")).status == 404, name


def test_nobody_makes_bad_weather_without_debug(start_example: StartExample) -> None:
    example = start_example(django_debug="0")
    page = ["X-Weather: failing", "X-Requested-With: x", "Sec-Fetch-Site: same-origin"]
    headers = [part for line in (*page, "Content-Type: application/json") for part in ("-H", line)]
    assert Curl().run(*headers, "-d", "{}", example.url("auth/refresh/")).status == 204


@pytest.mark.parametrize("path", ["playground/theft/", "playground/thief/"])
def test_the_thief_does_not_work_for_pages_of_other_sites(example: Example, path: str) -> None:
    answer = Curl().run("-X", "POST", "-H", "Content-Type: application/json", example.url(path))
    assert (answer.status, answer.json["reason"]) == (403, "header_missing")


def picture(page: Page, name: str, directory: Path) -> bytes:
    """Take a picture as it is used in the documentation, if SIGNET_SCREENSHOTS says where."""
    kept = Path(os.environ.get("SIGNET_SCREENSHOTS") or directory)
    kept.mkdir(parents=True, exist_ok=True)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    return page.screenshot(path=kept / f"demo-{name}.png", animations="disabled")


LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 1180}},
    "dark": {"viewport": {"width": 1280, "height": 1180}, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "device_scale_factor": 2},
}


@pytest.mark.parametrize("name", LOOKS)
def test_pictures_are_taken_for_the_documentation(visit: Visit, tmp_path: Path, name: str) -> None:
    visitor: Visitor = visit(**LOOKS[name])
    page = visitor.log_in()
    try_all(page)
    assert 10_000 < len(picture(page, name, tmp_path)) < 300_000
