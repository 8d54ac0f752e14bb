"""Test the demo page in Chromium: each card sends real requests and shows their results."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e import jwt_by_hand
from tests.e2e.demopage import (
    Visit,
    press,
    shown_statuses,
    start_demo,
    steal,
    visits,
    wait_for_text,
)
from tests.e2e.example import SECRET_KEY, Example, StartExample, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route


@pytest.fixture
def example(start_example: StartExample) -> Example:
    return start_demo(start_example)


@pytest.fixture
def visit(chromium: Browser, example: Example) -> Iterator[Visit]:
    with visits(chromium, example) as make:
        yield make


@pytest.fixture
def without_grace(start_example: StartExample) -> Example:
    """Return the example with a rotation grace period of zero seconds."""
    return start_demo(start_example, ROTATION_GRACE_PERIOD=0)


def test_anonymous_first_visit_logs_nothing_to_the_console(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open()
    assert page.get_by_role("button", name="Log in", exact=True).is_visible()
    assert page.locator("#why").inner_text() == ""
    assert visitor.statuses("/auth/refresh/") == [204]
    assert visitor.console_errors() == []


def test_wrong_password_shows_an_error_beside_the_form(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open()
    page.get_by_label("Password").fill("wrong-password")
    press(page, "Log in")
    wait_for_text(page, "[role=alert]", "No active account found")
    assert visitor.console_errors(401) == []


def decoded(segment: str) -> dict[str, object]:
    return dict(json.loads(jwt_by_hand.decode(segment)))


def test_login_shows_the_access_token_decoded_in_three_coloured_parts(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    header, payload, signature = page.locator("#token-text").inner_text().split(".")
    assert jwt_by_hand.signature(f"{header}.{payload}", SECRET_KEY) == signature
    assert json.loads(page.locator("#token-header").inner_text()) == decoded(header)
    assert json.loads(page.locator("#token-payload").inner_text()) == decoded(payload)
    colours = "(spans) => spans.map((span) => getComputedStyle(span).color)"
    assert len(set(page.locator("#token-text span").evaluate_all(colours))) == 3
    assert visitor.console_errors() == []


def test_bar_says_who_is_logged_in_and_how_long_the_token_is_valid(visit: Visit) -> None:
    visitor = visit()
    visitor.context.clock.install()
    page = visitor.log_in()
    said = r"Logged in as vitor\s*· access token valid for (4:5\d|5:00)"
    assert re.fullmatch(said, page.locator(".pill").inner_text())
    page.clock.fast_forward("05:30")
    page.locator(".pill[data-expired]").wait_for()
    assert page.locator(".pill").inner_text().endswith("access token expired")


def test_lifetime_of_the_access_token_is_counted_down(visit: Visit) -> None:
    visitor = visit()
    visitor.context.clock.install()
    page = visitor.log_in()
    wait_for_text(page, "#token-left", re.compile(r"^(4:5\d|5:00)$"))
    page.clock.fast_forward("02:00")
    wait_for_text(page, "#token-left", re.compile(r"^(2:5\d|3:00)$"))
    assert 0.5 < page.locator("#token-bar").evaluate("(bar) => bar.value") <= 0.6
    page.clock.fast_forward("03:30")
    wait_for_text(page, "#token-left", "expired")


READ_ALL_STORAGE = """async () => JSON.stringify([
  document.cookie, {...localStorage}, {...sessionStorage}, await indexedDB.databases(),
  await caches.keys(), document.documentElement.outerHTML,
])"""


def test_refresh_token_is_only_in_the_cookie_for_plain_http(
    visit: Visit,
) -> None:
    """The cookie has no `Secure` attribute, which the example sets only if DEBUG is off."""
    visitor = visit()
    page = visitor.log_in()
    assert visitor.base.startswith("http://localhost:")
    [cookie] = visitor.context.cookies()
    assert (cookie["name"], cookie["path"]) == ("signet-refresh-token", "/")
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, False, "Strict")
    assert page.locator("#places .chip").all_inner_texts() == ["empty"] * 5
    steal(page)
    press(page, "Refresh as yourself")
    wait_for_text(page, "#theft-out", "the new token")
    stored = page.evaluate(READ_ALL_STORAGE)
    assert json.loads(stored)[:5] == ["", {}, {}, [], []]
    bodies = [answer.text() for answer in visitor.responses if answer.status == 200]
    for refresh_token in (cookie["value"], visitor.refresh_token()):
        assert not [text for text in (stored, *bodies) if refresh_token.split(".")[1] in text]
    page.reload()
    page.locator("[data-status=in]").wait_for()
    assert visitor.console_errors() == []


def test_one_call_shows_the_greeting(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    press(page, "One call")
    wait_for_text(page, "#calls-out", "Hello, World!")
    assert visitor.console_errors() == []


def test_twenty_calls_at_once_cause_one_refresh(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    before = len(visitor.statuses("/auth/refresh/"))
    press(page, "20 at once")
    summary = "20 of 20 calls succeeded, after 20 rejections and 1 refresh."
    wait_for_text(page, "#calls-out", summary)
    assert page.locator("#calls-out .dot").count() == 41
    assert visitor.statuses("/auth/refresh/")[before:] == [200]
    assert sorted(visitor.statuses("/hello/")) == [200] * 20 + [401] * 20
    assert visitor.console_errors(401) == []


def test_expired_token_is_rejected_then_refreshed_and_the_call_repeated(
    visit: Visit, example: Example
) -> None:
    visitor = visit()
    page = visitor.log_in()
    press(page, "Expire now, and call")
    assert shown_statuses(page, "#expire-out") == ["401", "200", "200"]
    assert '"GET /hello/ HTTP/1.1" 401' in example.output()
    rejected = next(answer for answer in visitor.responses if answer.status == 401).request
    token = str(rejected.header_value("Authorization")).split(" ")[1]
    header, payload, signature = token.split(".")
    assert jwt_by_hand.signature(f"{header}.{payload}", SECRET_KEY) == signature
    new_claims = json.loads(page.locator("#token-payload").inner_text())
    assert decoded(payload)["sid"] == new_claims["sid"]
    assert int(str(decoded(payload)["exp"])) < new_claims["iat"]
    assert visitor.console_errors(401) == []


def test_second_tab_is_logged_in_and_its_logout_logs_out_the_first_tab(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    with visitor.context.expect_page() as opened:
        page.get_by_role("link", name="Open a second tab").click()
    second = opened.value
    visitor.watch(second)
    second.locator("[data-status=in]").wait_for()
    wait_for_text(page, "#tabs-count", "2 tabs")
    wait_for_text(page, "#log", "received an access token from another tab")
    press(second, "Log out")
    wait_for_text(page, "#why", "You are logged out.")
    second.close()
    assert visitor.refresh_token() == ""
    assert visitor.console_errors() == []


def test_token_of_this_tab_is_not_called_a_token_from_another_tab(visit: Visit) -> None:
    page = visit().log_in()
    press(page, "Expire now, and call")
    assert shown_statuses(page, "#expire-out") == ["401", "200", "200"]
    press(page, "20 at once")
    wait_for_text(page, "#calls-out", "1 refresh.")
    wait_for_text(page, "#log", "demo: an expired token")
    assert "another tab" not in page.locator("#log").inner_text()


def device_names(page: Page) -> list[str]:
    return page.locator("#devices b").all_inner_texts()


def test_each_device_in_the_list_can_be_logged_out(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    press(page, "Log out everywhere")
    page.locator("[data-status=out]").wait_for()
    press(page, "Log in")
    wait_for_text(page, "#devices", "this device")
    press(page, "Log in on a phone")
    wait_for_text(page, "#devices", "Safari on iPhone")
    assert len(device_names(page)) == 2
    press(page, "End session: Safari on iPhone")
    page.locator("#devices li").nth(1).wait_for(state="detached")
    (own,) = device_names(page)
    press(page, f"End session: {own.removesuffix('this device')}")
    wait_for_text(page, "#why", "You are logged out.")
    assert visitor.console_errors() == []


def test_devices_can_be_renamed_and_all_others_logged_out(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    press(page, "Log in on a phone")
    wait_for_text(page, "#devices", "Safari on iPhone")
    page.get_by_role("button", name="Rename: Safari on iPhone").first.click()
    page.get_by_label("Name of the device").fill("  my <b>phone</b> ")
    press(page, "Save")
    wait_for_text(page, "#devices", "my <b>phone</b>")
    wait_for_text(page, "#devices", "Safari on iPhone, 203.0.113.7")
    press(page, "End all other sessions")
    page.locator("#devices li").nth(1).wait_for(state="detached")
    (left,) = device_names(page)
    assert left.endswith("this device")
    assert visitor.console_errors() == []


def test_logout_everywhere_logs_out_another_browser(visit: Visit) -> None:
    here, there = visit(), visit()
    page, other = here.log_in(), there.log_in()
    press(page, "Log out everywhere")
    wait_for_text(page, "#why", "You are logged out.")
    press(other, "One call")
    wait_for_text(other, "#why", "Your session was ended.")
    assert [*here.console_errors(), *there.console_errors(401)] == []


def test_stolen_token_within_the_grace_period_counts_as_a_retry(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    steal(page)
    press(page, "Refresh as yourself")
    wait_for_text(page, "#theft-out", "the new token")
    wait_for_text(page, "#grace-left", re.compile(r"^0:\d\d$"))
    press(page, "Refresh as the thief")
    wait_for_text(page, "#theft-out", "gets the same new token")
    generations = [page.locator(id_).inner_text() for id_ in ("#yours", "#thiefs")]
    assert generations == ["1", "1"]
    wait_for_text(page, "#you-are", "200")
    wait_for_text(page, "#thief-is", "200")
    assert visitor.console_errors() == []


def test_stolen_token_after_the_grace_period_ends_the_session_for_both(
    visit: Visit, without_grace: Example
) -> None:
    visitor = visit(at=without_grace)
    page = visitor.log_in()
    steal(page)
    press(page, "Refresh as yourself")
    wait_for_text(page, "#theft-out", "the new token")
    press(page, "Refresh as the thief")
    wait_for_text(page, "#why", "An old refresh token was used again: somebody has stolen a copy.")
    wait_for_text(page, "#why", "You are logged out, and can log in again.")
    wait_for_text(page, "#why", "The thief is logged out too. Its last refresh: 401")
    assert "a refresh token 1 generations old was reused" in without_grace.output()
    assert visitor.refresh_token() == ""
    press(page, "Log in")
    wait_for_text(page, "#theft-out", "Nothing is stolen yet.")
    assert visitor.console_errors(401) == []


def test_refresh_of_the_victim_after_the_thief_ends_the_session_for_both(
    visit: Visit, without_grace: Example
) -> None:
    visitor = visit(at=without_grace)
    page = visitor.log_in()
    steal(page)
    press(page, "Refresh as the thief")
    wait_for_text(page, "#theft-out", "The thief refreshed first")
    wait_for_text(page, "#thief-is", "200")
    press(page, "Refresh as yourself")
    wait_for_text(page, "#why", "Your session was ended for security reasons.")
    fate = "The thief is logged out too. Its last refresh: 200, its last call: 401"
    wait_for_text(page, "#why", fate)
    wait_for_text(page, "#log", "logged out: reused")
    assert visitor.console_errors(401) == []


def test_visitor_stays_logged_in_while_offline_and_calls_work_afterwards(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    page.get_by_role("radio", name="Offline").check()
    wait_for_text(page, "#weather-now", "offline")
    press(page, "Expire the token, and call")
    assert shown_statuses(page, "#weather-out") == ["no answer"]
    wait_for_text(page, "#weather-out", "You are still logged in.")
    assert visitor.statuses("/hello/") == []
    page.get_by_role("radio", name="Normal").check()
    press(page, "One call")
    wait_for_text(page, "#calls-out", "Hello, World!")
    assert shown_statuses(page, "#calls-out") == ["401", "200", "200"]
    assert visitor.console_errors(401) == []


def test_failing_server_logs_nobody_out(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    page.get_by_role("radio", name="Failing").check()
    press(page, "Expire the token, and call")
    assert shown_statuses(page, "#weather-out") == ["401", "503"]
    wait_for_text(page, "#weather-out", "You are still logged in.")
    page.get_by_role("radio", name="Normal").check()

    def greeted() -> bool:
        press(page, "One call")
        page.locator("#call:not([aria-disabled])").wait_for()
        return "Hello, World!" in page.locator("#calls-out").inner_text()

    wait_until(greeted, within=10, what="the client refreshes again")
    assert visitor.console_errors(401, 503) == []


def test_card_shows_the_answers_so_far_while_the_server_is_slow(visit: Visit) -> None:
    """Playwright holds the refresh request back until the card has shown that it waits."""
    page = visit().log_in()
    held: list[Route] = []
    page.route("**/auth/refresh/", lambda route: held.append(route))  # noqa: PLW0108
    press(page, "Expire now, and call")
    wait_for_text(page, "#expire-out .waiting", "Waiting for the server")
    page.locator("#expire-out .step").wait_for()
    assert page.locator("#expire-out .chip").all_inner_texts() == ["401"]
    assert page.locator("#expire-out").get_by_role("progressbar").is_visible()
    assert page.locator("#expire[aria-disabled=true]").is_visible()
    held[0].continue_()
    assert shown_statuses(page, "#expire-out") == ["401", "200", "200"]
    assert page.locator("#expire-out .waiting").count() == 0


def test_client_waits_for_a_slow_server(visit: Visit) -> None:
    visitor = visit()
    page = visitor.log_in()
    page.get_by_role("radio", name="Slow").check()
    press(page, "One call")
    wait_for_text(page, "#calls-out", "Hello, World!")
    duration = page.locator("#calls-out .step small").last.inner_text()
    assert int(duration.removesuffix(" ms")) >= 1000
    assert visitor.console_errors() == []


@pytest.mark.parametrize("remember", [True, False])
def test_refresh_cookie_ends_with_the_browser_unless_the_visitor_is_remembered(
    visit: Visit, remember: bool
) -> None:
    visitor = visit()
    page = visitor.open()
    page.get_by_label("Remember me").set_checked(remember)
    press(page, "Log in")
    for _ in range(2):
        page.locator("#token-text .signature").wait_for()
        (cookie,) = (one for one in visitor.context.cookies() if "refresh" in one["name"])
        left = cookie["expires"] - time.time()
        # -1: a cookie without Max-Age and Expires
        assert (13 < left / 86_400 < 14.1) if remember else cookie["expires"] == -1
        with page.expect_response("**/auth/refresh/"):
            page.reload()
