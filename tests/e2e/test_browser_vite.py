"""An application that Vite serves, as its how-to says: across origins, and through its proxy."""

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
from tests.e2e.site import OpenProfile, said, start_site

PAGE = """<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<p id="said"></p>
<script type="module" src="/main.js"></script>
"""
#: With the import of the package from npm, which Vite resolves.
MAIN = """import { createAuth } from 'drf-signet';
const auth = (window.auth = createAuth({ url: '$url' }));
auth.subscribe(({ status, reason }) => { said.textContent = `${status} ${reason ?? ''}`; });
"""


def documented_proxy(api: str) -> str:
    """Return the page's own configuration, with the address of this API in it."""
    found = [one.text for one in blocks(DOCS / "howto/browser.md") if "vite.config.js" in one.text]
    assert len(found) == 1
    assert found[0].count("http://localhost:8000") == 2
    return found[0].replace("http://localhost:8000", api)


def write_application(folder: Path, *, url: str, config: str) -> None:
    """Write what `npm create vite` and `npm install drf-signet` would leave."""
    installed = folder / "node_modules"
    installed.mkdir()
    (installed / "drf-signet").symlink_to(ROOT)
    for name, text in {
        "package.json": '{"private": true, "type": "module"}',
        "index.html": PAGE,
        "main.js": MAIN.replace("$url", url),
        "vite.config.js": config,
    }.items():
        (folder / name).write_text(text, encoding="utf-8")


@contextmanager
def vite(folder: Path, port: int) -> Iterator[str]:
    """Run Vite's own server for development, and give its address."""
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
        wait_until(serves, within=60, what="Vite serves")
        yield origin
    finally:
        server.terminate()
        server.wait()


@pytest.mark.parametrize("proxied", [False, True], ids=["across origins", "through its proxy"])
def test_an_application_that_vite_serves_logs_in_calls_and_comes_back(
    proxied: bool, profile: OpenProfile, start_example: StartExample, tmp_path: Path
) -> None:
    require_modules()
    port = free_port()
    api = start_site(start_example, other="" if proxied else f"http://localhost:{port}")
    config = documented_proxy(api.origin) if proxied else "export default {};"
    write_application(tmp_path, url="/auth/" if proxied else api.url("auth/"), config=config)
    with vite(tmp_path, port) as origin:
        one = profile(at=api)
        tab = one.context.new_page()
        tab.goto(origin)
        said(tab, "out")
        tab.evaluate("auth.login({username: 'vitor', password: '123'})")
        base = origin if proxied else api.origin
        call = f"auth.fetch('{base}/api/token/sessions/').then((answer) => answer.status)"
        assert tab.evaluate(call) == 200
        tab.reload()
        said(tab, "in")
        assert tab.evaluate(call) == 200
        tab.evaluate("auth.logout()")
        said(tab, "out logout")
        assert one.cookie() == ""
