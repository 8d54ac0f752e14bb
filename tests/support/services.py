"""Find the external services that tests need, and skip or fail tests if a service is missing.

A test that needs a missing service is skipped, and pytest's report contains the reason. If
SIGNET_REQUIRE lists the service, the test fails instead:

    SIGNET_REQUIRE=postgres,mariadb,redis,nginx,chromium,node,swap make test

The following command runs COMMAND if PostgreSQL is available. Otherwise, it prints a message, and
fails only if SIGNET_REQUIRE lists postgres:

    python -m tests.support.services postgres COMMAND...
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

#: The Python interpreter of the virtual environment for packages that drf-signet replaces, such as
#: simplejwt. `make test` creates this virtual environment.
SWAP = Path(__file__).resolve().parents[2] / ".venv-swap" / "bin" / "python"

#: For each service, the Python module that tests need in order to use the service, or None.
DRIVERS = {
    "postgres": "psycopg",
    "mariadb": "MySQLdb",
    "redis": "redis",
    "nginx": None,
    "chromium": "playwright",
    "swap": None,
    "node": None,
}
_DEFAULTS = {"postgres": (5432, "postgres"), "mariadb": (3306, "root")}
#: The programs of which tests start a server of their own (`tests.support.redis_server`).
REDIS_COMMANDS = ("redis-server", "valkey-server")


@dataclass(frozen=True, kw_only=True)
class Server:
    """The address of a server, with the username and password for it."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)

    def listens(self) -> bool:
        """Return whether the server accepts a connection within a second."""
        try:
            with socket.create_connection((self.host, self.port), timeout=1):
                return True
        except OSError:
            return False


def server(name: str, env: Mapping[str, str] = os.environ) -> Server:
    """Return the server that SIGNET_<NAME>_HOST, _PORT, _USER and _PASSWORD describe."""
    port, user = _DEFAULTS[name]
    prefix = f"SIGNET_{name.upper()}_"
    return Server(
        host=env.get(f"{prefix}HOST", "127.0.0.1"),
        port=int(env.get(f"{prefix}PORT", port)),
        user=env.get(f"{prefix}USER", user),
        password=env.get(f"{prefix}PASSWORD", ""),
    )


def nginx() -> str | None:
    """Return the path of nginx, or None. Debian installs it where only root's PATH has it."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def chromium() -> str | None:
    """Return the path of the installed Chromium or Chrome, or None."""
    paths = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    return next(filter(None, paths), None)


def required(env: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Return the names of the services in SIGNET_REQUIRE.

    Raises:
        ValueError: SIGNET_REQUIRE contains an unknown service.
    """
    names = frozenset(env.get("SIGNET_REQUIRE", "").replace(",", " ").split())
    if unknown := names.difference(DRIVERS):
        raise ValueError(f"SIGNET_REQUIRE names {sorted(unknown)}; known are {list(DRIVERS)}")
    return names


def missing(name: str, *, driver: bool = True) -> str | None:
    """Return the reason why a service is missing, or None if the service is available.

    Args:
        name: the name of the service, which is a key of `DRIVERS`.
        driver: whether the Python module for the service must also be installed.
    """
    reason, module = _absent(name), DRIVERS[name]
    if reason is None and driver and module and importlib.util.find_spec(module) is None:
        reason = f"the module {module} is not installed"
    return reason and f"{name}: {reason}"


def _absent(name: str) -> str | None:
    if name in _DEFAULTS:
        address = server(name)
        where = f"{address.host}:{address.port}"
        return None if address.listens() else f"nothing listens at {where}"
    if name == "swap":
        return None if SWAP.parents[1].joinpath(".swap").exists() else f"there is no {SWAP}"
    paths = {
        "chromium": chromium(),
        "nginx": nginx(),
        "node": shutil.which("node") and shutil.which("npm"),
        "redis": next(filter(None, map(shutil.which, REDIS_COMMANDS)), None),
    }
    return None if paths[name] else "not on the PATH"


def available(name: str) -> bool:
    """Return whether a service is available."""
    return missing(name) is None


def require(name: str) -> None:
    """Skip the test if a service is missing. Fail instead if SIGNET_REQUIRE lists the service."""
    if reason := missing(name):
        (pytest.fail if name in required() else pytest.skip)(reason)


def main() -> int:
    """Run a command if a service is available. If the service is missing, print the reason.

    If SIGNET_REQUIRE lists a missing service, the exit status is 1.
    """
    prog = "python -m tests.support.services"
    parser = argparse.ArgumentParser(prog=prog, description=main.__doc__)
    parser.add_argument("--server", action="store_true", help="do not require its Python module")
    parser.add_argument("name", choices=DRIVERS)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if reason := missing(options.name, driver=not options.server):
        mandatory = options.name in required()
        print("REQUIRED, BUT MISSING:" if mandatory else "SKIPPED:", reason, file=sys.stderr)
        return int(mandatory)
    return subprocess.run(options.command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
