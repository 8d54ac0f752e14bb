"""What a scenario works with: stacks in databases, as workers or behind gunicorn.

Everything that a lab starts or makes is gone when it is left.
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
    """One run's workplace.

    Args:
        quick: a smoke run: every step, with hardly any repetition. Its figures mean nothing.
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
        """Return how often something is done in this run."""
        return quick if self.quick else full

    def say(self, text: str) -> None:
        """Tell whoever waits what is going on."""
        elapsed = time.monotonic() - self._started
        print(f"[{elapsed:4.0f} s] {text}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def worker(self, stack: str, database: Database) -> Iterator[Worker]:
        """Run a worker for as long as the block lasts."""
        worker = Worker(processes.environment(stack, database, self._rsa_key))
        try:
            yield worker
        finally:
            worker.close()

    @contextlib.contextmanager
    def server(
        self, stack: str, database: Database, *, workers: int = 1, threads: int = 4
    ) -> Iterator[Server]:
        """Run a gunicorn for as long as the block lasts."""
        environment = processes.environment(stack, database, self._rsa_key)
        server = Server(environment, workers=workers, threads=threads)
        try:
            yield server
        finally:
            server.close()

    def _prepare(self, stack: str, database: Database) -> None:
        with self.worker(stack, database) as worker:
            worker.run("prepare.database")


def _make_key(path: Path) -> None:
    """Make the RSA key of the run: 2048 bits, as PEM files, private and public."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    public = key.public_key()
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    path.with_suffix(".pub").write_bytes(public.public_bytes(pem, kind))
