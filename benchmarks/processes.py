"""Start and stop the processes of a run: workers, gunicorn servers, proxies, load generators."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
#: Maximum time from the start of a server to its first response, in seconds.
STARTUP = 30.0

Database = Mapping[str, Any]


class Worker:
    """A process that runs functions of `benchmarks.tasks` with the Django settings of a stack."""

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
            RuntimeError: the task failed; the message is its traceback.
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
        """Stop the worker."""
        assert self._process.stdin
        self._process.stdin.close()
        _await_end(self._process)


class Server:
    """A gunicorn server for one stack. Its threads keep their database connections open."""

    def __init__(self, environment: Mapping[str, str], *, workers: int, threads: int) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "gunicorn", "benchmarks.project.wsgi"]
        command += ["--bind", f"127.0.0.1:{self.port}", "--worker-class", "gthread"]
        command += ["--workers", str(workers), "--threads", str(threads), "--keep-alive", "75"]
        command += ["--log-level", "warning", "--no-control-socket"]
        self._process = subprocess.Popen(command, cwd=ROOT, env=dict(environment))
        self._await()

    def get(self, path: str) -> Any:
        """Send a GET request and return the JSON value of the response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())

    def resident(self) -> list[int]:
        """Return the resident memory of each worker process, in bytes."""
        tasks = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [resident(int(pid)) for pid in tasks.read_text().split()]

    def close(self) -> None:
        """Stop the server."""
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
    """Run a proxy that delays every message to `target`, and yield the port of the proxy.

    Args:
        delay: seconds added to each round trip.
    """
    port = free_port()
    arguments = [str(port), target[0], str(target[1]), str(delay)]
    command = [sys.executable, "-m", "benchmarks.proxy", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()  # wait until the proxy listens
        try:
            yield port
        finally:
            process.terminate()


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """Run a Redis or Valkey server that stores nothing on disk, and yield its URL."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise RuntimeError("neither redis-server nor valkey-server is on the PATH")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        _await_end(process)


def load(**job: Any) -> Any:
    """Run a job of `benchmarks.load` in a new process, and return its result."""
    command = [sys.executable, "-m", "benchmarks.load"]
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(job), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def _await_end(process: subprocess.Popen[Any]) -> None:
    """Wait until a process exits; kill it after five seconds."""
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
    """Return the peak resident memory of a process, in bytes."""
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    return int(match.group(1)) * 1024 if match else 0


def environment(stack: str, database: Database, rsa_key: Path) -> dict[str, str]:
    """Return the environment variables of a process that runs Django for a stack."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "benchmarks.project.settings",
        "BENCH_STACK": stack,
        "BENCH_DATABASE": json.dumps(database),
        "BENCH_RSA_KEY": str(rsa_key),
    }
