"""Build the project of a page in an empty directory, and run tests in it with `manage.py test`.

A page needs its own project if its code cannot run in the project of the test suite, for example
because it defines models. The tests of such a page are in `tests/docs/in_projects/`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.docs.pages import DOCS, ROOT, blocks

TESTS = Path(__file__).with_name("in_projects")
SETTINGS = "mysite/settings.py"
#: Timeout of one command, in seconds.
TIMEOUT = 60
_REMOVED_PREFIXES = ("DJANGO_", "PYTHON", "COVERAGE_", "SIGNET_")
#: Settings that are appended to the settings of a new project, before those of the page.
_FOR_TESTS = """
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""


class Project:
    """A new project with the files of a page.

    Args:
        page: the page below `docs`, such as `howto/passkeys.md`.
        paths: the beginnings of the paths of the `py` blocks that are written to the project.
            Without paths, all of them are written.
        python: the interpreter that runs the project.
    """

    def __init__(
        self,
        directory: Path,
        page: str,
        *paths: str,
        python: str | Path = sys.executable,
    ) -> None:
        self._python = python
        self._directory = directory / "work"
        self._directory.mkdir()
        self._run("-m", "django", "startproject", "mysite", ".")
        self.append(SETTINGS, _FOR_TESTS)
        for block in blocks(DOCS / page):
            if block.language == "py":
                assert block.file is not None, f"{block.where}: the first line must name a file"
                if block.file.path.startswith(paths or ("",)):
                    block.file.write(self._directory)

    def run_tests(self, module: str, *apps: str, settings: str = "") -> None:
        """Run a module of `tests/docs/in_projects`.

        Args:
            apps: the apps of the page that have models. Their migrations are created first.
            settings: code that is appended to the settings.
        """
        self.append(SETTINGS, settings)
        shutil.copy(TESTS / module, self._directory / "test_page.py")
        if apps:
            self.manage("makemigrations", *apps)
        self.manage("test", "--no-input", "test_page")

    def append(self, path: str, code: str) -> None:
        """Append code to a file, which is created if there is none."""
        with (self._directory / path).open("a", encoding="utf-8") as stream:
            stream.write(code)

    def manage(self, *arguments: str) -> None:
        """Run a `manage.py` command."""
        self._run("manage.py", *arguments)

    @contextmanager
    def served(self, port: int, *command: str) -> Iterator[None]:
        """Run the project's server; at the end, assert that its log has no traceback.

        Args:
            command: the command that starts the server. By default, it is `manage.py runserver`.
        """
        address = f"127.0.0.1:{port}"
        runserver = (self._python, "-u", "manage.py", "runserver", "--noreload", address)
        path = self._directory / "server.log"
        with path.open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                command or runserver,
                cwd=self._directory,
                env=_environment(),
                stdout=log,
                stderr=log,
            )
        try:
            wait_until_listening(port, process)
            yield
        finally:
            process.terminate()
            process.wait(timeout=TIMEOUT)
        assert "Traceback" not in path.read_text(encoding="utf-8"), path.read_text(encoding="utf-8")

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            [self._python, *arguments],
            cwd=self._directory,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server accepts connections."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server has exited"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("the server does not listen")


def _environment() -> dict[str, str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(_REMOVED_PREFIXES)
    }
    return {**inherited, "PYTHONPATH": str(ROOT / "src"), "NO_PROXY": "*"}
