"""What the example's environment variables mean; README.md lists them."""

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
    """Read a switch: `0`, `false`, `no`, `off` and the empty text are off."""
    value = environ.get(name)
    return default if value is None else value.lower() not in {"", "0", "false", "no", "off"}


def host_and_port(environ: Mapping[str, str]) -> tuple[str, int]:
    """Read EXAMPLE_ADDRESS: `host:port`, `[IPv6]:port` or only a port."""
    address = environ.get("EXAMPLE_ADDRESS") or "127.0.0.1:8000"
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ImproperlyConfigured(f"EXAMPLE_ADDRESS is {address!r}; it must be HOST:PORT.")
    return host.strip("[]") or "127.0.0.1", int(port)


def secret_key(environ: Mapping[str, str], path: Path) -> str:
    """Take DJANGO_SECRET_KEY, or the key in `path`, which is made at the first call."""
    if key := environ.get("DJANGO_SECRET_KEY"):
        return key
    if not path.exists():
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(get_random_secret_key(), encoding="ascii")
    return path.read_text(encoding="ascii").strip()


def database(environ: Mapping[str, str], sqlite_file: Path) -> dict[str, Any]:
    """Build Django's `DATABASES["default"]` for EXAMPLE_DATABASE."""
    kind = environ.get("EXAMPLE_DATABASE") or "sqlite"
    if kind == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": environ.get("EXAMPLE_SQLITE_FILE") or sqlite_file,
            # Writers wait for each other, and never keep readers waiting.
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL",
            },
        }
    if kind == "postgres":
        # PGHOST, PGPORT, PGUSER and PGPASSWORD are read by libpq itself.
        name = environ.get("PGDATABASE") or "drf_signet_example"
        return {"ENGINE": "django.db.backends.postgresql", "NAME": name}
    raise ImproperlyConfigured(f"EXAMPLE_DATABASE is {kind!r}; it must be sqlite or postgres.")


def signet_overrides(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read EXAMPLE_SIGNET: JSON in which durations are seconds."""
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
