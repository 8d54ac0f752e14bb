"""Open the demo page in Chromium, and use the page as a visitor does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.e2e.example import PYTHONPATH, ROOT, Example, StartExample

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page, Response

PLAYGROUND = ROOT / "example/playground"
PHONE = {"width": 375, "height": 812}
DESKTOP = {"width": 1440, "height": 900}

#: The line that Chromium writes to the console for each response with a status of 4xx or 5xx.
FAILED_REQUEST = re.compile(r"Failed to load resource: .* status of (\d+)")


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """A visitor to the demo page: a browser context, and recorded console lines and responses."""

    context: BrowserContext
    base: str
    console: list[str] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)

    def open(self) -> Page:
        """Open the demo page, and wait until its login status is known."""
        page = self.context.new_page()
        self.watch(page)
        page.goto(self.base)
        page.locator("html:not([data-status=loading])").wait_for()
        return page

    def watch(self, page: Page) -> None:
        """Record the responses, the console lines and the script errors of a page."""
        page.set_default_timeout(15_000)
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))
        # The lambda is necessary: Playwright sets an attribute on the handler, and `list.append`
        # does not allow attributes.
        page.on("response", lambda response: self.responses.append(response))  # noqa: PLW0108

    def log_in(self) -> Page:
        """Open the demo page, submit its prefilled login form, and wait for the result."""
        page = self.open()
        page.get_by_role("button", name="Log in", exact=True).click()
        page.locator("#token-text .signature").wait_for()
        page.locator("#theft-out", has_text="Nothing is stolen yet").wait_for()
        page.locator("#devices li").first.wait_for()
        wait_for_text(page, "#who", "vitor")
        return page

    def refresh_token(self) -> str:
        """Return the refresh token in the browser's cookies, or an empty string."""
        cookies = self.context.cookies()
        tokens = [cookie["value"] for cookie in cookies if "refresh" in cookie["name"]]
        return tokens[0] if tokens else ""

    def statuses(self, path: str) -> list[int]:
        """Return the statuses of all responses whose URL ends with `path`."""
        return [response.status for response in self.responses if response.url.endswith(path)]

    def console_errors(self, *expected: int) -> list[str]:
        """Return the console lines, except the lines about responses with an expected status."""
        lines = [(line, FAILED_REQUEST.match(line)) for line in self.console]
        return [line for line, match in lines if not (match and int(match[1]) in expected)]


#: The type of the function that the fixture `visit` yields.
Visit = Callable[..., Visitor]


def start_demo(start_example: StartExample, **signet: Any) -> Example:
    """Start the example with `quick_settings`. The arguments override settings in SIGNET."""
    return start_example(
        signet=signet, django_settings_module="tests.e2e.quick_settings", pythonpath=PYTHONPATH
    )


@contextmanager
def visits(chromium: Browser, example: Example) -> Iterator[Visit]:
    """Yield a function that creates visitors. Its `options` are passed to the browser context."""
    opened: list[BrowserContext] = []

    def make(*, at: Example = example, **options: Any) -> Visitor:
        context = chromium.new_context(**{"viewport": DESKTOP, **options})
        opened.append(context)
        # Use the host name localhost instead of 127.0.0.1, because developers type localhost.
        return Visitor(context=context, base=at.url("").replace("127.0.0.1", "localhost"))

    yield make
    for context in opened:
        context.close()


def press(page: Page, name: str) -> None:
    """Press the button with this name."""
    page.get_by_role("button", name=name, exact=True).click()


def wait_for_text(page: Page, selector: str, text: str | re.Pattern[str]) -> Locator:
    """Wait until an element contains the text, and return the locator of the element."""
    locator = page.locator(selector).filter(has_text=text)
    locator.wait_for()
    return locator


def shown_statuses(page: Page, selector: str) -> list[str]:
    """Return the status of each request that a card of the demo page lists."""
    page.locator(f"{selector}:not([aria-busy]) .step").first.wait_for()
    return page.locator(f"{selector} .step .chip").all_inner_texts()


def overflow_width(page: Page) -> int:
    """Return the number of pixels by which the page is wider than the window."""
    width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(page.evaluate(width))


def tab_to(page: Page, selector: str, key: str = "Tab", most: int = 60) -> None:
    """Press a key until an element has the focus. Fail if the focus is ever invisible."""
    for _ in range(most):
        page.keyboard.press(key)
        assert page.evaluate(FOCUS_IS_VISIBLE), page.evaluate("document.activeElement.outerHTML")
        if page.locator(f"{selector}:focus").count():
            return
    raise AssertionError(f"{selector} cannot be reached with {key}")


#: JavaScript that returns whether the focus is visible: the focused element must have an outline.
#: The page hides its radio buttons, so the outline of a radio button is on the next element.
FOCUS_IS_VISIBLE = """(() => {
  const outlined = (element) => element && getComputedStyle(element).outlineStyle === 'solid';
  const active = document.activeElement;
  return outlined(active) || outlined(active.nextElementSibling);
})()"""


def steal(page: Page) -> None:
    """Give the thief a copy of the refresh cookie, and wait until the page confirms the theft."""
    press(page, "Steal it")
    wait_for_text(page, "#theft-out", "has a copy")
