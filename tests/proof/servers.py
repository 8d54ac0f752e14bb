"""Run gunicorn or uvicorn for a site on a free local port, until a `with` block ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.client import Connection
from benchmarks.processes import free_port
from benchmarks.wire import Call

from .site import Site
from .trees import ROOT

WORKERS = 2
THREADS = 8
_STARTED_WITHIN = 60.0
_STOPPED_WITHIN = 10.0


class Server:
    """A running server with its worker processes.

    Args:
        command: the command that starts the server on `port`.
        environment: the environment variables of the server.
        log: the file for the output of all processes.
    """

    def __init__(
        self, command: list[str], *, port: int, environment: dict[str, str], log: Path
    ) -> None:
        self.port = port
        self._log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        pid = self.process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def output(self) -> str:
        """Return the output of all processes so far."""
        return self._log.read_text("utf-8", errors="replace")

    def wait(self) -> None:
        """Wait until the server responds.

        Raises:
            RuntimeError: the server has exited, or does not respond in time. The message contains
                the server's output.
        """
        deadline = time.monotonic() + _STARTED_WITHIN
        while time.monotonic() < deadline and self.process.poll() is None:
            if asyncio.run(_answers(self.port)):
                return
            time.sleep(0.05)
        raise RuntimeError(f"the server does not answer:\n{self.output()}")

    def stop(self) -> None:
        """Stop the server and its workers. Kill all processes that take too long to stop."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=_STOPPED_WITHIN)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def serve(
    site: Site, kind: str = "gunicorn", *, workers: int = WORKERS, threads: int = THREADS
) -> Iterator[Server]:
    """Start a server for a site, and stop it when the `with` block ends.

    The site's database must already have its tables.

    Args:
        kind: "gunicorn" or "uvicorn".
        workers: the number of worker processes.
        threads: the number of threads of a gunicorn process. For a uvicorn process, AT_ONCE in
            `tests.proof.project.asgi` limits the number of parallel requests.
    """
    port = free_port()
    command = _COMMANDS[kind](port, workers, threads)
    with tempfile.TemporaryDirectory(prefix="signet-proof-") as folder:
        server = Server(
            [site.python, "-m", *command],
            port=port,
            environment=site.environment(connections_last=kind == "gunicorn"),
            log=Path(folder, "log"),
        )
        try:
            server.wait()
            yield server
        finally:
            server.stop()


def _gunicorn(port: int, workers: int, threads: int) -> list[str]:
    command = ["gunicorn", "tests.proof.project.wsgi", "--bind", f"127.0.0.1:{port}"]
    command += ["--worker-class", "gthread", "--workers", str(workers), "--threads", str(threads)]
    command += ["--keep-alive", "75", "--graceful-timeout", "5"]
    return [*command, "--log-level", "warning", "--no-control-socket"]


def _uvicorn(port: int, workers: int, threads: int) -> list[str]:
    command = ["uvicorn", "tests.proof.project.asgi:application", "--port", str(port)]
    command += ["--workers", str(workers), "--timeout-keep-alive", "75", "--lifespan", "off"]
    return [*command, "--log-level", "warning", "--no-access-log"]


_COMMANDS = {"gunicorn": _gunicorn, "uvicorn": _uvicorn}


async def _answers(port: int) -> bool:
    connection = Connection(port)
    try:
        async with asyncio.timeout(5):
            return (await connection.send(Call(path="/open/"))).status == 200
    except (OSError, asyncio.IncompleteReadError):
        return False
    finally:
        connection.close()
