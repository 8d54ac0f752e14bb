"""The demo page of the example in Chromium, and a visitor's hand on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.e2e.example import ROOT, Example, StartExample

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page, Response

PLAYGROUND = ROOT / "example/playground"
PHONE = {"width": 375, "height": 812}
DESKTOP = {"width": 1440, "height": 900}

#: Chromium writes a line for each answer that is no 2xx; a test says which of these it expects.
REFUSED = re.compile(r"Failed to load resource: .* status of (\d+)")


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody with a browser of their own, and what went through it."""

    context: BrowserContext
    base: str
    console: list[str] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)

    def open(self) -> Page:
        """Open the page and wait until it knows who is there."""
        page = self.context.new_page()
        self.watch(page)
        page.goto(self.base)
        page.locator("html:not([data-status=loading])").wait_for()
        return page

    def watch(self, page: Page) -> None:
        """Write down what comes to a page, and what it complains about."""
        page.set_default_timeout(15_000)
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("response", lambda answer: self.answers.append(answer))  # noqa: PLW0108 - it needs a name

    def log_in(self) -> Page:
        """Open the page, and log in by its form as it stands there."""
        page = self.open()
        page.get_by_role("button", name="Log in", exact=True).click()
        page.locator("#token-text .signature").wait_for()
        page.locator("#theft-out", has_text="Nothing is stolen yet").wait_for()
        page.locator("#devices li").first.wait_for()
        return page

    def refresh_token(self) -> str:
        """Return what no script sees."""
        found = [one["value"] for one in self.context.cookies() if "refresh" in one["name"]]
        return found[0] if found else ""

    def seen(self, path: str) -> list[int]:
        """Return the statuses of what was asked of a path."""
        return [answer.status for answer in self.answers if answer.url.endswith(path)]

    def complaints(self, *expected: int) -> list[str]:
        """Return the lines of the console, but for answers of a status that is expected."""
        found = [(line, REFUSED.match(line)) for line in self.console]
        return [line for line, match in found if not (match and int(match[1]) in expected)]


#: What the fixture `visit` returns.
Visit = Callable[..., Visitor]


def start_demo(start_example: StartExample, **signet: Any) -> Example:
    """Start the example as `make demo` does, with passwords that are hashed at once."""
    return start_example(
        signet=signet, django_settings_module="tests.e2e.quick", pythonpath=str(ROOT)
    )


@contextmanager
def visits(chromium: Browser, example: Example) -> Iterator[Visit]:
    """Give a function that makes visitors; keyword arguments are those of a browser's context."""
    opened: list[BrowserContext] = []

    def make(*, at: Example = example, **options: Any) -> Visitor:
        context = chromium.new_context(**{"viewport": DESKTOP, **options})
        opened.append(context)
        # The name under which a developer knows this computer, and of no secure origin.
        return Visitor(context=context, base=at.url("").replace("127.0.0.1", "localhost"))

    yield make
    for context in opened:
        context.close()


def press(page: Page, name: str) -> None:
    """Press a button."""
    page.get_by_role("button", name=name, exact=True).click()


def says(page: Page, selector: str, text: str | re.Pattern[str]) -> Locator:
    """Wait until a part of the page has a text in it."""
    found = page.locator(selector).filter(has_text=text)
    found.wait_for()
    return found


def steps(page: Page, selector: str) -> list[str]:
    """Return the statuses of a chain of requests, in order."""
    page.locator(f"{selector} .step").first.wait_for()
    return page.locator(f"{selector} .step .chip").all_inner_texts()


def sideways(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(page.evaluate(width))


def tab_to(page: Page, selector: str, key: str = "Tab", most: int = 60) -> None:
    """Go by keyboard to an element; what has the focus on the way has to show it."""
    for _ in range(most):
        page.keyboard.press(key)
        assert page.evaluate(FOCUS_SHOWS), page.evaluate("document.activeElement.outerHTML")
        if page.locator(f"{selector}:focus").count():
            return
    raise AssertionError(f"{selector} is not reached by {key}")


#: Whether the focus is to be seen: by an outline of the element, or of the one that stands for it.
FOCUS_SHOWS = """(() => {
  const shown = (element) => element && getComputedStyle(element).outlineStyle === 'solid';
  const active = document.activeElement;
  return shown(active) || shown(active.nextElementSibling);
})()"""


def steal(page: Page) -> None:
    """Let the thief copy the refresh cookie."""
    press(page, "Steal it")
    says(page, "#theft-out", "has a copy")
