"""The project of `tests.e2e.pages` as it is served, and its pages in Chromium."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.e2e.example import ROOT, Example, StartExample, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

#: So that a test may set the clock of a page.
CLOCK = "window.skew = 0; const now = Date.now; Date.now = () => now.call(Date) + skew;"
NO_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { get() {} });"

CALLS = "Promise.all(Array.from({length: 20}, () => auth.fetch('/echo/').then((a) => a.status)))"
ALL_GOOD = [200] * 20


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running server, and a hand on it."""

    example: Example
    origin: str

    def url(self, path: str) -> str:
        return f"{self.origin}/{path}"

    def order(self, **orders: Any) -> dict[str, int]:
        """Give orders, which replace those before; return and forget what was counted."""
        counted: dict[str, int] = self._control(json.dumps(orders).encode())
        return counted

    def counted(self) -> dict[str, int]:
        counted: dict[str, int] = self._control(None)
        return counted

    def _control(self, data: bytes | None) -> Any:
        with urllib.request.urlopen(self.example.url("control/"), data) as answer:
            return json.load(answer)

    def wait_for(self, what: str, number: int) -> None:
        """Wait until something has happened so often since the last orders."""
        wait_until(lambda: self.counted().get(what, 0) >= number, within=20, what=what)


def start_site(start_example: StartExample, *, other: str = "", **signet: Any) -> Site:
    """Start the project, or return the one that runs with these settings."""
    example = start_example(
        signet=signet,
        django_settings_module="tests.e2e.pages.settings",
        pythonpath=str(ROOT),
        pages_origin=other,
    )
    return Site(example=example, origin=example.base.replace("127.0.0.1", "localhost"))


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One user's browser: its tabs share cookies, and nothing on their consoles is expected."""

    context: BrowserContext
    site: Site
    console: list[str] = field(default_factory=list)

    def open(self, path: str = "page/") -> Page:
        """Open a tab and wait until it knows who is there."""
        tab = self.context.new_page()
        tab.on("console", lambda message: self.console.append(message.text))
        tab.on("pageerror", lambda error: self.console.append(str(error)))
        tab.goto(self.site.url(path))
        ready(tab)
        return tab

    def log_in(self, username: str = "vitor") -> Page:
        tab = self.open()
        tab.evaluate(f"auth.login({{username: '{username}', password: '123'}})")
        return tab

    def cookie(self) -> str:
        """Return the refresh token, which no script sees."""
        found = [one for one in self.context.cookies() if "refresh-token" in one["name"]]
        return found[0]["value"] if found else ""


#: What the fixture `profile` returns.
OpenProfile = Callable[..., Profile]


def ready(tab: Page) -> None:
    tab.wait_for_function("window.auth && auth.state.status !== 'loading'")


def said(tab: Page, text: str) -> None:
    """Wait until the page says something."""
    tab.wait_for_function("(text) => said.textContent.startsWith(text)", arg=text)


def expire(site: Site, *tabs: Page, **orders: Any) -> dict[str, int]:
    """Have the API refuse the tokens that these tabs have now."""
    tokens = [tab.evaluate("auth.state.claims.jti") for tab in tabs]
    return site.order(expired=tokens, **orders)


def renew(tab: Page) -> None:
    """Ask for a new token, and don't wait for it."""
    tab.evaluate("void auth.token().then((rejected) => auth.token({rejected})).catch(() => {})")
