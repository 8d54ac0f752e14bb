"""The services that a test may need: where they are, and what to do when one is not there.

A test that needs an absent service is skipped, and the report says why. Whoever must not let
that pass names the service in SIGNET_REQUIRE, and the same test fails:

    SIGNET_REQUIRE=postgres,mariadb,redis,chromium,node,swap make test

On the command line the same rule decides whether a command is run:

    python -m tests.services postgres COMMAND...
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

#: The interpreter of the environment in which other packages are replaced: `make test` makes it.
SWAP = Path(__file__).resolve().parents[1] / ".venv-swap" / "bin" / "python"

#: Each service, and the module through which the tests talk to it, if they need one.
DRIVERS = {
    "postgres": "psycopg",
    "mariadb": "MySQLdb",
    "redis": "redis",
    "chromium": "playwright",
    "swap": None,
    "node": None,
}
_DEFAULTS = {"postgres": (5432, "postgres"), "mariadb": (3306, "root"), "redis": (6379, "")}


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where a server listens, and as whom to log in."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)

    def listens(self) -> bool:
        """Whether something accepts a connection within a second."""
        try:
            with socket.create_connection((self.host, self.port), timeout=1):
                return True
        except OSError:
            return False


def server(name: str, env: Mapping[str, str] = os.environ) -> Server:
    """Return where a server is, as SIGNET_<NAME>_HOST, _PORT, _USER and _PASSWORD say."""
    port, user = _DEFAULTS[name]
    prefix = f"SIGNET_{name.upper()}_"
    return Server(
        host=env.get(f"{prefix}HOST", "127.0.0.1"),
        port=int(env.get(f"{prefix}PORT", port)),
        user=env.get(f"{prefix}USER", user),
        password=env.get(f"{prefix}PASSWORD", ""),
    )


def chromium() -> str | None:
    """Return the path of the system's Chromium or Chrome."""
    found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    return next(filter(None, found), None)


def required(env: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Return the names in SIGNET_REQUIRE.

    Raises:
        ValueError: one of them is not the name of a service.
    """
    names = frozenset(env.get("SIGNET_REQUIRE", "").replace(",", " ").split())
    if unknown := names.difference(DRIVERS):
        raise ValueError(f"SIGNET_REQUIRE names {sorted(unknown)}; known are {list(DRIVERS)}")
    return names


def missing(name: str, *, driver: bool = True) -> str | None:
    """Return why a service cannot be used, or None if it can.

    Args:
        name: a key of `DRIVERS`.
        driver: whether its Python module is needed as well.
    """
    reason, module = _absent(name), DRIVERS[name]
    if reason is None and driver and module and importlib.util.find_spec(module) is None:
        reason = f"the module {module} is not installed"
    return reason and f"{name}: {reason}"


def _absent(name: str) -> str | None:
    if name in _DEFAULTS:
        at = server(name)
        return None if at.listens() else f"nothing listens at {at.host}:{at.port}"
    if name == "swap":
        return None if SWAP.parents[1].joinpath(".swap").exists() else f"there is no {SWAP}"
    found = chromium() if name == "chromium" else shutil.which("node") and shutil.which("npm")
    return None if found else "not on the PATH"


def available(name: str) -> bool:
    """Whether a service can be used."""
    return missing(name) is None


def require(name: str) -> None:
    """Skip the running test if a service is absent; fail it if SIGNET_REQUIRE names the service."""
    if reason := missing(name):
        (pytest.fail if name in required() else pytest.skip)(reason)


def main() -> int:
    """Run a command if a service can be used; else say why not, which is an error if required."""
    parser = argparse.ArgumentParser(prog="python -m tests.services", description=main.__doc__)
    parser.add_argument("--server", action="store_true", help="do not ask for its Python module")
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
