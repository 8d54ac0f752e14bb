"""Read the environment variables of the example, which example/README.md describes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

_DURATIONS = ("_LIFETIME", "_PERIOD", "_INTERVAL", "_STALENESS")


def flag(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Return an environment variable as a bool: "", "0", "false", "no" and "off" are False."""
    value = environ.get(name)
    return default if value is None else value.lower() not in {"", "0", "false", "no", "off"}


def host_and_port(environ: Mapping[str, str]) -> tuple[str, int]:
    """Return the host and port in EXAMPLE_ADDRESS: `host:port`, `[IPv6]:port`, or only a port."""
    address = environ.get("EXAMPLE_ADDRESS") or "127.0.0.1:8000"
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ImproperlyConfigured(f"EXAMPLE_ADDRESS is {address!r}; it must be HOST:PORT.")
    return host.strip("[]") or "127.0.0.1", int(port)


def secret_key(environ: Mapping[str, str], path: Path) -> str:
    """Return DJANGO_SECRET_KEY if it is set, otherwise the key in the file `path`.

    If the file does not exist, create it with a random key.
    """
    if key := environ.get("DJANGO_SECRET_KEY"):
        return key
    if not path.exists():
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(get_random_secret_key(), encoding="ascii")
    return path.read_text(encoding="ascii").strip()


def database(environ: Mapping[str, str], sqlite_file: Path) -> dict[str, Any]:
    """Return the value of `DATABASES["default"]` for the database in EXAMPLE_DATABASE."""
    kind = environ.get("EXAMPLE_DATABASE") or "sqlite"
    if kind == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": environ.get("EXAMPLE_SQLITE_FILE") or sqlite_file,
            # With IMMEDIATE, writers wait for each other instead of failing. With WAL, readers do
            # not wait for writers.
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL",
            },
        }
    if kind == "postgres":
        # libpq reads PGHOST, PGPORT, PGUSER and PGPASSWORD from the environment.
        name = environ.get("PGDATABASE") or "drf_signet_example"
        return {"ENGINE": "django.db.backends.postgresql", "NAME": name}
    raise ImproperlyConfigured(f"EXAMPLE_DATABASE is {kind!r}; it must be sqlite or postgres.")


def signet_overrides(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings in EXAMPLE_SIGNET, a JSON object with durations in seconds."""
    text = environ.get("EXAMPLE_SIGNET") or "{}"
    try:
        overrides = dict(json.loads(text).items())
    except (ValueError, AttributeError) as error:
        raise ImproperlyConfigured("EXAMPLE_SIGNET must be a JSON object.") from error
    return {name: _typed(name, value) for name, value in overrides.items()}


def _typed(name: str, value: Any) -> Any:
    if name.endswith(_DURATIONS) and isinstance(value, int | float):
        return timedelta(seconds=value)
    return value
