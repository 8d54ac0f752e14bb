"""The demo page in Chromium: what each card shows really happens, and nothing else does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e import byhand
from tests.e2e.demopage import Visit, press, says, start_demo, steal, steps, visits
from tests.e2e.example import SECRET_KEY, Example, StartExample, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def example(start_example: StartExample) -> Example:
    return start_demo(start_example)


@pytest.fixture
def visit(chromium: Browser, example: Example) -> Iterator[Visit]:
    with visits(chromium, example) as make:
        yield make


@pytest.fixture
def strict(start_example: StartExample) -> Example:
    """Return an example without a grace, which is over as soon as it begins."""
    return start_demo(start_example, ROTATION_GRACE_PERIOD=0)


def test_the_console_of_an_anonymous_first_visit_is_clean(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open()
    assert page.get_by_role("button", name="Log in", exact=True).is_visible()
    assert page.locator("#why").inner_text() == ""
    assert visitor.seen("/auth/refresh/") == [204]
    assert visitor.complaints() == []


def test_a_wrong_password_is_told_beside_the_form(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open()
    page.get_by_label("Password").fill("not this one")
    press(page, "Log in")
    says(page, "[role=alert]", "No active account found")
    assert visitor.complaints(401) == []


def decoded(segment: str) -> dict[str, object]:
    return dict(json.loads(byhand.decode(segment)))


def test_a_login_shows_the_access_token_in_three_coloured_parts_decoded(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    header, payload, signature = page.locator("#token-text").inner_text().split(".")
    assert byhand.signature(f"{header}.{payload}", SECRET_KEY) == signature
    assert json.loads(page.locator("#token-header").inner_text()) == decoded(header)
    assert json.loads(page.locator("#token-payload").inner_text()) == decoded(payload)
    colours = "(spans) => spans.map((span) => getComputedStyle(span).color)"
    assert len(set(page.locator("#token-text span").evaluate_all(colours))) == 3
    assert visitor.complaints() == []


def test_the_life_of_the_access_token_is_counted_down(visit: Visit) -> None:
    visitor = visit()
    visitor.context.clock.install()
    page = visitor.log_in()
    says(page, "#token-left", re.compile(r"^(4:5\d|5:00)$"))
    page.clock.fast_forward("02:00")
    says(page, "#token-left", re.compile(r"^(2:5\d|3:00)$"))
    assert 0.5 < page.locator("#token-bar").evaluate("(bar) => bar.value") <= 0.6
    page.clock.fast_forward("03:30")
    says(page, "#token-left", "expired")


STORED = """async () => JSON.stringify([
  document.cookie, {...localStorage}, {...sessionStorage}, await indexedDB.databases(),
  await caches.keys(), document.documentElement.outerHTML,
])"""


def test_the_refresh_token_is_in_the_plain_http_cookie_of_development_and_nowhere_else(
    visit: Visit,
) -> None:
    """COOKIE as docs/howto/browser.md has it for http://localhost: `"SECURE": not DEBUG`."""
    visitor = visit()
    page = visitor.log_in()
    assert visitor.base.startswith("http://localhost:")
    [cookie] = visitor.context.cookies()
    assert (cookie["name"], cookie["path"]) == ("signet-refresh-token", "/")
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, False, "Strict")
    assert page.locator("#places .chip").all_inner_texts() == ["empty"] * 5
    steal(page)
    press(page, "Refresh as yourself")
    says(page, "#theft-out", "the successor")
    stored = page.evaluate(STORED)
    assert json.loads(stored)[:5] == ["", {}, {}, [], []]
    bodies = [answer.text() for answer in visitor.answers if answer.status == 200]
    for secret in (cookie["value"], visitor.refresh_token()):
        assert not [text for text in (stored, *bodies) if secret.split(".")[1] in text]
    page.reload()
    page.locator("[data-status=in]").wait_for()
    assert visitor.complaints() == []


def test_one_call_is_greeted(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    press(page, "One call")
    says(page, "#calls-out", "Hello, World!")
    assert visitor.complaints() == []


def test_twenty_calls_at_once_cost_one_refresh(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    before = len(visitor.seen("/auth/refresh/"))
    press(page, "20 at once")
    says(page, "#calls-out", "20 of 20 answered, after 20 refusals and 1 refresh.")
    assert page.locator("#calls-out .dot").count() == 41
    assert visitor.seen("/auth/refresh/")[before:] == [200]
    assert sorted(visitor.seen("/hello/")) == [200] * 20 + [401] * 20
    assert visitor.complaints(401) == []


def test_a_token_that_is_over_is_refused_renewed_and_the_call_answered(
    visit: Visit, example: Example
) -> None:
    visitor = visit()
    page = visitor.log_in()
    press(page, "Expire now, and call")
    assert steps(page, "#expire-out") == ["401", "200", "200"]
    assert '"GET /hello/ HTTP/1.1" 401' in example.output()
    refused = next(one for one in visitor.answers if one.status == 401).request
    token = str(refused.header_value("Authorization")).split(" ")[1]
    header, payload, signature = token.split(".")
    assert byhand.signature(f"{header}.{payload}", SECRET_KEY) == signature
    shown = json.loads(page.locator("#token-payload").inner_text())
    assert decoded(payload)["sid"] == shown["sid"]
    assert int(str(decoded(payload)["exp"])) < shown["iat"]
    assert visitor.complaints(401) == []


def test_a_second_tab_is_logged_in_and_its_logout_reaches_the_first(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    with visitor.context.expect_page() as opened:
        page.get_by_role("link", name="Open a second tab").click()
    second = opened.value
    visitor.watch(second)
    second.locator("[data-status=in]").wait_for()
    says(page, "#tabs-count", "2 tabs")
    says(page, "#log", "handed over between tabs: an access token")
    press(second, "Log out")
    says(page, "#why", "You are logged out.")
    second.close()
    assert visitor.refresh_token() == ""
    assert visitor.complaints() == []


def names(page: Page) -> list[str]:
    return page.locator("#devices b").all_inner_texts()


def test_one_device_of_the_list_is_ended(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    press(page, "Log out everywhere")
    page.locator("[data-status=out]").wait_for()
    press(page, "Log in")
    says(page, "#devices", "this one")
    press(page, "Log in on a phone")
    says(page, "#devices", "Safari on iPhone")
    assert len(names(page)) == 2
    press(page, "End this one: Safari on iPhone")
    page.locator("#devices li").nth(1).wait_for(state="detached")
    press(page, "End this one: Chrome on Linux")
    says(page, "#why", "Your session was ended.")
    assert visitor.complaints(401) == []


def test_a_logout_everywhere_reaches_another_browser(visit: Visit) -> None:
    here, there = visit(), visit()
    page, other = here.log_in(), there.log_in()
    press(page, "Log out everywhere")
    says(page, "#why", "You are logged out.")
    press(other, "One call")
    says(other, "#why", "Your session was ended.")
    assert [*here.complaints(), *there.complaints(401)] == []


def test_a_stolen_token_is_a_retry_in_the_grace(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    steal(page)
    press(page, "Refresh as yourself")
    says(page, "#theft-out", "the successor")
    says(page, "#grace-left", re.compile(r"^0:\d\d$"))
    press(page, "Refresh as the thief")
    says(page, "#theft-out", "handed the same successor")
    held = [page.locator(one).inner_text() for one in ("#yours", "#thiefs")]
    assert held == ["1", "1"]
    says(page, "#you-are", "200")
    says(page, "#thief-is", "200")
    assert visitor.complaints() == []


def test_a_stolen_token_after_the_grace_ends_the_session_for_victim_and_thief(
    visit: Visit, strict: Example
) -> None:
    visitor = visit(at=strict)
    page = visitor.log_in()
    steal(page)
    press(page, "Refresh as yourself")
    says(page, "#theft-out", "the successor")
    press(page, "Refresh as the thief")
    says(page, "#why", "A refresh token was used twice, so one of the two was a thief.")
    says(page, "#why", "You are logged out, and can log in again.")
    says(page, "#why", "The thief is out too. Its last refresh: 401")
    assert "a refresh token 1 generations old was reused" in strict.output()
    assert visitor.refresh_token() == ""
    press(page, "Log in")
    says(page, "#theft-out", "Nothing is stolen yet.")
    assert visitor.complaints(401) == []


def test_a_thief_who_comes_first_is_found_out_by_the_victims_refresh(
    visit: Visit, strict: Example
) -> None:
    visitor = visit(at=strict)
    page = visitor.log_in()
    steal(page)
    press(page, "Refresh as the thief")
    says(page, "#theft-out", "The thief was first")
    says(page, "#thief-is", "200")
    press(page, "Refresh as yourself")
    says(page, "#why", "Your session was ended for safety.")
    says(page, "#why", "The thief is out too. Its last refresh: 200, its last call: 401")
    says(page, "#log", "logged out: reused")
    assert visitor.complaints(401) == []


def test_without_a_network_the_visitor_stays_logged_in_and_goes_on_later(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    page.get_by_role("radio", name="Offline").check()
    says(page, "#weather-now", "offline")
    press(page, "Expire, and call in this weather")
    assert steps(page, "#weather-out") == ["no answer"]
    says(page, "#weather-out", "You are still logged in.")
    assert visitor.seen("/hello/") == []
    page.get_by_role("radio", name="Fair").check()
    press(page, "One call")
    says(page, "#calls-out", "Hello, World!")
    assert steps(page, "#calls-out") == ["401", "200", "200"]
    assert visitor.complaints(401) == []


def test_a_failing_server_logs_nobody_out(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    page.get_by_role("radio", name="Failing").check()
    press(page, "Expire, and call in this weather")
    assert steps(page, "#weather-out") == ["401", "503"]
    says(page, "#weather-out", "You are still logged in.")
    page.get_by_role("radio", name="Fair").check()

    def greeted() -> bool:
        press(page, "One call")
        page.locator("#call:not([aria-disabled])").wait_for()
        return "Hello, World!" in page.locator("#calls-out").inner_text()

    wait_until(greeted, within=10, what="the client asks again")
    assert visitor.complaints(401, 503) == []


def test_a_slow_server_is_waited_for(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    page.get_by_role("radio", name="Slow").check()
    press(page, "One call")
    says(page, "#calls-out", "Hello, World!")
    took = page.locator("#calls-out .step small").last.inner_text()
    assert int(took.removesuffix(" ms")) >= 1000
    assert visitor.complaints() == []
