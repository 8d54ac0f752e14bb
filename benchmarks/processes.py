"""The processes of a run: workers, gunicorn servers, proxies, load. Each stops when it is left."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
#: Seconds that a server may take to answer for the first time.
STARTUP = 30.0

Database = Mapping[str, Any]


class Worker:
    """A process that runs tasks of `benchmarks.tasks` in one stack's Django."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=dict(environment),
        )

    def run(self, task: str, **arguments: Any) -> Any:
        """Run a task and return its result.

        Raises:
            RuntimeError: it failed; with the traceback.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"task": task, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"the worker died in {task}"}
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def close(self) -> None:
        """Let it end."""
        assert self._process.stdin
        self._process.stdin.close()
        _await_end(self._process)


class Server:
    """A gunicorn with one stack; its threads keep their database connections."""

    def __init__(self, environment: Mapping[str, str], *, workers: int, threads: int) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "gunicorn", "benchmarks.project.wsgi"]
        command += ["--bind", f"127.0.0.1:{self.port}", "--worker-class", "gthread"]
        command += ["--workers", str(workers), "--threads", str(threads), "--keep-alive", "75"]
        command += ["--log-level", "warning", "--no-control-socket"]
        self._process = subprocess.Popen(command, cwd=ROOT, env=dict(environment))
        self._await()

    def get(self, path: str) -> Any:
        """Return the JSON answer to a GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())

    def resident(self) -> list[int]:
        """Return the resident memory of each worker process, in bytes."""
        tasks = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [resident(int(pid)) for pid in tasks.read_text().split()]

    def close(self) -> None:
        """Stop it, at once: nothing that it does is needed any more."""
        self._process.terminate()
        _await_end(self._process)

    def _await(self) -> None:
        end = time.monotonic() + STARTUP
        while time.monotonic() < end:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                self.get("/open/")
                return
            time.sleep(0.05)
        self.close()
        raise RuntimeError("gunicorn did not answer")


@contextlib.contextmanager
def proxy(target: tuple[str, int], *, delay: float) -> Iterator[int]:
    """Run a proxy that delays every message to `target`; yield its port.

    Args:
        delay: seconds added to each round trip.
    """
    port = free_port()
    arguments = [str(port), target[0], str(target[1]), str(delay)]
    command = [sys.executable, "-m", "benchmarks.proxy", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()  # it listens
    try:
        yield port
    finally:
        process.terminate()
        process.wait(timeout=5)


def load(**job: Any) -> Any:
    """Run a job of `benchmarks.load` in a process of its own; return its result."""
    command = [sys.executable, "-m", "benchmarks.load"]
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(job), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def _await_end(process: subprocess.Popen[Any]) -> None:
    """Wait for the end of a process that knows it; kill it when it takes too long."""
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def resident(pid: int) -> int:
    """Return the resident memory of a process, in bytes."""
    return _status(pid, "VmRSS")


def peak(pid: int) -> int:
    """Return the most memory that a process ever had resident, in bytes."""
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def environment(stack: str, database: Database, rsa_key: Path) -> dict[str, str]:
    """Return the environment of a process with one stack's Django in it."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "benchmarks.project.settings",
        "BENCH_STACK": stack,
        "BENCH_DATABASE": json.dumps(database),
        "BENCH_RSA_KEY": str(rsa_key),
    }
