"""Test an application on Vite's development server, with and without Vite's proxy."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests.docs.pages import DOCS, Block, blocks
from tests.docs.walk import open_reader
from tests.e2e.example import ROOT, StartExample, free_port, wait_until
from tests.e2e.node import MODULES, require_modules
from tests.e2e.pages_site import OpenProfile, start_site, wait_for_output

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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
        except OSError:
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


GUIDE = DOCS / "howto" / "front-ends.md"
SECTION = "From an empty directory, with Vite"
START = "npm run dev"
#: A program `npm` without a network. It creates the same project as the real one, and installs the
#: packages in `tests/client` and this repository.
NPM = f"""#!/bin/bash -e
case "$*" in
"create --yes vite@latest "*" -- "*)
    arguments=(); for one in "${{@:4}}"; do [ "$one" = -- ] || arguments+=("$one"); done
    exec node "{MODULES}/create-vite/index.js" "${{arguments[@]}}" ;;
install)
    mkdir node_modules && ln -s "{MODULES}"/* "{MODULES}/.bin" node_modules ;;
"install drf-signet")
    ln -s "{ROOT}" node_modules/drf-signet ;;
*) echo "npm $*: not in this test"; exit 1 ;;
esac
"""


def section(title: str) -> list[Block]:
    """Return the code blocks of a section of the guide, in order."""
    lines = GUIDE.read_text(encoding="utf-8").splitlines()
    start = lines.index(f"## {title}") + 1
    ends = [number for number, line in enumerate(lines, 1) if re.match("## ", line)]
    end = min((number for number in ends if number > start), default=len(lines))
    return [block for block in blocks(GUIDE) if start < block.line <= end]


def write_script(block: Block, front_end: Path, api: str) -> None:
    """Write a script to the folder that the guide names, with the URL of the test's API."""
    match = re.match(r"// ([\w.]+)\n", block.text)
    assert match, f"{block.where}: the first line must name a file"
    folder = front_end if match[1] == "vite.config.js" else front_end / "src"
    text = block.text.replace("http://localhost:8000", f"http://{api}")
    (folder / match[1]).write_text(text, encoding="utf-8")


def test_react_application_of_the_guide_works_from_an_empty_directory(
    chromium: Browser, tmp_path: Path
) -> None:
    require_modules()
    (npm := tmp_path / "npm").write_text(NPM, encoding="utf-8")
    npm.chmod(0o755)
    page = section(SECTION)
    typed = [block for block in page if block.text.strip() != START]
    assert len(typed) == len(page) - 1
    shared = blocks(GUIDE)[0]
    with open_reader(tmp_path, tmp_path) as reader:
        reader.read(typed)
        front_end = reader.project / "front-end"
        for block in [shared, *page, *section("React")]:
            if block.language in ("js", "jsx"):
                write_script(block, front_end, reader.address)
        with vite(front_end, free_port()) as origin, chromium.new_context() as context:
            tab = context.new_page()
            tab.goto(origin)
            tab.locator("[name=username]").fill("vitor")
            tab.locator("[name=password]").fill("123")
            tab.get_by_role("button", name="Log in").click()
            tab.get_by_role("button", name="Load").click()
            tab.get_by_text("Hello, vitor!").wait_for()
            tab.reload()
            tab.get_by_role("button", name="Log out").wait_for()
            [cookie] = context.cookies()
            assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
            assert tab.evaluate("[document.cookie, localStorage.length]") == ["", 0]
            tab.get_by_role("button", name="Log out").click()
            tab.get_by_role("button", name="Log in").wait_for()
