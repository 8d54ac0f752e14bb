"""Start `example/demo.py` on a free port, and control the server process."""

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
#: The tests and the package of this checkout, for settings of the example that are in `tests`.
PYTHONPATH = os.pathsep.join((str(ROOT), str(ROOT / "src")))
#: The username and password of the user that `demo.py` creates.
VITOR = {"username": "vitor", "password": "123"}
#: The SECRET_KEY that tests use for the example, instead of the key in `example/.secret_key`.
SECRET_KEY = "the key of the walked example, known to the tests: 0123456789abcdef"
#: Package name under which the example imports drf-signet → the arguments of `start_example` that
#: make the example use this name.
IMPORT_PATHS = {
    "drf_signet": {},
    "rest_framework_simplejwt": {
        "django_settings_module": "tests.e2e.alias.settings",
        "pythonpath": PYTHONPATH,
    },
}

STARTED_WITHIN = 60.0
POLL = 0.05

#: Prefixes of inherited environment variables that would change how the example runs.
_IGNORED_PREFIXES = ("DJANGO_", "EXAMPLE_", "PG", "COVERAGE_")


def wait_until(condition: Callable[[], Any], *, within: float, what: str) -> Any:
    """Call `condition` repeatedly until it returns a true value, and return that value.

    Raises:
        AssertionError: `condition` returned no true value within `within` seconds.
    """
    deadline = time.monotonic() + within
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(POLL)
    return answer


def free_port() -> int:
    """Return a port on which no process listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def environment(**variables: str) -> dict[str, str]:
    """Return `os.environ` plus `variables`, without inherited variables that change the example."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(_IGNORED_PREFIXES)}
    return {**inherited, "NO_PROXY": "*", **variables}


@dataclass(frozen=True, kw_only=True)
class Example:
    """A running example server."""

    base: str
    variables: Mapping[str, str]
    process: subprocess.Popen[bytes]
    log: Path

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"{self.base}/{path}"

    def output(self) -> str:
        """Return the output of the server process so far."""
        return self.log.read_text(encoding="utf-8")

    def run(self, code: str) -> str:
        """Run Python code in `manage.py shell`, and return its output. The code can use `User`."""
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
        """Create a user with the password 123. Delete an existing user with this name first."""
        self.run(f"""
User.objects.filter(username={username!r}).delete()
User.objects.create_user(username={username!r}, password='123')
""")

    def answers(self) -> bool:
        """Return whether the protected view responds with 401. Fail if the process has exited."""
        assert self.process.poll() is None, f"the example exited:\n{self.output()}"
        host, port = self.base.removeprefix("http://").split(":")
        try:
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.sendall(b"GET /hello/ HTTP/1.0\r\nHost: localhost\r\n\r\n")
                with connection.makefile("rb") as response:
                    # Read the whole response, so that the server can finish the request.
                    return b" 401 " in response.read()
        except OSError:
            return False

    def stop(self) -> int:
        """Stop the server as Ctrl-C does, and return its exit status."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            return self.process.wait(timeout=15)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


#: The type of the function that the fixture `start_example` yields.
StartExample = Callable[..., Example]


def launch(log: Path, **variables: str) -> Example:
    """Start the example, and return without waiting until the server responds."""
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
    """Start the example, and wait until the server responds."""
    example = launch(log, **variables)
    try:
        wait_until(example.answers, within=STARTED_WITHIN, what="the example responds")
    except BaseException:
        example.stop()
        raise
    return example
