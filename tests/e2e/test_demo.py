"""`make demo`: what it prints works when pasted, and it starts and ends without surprises."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e import byhand
from tests.e2e.clients import Curl, httpie_variables
from tests.e2e.example import (
    ROOT,
    SECRET_KEY,
    VITOR,
    Example,
    environment,
    free_port,
    start,
    wait_until,
)

NewDatabase = Callable[[], dict[str, str]]


@pytest.fixture
def demo(tmp_path: Path, new_database: NewDatabase) -> Iterator[Example]:
    """Return the example with no variable set but those that keep tests apart."""
    example = start(tmp_path / "log", **new_database())
    yield example
    example.stop()


def printed(example: Example, heading: str) -> list[str]:
    """Return the lines that are printed to be pasted."""
    section = re.search(rf"^With {heading}.*:\n\n((?: {{4}}.*\n)+)", example.output(), re.MULTILINE)
    assert section is not None, example.output()
    return [line.removeprefix("    ") for line in section[1].splitlines()]


def paste(lines: list[str], directory: Path) -> str:
    """Run lines in a shell on a terminal, and return what appears on it, without colours."""
    script = directory / "pasted"
    script.write_text("\n".join(lines), encoding="utf-8")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["bash", str(script)],
        cwd=ROOT,
        env=environment(**httpie_variables(directory), TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ):
        os.close(theirs)
        text = b"".join(read_terminal(ours)).decode()
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m|\r", "", text)


def read_terminal(descriptor: int) -> Iterator[bytes]:
    """Read until the last program that writes to it has ended, which on Linux is an error."""
    with contextlib.suppress(OSError):
        while data := os.read(descriptor, 4096):
            yield data


def test_the_printed_curl_lines_work_when_pasted(demo: Example, tmp_path: Path) -> None:
    text = paste(printed(demo, "curl"), tmp_path)
    pair, hello, refreshed, logged_out, hello_again, refused = text.splitlines()
    assert json.loads(pair).keys() == {"access", "refresh"}
    assert hello == '{"message":"Hello, World!"} 200'
    assert re.fullmatch(r'\{"access":"[\w.-]+"\} 200', refreshed)
    assert logged_out == " 204"
    assert '"reason":"ended"' in hello_again
    assert hello_again.endswith(" 401")
    assert '"code":"token_not_valid"' in refused
    assert refused.endswith(" 401")


def test_the_printed_httpie_lines_work_when_pasted(demo: Example, tmp_path: Path) -> None:
    pair, *answers = paste(printed(demo, "HTTPie"), tmp_path).split("HTTP/1.1 ")
    assert json.loads(pair).keys() == {"access", "refresh"}
    hello, refreshed, logged_out, hello_again, refused = answers
    assert hello.startswith("200 OK")
    assert '"message": "Hello, World!"' in hello
    assert refreshed.startswith("200 OK")
    assert '"access": "' in refreshed
    assert logged_out.startswith("204 No Content")
    assert hello_again.startswith("401 Unauthorized")
    assert '"reason": "ended"' in hello_again
    assert refused.startswith("401 Unauthorized")
    assert '"code": "token_not_valid"' in refused


def test_the_printed_addresses_have_pages(demo: Example) -> None:
    pages = re.findall(rf"^ {{4}}({demo.base}/\S*)", demo.output(), re.MULTILINE)
    assert len(pages) == 4
    for page in pages:
        answer = Curl().run("--location", "--header", "Accept: text/html", page)
        assert answer.status in {200, 302, 401, 405}, page
        assert "text/html" in answer.headers["Content-Type"]


def test_the_page_is_named_first_and_is_there(demo: Example) -> None:
    assert demo.output().startswith(f"The demo page is at {demo.base}/\n")
    answer = Curl().get(f"{demo.base}/")
    assert answer.status == 200
    assert "<title>drf-signet: the demo page</title>" in answer.body


def test_the_page_is_opened_where_somebody_sits_in_front_of_a_browser(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" >{opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    address = f"127.0.0.1:{free_port()}"
    screen = {"DISPLAY": ":0", "BROWSER": f"{browser} %s", "EXAMPLE_ADDRESS": address}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "example/demo.py"],
        cwd=ROOT,
        env=environment(**new_database(), **screen),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            wait_until(opened.exists, within=60, what="the page is opened")
        finally:
            os.killpg(process.pid, signal.SIGINT)
            list(read_terminal(ours))
    os.close(ours)
    assert opened.read_text(encoding="utf-8").strip() == f"http://{address}/"


def test_httpie_is_called_by_its_relative_path_in_the_checkout(demo: Example) -> None:
    beside = Path(sys.executable).with_name("http")
    if not beside.is_relative_to(ROOT):
        pytest.skip("these tests run in an environment outside of the checkout")
    assert f"\n    {beside.relative_to(ROOT)} {demo.base}/hello/" in demo.output()


def test_without_a_secret_key_one_is_made_that_only_the_owner_reads(demo: Example) -> None:
    file = ROOT / "example" / ".secret_key"
    key = file.read_text(encoding="ascii")
    assert len(key) >= 50
    assert file.stat().st_mode & 0o777 == 0o600
    token = Curl().post(demo.url("api/token/"), **VITOR).json["access"]
    signing_input, _, signature = token.rpartition(".")
    assert signature == byhand.signature(signing_input, key)


def test_starting_again_keeps_user_and_sessions(tmp_path: Path, new_database: NewDatabase) -> None:
    variables = {**new_database(), "DJANGO_SECRET_KEY": SECRET_KEY}
    first = start(tmp_path / "first", **variables)
    refresh = Curl().post(first.url("api/token/"), **VITOR).json["refresh"]
    first.stop()
    second = start(tmp_path / "second", **variables)
    try:
        assert Curl().post(second.url("api/token/refresh/"), refresh=refresh).status == 200
        assert second.run("print(User.objects.count())").split()[-1] == "1"
    finally:
        second.stop()


@pytest.mark.parametrize("server", ["runserver", "gunicorn", "uvicorn"])
def test_ctrl_c_ends_it_cleanly(tmp_path: Path, new_database: NewDatabase, server: str) -> None:
    example = start(tmp_path / "log", **new_database(), EXAMPLE_SERVER=server)
    assert example.stop() == 0
    assert "Traceback" not in example.output()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(example.base.rpartition(":")[2])))


def test_it_serves_without_debug(tmp_path: Path, new_database: NewDatabase) -> None:
    example = start(tmp_path / "log", **new_database(), DJANGO_DEBUG="0", EXAMPLE_SERVER="gunicorn")
    try:
        access = Curl().post(example.url("api/token/"), **VITOR).json["access"]
        assert Curl().get(example.url("hello/"), access=access).status == 200
        assert "Traceback" not in Curl().get(example.url("nowhere/")).body
    finally:
        example.stop()


def refusal(directory: Path, **variables: str) -> str:
    """Run the demo where it cannot serve, and return its last words."""
    apart = {
        "EXAMPLE_ADDRESS": f"127.0.0.1:{free_port()}",
        "EXAMPLE_SQLITE_FILE": str(directory / "db.sqlite3"),
    }
    done = subprocess.run(
        [sys.executable, "example/demo.py"],
        cwd=ROOT,
        env=environment(**{**apart, **variables}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_taken_port_is_told_with_a_free_one(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        words = refusal(tmp_path, EXAMPLE_ADDRESS=f"127.0.0.1:{port}")
    assert f"127.0.0.1:{port}" in words
    assert re.search(r"EXAMPLE_ADDRESS=127\.0\.0\.1:\d+ make demo", words)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EXAMPLE_SERVER", "apache"),
        ("EXAMPLE_DATABASE", "oracle"),
        ("EXAMPLE_ADDRESS", "localhost"),
        ("EXAMPLE_ADDRESS", "127.0.0.1:99999"),
        ("EXAMPLE_SIGNET", "[]"),
        ("EXAMPLE_SIGNET", "{rotate}"),
    ],
)
def test_a_variable_without_meaning_is_named(tmp_path: Path, variable: str, value: str) -> None:
    assert variable in refusal(tmp_path, **{variable: value})


def test_an_unknown_setting_is_refused_before_serving(tmp_path: Path) -> None:
    words = refusal(tmp_path, EXAMPLE_SIGNET='{"ROTATE_REFRESH_TOKEN": true}')
    assert "Did you mean 'ROTATE_REFRESH_TOKENS'?" in words
    assert not (tmp_path / "db.sqlite3").exists()


def test_a_database_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    nowhere = {"PGHOST": "127.0.0.1", "PGPORT": str(free_port()), "PGDATABASE": "none"}
    assert "createdb" in refusal(tmp_path, EXAMPLE_DATABASE="postgres", **nowhere)
