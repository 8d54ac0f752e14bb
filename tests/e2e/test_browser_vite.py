"""Test an application on Vite's development server, with and without Vite's proxy."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.docs.pages import DOCS, blocks
from tests.e2e.example import ROOT, StartExample, free_port, wait_until
from tests.e2e.node import MODULES, require_modules
from tests.e2e.pages_site import OpenProfile, start_site, wait_for_output

PAGE = """<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<p id="output"></p>
<script type="module" src="/main.js"></script>
"""
#: The script of the application. It imports the client by the name of its npm package.
MAIN = """import { createAuth } from 'drf-signet';
const auth = (window.auth = createAuth({ url: '$url' }));
auth.subscribe(({ status, reason }) => { output.textContent = `${status} ${reason ?? ''}`; });
"""


def documented_proxy(api: str) -> str:
    """Return the Vite configuration in docs/howto/browser.md, with `api` as the API's URL."""
    code = [block.text for block in blocks(DOCS / "howto/browser.md")]
    configs = [text for text in code if "vite.config.js" in text]
    assert len(configs) == 1
    assert configs[0].count("http://localhost:8000") == 2
    return configs[0].replace("http://localhost:8000", api)


def write_application(folder: Path, *, url: str, config: str) -> None:
    """Write the files that `npm create vite` and `npm install drf-signet` would create."""
    packages = folder / "node_modules"
    packages.mkdir()
    (packages / "drf-signet").symlink_to(ROOT)
    for name, text in {
        "package.json": '{"private": true, "type": "module"}',
        "index.html": PAGE,
        "main.js": MAIN.replace("$url", url),
        "vite.config.js": config,
    }.items():
        (folder / name).write_text(text, encoding="utf-8")


@contextmanager
def vite(folder: Path, port: int) -> Iterator[str]:
    """Run Vite's development server, and yield the server's URL."""
    command = ["node", str(MODULES / "vite/bin/vite.js"), "--port", str(port), "--strictPort"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    origin = f"http://localhost:{port}"

    def serves() -> bool:
        assert server.poll() is None, (folder / "log").read_text()
        try:
            return bool(urlopen(origin).status == 200)
        except URLError:
            return False

    try:
        wait_until(serves, within=60, what="Vite responds")
        yield origin
    finally:
        server.terminate()
        server.wait()


@pytest.mark.parametrize("proxied", [False, True], ids=["across origins", "through its proxy"])
def test_vite_application_logs_in_calls_and_reloads(
    proxied: bool, profile: OpenProfile, start_example: StartExample, tmp_path: Path
) -> None:
    require_modules()
    port = free_port()
    api = start_site(start_example, other_origin="" if proxied else f"http://localhost:{port}")
    config = documented_proxy(api.origin) if proxied else "export default {};"
    write_application(tmp_path, url="/auth/" if proxied else api.url("auth/"), config=config)
    with vite(tmp_path, port) as origin:
        browser = profile(at=api)
        tab = browser.context.new_page()
        tab.goto(origin)
        wait_for_output(tab, "out")
        tab.evaluate("auth.login({username: 'vitor', password: '123'})")
        base = origin if proxied else api.origin
        call = f"auth.fetch('{base}/api/token/sessions/').then((answer) => answer.status)"
        assert tab.evaluate(call) == 200
        tab.reload()
        wait_for_output(tab, "in")
        assert tab.evaluate(call) == 200
        tab.evaluate("auth.logout()")
        wait_for_output(tab, "out logout")
        assert browser.refresh_token() == ""
