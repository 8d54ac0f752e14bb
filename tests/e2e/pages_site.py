"""Start the project `tests.e2e.pages`, and open its pages in Chromium."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.e2e.example import PYTHONPATH, Example, StartExample, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

#: A script that adds `window.skew` milliseconds to the time that `Date.now()` returns.
CLOCK = "window.skew = 0; const now = Date.now; Date.now = () => now.call(Date) + skew;"
NO_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { get() {} });"

CALLS = "Promise.all(Array.from({length: 20}, () => auth.fetch('/echo/').then((a) => a.status)))"
ALL_OK = [200] * 20


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running `tests.e2e.pages` server, whose behaviour tests can change."""

    example: Example
    origin: str

    def url(self, path: str) -> str:
        return f"{self.origin}/{path}"

    def set_behaviour(self, **behaviour: Any) -> dict[str, int]:
        """Replace BEHAVIOUR on the server, reset the counts, and return the previous counts."""
        counts: dict[str, int] = self._control(json.dumps(behaviour).encode())
        return counts

    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = self._control(None)
        return counts

    def _control(self, data: bytes | None) -> Any:
        with urllib.request.urlopen(self.example.url("control/"), data) as answer:
            return json.load(answer)

    def wait_for(self, event: str, number: int) -> None:
        """Wait until an event has happened `number` times since the last `set_behaviour` call."""
        wait_until(lambda: self.counts().get(event, 0) >= number, within=20, what=event)


def start_site(start_example: StartExample, *, other_origin: str = "", **signet: Any) -> Site:
    """Return a server with these settings. Start the server if it is not running yet."""
    example = start_example(
        signet=signet,
        django_settings_module="tests.e2e.pages.settings",
        pythonpath=PYTHONPATH,
        pages_origin=other_origin,
    )
    return Site(example=example, origin=example.base.replace("127.0.0.1", "localhost"))


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A browser profile, whose tabs share cookies, and the recorded console lines of all tabs."""

    context: BrowserContext
    site: Site
    console: list[str] = field(default_factory=list)

    def open(self, path: str = "page/") -> Page:
        """Open a page in a new tab, and wait until its login status is known."""
        tab = self.context.new_page()
        tab.on("console", lambda message: self.console.append(message.text))
        tab.on("pageerror", lambda error: self.console.append(str(error)))
        tab.goto(self.site.url(path))
        wait_until_ready(tab)
        return tab

    def log_in(self, username: str = "vitor") -> Page:
        tab = self.open()
        tab.evaluate(f"auth.login({{username: '{username}', password: '123'}})")
        return tab

    def refresh_token(self) -> str:
        """Return the refresh token in the browser's cookies, or an empty string."""
        cookies = self.context.cookies()
        tokens = [cookie["value"] for cookie in cookies if "refresh-token" in cookie["name"]]
        return tokens[0] if tokens else ""


#: The type of the function that the fixture `profile` yields.
OpenProfile = Callable[..., Profile]


def wait_until_ready(tab: Page) -> None:
    tab.wait_for_function("window.auth && auth.state.status !== 'loading'")


def wait_for_output(tab: Page, text: str) -> None:
    """Wait until the text in the page's output element starts with `text`."""
    tab.wait_for_function("(text) => output.textContent.startsWith(text)", arg=text)


def expire(site: Site, *tabs: Page, **behaviour: Any) -> dict[str, int]:
    """Make the API reject the current access tokens of these tabs as expired."""
    jtis = [tab.evaluate("auth.state.claims.jti") for tab in tabs]
    return site.set_behaviour(expired=jtis, **behaviour)


def start_refresh(tab: Page) -> None:
    """Start a refresh in a tab, and return without waiting for the new access token."""
    tab.evaluate("void auth.token().then((rejected) => auth.token({rejected})).catch(() => {})")
