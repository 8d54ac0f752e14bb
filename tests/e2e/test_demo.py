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
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e import jwt_by_hand
from tests.e2e.clients import Curl, httpie_variables
from tests.e2e.example import (
    PYTHONPATH,
    ROOT,
    SECRET_KEY,
    VITOR,
    Example,
    environment,
    free_port,
    launch,
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


@contextmanager
def terminal(command: list[str], **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a command in a pseudo-terminal. Yield the process and a descriptor to read its output."""
    our_end, shell_end = pty.openpty()
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(**variables, TERM="xterm"),
        stdin=shell_end,
        stdout=shell_end,
        stderr=shell_end,
        start_new_session=True,
    ) as process:
        os.close(shell_end)
        yield process, our_end
    os.close(our_end)


def read_terminal(descriptor: int) -> Iterator[bytes]:
    """Yield the output of a terminal until all processes that write to the terminal have exited.

    On Linux, reading from the terminal then raises an OSError.
    """
    with contextlib.suppress(OSError):
        while data := os.read(descriptor, 4096):
            yield data


def write_script(lines: list[str], directory: Path) -> str:
    """Write shell commands into a file, and return its path."""
    path = directory / "pasted"
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def paste(lines: list[str], directory: Path) -> str:
    """Run shell commands in a pseudo-terminal, and return their output without colour codes."""
    command = ["bash", write_script(lines, directory)]
    with terminal(command, **httpie_variables(directory)) as (_, descriptor):
        text = b"".join(read_terminal(descriptor)).decode()
    return re.sub(r"\x1b\[[0-9;]*m|\r", "", text)


def run_without_terminal(lines: list[str], directory: Path) -> str:
    """Run shell commands as a script does whose input is an open pipe, and return their output."""
    with subprocess.Popen(
        ["bash", write_script(lines, directory)],
        cwd=ROOT,
        env=environment(**httpie_variables(directory)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        return process.stdout.read()  # the input stays open until the commands have ended


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


def test_printed_httpie_commands_work_without_a_terminal(demo: Example, tmp_path: Path) -> None:
    """HTTPie then prints only the body of each response. The body after the logout is empty."""
    answers = run_without_terminal(printed_commands(demo, "HTTPie"), tmp_path)
    read = re.sub(r"\}\s*\{", "},{", answers)  # one JSON array instead of objects in a row
    pair, hello, refreshed, hello_again, rejected = json.loads(f"[{read}]")
    assert pair.keys() == {"access", "refresh"}
    assert hello == {"message": "Hello, World!"}
    assert refreshed.keys() == {"access"}
    assert (hello_again["reason"], rejected["reason"]) == ("ended", "ended")


def test_printed_addresses_return_html_pages(demo: Example) -> None:
    pages = re.findall(rf"^ {{4}}({demo.base}/\S*)", demo.output(), re.MULTILINE)
    assert len(pages) == 5
    for page in pages:
        answer = Curl().run("--location", "--header", "Accept: text/html", page)
        assert answer.status in {200, 302, 401, 405}, page
        assert "text/html" in answer.headers["Content-Type"]


def test_address_of_the_demo_page_is_printed_first_and_works(demo: Example) -> None:
    first, page, *_ = demo.output().splitlines()
    assert first == "Creating the tables of the database, and a user ..."
    assert page == f"The demo page is at {demo.base}/"
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
    with terminal([sys.executable, "example/demo.py"], **new_database(), **screen) as (
        process,
        descriptor,
    ):
        try:
            wait_until(opened.exists, within=60, what="the browser opens the page")
        finally:
            os.killpg(process.pid, signal.SIGINT)
            list(read_terminal(descriptor))
    assert opened.read_text(encoding="utf-8").strip() == f"http://{address}/"


def test_printed_httpie_path_is_relative_inside_the_checkout(demo: Example) -> None:
    http_script = Path(sys.executable).with_name("http")
    if not http_script.is_relative_to(ROOT):
        pytest.skip("the virtual environment is outside the checkout")
    assert f"command {http_script.relative_to(ROOT)} --ignore-stdin" in demo.output()


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


def test_ctrl_c_stops_the_preparation_without_a_traceback(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    example = launch(tmp_path / "log", **new_database())
    wait_until(example.output, within=60, what="the demo creates the tables")
    assert example.stop() == 130
    assert example.output() == "Creating the tables of the database, and a user ...\n"


def test_make_demo_serves_the_page_and_ends_with_ctrl_c(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    """The environment is up to date (`--old-file`), so nothing is installed."""
    command = ["make", "--old-file=.venv/.demo", f"PY={sys.executable}", "demo"]
    address = {"EXAMPLE_ADDRESS": f"127.0.0.1:{free_port()}"}
    with terminal(command, **new_database(), **address) as (process, descriptor):
        text = b""
        for data in read_terminal(descriptor):
            text += data
            if b"Quit the server" in data:
                os.killpg(process.pid, signal.SIGINT)
    assert f"The demo page is at http://{address['EXAMPLE_ADDRESS']}/".encode() in text
    assert [word for word in (b"Traceback", b"Error", b"***") if word in text] == []


def test_make_demo_installs_only_the_packages_of_the_demo() -> None:
    command = ["make", "--dry-run", "--always-make", "demo"]
    printed = subprocess.check_output(command, cwd=ROOT, text=True)
    assert re.findall(r"--group (\w+)", printed) == ["demo"]
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {line.partition(">")[0] for line in groups["dependency-groups"]["demo"]}
    spectacular = {"drf-spectacular", "drf-spectacular-sidecar"}
    assert packages == {"django-cors-headers", "ua-parser", *spectacular}


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


def test_another_port_is_used_if_the_default_port_is_taken(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with contextlib.ExitStack() as taken:
        with contextlib.suppress(OSError):  # another process may have taken the port already
            taken.enter_context(socket.create_server(("127.0.0.1", 8000)))
        example = launch(tmp_path / "log", **new_database(), EXAMPLE_ADDRESS="")
        find = re.compile(
            r"^Starting development server at (http://127\.0\.0\.1:\d+)/", re.MULTILINE
        )
        (base,) = wait_until(
            lambda: find.findall(example.output()), within=60, what="the demo is served"
        )
        try:
            assert Curl().get(f"{base}/").status == 200
        finally:
            example.stop()
    port = base.rpartition(":")[2]
    message = "demo: cannot listen on 127.0.0.1:8000; the port may be in use."
    assert example.output().startswith(f"{message} Using port {port} instead.\n")
    assert f"The demo page is at {base}/" in example.output()


def test_error_for_a_server_that_is_not_installed_contains_the_command_to_install_it(
    tmp_path: Path,
) -> None:
    hide = "import sys\nsys.modules['gunicorn'] = None\n"  # as if it were not installed
    (tmp_path / "sitecustomize.py").write_text(hide, encoding="utf-8")
    paths = {"PYTHONPATH": os.pathsep.join((str(tmp_path), PYTHONPATH))}
    stderr = failed_start(tmp_path, EXAMPLE_SERVER="gunicorn", **paths)
    assert f"{sys.executable} -m pip install gunicorn" in stderr


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
