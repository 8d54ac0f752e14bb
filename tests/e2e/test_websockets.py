"""Test docs/howto/websockets.md with Channels, Uvicorn and the WebSocket of Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e.page_project import serve
from tests.e2e.pages_site import wait_until_ready

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SETTINGS = """
INSTALLED_APPS += ["rest_framework", "drf_signet"]
SIGNET = {"COOKIE": {"SECURE": False}}
"""
#: The routes of the project. The page needs no more than those of the cookies.
URLS = """
from django.urls import include, path

urlpatterns = [path("auth/", include("drf_signet.urls_browser"))]
"""
OPEN = """async () => {
  window.socket = await recipe.connect(`ws://${location.host}/ws/hello/`);
  if (socket === null) return null;
  window.messages = [];
  socket.onmessage = ({ data }) => messages.push(JSON.parse(data).message);
  socket.onclose = ({ code }) => messages.push(code);
  await new Promise((resolve) => { socket.onopen = resolve; });
  return socket.protocol;
}"""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the project of the page, and yield its origin."""
    directory = tmp_path_factory.mktemp("websockets")
    settings = SETTINGS
    with serve(directory, "howto/websockets.md", settings=settings, urls=URLS, asgi=True) as base:
        yield base


@pytest.fixture
def tab(chromium: Browser, origin: str) -> Iterator[Page]:
    """Yield a page that is not logged in."""
    with chromium.new_context() as context:
        tab = context.new_page()
        tab.goto(origin)
        wait_until_ready(tab)
        yield tab


def test_page_connects_with_its_token_until_the_logout(tab: Page) -> None:
    assert tab.evaluate(OPEN) is None  # nobody is logged in
    tab.evaluate("auth.login({username: 'vitor', password: '123'})")
    assert tab.evaluate(OPEN) == "bearer"
    tab.evaluate("socket.send('{}')")
    tab.wait_for_function("messages.length === 1")
    tab.evaluate("auth.logout()")
    tab.evaluate("socket.send('{}')")
    tab.wait_for_function("messages.length === 2")
    assert tab.evaluate("messages") == ["Hello, vitor!", 4401]


def test_connection_without_a_token_is_refused(tab: Page) -> None:
    refused = """(protocols) => new Promise((resolve) => {
      const socket = new WebSocket(`ws://${location.host}/ws/hello/`, protocols);
      socket.onopen = () => resolve('open');
      socket.onclose = ({ code }) => resolve(code);
    })"""
    for protocols in ([], ["bearer"], ["bearer", "x.y.z"]):
        assert tab.evaluate(refused, protocols) == 1006
