"""Helpers that copy a project, edit its settings, and run its server in another process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROJECT = Path(__file__).with_name("project")

#: Timeout of one command or request, in seconds.
TIMEOUT = 60
_STARTING = "Starting development server at "
#: Prefixes of environment variables that the project's process must not inherit.
_REMOVED_PREFIXES = ("DJANGO_", "PYTHON", "COVERAGE_", "SIGNET_")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The parts of an HTTP response that the tests read."""

    status: int
    data: Any
    headers: Mapping[str, str] = field(repr=False)

    @property
    def names(self) -> set[str]:
        """The keys of the JSON object in the body; empty if the body is not a JSON object."""
        return set(self.data) if isinstance(self.data, dict) else set()


@dataclass(kw_only=True)
class Client:
    """An HTTP client for one server. It keeps cookies, as a browser does."""

    base: str
    cookies: dict[str, str] = field(default_factory=dict)

    def post(self, path: str, **data: Any) -> Answer:
        return self.send("POST", path, data)

    def get(self, path: str, access: str = "", scheme: str = "Bearer") -> Answer:
        return self.send(
            "GET", path, None, **({"Authorization": f"{scheme} {access}"} if access else {})
        )

    def send(self, method: str, path: str, data: Any, **headers: str) -> Answer:
        body = None if data is None else json.dumps(data).encode()
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        request = urllib.request.Request(
            f"{self.base}/{path}",
            data=body,
            method=method,
            headers={"Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                return self._answer(response)
        except urllib.error.HTTPError as error:
            with error:
                return self._answer(error)

    def _answer(self, response: Any) -> Answer:
        for line in response.headers.get_all("Set-Cookie") or ():
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        text = response.read().decode()
        is_json = response.headers.get_content_type() == "application/json"
        data = json.loads(text) if is_json and text else text
        return Answer(status=response.status, data=data, headers=dict(response.headers))


@dataclass(frozen=True, kw_only=True)
class Site:
    """A project in its own directory."""

    directory: Path

    @classmethod
    def copied(cls, directory: Path, *, source: Path = PROJECT) -> Site:
        shutil.copytree(source, directory, ignore=shutil.ignore_patterns("__pycache__"))
        return cls(directory=directory)

    @property
    def settings(self) -> Path:
        return self.directory / "mysite" / "settings.py"

    def edit(self, before: str, after: str) -> None:
        """Replace a string that occurs exactly once in the settings."""
        text = self.settings.read_text(encoding="utf-8")
        assert text.count(before) == 1, before
        self.settings.write_text(text.replace(before, after), encoding="utf-8")

    def append(self, text: str) -> None:
        """Append code to the settings."""
        with self.settings.open("a", encoding="utf-8") as stream:
            stream.write(f"{text}\n")

    def manage(self, python: Path, *arguments: str, fails: bool = False) -> str:
        """Run a `manage.py` command, and return its output. With `fails`, the command must fail."""
        done = subprocess.run(
            [python, "-W", "ignore", "manage.py", *arguments],
            cwd=self.directory,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def served(self, python: Path) -> Iterator[Client]:
        """Run the project's server; at the end, assert that the server's log has no traceback."""
        log = self.directory / "server.log"
        with log.open("w", encoding="utf-8") as stream:
            process = subprocess.Popen(
                [python, "-u", "manage.py", "runserver", "--noreload", "127.0.0.1:0"],
                cwd=self.directory,
                env=_environment(),
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
            )
        try:
            assert process.stdout is not None
            starting = (line for line in process.stdout if line.startswith(_STARTING))
            url = next(starting, None)
            assert url is not None, log.read_text(encoding="utf-8")
            yield Client(base=url.removeprefix(_STARTING).strip().rstrip("/"))
        finally:
            process.terminate()
            process.communicate(timeout=TIMEOUT)
        written = log.read_text(encoding="utf-8")
        assert "Traceback" not in written, written[-4000:]


def _environment() -> dict[str, str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(_REMOVED_PREFIXES)
    }
    return {**environment, "NO_PROXY": "*"}
