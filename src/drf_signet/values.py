"""Parsers for the values of settings: each takes what may be written and returns what is kept.

They raise ValueError with a text that completes "SIGNET['NAME']: …".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict, TypeVar

from django.utils.module_loading import import_string

from .claims import MAX_LIFETIME
from .keys import ALGORITHMS, Material

T = TypeVar("T")

_RATE = re.compile(r"([1-9][0-9]*)/(s|sec|second|m|min|minute|h|hour|d|day)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # by the first letter of the word


class RingEntry(TypedDict):
    """One key of `KEYS`; without `alg` it is for ALGORITHM."""

    kid: str | None
    alg: str | None
    key: Material


@dataclass(frozen=True, kw_only=True)
class Rate:
    """At most `limit` events in `period` seconds."""

    limit: int
    period: int


@dataclass(frozen=True, kw_only=True)
class ThrottleRates:
    """How many logins may fail: per address and username, and per address. None: any number."""

    username: Rate | None = Rate(limit=10, period=60)
    address: Rate | None = Rate(limit=100, period=60)


def optional(parse: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Return the parser that also takes None."""
    return lambda value: None if value is None else parse(value)


def boolean(value: Any) -> bool:
    """Take True or False, and nothing that merely looks like it."""
    if not isinstance(value, bool):
        raise ValueError("it must be True or False")
    return value


def positive_integer(value: Any) -> int:
    """Take an int of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("it must be an integer of at least 1")
    return value


def duration_or_zero(value: Any) -> timedelta:
    """Take a timedelta that is not negative."""
    if not isinstance(value, timedelta) or value < timedelta(0):
        raise ValueError("it must be a timedelta that is not negative")
    return value


def duration(value: Any) -> timedelta:
    """Take a positive timedelta."""
    if not (found := duration_or_zero(value)):
        raise ValueError("it must be longer than 0")
    return found


def lifetime(value: Any) -> timedelta:
    """Take a positive timedelta that a token may live."""
    if (found := duration(value)).total_seconds() > MAX_LIFETIME:
        raise ValueError(f"a token lives at most {MAX_LIFETIME // 86400} days")
    return found


def seconds(value: Any) -> float:
    """Take seconds as a number, or a timedelta."""
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 3600:
        raise ValueError("it must be seconds, from 0 to below one hour, or a timedelta")
    return float(number)


def text(value: Any) -> str:
    """Take a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError("it must be a text that is not empty")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """Take None, one text, or a sequence of texts."""
    if value is None:
        return ()
    return tuple(map(text, [value] if isinstance(value, str) else value))


def some_texts(value: Any) -> tuple[str, ...]:
    """Take one text or a sequence of at least one."""
    if not (found := texts(value)):
        raise ValueError("it must name at least one")
    return found


def one_of(*choices: str) -> Callable[[Any], str]:
    """Return the parser that takes one of these texts."""

    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"it must be one of {', '.join(map(repr, choices))}")
        return str(value)

    return parse


def algorithm(value: Any) -> str:
    """Take the name of a JWS algorithm that is known here."""
    if not isinstance(value, str) or value not in ALGORITHMS:
        raise ValueError(f"{value!r} is not one of {', '.join(ALGORITHMS)}")
    return value


def key_material(value: Any) -> Material:
    """Take a secret, a PEM text or a JWK."""
    if not isinstance(value, str | bytes | Mapping) or not value:
        raise ValueError("it must be a secret, a PEM text or a JWK, and not empty")
    return value


def key_ring(value: Any) -> tuple[RingEntry, ...]:
    """Take a sequence of `{"kid", "alg", "key"}`, of which `kid` and `alg` may be left out."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ValueError("it must be a list of keys")
    return tuple(map(_ring_entry, value))


def _ring_entry(entry: Any) -> RingEntry:
    if not isinstance(entry, Mapping) or not {"key"} <= entry.keys() <= {"kid", "alg", "key"}:
        raise ValueError('each key is {"kid": …, "alg": …, "key": …}')
    return {
        "kid": optional(text)(entry.get("kid")),
        "alg": optional(algorithm)(entry.get("alg")),
        "key": key_material(entry["key"]),
    }


def importable(value: Any) -> Any:
    """Take a callable or the dotted path of one."""
    found = import_string(value) if isinstance(value, str) else value
    if not callable(found):
        raise ValueError("it must be a callable or its dotted path")
    return found


def instant(value: Any) -> float:
    """Take None, an aware datetime or its ISO 8601 text; return POSIX seconds, 0 for None."""
    if value is None:
        return 0.0
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError("it must be a datetime with a time zone")
    return moment.timestamp()


def throttle_rates(value: Any) -> ThrottleRates | None:
    """Take None, or a dict with "username" and "address", each a rate such as "10/min" or None."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or not value.keys() <= {"username", "address"}:
        raise ValueError('it must be {"username": "10/min", "address": "100/min"} or None')
    return ThrottleRates(**{name: optional(_rate)(rate) for name, rate in value.items()})


def _rate(value: Any) -> Rate:
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f'{value!r} is not a rate such as "10/min"')
    return Rate(limit=int(match[1]), period=_SECONDS[match[2][0]])
