"""Parsers for the values of settings. A parser checks a value and converts it to its final type.

If the value is not valid, the parser raises ValueError with a message that can follow the name of
the setting, as in "SIGNET['COOKIE']: it must be a dict".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

from ..jose.checks import MAX_LIFETIME
from ..jose.keys import ALGORITHMS

T = TypeVar("T")

#: The longest possible time from a login to the expiry of its session.
MAX_SESSION_LIFETIME = timedelta(days=36_525)

_RATE = re.compile(r"([1-9][0-9]*)/(s|sec|second|m|min|minute|h|hour|d|day)")
#: The key of a header in `request.META`. Some servers prepend REDIRECT_ after an internal redirect.
_META_KEY = re.compile(r"(?:REDIRECT_)*HTTP_[A-Z0-9_]+")
_BROKERS = frozenset({"redis", "rediss", "unix", "valkey", "valkeys"})
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # the key is the first letter of the unit


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A rate limit of `limit` events in `period` seconds."""

    limit: int
    period: int


@dataclass(frozen=True, kw_only=True)
class ThrottleRates:
    """The limits on failed logins. None means that there is no limit.

    `username` applies to each combination of username and address, `address` to each address.
    """

    username: Rate | None = Rate(limit=10, period=60)
    address: Rate | None = Rate(limit=100, period=60)


def optional(parse: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Return a parser that accepts None in addition to the values that `parse` accepts."""

    @sensitive_variables("value")
    def parse_optional(value: Any) -> T | None:
        return None if value is None else parse(value)

    return parse_optional


def boolean(value: Any) -> bool:
    """Accept True and False. Reject other values, such as 1 or an empty list."""
    if not isinstance(value, bool):
        raise ValueError("it must be True or False")
    return value


def positive_integer(value: Any) -> int:
    """Accept an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("it must be an integer of at least 1")
    return value


def duration_or_zero(value: Any) -> timedelta:
    """Accept a timedelta that is not negative."""
    if not isinstance(value, timedelta) or value < timedelta(0):
        raise ValueError("it must be a timedelta that is not negative")
    return value


def duration(value: Any) -> timedelta:
    """Accept a positive timedelta."""
    if not (parsed := duration_or_zero(value)):
        raise ValueError("it must be longer than 0")
    return parsed


def lifetime(value: Any) -> timedelta:
    """Accept a positive timedelta that is not longer than the maximum lifetime of a token."""
    if (parsed := duration(value)).total_seconds() > MAX_LIFETIME:
        raise ValueError(f"a token lives at most {MAX_LIFETIME // 86400} days")
    return parsed


def session_lifetime(value: Any) -> timedelta:
    """Accept a positive timedelta of at most 100 years, so that all dates can be computed."""
    if (parsed := duration(value)) > MAX_SESSION_LIFETIME:
        raise ValueError("a session lasts at most 100 years")
    return parsed


def seconds(value: Any) -> float:
    """Accept seconds or a timedelta, at least 0 and less than one hour. Return seconds."""
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 3600:
        raise ValueError(
            "it must be a number of seconds or a timedelta, at least 0 and less than one hour"
        )
    return float(number)


def string(value: Any) -> str:
    """Accept a string that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError("it must be a string that is not empty")
    return value


def meta_key(value: Any) -> str:
    """Accept the key of a header in `request.META`, such as "HTTP_X_TOKEN" for X-Token."""
    name = string(value)
    if not _META_KEY.fullmatch(name):
        letters = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
        suggested = f"HTTP_{letters.removeprefix('HTTP_') or 'AUTHORIZATION'}"
        raise ValueError(
            "it must be a key of request.META: HTTP_ and the name of the header in capitals and "
            f"underscores, such as {suggested!r}"
        )
    return name


@sensitive_variables("value")
def broker_url(value: Any) -> str:
    """Accept the URL of a Redis or Valkey server. Errors do not contain it, nor its password."""
    message = (
        "it must be a URL such as redis://127.0.0.1:6379/0, rediss://… with TLS, or unix://…; "
        "encode special characters of the password as %XX"
    )
    if not isinstance(value, str) or not _is_broker_url(value):
        raise ValueError(message)
    return value


def _is_broker_url(value: str) -> bool:
    try:
        url = urlsplit(value)
        where = url.path if url.scheme == "unix" else url.hostname
        # The port is not a number if the password contains "/", "?" or "#".
        return url.scheme in _BROKERS and bool(where) and url.port != 0
    except ValueError:
        return False


def strings(value: Any) -> tuple[str, ...]:
    """Accept None, one string, or a sequence of strings, and return a tuple."""
    if value is None:
        return ()
    return tuple(map(string, [value] if isinstance(value, str) else value))


def one_or_more_strings(value: Any) -> tuple[str, ...]:
    """Accept one string, or a sequence with at least one string, and return a tuple."""
    if not (parsed := strings(value)):
        raise ValueError("it must contain at least one string")
    return parsed


def one_of(*choices: str) -> Callable[[Any], str]:
    """Return a parser that accepts only the given strings."""

    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"it must be one of {', '.join(map(repr, choices))}")
        return str(value)

    return parse


def algorithm(value: Any) -> str:
    """Accept the name of a supported JWS algorithm."""
    if not isinstance(value, str) or value not in ALGORITHMS:
        raise ValueError(f"{value!r} is not one of {', '.join(ALGORITHMS)}")
    return value


def importable(value: Any) -> Any:
    """Accept a callable or its dotted path, and return the callable."""
    imported = import_string(value) if isinstance(value, str) else value
    if not callable(imported):
        raise ValueError("it must be a callable or its dotted path")
    return imported


def instant(value: Any) -> float:
    """Accept an aware datetime, an ISO 8601 string or None. Return POSIX seconds, or 0 for None."""
    if value is None:
        return 0.0
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError("it must be a datetime with a time zone")
    return moment.timestamp()


def throttle_rates(value: Any) -> ThrottleRates | None:
    """Accept None, or a dict whose "username" and "address" are rates such as "10/min" or None."""
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
