"""The client in Chromium, and those who mean ill: thieves, foreign origins, hostile pages."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import file_server, serve
from tests.e2e.site import ALL_GOOD, CALLS, OpenProfile, Site, expire, ready, said


def steal(site: Site, cookie: str) -> tuple[int, Any, str]:
    """Refresh as a thief does, who sets every header; return the answer and the next cookie."""
    name = "signet-refresh-token"
    headers = {
        "Content-Type": "application/json",
        "X-Requested-With": "thief",
        "Origin": site.origin,
        "Host": site.origin.removeprefix("http://"),
        "Sec-Fetch-Site": "same-origin",
        "Cookie": f"__Host-{name}={cookie}",
    }
    request = urllib.request.Request(site.example.url("auth/refresh/"), b"{}", headers)
    try:
        with urllib.request.urlopen(request) as answer:
            rotated = answer.headers["Set-Cookie"].split(";")[0].partition("=")[2]
            return answer.status, json.load(answer), rotated
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), ""


def test_a_theft_ends_the_session_for_both_and_the_page_says_why(
    profile: OpenProfile, site: Site
) -> None:
    one = profile()
    tab, other = one.log_in(), one.open()
    status, _, stolen = steal(site, one.cookie())
    assert status == 200
    status, _, stolen = steal(site, stolen)
    assert status == 200
    expire(site, tab)
    assert tab.evaluate("auth.fetch('/echo/').then((a) => a.status)") == 401
    said(tab, "out reused")
    said(other, "out reused")
    status, answer, _ = steal(site, stolen)
    assert (status, answer["reason"]) == (401, "ended")


def test_no_bearer_goes_to_another_origin_nor_after_a_redirect(
    profile: OpenProfile, site: Site
) -> None:
    seen: list[str | None] = []

    class Foreign(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    tab = profile().log_in()
    with serve(Foreign) as foreign:
        for address in (f"{foreign}/", f"/away/?to={foreign}/"):
            assert tab.evaluate("(a) => auth.fetch(a).then((a) => a.status)", address) == 200
    assert seen == [None, None]


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

#: Another site; a site of ours, whose requests have the cookie; and an origin that is `null`.
LAIRS = {
    "another site": ("127.0.0.1", "index.html"),
    "another port": ("localhost", "index.html"),
    "no origin": ("localhost", "sandbox.html"),
}


@pytest.mark.parametrize("lair", LAIRS)
@pytest.mark.parametrize("somebody", [True, False], ids=["logged in", "anonymous"])
def test_a_hostile_page_can_do_nothing(
    profile: OpenProfile, site: Site, tmp_path: Path, somebody: bool, lair: str
) -> None:
    host, page = LAIRS[lair]
    (tmp_path / "index.html").write_text(HOSTILE, encoding="utf-8")
    (tmp_path / "sandbox.html").write_text(SANDBOX, encoding="utf-8")
    one = profile()
    victim = one.log_in() if somebody else one.open()
    before = one.cookie()
    site.order()
    with file_server(tmp_path) as origin:
        hostile = one.context.new_page()
        hostile.goto(f"{origin.replace('localhost', host)}/{page}?api={site.origin}")
        frame = hostile.frames[1] if page == "sandbox.html" else hostile.main_frame
        frame.wait_for_function("window.attack")
        frame.evaluate("attack()")
        hostile.close()
    assert one.cookie() == before
    counted = site.counted()
    assert counted["asked"] >= 2, "it did come"
    assert counted.get("refreshed", 0) == 0
    victim.reload()
    ready(victim)
    assert victim.evaluate("auth.state.status") == ("in" if somebody else "out")


STORED = """async () => JSON.stringify([
  document.cookie, {...localStorage}, {...sessionStorage}, await indexedDB.databases(),
  await caches.keys(), Object.keys(auth), auth.state,
])"""


def test_nothing_secret_is_where_a_script_can_find_it(profile: OpenProfile, site: Site) -> None:
    one = profile()
    tab = one.log_in()
    expire(site, tab)
    assert tab.evaluate(CALLS) == ALL_GOOD
    stored = tab.evaluate(STORED)
    assert json.loads(stored)[:5] == ["", {}, {}, [], []]
    assert tab.evaluate("auth.token()") not in stored
    assert one.cookie() not in stored
    [cookie] = one.context.cookies()
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")


@pytest.mark.parametrize("somebody", [True, False], ids=["logged in", "anonymous"])
def test_a_neighbours_cookie_that_hides_its_prefix_logs_nobody_in(
    profile: OpenProfile, site: Site, somebody: bool
) -> None:
    """Browsers let no neighbour set `__Host-`, but do with such a space before it."""
    attacker = profile()
    attacker.log_in("rita")
    cookie = f"\xa0__Host-signet-refresh-token={attacker.cookie()}; Path=/"

    class Neighbour(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            # runserver, unlike others, strips such a space too, where a header begins with it.
            self.send_header("Set-Cookie", "first=1; Path=/")
            self.send_header("Set-Cookie", cookie)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    one = profile()
    victim = one.log_in() if somebody else one.open()
    user = victim.evaluate("auth.state.claims?.user_id ?? null")
    with serve(Neighbour) as neighbour:
        victim.evaluate("(a) => fetch(a, { mode: 'no-cors', credentials: 'include' })", neighbour)
    with victim.expect_request("**/auth/refresh/") as request:
        victim.reload()
    assert "__Host-" in request.value.all_headers()["cookie"]
    ready(victim)
    assert victim.evaluate("auth.state.claims?.user_id ?? null") == user
