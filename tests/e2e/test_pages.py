"""Test the endpoints in `drf_signet.urls_browser` on real servers, with curl as the browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients import Answer, Curl
from tests.e2e.example import VITOR, Example

COOKIE = "signet-refresh-token"
PAGE = ("X-Requested-With: XMLHttpRequest", "Sec-Fetch-Site: same-origin")


class Tab:
    """A browser tab, simulated with curl. A file stores the cookies between requests."""

    def __init__(self, example: Example, jar: Path, headers: tuple[str, ...] = PAGE) -> None:
        self._example, self._jar, self._headers = example, jar, headers

    def send(self, method: str, path: str, data: Any = None, *, cookies: str = "") -> Answer:
        headers = [*self._headers, "Content-Type: application/json"]
        header_options = [part for header in headers for part in ("-H", header)]
        jar = ["-b", cookies] if cookies else ["-b", str(self._jar), "-c", str(self._jar)]
        body = ["-d", json.dumps(data)] if data is not None else []
        url = self._example.url(f"auth/{path}")
        return Curl().run("-X", method, *header_options, *jar, *body, url)

    def log_in(self) -> Answer:
        return self.send("POST", "login/", VITOR)

    @property
    def refresh_token(self) -> str:
        lines = self._jar.read_text(encoding="utf-8").splitlines()
        return next(line.split("\t")[-1] for line in lines if f"\t{COOKIE}\t" in line)


@pytest.fixture
def tab(served: Example, tmp_path: Path) -> Tab:
    return Tab(served, tmp_path / "jar")


def test_page_logs_in_refreshes_and_logs_out(tab: Tab) -> None:
    assert tab.send("POST", "refresh/", {}).status == 204
    first = tab.log_in()
    assert (first.status, first.json.keys()) == (200, {"access", "expires_in"})
    header = str(first.headers["Set-Cookie"])
    assert {"HttpOnly", "Path=/", "SameSite=Strict"} <= set(header.split("; "))
    old_token = tab.refresh_token
    assert tab.send("POST", "refresh/").status == 200
    assert tab.refresh_token != old_token
    assert tab.send("POST", "refresh/", cookies=f"{COOKIE}={old_token}").status == 200, (
        "a retry within the grace period was rejected"
    )
    sessions = tab.send("GET", "sessions/").json
    (current,) = [session for session in sessions if session["current"]]
    assert current["transport"] == "cookie"
    assert tab.send("DELETE", f"sessions/{current['id']}/").status == 204
    assert tab.send("POST", "refresh/").status == 204, "the cookie outlived its session"
    tab.log_in()
    ended_token = tab.refresh_token
    assert tab.send("POST", "logout/").status == 204
    assert tab.send("POST", "refresh/").status == 204
    rejected = tab.send("POST", "refresh/", cookies=f"{COOKIE}={ended_token}")
    assert (rejected.status, rejected.json["reason"]) == (401, "ended")


def test_refresh_cookie_sent_twice_is_ignored(tab: Tab) -> None:
    tab.log_in()
    token = tab.refresh_token
    duplicate_cookies = f"{COOKIE}={token}; {COOKIE}={token}"
    assert tab.send("POST", "refresh/", cookies=duplicate_cookies).status == 204


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ((), "header_missing"),
        (PAGE[1:], "header_missing"),
        (PAGE[:1], "origin_missing"),
        ((PAGE[0], "Sec-Fetch-Site: cross-site"), "cross_site"),
        ((PAGE[0], "Origin: https://evil.example"), "origin_untrusted"),
        ((PAGE[0], "Origin: null"), "origin_untrusted"),
    ],
)
def test_login_that_may_come_from_another_site_is_rejected(
    example: Example, tmp_path: Path, headers: tuple[str, ...], reason: str
) -> None:
    answer = Tab(example, tmp_path / "jar", headers).log_in()
    assert (answer.status, answer.json["reason"]) == (403, reason)
    assert "Set-Cookie" not in answer.headers


def test_login_from_the_servers_own_origin_is_accepted(served: Example, tmp_path: Path) -> None:
    own_origin = (PAGE[0], f"Origin: {served.base}")
    assert Tab(served, tmp_path / "jar", own_origin).log_in().status == 200
