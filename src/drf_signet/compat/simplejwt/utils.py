"""simplejwt's helpers for datetimes and strings."""

from __future__ import annotations

import calendar
import hashlib
import logging
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils.functional import lazy

__all__ = [
    "aware_utcnow",
    "datetime_from_epoch",
    "datetime_to_epoch",
    "format_lazy",
    "get_md5_hash_password",
    "logger",
    "make_utc",
]

logger = logging.getLogger("rest_framework_simplejwt")


def make_utc(dt: datetime) -> datetime:
    """Make a naive datetime aware, in UTC, if USE_TZ is on. Return other datetimes unchanged."""
    return dt.replace(tzinfo=UTC) if settings.USE_TZ and dt.tzinfo is None else dt


def aware_utcnow() -> datetime:
    """Return the current time in UTC: an aware datetime if USE_TZ is on, else a naive datetime."""
    return _naive_unless_use_tz(datetime.now(UTC))


def datetime_to_epoch(dt: datetime) -> int:
    """Convert a datetime to POSIX seconds. A naive datetime is treated as UTC."""
    return calendar.timegm(dt.utctimetuple())


def datetime_from_epoch(ts: float) -> datetime:
    """Convert POSIX seconds to a datetime in UTC, which is naive if USE_TZ is off."""
    return _naive_unless_use_tz(datetime.fromtimestamp(ts, UTC))


def _naive_unless_use_tz(utc: datetime) -> datetime:
    return utc if settings.USE_TZ else utc.replace(tzinfo=None)


def get_md5_hash_password(password: str) -> str:
    """Return the MD5 hash of a stored password hash.

    simplejwt writes this value into tokens if CHECK_REVOKE_TOKEN is on.
    """
    return hashlib.md5(password.encode(), usedforsecurity=False).hexdigest().upper()


def _format(text: Any, *args: Any, **kwargs: Any) -> str:
    return str(text).format(*args, **kwargs)


#: `str.format` for lazy translations. The string is formatted only when it is used.
format_lazy: Any = lazy(_format, str)
