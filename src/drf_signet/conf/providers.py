"""The settings `KEY_PROVIDER`, and `KEY_ROTATION` for the provider "database"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..jose.keys import Key
from . import options, parsers
from .options import option

#: Takes the keys of the settings, and returns a `drf_signet.keys.KeyProvider`.
ProviderFactory = Callable[[Sequence[Key]], Any]

_LONGEST = timedelta(days=3650)
_DATABASE_KEYS = "drf_signet.keys.database.DatabaseKeys"


def _duration(value: Any) -> timedelta:
    if (parsed := parsers.duration(value)) > _LONGEST:
        raise ValueError(f"it must be at most {_LONGEST.days} days")
    return parsed


@dataclass(frozen=True, kw_only=True)
class KeyRotation:
    """The keys of the `KEY_ROTATION` setting with their defaults."""

    PERIOD: timedelta | None = option(
        timedelta(days=30),
        "How long a key signs. None: until `signet_rotate_key` makes the next key.",
        parsers.optional(_duration),
    )
    ALGORITHM: str = option("ES256", "The JWS algorithm of new keys.", parsers.algorithm)
    PUBLISHED_AHEAD: timedelta = option(
        timedelta(hours=1),
        "How long a new key is published before it signs. Services must not cache keys for longer.",
        _duration,
    )


def provider(value: Any) -> Any:
    """Accept "database", a callable, or its dotted path. Return the callable."""
    return parsers.importable(_DATABASE_KEYS if value == "database" else value)


def parse(value: Any) -> KeyRotation:
    """Parse the value of the `KEY_ROTATION` setting. Missing keys keep their defaults.

    Raises:
        ValueError: a key is unknown, a value is not valid, or PERIOD is not longer than
            PUBLISHED_AHEAD.
    """
    if not isinstance(value, Mapping):
        raise ValueError("it must be a dict")
    if unknown := options.unknown(KeyRotation, value):
        known = ", ".join(options.names(KeyRotation))
        raise ValueError(f"it has no key {', '.join(map(repr, unknown))}; there are {known}")
    rotation = options.build(KeyRotation, value)
    if rotation.PERIOD is not None and rotation.PERIOD <= rotation.PUBLISHED_AHEAD:
        raise ValueError("PERIOD must be longer than PUBLISHED_AHEAD")
    return rotation
