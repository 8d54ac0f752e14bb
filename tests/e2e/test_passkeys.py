"""Test docs/howto/passkeys.md with the virtual authenticator of Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.page_project import serve
from tests.e2e.pages_site import wait_until_ready

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SETTINGS = """
SIGNET = {"COOKIE": {"SECURE": False}, "LOGIN_THROTTLE": None}
PASSKEY_HOST = "localhost"
PASSKEY_ORIGINS = ["$origin"]
"""
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
}
#: Send the last answer to a challenge again: `sent` records the bodies of all requests.
RECORD = """
window.sent = [];
const original = window.fetch;
window.fetch = async (input, init) => {
  const request = new Request(input, init);
  sent.push({ path: new URL(request.url).pathname, body: await request.clone().text() });
  return original(request);
};
"""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the project of the page, and yield its origin."""
    directory = tmp_path_factory.mktemp("passkeys")
    with serve(directory, "howto/passkeys.md", settings=SETTINGS) as origin:
        yield origin


@pytest.fixture
def tab(chromium: Browser, origin: str) -> Iterator[Page]:
    """Yield a page in a browser whose authenticator has no passkeys yet."""
    with chromium.new_context() as context:
        tab = context.new_page()
        tab.add_init_script(RECORD)
        devtools = context.new_cdp_session(tab)
        devtools.send("WebAuthn.enable")
        devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        tab.goto(origin)
        wait_until_ready(tab)
        yield tab


def log_in(tab: Page, username: str) -> None:
    tab.evaluate(f"auth.login({{username: '{username}', password: '123'}})")


def status(tab: Page, path: str, body: str = "{}", **headers: str) -> Any:
    """Return the status and the body of the response to a POST request."""
    headers = {"Content-Type": "application/json", "X-Requested-With": "x", **headers}
    return tab.evaluate(
        """([path, body, headers]) => auth.fetch(path, {method: 'POST', headers, body})
        .then(async (answer) => [answer.status, await answer.json().catch(() => null)])""",
        [path, body, headers],
    )


def test_passkey_logs_in_steps_up_and_replaces_the_password(tab: Page) -> None:
    log_in(tab, "vitor")
    tab.evaluate("recipe.register()")
    assert status(tab, "/api/transfer/")[0] == 403
    assert status(tab, "/api/transfer/")[1]["code"] == "step_up_required"
    tab.evaluate("recipe.stepUp()")
    assert status(tab, "/api/transfer/") == [200, {"transferred": True}]

    tab.evaluate("auth.logout()")
    refused = "auth.login({username: 'vitor', password: '123'}).catch(({code}) => code)"
    assert tab.evaluate(refused) == "no_active_account"
    tab.evaluate("void recipe.login()")
    tab.wait_for_function("window.auth && auth.state.status === 'in'")
    assert status(tab, "/api/transfer/")[0] == 403  # a new session has not stepped up

    # An answer works once.
    tab.evaluate("recipe.stepUp()")
    last = tab.evaluate("sent.findLast(({ path }) => path === '/api/step-up/').body")
    assert status(tab, "/api/step-up/", last)[0] == 403
    assert status(tab, "/auth/passkey/", last)[0] == 401
    # A user cannot step up with the passkey of another user.
    tab.evaluate("auth.logout()")
    log_in(tab, "rita")
    assert tab.evaluate("recipe.stepUp().catch(({ message }) => message)").endswith("403")


@pytest.mark.parametrize(
    "credential",
    [
        {},
        {"id": "AAAA"},
        {"id": 7},
        {"id": None, "response": []},
        {"id": "é", "rawId": "é", "type": "public-key", "response": {}},
        {
            "id": "AAAA",
            "rawId": "AAAA",
            "type": "public-key",
            "response": {"clientDataJSON": "AAAA", "attestationObject": "AAAA"},
        },
    ],
    ids=str,
)
def test_invalid_answers_are_refused(tab: Page, credential: dict[str, Any]) -> None:
    send = """async ([path, options, credential]) => {
      const headers = {'Content-Type': 'application/json', 'X-Requested-With': 'x'};
      const answer = await auth.fetch(options, {method: 'POST', headers, body: '{}'});
      const { key } = await answer.json();
      const body = JSON.stringify({ key, credential });
      return (await auth.fetch(path, {method: 'POST', headers, body})).status;
    }"""
    for path, expected in (("/auth/passkey/", 401), ("/api/token/passkey/", 401)):
        assert tab.evaluate(send, [path, "/api/passkeys/login/", credential]) in (400, expected)
    log_in(tab, "rita")
    assert tab.evaluate(send, ["/api/passkeys/", "/api/passkeys/options/", credential]) in (
        400,
        403,
    )
    assert tab.evaluate(send, ["/api/step-up/", "/api/passkeys/login/", credential]) in (400, 403)
    key = {"key": "00000000-0000-4000-8000-000000000000", "credential": credential or {"id": 1}}
    assert status(tab, "/api/step-up/", json.dumps(key))[0] == 403


def test_page_of_another_site_cannot_log_in(tab: Page) -> None:
    assert status(tab, "/auth/passkey/", "x", **{"Content-Type": "text/plain"})[0] == 415
