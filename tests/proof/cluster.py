"""A temporary PostgreSQL server, which tests may kill and pause, and whose clock they may set.

The server runs as the user `postgres`, on a free port, in a temporary folder, with fsync and
synchronous_commit on. It is separate from the PostgreSQL server that other tests use.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg

from tests.e2e.example import free_port

_OWNER = "postgres"
_DEADLINE = 60.0
_POLL = 0.02
#: Prefixes of environment variables that `initdb` and `postgres` must not inherit.
_FOREIGN = ("PG", "LC_", "LD_PRELOAD")


def binaries() -> Path | None:
    """Return the folder of the newest installed PostgreSQL server, or None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else None


def missing() -> str | None:
    """Return why this machine cannot start a PostgreSQL server, or None if it can."""
    if binaries() is None:
        return "no PostgreSQL server below /usr/lib/postgresql"
    if os.geteuid() != 0:
        return "only root may run a PostgreSQL server as the user postgres"
    return None


class Cluster:
    """A running PostgreSQL server, which tests may kill, pause and restart.

    Args:
        folder: an empty folder that the user `postgres` may enter.
        clock: environment variables that shift the server's clock (see `wallclock`).
        settings: PostgreSQL settings that extend or replace the settings of this class.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self._folder = folder
        self._data = folder / "data"
        self._settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "fsync": "on",
            "synchronous_commit": "on",
            **(settings or {}),
        }
        clean = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
        self._environment = {**clean, **(clock or {})}
        account = pwd.getpwnam(_OWNER)
        os.chown(folder, account.pw_uid, account.pw_gid)
        self._tool("initdb", "--auth=trust", f"--username={_OWNER}", "--encoding=UTF8")
        self._process = self._launch()
        self.await_ready()

    def database(self, name: str = "proof") -> dict[str, Any]:
        """Create an empty database, and return its settings for Django's DATABASES."""
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "HOST": "127.0.0.1",
            "PORT": self.port,
            "USER": _OWNER,
            "PASSWORD": "",
            "OPTIONS": {"connect_timeout": 5},
        }

    def connect(self, name: str) -> psycopg.Connection[tuple[Any, ...]]:
        """Return a connection to a database, in autocommit mode."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=_OWNER, dbname=name, autocommit=True
        )

    def crash(self) -> None:
        """Kill all processes of the server with SIGKILL, so that they write no more data."""
        killed = self.pids()
        self._signal(signal.SIGKILL)
        self._process.wait()
        _await(lambda: not any(map(_runs, killed)), "the processes of the killed server end")

    def kill_backend(self) -> None:
        """Kill one backend with SIGKILL. PostgreSQL then ends all other backends and recovers."""
        with self.connect("postgres") as other, self.connect("postgres") as killed:
            os.kill(killed.info.backend_pid, signal.SIGKILL)
            _await(lambda: _has_ended(other), "PostgreSQL ends the other backends")
        self.await_ready()

    def restart(self) -> None:
        """Start the server again after a crash, and wait until it has recovered."""
        self._process = self._launch()
        self.await_ready()

    def pause(self) -> None:
        """Pause all processes of the server (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume the paused processes (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def await_ready(self) -> None:
        """Wait until the server accepts connections."""

        def ready() -> bool:
            if self._process.poll() is not None:
                raise RuntimeError(self.log())
            try:
                self.connect("postgres").close()
            except psycopg.OperationalError:
                return False
            return True

        _await(ready, "PostgreSQL accepts connections")

    def pids(self) -> list[int]:
        """Return the ids of the server's processes. The first id is that of the postmaster."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [self._process.pid, *map(int, children.read_text().split())]

    def log(self) -> str:
        """Return everything that the server has logged."""
        return (self._folder / "log").read_text(encoding="utf-8")

    def close(self) -> None:
        """Stop the server without a checkpoint, because its data is no longer needed."""
        if self._process.poll() is None:
            self._signal(signal.SIGCONT)
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.crash()

    def _signal(self, number: int) -> None:
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _launch(self) -> subprocess.Popen[bytes]:
        arguments = [part for k, v in self._settings.items() for part in ("-c", f"{k}={v}")]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [str(_program("postgres")), "-D", str(self._data), *arguments],
                cwd=self._folder,
                env=self._environment,
                user=_OWNER,
                group=_OWNER,
                extra_groups=[],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _tool(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [str(_program(name)), "--pgdata", str(self._data), *arguments],
            cwd=self._folder,
            env=self._environment,
            user=_OWNER,
            group=_OWNER,
            extra_groups=[],
            check=True,
            capture_output=True,
        )


@contextlib.contextmanager
def running(**options: Any) -> Iterator[Cluster]:
    """Run a server in a temporary folder. After the `with` block, stop it and delete the folder."""
    folder = Path(tempfile.mkdtemp(prefix="signet-proof-postgres-"))
    cluster = None
    try:
        cluster = Cluster(folder, **options)
        yield cluster
    finally:
        if cluster is not None:
            cluster.close()
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> Path:
    folder = binaries()
    if folder is None:
        raise RuntimeError(missing())
    return folder / name


def _runs(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _has_ended(connection: psycopg.Connection[Any]) -> bool:
    """Return whether the server has closed a connection."""
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


def _await(condition: Any, what: str) -> None:
    end = time.monotonic() + _DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {_DEADLINE} s: {what}")
        time.sleep(_POLL)
