"""The example as a running process: started by `example/demo.py`, on a free port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: The user whom `demo.py` makes, and a key that is not the one in `example/.secret_key`.
VITOR = {"username": "vitor", "password": "123"}
SECRET_KEY = "the key of the walked example, known to the tests: 0123456789abcdef"
#: Under whose name the example imports what it uses → the variables that say so.
NAMES = {
    "ours": {},
    "simplejwt's": {
        "django_settings_module": "tests.e2e.alias.settings",
        "pythonpath": str(ROOT),
    },
}

STARTED_WITHIN = 60.0
POLL = 0.05

#: Whatever these say on a developer's machine, it is not what a test means.
_FOREIGN = ("DJANGO_", "EXAMPLE_", "PG", "COVERAGE_")


def wait_until(condition: Callable[[], Any], *, within: float, what: str) -> Any:
    """Ask again and again until the answer is true, and return it.

    Raises:
        AssertionError: it did not become true within that many seconds.
    """
    deadline = time.monotonic() + within
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(POLL)
    return answer


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without what would change the example, and with more."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    return {**inherited, "NO_PROXY": "*", **variables}


@dataclass(frozen=True, kw_only=True)
class Example:
    """One running example."""

    base: str
    variables: Mapping[str, str]
    process: subprocess.Popen[bytes]
    log: Path

    def url(self, path: str) -> str:
        """Return the whole address of a path."""
        return f"{self.base}/{path}"

    def output(self) -> str:
        """Return all that the process has written so far."""
        return self.log.read_text(encoding="utf-8")

    def run(self, code: str) -> str:
        """Run Python code in the example's `manage.py shell`, where User is; return its output."""
        code = f"from django.contrib.auth.models import User\n{code}"
        done = subprocess.run(
            [sys.executable, "example/manage.py", "shell", "--command", code],
            cwd=ROOT,
            env=environment(**self.variables),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def make_user(self, username: str) -> None:
        """Make a user anew, with the password 123."""
        self.run(f"""
User.objects.filter(username={username!r}).delete()
User.objects.create_user(username={username!r}, password='123')
""")

    def answers(self) -> bool:
        """Tell whether the protected view answers; fail if the process has ended."""
        assert self.process.poll() is None, f"the example ended:\n{self.output()}"
        host, port = self.base.removeprefix("http://").split(":")
        try:
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.sendall(b"GET /hello/ HTTP/1.0\r\nHost: localhost\r\n\r\n")
                with connection.makefile("rb") as response:
                    # To its end, when the server has nothing more to do.
                    return b" 401 " in response.read()
        except OSError:
            return False

    def stop(self) -> int:
        """End it as Ctrl-C in its terminal does; return its exit status."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            return self.process.wait(timeout=15)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


#: What the fixture `start_example` returns.
StartExample = Callable[..., Example]


def launch(log: Path, **variables: str) -> Example:
    """Start the example and return at once."""
    port = free_port()
    variables = {"EXAMPLE_ADDRESS": f"127.0.0.1:{port}", **variables}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "example/demo.py"],
            cwd=ROOT,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    base = f"http://{variables['EXAMPLE_ADDRESS']}"
    return Example(base=base, variables=variables, process=process, log=log)


def start(log: Path, **variables: str) -> Example:
    """Start the example and return when it serves."""
    example = launch(log, **variables)
    try:
        wait_until(example.answers, within=STARTED_WITHIN, what="the example serves")
    except BaseException:
        example.stop()
        raise
    return example
