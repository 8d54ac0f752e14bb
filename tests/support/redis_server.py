"""A Redis or Valkey server of the tests' own, which a test may kill, pause and start again."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.services import REDIS_COMMANDS, require

#: Maximum number of seconds until a server answers.
STARTUP = 30.0
CHANNEL = "drf_signet:ended:0"


class RedisServer:
    """A server on ports that nothing else uses, and on a Unix socket. It stores nothing on disk.

    Args:
        folder: an empty directory for the Unix socket and the certificate.
    """

    def __init__(self, folder: Path) -> None:
        self.port, self._tls_port = _free_port(), _free_port()
        self.socket, self.certificate = folder / "redis.sock", folder / "redis.pem"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._password = ""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def tls_url(self) -> str:
        return f"rediss://127.0.0.1:{self._tls_port}/0"

    def start(self) -> None:
        program = next(filter(None, map(shutil.which, REDIS_COMMANDS)))
        if not self.certificate.exists():
            _make_certificate(self.certificate)
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self._folder,
            "unixsocket": self.socket,
            "tls-port": self._tls_port,
            "tls-cert-file": self.certificate,
            "tls-key-file": self.certificate,
            "tls-auth-clients": "no",
            "save": "",
        }
        words = (word for name, value in options.items() for word in (f"--{name}", str(value)))
        self._process = subprocess.Popen([program, *words], stdout=subprocess.DEVNULL)
        end = time.monotonic() + STARTUP
        while not self._answers():
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.01)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop the process without closing its connections, so that it does not answer."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def require_password(self, password: str) -> None:
        """Require a password, and close all connections."""
        self.run("CONFIG", "SET", "requirepass", password)
        self._password = password
        self.run("CLIENT", "KILL", "TYPE", "pubsub")
        self.run("CLIENT", "KILL", "TYPE", "normal")

    def listeners(self, channel: str = CHANNEL) -> int:
        """Return how many connections have subscribed to the channel."""
        return int(self.run("PUBSUB", "NUMSUB", channel).split(b":")[-1])

    def run(self, *command: str) -> bytes:
        """Run a command over a new connection; return the answer as the protocol encodes it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            if self._password:
                connection.sendall(_encoded("AUTH", self._password))
                connection.recv(65536)
            connection.sendall(_encoded(*command))
            return connection.recv(65536)

    def _answers(self) -> bool:
        with suppress(OSError):
            return self.run("PING") == b"+PONG\r\n"
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_certificate(path: Path) -> None:
    """Write a new key and its self-signed certificate for 127.0.0.1 to a PEM file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(pem))


def _encoded(*command: str) -> bytes:
    words = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in command)
    return f"*{len(command)}\r\n{words}".encode()


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Yield a server that is not started. Stop it when the `with` block ends."""
    require("redis")
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        try:
            yield server
        finally:
            server.kill()
