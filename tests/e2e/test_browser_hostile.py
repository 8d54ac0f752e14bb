"""Test attacks on users of the JavaScript client: stolen tokens, hostile pages and cookies."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chromium import file_server, serve
from tests.e2e.pages_site import (
    ALL_OK,
    CALLS,
    OpenProfile,
    Site,
    expire,
    wait_for_output,
    wait_until_ready,
)


def refresh_as_thief(site: Site, stolen_token: str) -> tuple[int, Any, str]:
    """Refresh with a stolen token and forged headers. Return the status, JSON and new token."""
    name = "signet-refresh-token"
    headers = {
        "Content-Type": "application/json",
        "X-Requested-With": "thief",
        "Origin": site.origin,
        "Host": site.origin.removeprefix("http://"),
        "Sec-Fetch-Site": "same-origin",
        "Cookie": f"__Host-{name}={stolen_token}",
    }
    request = urllib.request.Request(site.example.url("auth/refresh/"), b"{}", headers)
    try:
        with urllib.request.urlopen(request) as answer:
            new_token = answer.headers["Set-Cookie"].split(";")[0].partition("=")[2]
            return answer.status, json.load(answer), new_token
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), ""


def test_refresh_after_a_theft_ends_the_session_and_the_page_shows_the_reason(
    profile: OpenProfile, site: Site
) -> None:
    browser = profile()
    tab, other = browser.log_in(), browser.open()
    status, _, thief_token = refresh_as_thief(site, browser.refresh_token())
    assert status == 200
    status, _, thief_token = refresh_as_thief(site, thief_token)
    assert status == 200
    expire(site, tab)
    assert tab.evaluate("auth.fetch('/echo/').then((a) => a.status)") == 401
    wait_for_output(tab, "out reused")
    wait_for_output(other, "out reused")
    status, answer, _ = refresh_as_thief(site, thief_token)
    assert (status, answer["reason"]) == (401, "ended")


def test_access_token_is_not_sent_to_another_origin_or_after_a_redirect(
    profile: OpenProfile, site: Site
) -> None:
    authorizations: list[str | None] = []

    class Foreign(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authorizations.append(self.headers["Authorization"])
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    tab = profile().log_in()
    with serve(Foreign) as foreign:
        for address in (f"{foreign}/", f"/away/?to={foreign}/"):
            assert tab.evaluate("(a) => auth.fetch(a).then((a) => a.status)", address) == 200
    assert authorizations == [None, None]


HOSTILE = """<!doctype html><link rel="icon" href="data:,">
<iframe name="sink"></iframe>
<script>
  const api = new URLSearchParams(location.search).get('api');
  const form = document.body.appendChild(document.createElement('form'));
  Object.assign(form, { method: 'POST', target: 'sink', enctype: 'text/plain' });
  form.innerHTML = `<input name='{"username": "rita", "password": "123", "x": "' value='"}'>`;
  async function attack() {
    for (const path of ['login/', 'refresh/', 'logout/', 'logout/all/']) {
      const url = `${api}/auth/${path}`;
      const body = '{"username": "rita", "password": "123"}';
      const options = { method: 'POST', credentials: 'include', body };
      await fetch(url, { ...options, mode: 'no-cors' }).catch(() => {});
      const headers = { 'Content-Type': 'application/json', 'X-Requested-With': 'x' };
      await fetch(url, { ...options, headers }).catch(() => {});
      const loaded = new Promise((done) => document.querySelector('iframe').onload = done);
      form.action = url;
      form.submit();
      await loaded;
    }
  }
</script>
"""


SANDBOX = """<!doctype html><link rel="icon" href="data:,">
<iframe sandbox="allow-scripts allow-forms" id="null"></iframe>
<script>document.getElementById('null').src = `index.html${location.search}`;</script>
"""

#: The host and the page of each attacker. Browsers send cookies to all ports of a host, so requests
#: from another port of localhost contain the cookie. The page sandbox.html sends requests with the
#: origin `null`.
ATTACKERS = {
    "another site": ("127.0.0.1", "index.html"),
    "another port": ("localhost", "index.html"),
    "no origin": ("localhost", "sandbox.html"),
}


@pytest.mark.parametrize("attacker_page", ATTACKERS)
@pytest.mark.parametrize("logged_in", [True, False], ids=["logged in", "anonymous"])
def test_hostile_page_cannot_use_the_refresh_cookie(
    profile: OpenProfile, site: Site, tmp_path: Path, logged_in: bool, attacker_page: str
) -> None:
    host, page = ATTACKERS[attacker_page]
    (tmp_path / "index.html").write_text(HOSTILE, encoding="utf-8")
    (tmp_path / "sandbox.html").write_text(SANDBOX, encoding="utf-8")
    browser = profile()
    victim = browser.log_in() if logged_in else browser.open()
    token_before = browser.refresh_token()
    site.set_behaviour()
    with file_server(tmp_path) as origin:
        hostile = browser.context.new_page()
        hostile.goto(f"{origin.replace('localhost', host)}/{page}?api={site.origin}")
        frame = hostile.frames[1] if page == "sandbox.html" else hostile.main_frame
        frame.wait_for_function("window.attack")
        frame.evaluate("attack()")
        hostile.close()
    assert browser.refresh_token() == token_before
    counts = site.counts()
    assert counts["requested"] >= 2, "the attack did not reach the server"
    assert counts.get("refreshed", 0) == 0
    victim.reload()
    wait_until_ready(victim)
    assert victim.evaluate("auth.state.status") == ("in" if logged_in else "out")


READ_ALL_STORAGE = """async () => JSON.stringify([
  document.cookie, {...localStorage}, {...sessionStorage}, await indexedDB.databases(),
  await caches.keys(), Object.keys(auth), auth.state,
])"""


def test_scripts_find_no_token_in_any_storage(profile: OpenProfile, site: Site) -> None:
    browser = profile()
    tab = browser.log_in()
    expire(site, tab)
    assert tab.evaluate(CALLS) == ALL_OK
    stored = tab.evaluate(READ_ALL_STORAGE)
    assert json.loads(stored)[:5] == ["", {}, {}, [], []]
    assert tab.evaluate("auth.token()") not in stored
    assert browser.refresh_token() not in stored
    [cookie] = browser.context.cookies()
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")


@pytest.mark.parametrize("logged_in", [True, False], ids=["logged in", "anonymous"])
def test_cookie_with_a_hidden_host_prefix_logs_nobody_in(
    profile: OpenProfile, site: Site, logged_in: bool
) -> None:
    """Set a cookie whose name has a no-break space before `__Host-`.

    Chromium does not recognise the prefix, so a server on another port can set the cookie.
    """
    attacker = profile()
    attacker.log_in("rita")
    cookie = f"\xa0__Host-signet-refresh-token={attacker.refresh_token()}; Path=/"

    class OtherPortHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            # Set another cookie first, because runserver strips whitespace at the start of the
            # Cookie header.
            self.send_header("Set-Cookie", "first=1; Path=/")
            self.send_header("Set-Cookie", cookie)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    browser = profile()
    victim = browser.log_in() if logged_in else browser.open()
    user = victim.evaluate("auth.state.claims?.user_id ?? null")
    with serve(OtherPortHandler) as other_port:
        victim.evaluate("(a) => fetch(a, { mode: 'no-cors', credentials: 'include' })", other_port)
    with victim.expect_request("**/auth/refresh/") as request:
        victim.reload()
    assert "__Host-" in request.value.all_headers()["cookie"]
    wait_until_ready(victim)
    assert victim.evaluate("auth.state.claims?.user_id ?? null") == user
