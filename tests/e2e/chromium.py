"""Start the installed Chromium, and run HTTP servers for pages of other origins."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.services import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: `--no-sandbox` lets Chromium run as root in a container. The other flags turn off features that
#: the tests do not need, such as background requests.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium, yield the browser, and close it afterwards."""
    from playwright.sync_api import sync_playwright  # Playwright is an optional dependency

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield launched
        finally:
            launched.close()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


def file_server(directory: Path) -> AbstractContextManager[str]:
    """Return a context manager that serves a directory over HTTP and yields the server's URL."""
    return serve(functools.partial(_QuietHandler, directory=str(directory)))


@contextmanager
def serve(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """Run an HTTP server with this request handler on a free port, and yield the server's URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
