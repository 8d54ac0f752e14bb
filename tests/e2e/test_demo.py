"""Test that `make demo` starts, stops, prints commands that work, and explains errors."""

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

from tests.e2e import jwt_by_hand
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
    """Yield the running example, with a new database and otherwise default settings."""
    example = start(tmp_path / "log", **new_database())
    yield example
    example.stop()


def printed_commands(example: Example, heading: str) -> list[str]:
    """Return the command lines that `make demo` prints under a heading."""
    section = re.search(rf"^With {heading}.*:\n\n((?: {{4}}.*\n)+)", example.output(), re.MULTILINE)
    assert section is not None, example.output()
    return [line.removeprefix("    ") for line in section[1].splitlines()]


def paste(lines: list[str], directory: Path) -> str:
    """Run shell commands in a pseudo-terminal, and return their output without colour codes."""
    script = directory / "pasted"
    script.write_text("\n".join(lines), encoding="utf-8")
    our_end, shell_end = pty.openpty()
    with subprocess.Popen(
        ["bash", str(script)],
        cwd=ROOT,
        env=environment(**httpie_variables(directory), TERM="xterm"),
        stdin=shell_end,
        stdout=shell_end,
        stderr=shell_end,
    ):
        os.close(shell_end)
        text = b"".join(read_terminal(our_end)).decode()
    os.close(our_end)
    return re.sub(r"\x1b\[[0-9;]*m|\r", "", text)


def read_terminal(descriptor: int) -> Iterator[bytes]:
    """Yield the output of a terminal until all processes that write to the terminal have exited.

    On Linux, reading from the terminal then raises an OSError.
    """
    with contextlib.suppress(OSError):
        while data := os.read(descriptor, 4096):
            yield data


def test_printed_curl_commands_work_when_pasted(demo: Example, tmp_path: Path) -> None:
    text = paste(printed_commands(demo, "curl"), tmp_path)
    pair, hello, refreshed, logged_out, hello_again, rejected = text.splitlines()
    assert json.loads(pair).keys() == {"access", "refresh"}
    assert hello == '{"message":"Hello, World!"} 200'
    assert re.fullmatch(r'\{"access":"[\w.-]+"\} 200', refreshed)
    assert logged_out == " 204"
    assert '"reason":"ended"' in hello_again
    assert hello_again.endswith(" 401")
    assert '"code":"token_not_valid"' in rejected
    assert rejected.endswith(" 401")


def test_printed_httpie_commands_work_when_pasted(demo: Example, tmp_path: Path) -> None:
    pair, *answers = paste(printed_commands(demo, "HTTPie"), tmp_path).split("HTTP/1.1 ")
    assert json.loads(pair).keys() == {"access", "refresh"}
    hello, refreshed, logged_out, hello_again, rejected = answers
    assert hello.startswith("200 OK")
    assert '"message": "Hello, World!"' in hello
    assert refreshed.startswith("200 OK")
    assert '"access": "' in refreshed
    assert logged_out.startswith("204 No Content")
    assert hello_again.startswith("401 Unauthorized")
    assert '"reason": "ended"' in hello_again
    assert rejected.startswith("401 Unauthorized")
    assert '"code": "token_not_valid"' in rejected


def test_printed_addresses_return_html_pages(demo: Example) -> None:
    pages = re.findall(rf"^ {{4}}({demo.base}/\S*)", demo.output(), re.MULTILINE)
    assert len(pages) == 5
    for page in pages:
        answer = Curl().run("--location", "--header", "Accept: text/html", page)
        assert answer.status in {200, 302, 401, 405}, page
        assert "text/html" in answer.headers["Content-Type"]


def test_address_of_the_demo_page_is_printed_first_and_works(demo: Example) -> None:
    assert demo.output().startswith(f"The demo page is at {demo.base}/\n")
    answer = Curl().get(f"{demo.base}/")
    assert answer.status == 200
    assert "<title>drf-signet: the demo page</title>" in answer.body


def test_demo_page_is_opened_in_a_browser_if_there_is_a_screen(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" >{opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    address = f"127.0.0.1:{free_port()}"
    screen = {"DISPLAY": ":0", "BROWSER": f"{browser} %s", "EXAMPLE_ADDRESS": address}
    our_end, shell_end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "example/demo.py"],
        cwd=ROOT,
        env=environment(**new_database(), **screen),
        stdin=shell_end,
        stdout=shell_end,
        stderr=shell_end,
        start_new_session=True,
    ) as process:
        os.close(shell_end)
        try:
            wait_until(opened.exists, within=60, what="the browser opens the page")
        finally:
            os.killpg(process.pid, signal.SIGINT)
            list(read_terminal(our_end))
    os.close(our_end)
    assert opened.read_text(encoding="utf-8").strip() == f"http://{address}/"


def test_printed_httpie_path_is_relative_inside_the_checkout(demo: Example) -> None:
    http_script = Path(sys.executable).with_name("http")
    if not http_script.is_relative_to(ROOT):
        pytest.skip("the virtual environment is outside the checkout")
    assert f"\n    {http_script.relative_to(ROOT)} {demo.base}/hello/" in demo.output()


def test_secret_key_is_generated_and_readable_by_its_owner_only(demo: Example) -> None:
    key_file = ROOT / "example" / ".secret_key"
    secret_key = key_file.read_text(encoding="ascii")
    assert len(secret_key) >= 50
    assert key_file.stat().st_mode & 0o777 == 0o600
    token = Curl().post(demo.url("api/token/"), **VITOR).json["access"]
    signing_input, _, signature = token.rpartition(".")
    assert signature == jwt_by_hand.signature(signing_input, secret_key)


def test_restart_keeps_the_user_and_sessions(tmp_path: Path, new_database: NewDatabase) -> None:
    variables = {**new_database(), "DJANGO_SECRET_KEY": SECRET_KEY}
    first = start(tmp_path / "first", **variables)
    refresh_token = Curl().post(first.url("api/token/"), **VITOR).json["refresh"]
    first.stop()
    second = start(tmp_path / "second", **variables)
    try:
        assert Curl().post(second.url("api/token/refresh/"), refresh=refresh_token).status == 200
        assert second.run("print(User.objects.count())").split()[-1] == "1"
    finally:
        second.stop()


@pytest.mark.parametrize("server", ["runserver", "gunicorn", "uvicorn"])
def test_ctrl_c_stops_the_server_cleanly(
    tmp_path: Path, new_database: NewDatabase, server: str
) -> None:
    example = start(tmp_path / "log", **new_database(), EXAMPLE_SERVER=server)
    assert example.stop() == 0
    assert "Traceback" not in example.output()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(example.base.rpartition(":")[2])))


def test_example_works_without_debug(tmp_path: Path, new_database: NewDatabase) -> None:
    example = start(tmp_path / "log", **new_database(), DJANGO_DEBUG="0", EXAMPLE_SERVER="gunicorn")
    try:
        access_token = Curl().post(example.url("api/token/"), **VITOR).json["access"]
        assert Curl().get(example.url("hello/"), access=access_token).status == 200
        assert "Traceback" not in Curl().get(example.url("nowhere/")).body
    finally:
        example.stop()


def failed_start(directory: Path, **variables: str) -> str:
    """Run the demo, check that it fails without a traceback, and return its error output."""
    defaults = {
        "EXAMPLE_ADDRESS": f"127.0.0.1:{free_port()}",
        "EXAMPLE_SQLITE_FILE": str(directory / "db.sqlite3"),
    }
    done = subprocess.run(
        [sys.executable, "example/demo.py"],
        cwd=ROOT,
        env=environment(**{**defaults, **variables}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_error_for_a_taken_port_suggests_a_free_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        stderr = failed_start(tmp_path, EXAMPLE_ADDRESS=f"127.0.0.1:{port}")
    assert f"127.0.0.1:{port}" in stderr
    assert re.search(r"EXAMPLE_ADDRESS=127\.0\.0\.1:\d+ make demo", stderr)


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
def test_error_for_an_invalid_variable_contains_its_name(
    tmp_path: Path, variable: str, value: str
) -> None:
    assert variable in failed_start(tmp_path, **{variable: value})


def test_unknown_setting_stops_the_demo_before_the_database_is_created(tmp_path: Path) -> None:
    stderr = failed_start(tmp_path, EXAMPLE_SIGNET='{"ROTATE_REFRESH_TOKEN": true}')
    assert "Did you mean 'ROTATE_REFRESH_TOKENS'?" in stderr
    assert not (tmp_path / "db.sqlite3").exists()


def test_error_for_an_unreachable_database_suggests_createdb(tmp_path: Path) -> None:
    nowhere = {"PGHOST": "127.0.0.1", "PGPORT": str(free_port()), "PGDATABASE": "none"}
    assert "createdb" in failed_start(tmp_path, EXAMPLE_DATABASE="postgres", **nowhere)
