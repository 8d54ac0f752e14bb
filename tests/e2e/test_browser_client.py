"""Test the JavaScript client in Chromium with a running server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.chromium import file_server
from tests.e2e.example import StartExample
from tests.e2e.node import CLIENT
from tests.e2e.pages_site import (
    ALL_OK,
    CALLS,
    NO_LOCKS,
    OpenProfile,
    Site,
    expire,
    start_refresh,
    start_site,
    wait_for_output,
    wait_until_ready,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

LOCK = "`drf-signet ${location.origin}/auth/`"


def call_in_all(*tabs: Page) -> list[list[int]]:
    """Send twenty requests from each tab at the same time. Return the statuses for each tab."""
    for tab in tabs:
        tab.evaluate(f"void (window.calls = {CALLS})")
    return [tab.evaluate("calls") for tab in tabs]


@pytest.fixture
def strict(start_example: StartExample) -> Site:
    """Return a server whose access tokens expire after 3 seconds and whose grace period is zero."""
    site = start_site(start_example, ACCESS_TOKEN_LIFETIME=3, ROTATION_GRACE_PERIOD=0)
    site.set_behaviour()
    return site


def test_two_tabs_refresh_once_per_expiry(profile: OpenProfile, strict: Site) -> None:
    browser = profile(at=strict)
    tabs = browser.log_in(), browser.open()
    counts = []
    for cause in ("time", "refusal", "clock", "refusal", "clock", "refusal", "clock", "time"):
        strict.set_behaviour() if cause == "time" else expire(strict, *tabs)
        for tab in tabs:
            if cause == "clock":
                tab.evaluate("skew += 3000")
            elif cause == "time":
                tab.wait_for_function("Date.now() > auth.state.expiresAt")
        assert call_in_all(*tabs) == [ALL_OK, ALL_OK]
        counts.append(strict.counts())
    assert counts == [{"requested": 1, "refreshed": 1}] * 8


def test_two_tabs_without_locks_stay_logged_in_within_the_grace_period(
    profile: OpenProfile, site: Site
) -> None:
    browser = profile(NO_LOCKS)
    tabs = browser.log_in(), browser.open()
    for _ in range(8):
        expire(site, *tabs, together=2)  # respond only after both refresh requests have arrived
        assert call_in_all(*tabs) == [ALL_OK, ALL_OK]
        assert site.counts() == {"requested": 2, "refreshed": 2}
    assert [tab.evaluate("auth.state.status") for tab in tabs] == ["in", "in"]


def test_logout_in_one_tab_logs_out_the_other_tab(profile: OpenProfile) -> None:
    browser = profile()
    tab, other = browser.log_in(), browser.open()
    tab.evaluate("auth.logout()")
    wait_for_output(other, "out logout")
    assert browser.refresh_token() == ""
    other.reload()
    wait_until_ready(other)
    assert other.evaluate("auth.state.status") == "out"


def test_login_as_another_user_in_one_tab_changes_the_other_tab(profile: OpenProfile) -> None:
    browser = profile()
    tab, other = browser.log_in(), browser.open()
    before = other.evaluate("auth.state.claims")
    tab.evaluate("auth.login({username: 'rita', password: '123'})")
    other.wait_for_function("(id) => auth.state.claims.user_id !== id", arg=before["user_id"])
    answer = other.evaluate("auth.fetch('/echo/').then((a) => a.json())")
    assert answer["sid"] == tab.evaluate("auth.state.claims.sid") != before["sid"]


def test_tab_closed_during_a_refresh_does_not_lose_the_new_token(
    profile: OpenProfile, strict: Site
) -> None:
    browser = profile(at=strict)
    tab = browser.log_in()
    browser.open()  # a second tab, because the test closes the first tab
    strict.set_behaviour(delay=1)
    old_token = browser.refresh_token()
    start_refresh(tab)
    strict.wait_for("refreshed", 1)
    tab.close()
    deadline = time.monotonic() + 10
    while browser.refresh_token() == old_token:
        assert time.monotonic() < deadline, "the new token was lost when the tab closed"
        browser.context.pages[0].wait_for_timeout(50)
    strict.set_behaviour()
    assert browser.open().evaluate("auth.state.status") == "in"


@pytest.mark.parametrize("leave", ["reload", "navigate", "close"])
def test_page_left_during_a_refresh_stays_logged_in(
    profile: OpenProfile, site: Site, leave: str
) -> None:
    browser = profile()
    tab = browser.log_in()
    site.set_behaviour(delay=0.7)
    start_refresh(tab)
    site.wait_for("refreshed", 1)
    if leave == "reload":
        tab.reload()
    elif leave == "navigate":
        tab.goto(site.url("page/?again"))
    else:
        tab.close()
        tab = browser.open()
    wait_until_ready(tab)
    assert tab.evaluate("auth.state.status") == "in"
    assert tab.evaluate(CALLS) == ALL_OK
    assert site.counts().get("reused", 0) == 0


def test_tab_that_holds_the_lock_does_not_block_the_other_tab(
    profile: OpenProfile, site: Site
) -> None:
    browser = profile()
    blocking_tab, tab = browser.log_in(), browser.open()
    blocking_tab.evaluate(
        f"void navigator.locks.request({LOCK}, () => new Promise((r) => setTimeout(r, 5000)))"
    )
    expire(site, tab)
    started = time.monotonic()
    assert tab.evaluate(CALLS) == ALL_OK
    assert 3 < time.monotonic() - started < 5


def test_two_hours_of_sleep_cause_one_refresh(profile: OpenProfile, site: Site) -> None:
    tab = profile().log_in()
    expire(site, tab)
    tab.evaluate("skew += 7200_000")  # during sleep, only the wall clock advances
    assert tab.evaluate(CALLS) == ALL_OK
    assert site.counts() == {"requested": 1, "refreshed": 1}


@pytest.mark.parametrize("hours", [1, -1])
def test_clock_that_is_wrong_by_an_hour_logs_nobody_out(
    profile: OpenProfile, site: Site, hours: int
) -> None:
    tab = profile(f"skew = {hours} * 3600_000").log_in()
    site.set_behaviour()
    assert tab.evaluate(CALLS) == ALL_OK
    assert site.counts() == {}
    tab.evaluate(f"skew -= {hours} * 3600_000")  # the user corrects the clock
    assert tab.evaluate(CALLS) == ALL_OK
    assert site.counts().get("refreshed", 0) <= 1
    assert tab.evaluate("auth.state.status") == "in"


TRY_CALL = "auth.fetch('/echo/').then((a) => a.status, (e) => [e.code, e.status, e.retryable])"


def test_tab_stays_logged_in_while_offline(profile: OpenProfile, site: Site) -> None:
    browser = profile()
    tab = browser.log_in()
    tab.evaluate("skew += 7200_000")
    browser.context.set_offline(True)
    assert tab.evaluate(TRY_CALL) == ["network", 0, True]
    assert tab.evaluate("auth.state.status") == "in"
    browser.context.set_offline(False)
    tab.wait_for_function("navigator.onLine")
    assert tab.evaluate(CALLS) == ALL_OK


def test_page_opened_while_the_server_fails_logs_in_when_the_server_recovers(
    profile: OpenProfile, site: Site
) -> None:
    browser = profile()
    tab = browser.log_in()
    site.set_behaviour(fail=2)
    tab.reload()
    wait_for_output(tab, "loading")
    tab.wait_for_function("auth.state.reason === 'busy'")
    wait_for_output(tab, "in")


def test_two_failures_of_the_server_log_nobody_out(profile: OpenProfile, site: Site) -> None:
    tab = profile().log_in()
    expire(site, tab, fail=2)
    assert tab.evaluate(TRY_CALL) == ["busy", 503, True]
    tab.evaluate(f"""async () => {{
      while ((await {TRY_CALL}) !== 200) await new Promise((next) => setTimeout(next, 100));
    }}""")
    assert tab.evaluate("auth.state.status") == "in"
    assert site.counts() == {"requested": 3, "refreshed": 1}


OTHER_ORIGIN_PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<p id="output"></p>
<script type="module">
  import { createAuth } from './auth.js';
  const api = new URLSearchParams(location.search).get('api');
  window.api = api;
  const auth = (window.auth = createAuth({ url: `${api}/auth/` }));
  auth.subscribe(({ status, reason }) => { output.textContent = `${status} ${reason ?? ''}`; });
</script>
"""


def test_application_of_another_origin_logs_in_calls_and_reloads(
    profile: OpenProfile, start_example: StartExample, tmp_path: Path
) -> None:
    (tmp_path / "index.html").write_text(OTHER_ORIGIN_PAGE, encoding="utf-8")
    (tmp_path / "auth.js").write_bytes(CLIENT.read_bytes())
    with file_server(tmp_path) as other_origin:
        api = start_site(start_example, other_origin=other_origin)
        api.set_behaviour()
        browser = profile(at=api)
        tab = browser.context.new_page()
        tab.goto(f"{other_origin}/index.html?api={api.origin}")
        wait_for_output(tab, "out")
        tab.evaluate("auth.login({username: 'vitor', password: '123'})")
        call = "auth.fetch(`${api}/echo/`).then((a) => a.status)"
        assert tab.evaluate(call) == 200
        expire(api, tab)
        assert tab.evaluate(call) == 200
        tab.reload()
        wait_for_output(tab, "in")
        assert tab.evaluate(call) == 200
        tab.evaluate("auth.logout()")
        wait_for_output(tab, "out logout")
        assert browser.refresh_token() == ""


def test_first_visit_logs_nothing_to_the_console(profile: OpenProfile) -> None:
    browser = profile()
    tab = browser.open()
    assert tab.locator("#output").inner_text() == "out"
    assert tab.evaluate("auth.fetch('/page/').then((a) => a.status)") == 200
    assert browser.console == []


SEND = """async (kind) => {
  const blob = new Blob(['x'.repeat(300_000)], { type: 'application/octet-stream' });
  const form = new FormData();
  form.set('file', blob, 'a.bin');
  const headers = kind === 'blob' ? { 'Content-Disposition': 'attachment; filename=a.bin' } : {};
  const body = kind === 'blob' ? blob : form;
  const answer = await auth.fetch('/echo/', { method: 'POST', body, headers });
  return [answer.status, (await answer.json()).sizes?.file];
}"""


@pytest.mark.parametrize("kind", ["form", "blob"])
def test_request_body_is_sent_again_after_a_401(
    profile: OpenProfile, site: Site, kind: str
) -> None:
    tab = profile().log_in()
    expire(site, tab)
    assert tab.evaluate(SEND, kind) == [200, 300_000]
    assert site.counts()["refreshed"] == 1


ABORT_TWO_OF_THREE = """async () => {
  const mine = new AbortController();
  const calls = [
    auth.fetch('/echo/', { signal: mine.signal }),
    auth.token({ rejected: await auth.token(), signal: mine.signal }),
    auth.fetch('/echo/'),
  ];
  setTimeout(() => mine.abort(), 300);
  const results = await Promise.allSettled(calls);
  return results.map(({ value, reason }) => value?.status ?? [reason.name, reason.code]);
}"""


def test_aborted_call_does_not_abort_the_refresh_for_other_calls(
    profile: OpenProfile, site: Site
) -> None:
    tab = profile().log_in()
    expire(site, tab, delay=1)
    assert tab.evaluate(ABORT_TWO_OF_THREE) == [["AbortError", 20], ["AbortError", "aborted"], 200]
    assert site.counts() == {"requested": 1, "refreshed": 1}


@pytest.fixture
def scoped_cookie_site(start_example: StartExample) -> Site:
    """Return a server that rotates refresh tokens and sets the cookie with the path /auth/."""
    site = start_site(start_example, COOKIE={"PATH": "/auth/"}, ROTATE_REFRESH_TOKENS=True)
    site.set_behaviour()
    return site


def test_cookie_with_a_path_is_sent_to_that_path_only(
    profile: OpenProfile, scoped_cookie_site: Site
) -> None:
    browser = profile(at=scoped_cookie_site)
    tab = browser.log_in()
    [cookie] = browser.context.cookies()
    assert (cookie["name"], cookie["path"]) == ("__Secure-signet-refresh-token", "/auth/")
    sent = {}
    for path in ("/echo/", "/auth/refresh/"):
        expire(scoped_cookie_site, tab)
        with tab.expect_request(f"**{path}") as request:
            assert tab.evaluate(CALLS) == ALL_OK
        sent[path] = "cookie" in request.value.all_headers()
    assert sent == {"/echo/": False, "/auth/refresh/": True}
    tab.reload()
    wait_until_ready(tab)
    assert tab.evaluate("auth.state.status") == "in"
    tab.evaluate("auth.logout()")
    assert browser.context.cookies() == []


TOKEN_MODE = """async () => {
  const { createAuth } = await import('/static/drf_signet/auth.js');
  window.auth = createAuth({ mode: 'token', storage: localStorage });
  return (await auth.ready).status;
}"""


def test_two_tabs_in_token_mode_share_the_token_in_local_storage(
    profile: OpenProfile, scoped_cookie_site: Site
) -> None:
    browser = profile(at=scoped_cookie_site)
    tab, other = browser.open(), browser.open()
    assert tab.evaluate(TOKEN_MODE) == "out"
    tab.evaluate("auth.login({username: 'vitor', password: '123'})")
    assert other.evaluate(TOKEN_MODE) == "in"
    assert browser.context.cookies() == []
    for _ in range(2):
        expire(scoped_cookie_site, tab, other)
        assert call_in_all(tab, other) == [ALL_OK, ALL_OK]
        assert scoped_cookie_site.counts() == {"refreshed": 1}
    assert tab.evaluate("Object.keys(localStorage)") == ["refresh"]
    other.evaluate("auth.logout()")
    tab.wait_for_function("auth.state.reason === 'logout'")
    assert tab.evaluate("localStorage.length") == 0
