"""Follow a page as its reader would: a shell, a project in an empty directory, a running server."""

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

#: What a page says to start the server, and the address at which it then says it is.
RUNSERVER = "python manage.py runserver"
ADDRESS = "127.0.0.1:8000"

#: Programs that a page may use, beside those of every Unix; in this environment or on the machine.
PROGRAMS = ("bash", "curl", "http")
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

#: Longest time that one block may take, in seconds.
PATIENCE = 60

#: Whatever these say on a developer's machine, it is not what a page means.
_FOREIGN = ("DJANGO_", "PIP_", "PYTHON", "COVERAGE_", "HTTPIE_", "SIGNET_")

_STARTING = "Starting development server at "
_MARK = "the end of this block"


class Server:
    """`manage.py runserver` on a port that was free."""

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
        self._process.communicate(timeout=PATIENCE)


class Shell:
    """One bash for all blocks of a page, so that what one sets the next one has.

    A command that fails ends it, unless the page itself expects that.
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
        """Return whether every command succeeded, and what was printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._script.write_text(script, encoding="utf-8")
        timer = threading.Timer(PATIENCE, self._process.kill)
        timer.start()
        source = f"source '{self._script}' </dev/null"
        self._process.stdin.write(f"{source}; printf '\\n{_MARK}\\n'\n")
        self._process.stdin.flush()
        printed: list[str] = []
        for line in self._process.stdout:
            if line == f"{_MARK}\n":
                break
            printed.append(line)
        timer.cancel()
        return self._process.poll() is None and line == f"{_MARK}\n", "".join(printed)

    def stop(self) -> None:
        self._process.communicate(timeout=PATIENCE)


class Reader:
    """Does what the blocks of a page say, and checks what they show."""

    def __init__(self, directory: Path) -> None:
        self._home = directory / "home"
        self._home.mkdir()
        self._log = self._home / "runserver.log"
        self._env = _environment(self._home)
        self._directory = directory / "work"
        self._directory.mkdir()
        self._shell = Shell(self._directory, self._env)
        self._server: Server | None = None
        self._stale = False

    def read(self, blocks: list[Block]) -> int:
        """Go through the blocks in order; return how many answers were compared."""
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
        assert block.file is not None, f"{block.where}: the first line names no file"
        block.file.write(self._project)
        self._stale = True

    def _type(self, block: Block, answer: Block | None) -> None:
        if block.text.strip() == RUNSERVER or (self._server and self._stale):
            self._serve()  # with its own reloader it would notice by itself, a second later
        if block.text.strip() == RUNSERVER:
            return
        here = self._server.address if self._server else ADDRESS
        succeeded, printed = self._shell.run(block.text.replace(ADDRESS, here))
        assert succeeded, f"{block.where}: failed:\n{printed}\n{self._server_log()}"
        if answer is not None:
            assert matches(answer.text, printed), (
                f"{answer.where}: shows\n\n{answer.text}\nand not\n{printed}\n{self._server_log()}"
            )

    def _serve(self) -> None:
        if self._server is not None:
            self._server.stop()
        self._server = Server(self._project, self._env, self._log)
        self._stale = False

    def _server_log(self) -> str:
        return self._log.read_text(encoding="utf-8")[-4000:] if self._log.exists() else ""

    @property
    def _project(self) -> Path:
        """Where the files of the page belong: the directory that `manage.py` is in."""
        found = next(self._directory.glob("*/manage.py"), None)
        assert found is not None, "there is no project yet"
        return found.parent


@contextmanager
def reader(directory: Path) -> Iterator[Reader]:
    """Return a reader whose shell and server end with the block."""
    one = Reader(directory)
    try:
        yield one
    finally:
        one.stop()


def missing_programs() -> list[str]:
    """Return the programs without which no page can be followed here."""
    return [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]


def _environment(home: Path) -> dict[str, str]:
    """Make the surroundings in which output looks as it does in a terminal, but for colours."""
    options = ["--ignore-stdin", "--print=hb", "--pretty=format"]
    config = {"default_options": options, "disable_update_warnings": True}
    (home / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (home / ".curlrc").write_text("silent\nshow-error\n", encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return kept | {
        "CURL_HOME": str(home),
        "HOME": str(home),
        "HTTPIE_CONFIG_DIR": str(home),
        "LC_ALL": "C.UTF-8",
        "PATH": PATH,
        # What the page installs is installed here already; nothing is asked of the network.
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INDEX": "1",
        "PYTHONUNBUFFERED": "1",
    }
