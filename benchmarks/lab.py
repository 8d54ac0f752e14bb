"""Start the worker processes and gunicorn servers of a benchmark run, and create their databases.

When the block `with Lab(…)` ends, all processes are stopped and all databases are dropped.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from . import processes
from .databases import Databases
from .processes import Database, Server, Worker


class Lab:
    """The databases, worker processes and gunicorn servers of one benchmark run.

    Args:
        quick: whether to run every step with few repetitions. The figures are then meaningless.
    """

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self._exit = contextlib.ExitStack()
        self._started = time.monotonic()
        folder = Path(self._exit.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self._rsa_key = folder / "rsa.pem"
        _make_key(self._rsa_key)
        self.databases = Databases(folder, self._prepare)
        self._exit.callback(self.databases.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._exit.close()

    def pick(self, full: int, quick: int) -> int:
        """Return `quick` in a quick run, and `full` in a full run."""
        return quick if self.quick else full

    def say(self, text: str) -> None:
        """Print a progress message that begins with the seconds since the start."""
        elapsed = time.monotonic() - self._started
        print(f"[{elapsed:4.0f} s] {text}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def worker(self, stack: str, database: Database) -> Iterator[Worker]:
        """Start a worker process for a stack, and stop it when the `with` block ends."""
        worker = Worker(processes.environment(stack, database, self._rsa_key))
        try:
            yield worker
        finally:
            worker.close()

    @contextlib.contextmanager
    def server(
        self,
        stack: str,
        database: Database,
        *,
        workers: int = 1,
        threads: int = 4,
        redis: str = "",
    ) -> Iterator[Server]:
        """Start gunicorn for a stack, and stop it when the `with` block ends.

        Args:
            redis: the URL of the Redis server for the stack `signet-redis`.
        """
        environment = processes.environment(stack, database, self._rsa_key)
        environment["BENCH_REDIS"] = redis
        server = Server(environment, workers=workers, threads=threads)
        try:
            yield server
        finally:
            server.close()

    def _prepare(self, stack: str, database: Database) -> None:
        with self.worker(stack, database) as worker:
            worker.run("prepare.database")


def _make_key(path: Path) -> None:
    """Write a new 2048-bit RSA key to two PEM files, one private and one public."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    public = key.public_key()
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    path.with_suffix(".pub").write_bytes(public.public_bytes(pem, kind))
