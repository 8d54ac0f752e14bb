"""Follow the instructions on a page in an empty directory, with a shell and a running server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.docs.pages import ANSWERS, Block, matches

#: The command that pages use to start the server, and the address at which pages call the server.
RUNSERVER = "python manage.py runserver"
ADDRESS = "127.0.0.1:8000"

#: Programs that pages need in addition to the standard Unix tools.
PROGRAMS = ("bash", "curl", "http")
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

#: Timeout in seconds for running one block of commands, and for stopping the shell or the server.
TIMEOUT = 60

#: Prefixes of environment variables to remove, because they could change the output of commands.
_REMOVED_PREFIXES = ("DJANGO_", "PIP_", "PYTHON", "COVERAGE_", "HTTPIE_", "SIGNET_")

_STARTING = "Starting development server at "
_MARK = "the end of this block"


class Server:
    """A `manage.py runserver` process that listens on a free port."""

    def __init__(self, directory: Path, env: dict[str, str], log: Path) -> None:
        with log.open("a", encoding="utf-8") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "runserver", "--noreload", "127.0.0.1:0"],
                cwd=directory,
                env=env,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self._process.stdout is not None
        starting = (line for line in self._process.stdout if line.startswith(_STARTING))
        url = next(starting, None)
        assert url is not None, f"the server did not start:\n{log.read_text(encoding='utf-8')}"
        self.address = url.removeprefix(_STARTING).strip().strip("/").removeprefix("http://")

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=TIMEOUT)


class Shell:
    """A bash process that runs all command blocks of a page.

    A block can use shell variables that an earlier block has set. If a command fails and the page
    does not handle the failure, bash exits.
    """

    def __init__(self, directory: Path, env: dict[str, str]) -> None:
        self._script = directory / ".block"
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail"],
            cwd=directory,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, script: str) -> tuple[bool, str]:
        """Run a script. Return whether all its commands succeeded, and their output."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._script.write_text(script, encoding="utf-8")
        timer = threading.Timer(TIMEOUT, self._process.kill)
        timer.start()
        source = f"source '{self._script}' </dev/null"
        self._process.stdin.write(f"{source}; printf '\\n{_MARK}\\n'\n")
        self._process.stdin.flush()
        printed: list[str] = []
        line = ""
        for line in self._process.stdout:
            if line == f"{_MARK}\n":
                break
            printed.append(line)
        timer.cancel()
        return self._process.poll() is None and line == f"{_MARK}\n", "".join(printed)

    def stop(self) -> None:
        self._process.communicate(timeout=TIMEOUT)


class Reader:
    """A simulated reader, which writes a page's files, runs its commands and checks the output.

    Args:
        programs: a folder with programs that replace those of the system.
    """

    def __init__(self, directory: Path, programs: Path | None = None) -> None:
        self._home = directory / "home"
        self._home.mkdir()
        self._log = self._home / "runserver.log"
        self._env = _environment(self._home)
        if programs is not None:
            self._env["PATH"] = os.pathsep.join([str(programs), self._env["PATH"]])
        self._directory = directory / "work"
        self._directory.mkdir()
        self._shell = Shell(self._directory, self._env)
        self._server: Server | None = None
        self._stale = False

    def read(self, blocks: list[Block]) -> int:
        """Process the blocks in order. Return the number of blocks whose output was compared."""
        compared = 0
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            if block.language == "python":
                self._write(block)
            elif block.language == "bash":
                shows = following is not None and following.language in ANSWERS
                compared += shows
                self._type(block, following if shows else None)
        return compared

    def stop(self) -> None:
        self._shell.stop()
        if self._server is not None:
            self._server.stop()

    def _write(self, block: Block) -> None:
        assert block.file is not None, f"{block.where}: the first line must name a file"
        block.file.write(self.project)
        self._stale = True

    def _type(self, block: Block, answer: Block | None) -> None:
        if block.text.strip() == RUNSERVER or (self._server and self._stale):
            # Start the server, or restart it after a file has changed. The server runs without the
            # reloader, which takes a second to notice a change.
            self._serve()
        if block.text.strip() == RUNSERVER:
            return
        address = self._server.address if self._server else ADDRESS
        succeeded, printed = self._shell.run(block.text.replace(ADDRESS, address))
        assert succeeded, f"{block.where}: failed:\n{printed}\n{self._server_log()}"
        if answer is not None:
            assert matches(answer.text, printed), (
                f"{answer.where}: shows\n\n{answer.text}\nbut the commands print\n{printed}\n"
                f"{self._server_log()}"
            )

    def _serve(self) -> None:
        if self._server is not None:
            self._server.stop()
        self._server = Server(self.project, self._env, self._log)
        self._stale = False

    def _server_log(self) -> str:
        return self._log.read_text(encoding="utf-8")[-4000:] if self._log.exists() else ""

    @property
    def address(self) -> str:
        """The host and port of the running server."""
        assert self._server is not None
        return self._server.address

    @property
    def project(self) -> Path:
        """Return the directory of `manage.py`, to which file paths on the page are relative."""
        manage = next(self._directory.glob("*/manage.py"), None)
        assert manage is not None, "the page has not created a project yet"
        return manage.parent


@contextmanager
def open_reader(directory: Path, programs: Path | None = None) -> Iterator[Reader]:
    """Yield a `Reader`, and stop its shell and its server when the `with` block ends."""
    reader = Reader(directory, programs)
    try:
        yield reader
    finally:
        reader.stop()


def missing_programs() -> list[str]:
    """Return the names of the programs that pages need but that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]


def _environment(home: Path) -> dict[str, str]:
    """Configure curl and HTTPie, and return the environment variables for a page's commands.

    Both programs then print the same output as in a terminal, but without colours. The input of the
    commands is not a terminal, and the page must say how HTTPie works without a terminal.
    """
    options = ["--print=hb", "--pretty=format"]
    config = {"default_options": options, "disable_update_warnings": True}
    (home / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (home / ".curlrc").write_text("silent\nshow-error\n", encoding="utf-8")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(_REMOVED_PREFIXES)
    }
    return environment | {
        "CURL_HOME": str(home),
        "HOME": str(home),
        "HTTPIE_CONFIG_DIR": str(home),
        "LC_ALL": "C.UTF-8",
        "PATH": PATH,
        # The packages that a page installs are already installed, so pip does not need the network.
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INDEX": "1",
        "PYTHONUNBUFFERED": "1",
    }
