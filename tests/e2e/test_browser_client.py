"""The client in Chromium, on real pages of a real server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.browser import file_server
from tests.e2e.example import StartExample
from tests.e2e.node import CLIENT
from tests.e2e.site import (
    ALL_GOOD,
    CALLS,
    NO_LOCKS,
    OpenProfile,
    Site,
    expire,
    ready,
    renew,
    said,
    start_site,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

LOCK = "`drf-signet ${location.origin}/auth/`"


def together(*tabs: Page) -> list[list[int]]:
    """Make twenty calls in each tab, all at once."""
    for tab in tabs:
        tab.evaluate(f"void (window.calls = {CALLS})")
    return [tab.evaluate("calls") for tab in tabs]


@pytest.fixture
def strict(start_example: StartExample) -> Site:
    """Return a server with tokens of three seconds, and without a grace: twice is theft."""
    found = start_site(start_example, ACCESS_TOKEN_LIFETIME=3, ROTATION_GRACE_PERIOD=0)
    found.order()
    return found


def test_two_tabs_refresh_once_for_each_expiry(profile: OpenProfile, strict: Site) -> None:
    one = profile(at=strict)
    tabs = one.log_in(), one.open()
    counts = []
    for end in ("time", "refusal", "clock", "refusal", "clock", "refusal", "clock", "time"):
        strict.order() if end == "time" else expire(strict, *tabs)
        for tab in tabs:
            if end == "clock":
                tab.evaluate("skew += 3000")
            elif end == "time":
                tab.wait_for_function("Date.now() > auth.state.expiresAt")
        assert together(*tabs) == [ALL_GOOD, ALL_GOOD]
        counts.append(strict.counted())
    assert counts == [{"asked": 1, "refreshed": 1}] * 8


def test_two_tabs_without_locks_stay_logged_in_by_the_grace(
    profile: OpenProfile, site: Site
) -> None:
    one = profile(NO_LOCKS)
    tabs = one.log_in(), one.open()
    for _ in range(8):
        expire(site, *tabs, together=2)  # neither is answered before both have asked
        assert together(*tabs) == [ALL_GOOD, ALL_GOOD]
        assert site.counted() == {"asked": 2, "refreshed": 2}
    assert [tab.evaluate("auth.state.status") for tab in tabs] == ["in", "in"]


def test_a_logout_in_one_tab_reaches_the_other(profile: OpenProfile) -> None:
    one = profile()
    tab, other = one.log_in(), one.open()
    tab.evaluate("auth.logout()")
    said(other, "out logout")
    assert one.cookie() == ""
    other.reload()
    ready(other)
    assert other.evaluate("auth.state.status") == "out"


def test_another_users_login_in_one_tab_reaches_the_other(profile: OpenProfile) -> None:
    one = profile()
    tab, other = one.log_in(), one.open()
    before = other.evaluate("auth.state.claims")
    tab.evaluate("auth.login({username: 'rita', password: '123'})")
    other.wait_for_function("(id) => auth.state.claims.user_id !== id", arg=before["user_id"])
    answer = other.evaluate("auth.fetch('/echo/').then((a) => a.json())")
    assert answer["sid"] == tab.evaluate("auth.state.claims.sid") != before["sid"]


def test_a_tab_that_closes_in_mid_refresh_does_not_lose_the_successor(
    profile: OpenProfile, strict: Site
) -> None:
    one = profile(at=strict)
    tab = one.log_in()
    one.open()  # so that the browser is still there
    strict.order(delay=1)
    before = one.cookie()
    renew(tab)
    strict.wait_for("refreshed", 1)
    tab.close()
    deadline = time.monotonic() + 10
    while one.cookie() == before:
        assert time.monotonic() < deadline, "the answer was lost with the tab"
        one.context.pages[0].wait_for_timeout(50)
    strict.order()
    assert one.open().evaluate("auth.state.status") == "in"


@pytest.mark.parametrize("leave", ["reload", "navigate", "close"])
def test_a_page_left_in_mid_refresh_is_logged_in_afterwards(
    profile: OpenProfile, site: Site, leave: str
) -> None:
    one = profile()
    tab = one.log_in()
    site.order(delay=0.7)
    renew(tab)
    site.wait_for("refreshed", 1)
    if leave == "reload":
        tab.reload()
    elif leave == "navigate":
        tab.goto(site.url("page/?again"))
    else:
        tab.close()
        tab = one.open()
    ready(tab)
    assert tab.evaluate("auth.state.status") == "in"
    assert tab.evaluate(CALLS) == ALL_GOOD
    assert site.counted().get("reused", 0) == 0


def test_a_tab_that_is_stuck_with_the_lock_does_not_keep_the_other(
    profile: OpenProfile, site: Site
) -> None:
    one = profile()
    stuck, tab = one.log_in(), one.open()
    stuck.evaluate(
        f"void navigator.locks.request({LOCK}, () => new Promise((r) => setTimeout(r, 5000)))"
    )
    expire(site, tab)
    started = time.monotonic()
    assert tab.evaluate(CALLS) == ALL_GOOD
    assert 3 < time.monotonic() - started < 5


def test_two_hours_of_sleep_cost_one_refresh(profile: OpenProfile, site: Site) -> None:
    tab = profile().log_in()
    expire(site, tab)
    tab.evaluate("skew += 7200_000")  # the monotonic clock of a sleeping computer stands still
    assert tab.evaluate(CALLS) == ALL_GOOD
    assert site.counted() == {"asked": 1, "refreshed": 1}


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_wrong_by_an_hour_signs_nobody_out(
    profile: OpenProfile, site: Site, hours: int
) -> None:
    tab = profile(f"skew = {hours} * 3600_000").log_in()
    site.order()
    assert tab.evaluate(CALLS) == ALL_GOOD
    assert site.counted() == {}
    tab.evaluate(f"skew -= {hours} * 3600_000")  # and then somebody sets it
    assert tab.evaluate(CALLS) == ALL_GOOD
    assert site.counted().get("refreshed", 0) <= 1
    assert tab.evaluate("auth.state.status") == "in"


TRIED = "auth.fetch('/echo/').then((a) => a.status, (e) => [e.code, e.status, e.retryable])"


def test_offline_and_back(profile: OpenProfile, site: Site) -> None:
    one = profile()
    tab = one.log_in()
    tab.evaluate("skew += 7200_000")
    one.context.set_offline(True)
    assert tab.evaluate(TRIED) == ["network", 0, True]
    assert tab.evaluate("auth.state.status") == "in"
    one.context.set_offline(False)
    tab.wait_for_function("navigator.onLine")
    assert tab.evaluate(CALLS) == ALL_GOOD


def test_a_page_that_is_opened_while_the_server_fails_goes_on_when_it_is_back(
    profile: OpenProfile, site: Site
) -> None:
    one = profile()
    tab = one.log_in()
    site.order(fail=2)
    tab.reload()
    said(tab, "loading")
    tab.wait_for_function("auth.state.reason === 'busy'")
    said(tab, "in")


def test_two_failures_of_the_server_sign_nobody_out(profile: OpenProfile, site: Site) -> None:
    tab = profile().log_in()
    expire(site, tab, fail=2)
    assert tab.evaluate(TRIED) == ["busy", 503, True]
    tab.evaluate(f"""async () => {{
      while ((await {TRIED}) !== 200) await new Promise((next) => setTimeout(next, 100));
    }}""")
    assert tab.evaluate("auth.state.status") == "in"
    assert site.counted() == {"asked": 3, "refreshed": 1}


OTHER_PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<p id="said"></p>
<script type="module">
  import { createAuth } from './auth.js';
  const api = new URLSearchParams(location.search).get('api');
  window.api = api;
  const auth = (window.auth = createAuth({ url: `${api}/auth/` }));
  auth.subscribe(({ status, reason }) => { said.textContent = `${status} ${reason ?? ''}`; });
</script>
"""


def test_an_application_of_another_origin_logs_in_calls_and_comes_back(
    profile: OpenProfile, start_example: StartExample, tmp_path: Path
) -> None:
    (tmp_path / "index.html").write_text(OTHER_PAGE, encoding="utf-8")
    (tmp_path / "auth.js").write_bytes(CLIENT.read_bytes())
    with file_server(tmp_path) as other:
        api = start_site(start_example, other=other)
        api.order()
        one = profile(at=api)
        tab = one.context.new_page()
        tab.goto(f"{other}/index.html?api={api.origin}")
        said(tab, "out")
        tab.evaluate("auth.login({username: 'vitor', password: '123'})")
        call = "auth.fetch(`${api}/echo/`).then((a) => a.status)"
        assert tab.evaluate(call) == 200
        expire(api, tab)
        assert tab.evaluate(call) == 200
        tab.reload()
        said(tab, "in")
        assert tab.evaluate(call) == 200
        tab.evaluate("auth.logout()")
        said(tab, "out logout")
        assert one.cookie() == ""


def test_the_console_of_a_first_visit_is_clean(profile: OpenProfile) -> None:
    one = profile()
    tab = one.open()
    assert tab.locator("#said").inner_text() == "out"
    assert tab.evaluate("auth.fetch('/page/').then((a) => a.status)") == 200
    assert one.console == []


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
def test_a_body_survives_the_second_try(profile: OpenProfile, site: Site, kind: str) -> None:
    tab = profile().log_in()
    expire(site, tab)
    assert tab.evaluate(SEND, kind) == [200, 300_000]
    assert site.counted()["refreshed"] == 1


ABORTED = """async () => {
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


def test_an_abort_does_not_abort_the_refresh_of_others(profile: OpenProfile, site: Site) -> None:
    tab = profile().log_in()
    expire(site, tab, delay=1)
    assert tab.evaluate(ABORTED) == [["AbortError", 20], ["AbortError", "aborted"], 200]
    assert site.counted() == {"asked": 1, "refreshed": 1}


@pytest.fixture
def apart(start_example: StartExample) -> Site:
    """Return a server with a path of its own for the cookie, and rotation for all tokens."""
    found = start_site(start_example, COOKIE={"PATH": "/auth/"}, ROTATE_REFRESH_TOKENS=True)
    found.order()
    return found


def test_a_cookie_with_a_path_of_its_own_goes_there_and_nowhere_else(
    profile: OpenProfile, apart: Site
) -> None:
    one = profile(at=apart)
    tab = one.log_in()
    [cookie] = one.context.cookies()
    assert (cookie["name"], cookie["path"]) == ("__Secure-signet-refresh-token", "/auth/")
    sent = {}
    for path in ("/echo/", "/auth/refresh/"):
        expire(apart, tab)
        with tab.expect_request(f"**{path}") as request:
            assert tab.evaluate(CALLS) == ALL_GOOD
        sent[path] = "cookie" in request.value.all_headers()
    assert sent == {"/echo/": False, "/auth/refresh/": True}
    tab.reload()
    ready(tab)
    assert tab.evaluate("auth.state.status") == "in"
    tab.evaluate("auth.logout()")
    assert one.context.cookies() == []


TOKEN_MODE = """async () => {
  const { createAuth } = await import('/static/drf_signet/auth.js');
  window.auth = createAuth({ mode: 'token', storage: localStorage });
  return (await auth.ready).status;
}"""


def test_in_token_mode_two_tabs_share_what_local_storage_has(
    profile: OpenProfile, apart: Site
) -> None:
    one = profile(at=apart)
    tab, other = one.open(), one.open()
    assert tab.evaluate(TOKEN_MODE) == "out"
    tab.evaluate("auth.login({username: 'vitor', password: '123'})")
    assert other.evaluate(TOKEN_MODE) == "in"
    assert one.context.cookies() == []
    for _ in range(2):
        expire(apart, tab, other)
        assert together(tab, other) == [ALL_GOOD, ALL_GOOD]
        assert apart.counted() == {"refreshed": 1}
    assert tab.evaluate("Object.keys(localStorage)") == ["refresh"]
    other.evaluate("auth.logout()")
    tab.wait_for_function("auth.state.reason === 'logout'")
    assert tab.evaluate("localStorage.length") == 0
