"""Instants and texts, by their old names."""

from __future__ import annotations

import calendar
import logging
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils.functional import lazy

from drf_signet.shared import get_md5_hash_password

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
    """Return a naive datetime as one in UTC, where the project uses time zones."""
    return dt.replace(tzinfo=UTC) if settings.USE_TZ and dt.tzinfo is None else dt


def aware_utcnow() -> datetime:
    """Return now, in UTC; naive where the project uses no time zones."""
    return _of_the_project(datetime.now(UTC))


def datetime_to_epoch(dt: datetime) -> int:
    """Return POSIX seconds; a naive datetime is in UTC."""
    return calendar.timegm(dt.utctimetuple())


def datetime_from_epoch(ts: float) -> datetime:
    """Return POSIX seconds as a datetime in UTC; naive where the project uses no time zones."""
    return _of_the_project(datetime.fromtimestamp(ts, UTC))


def _of_the_project(instant: datetime) -> datetime:
    return instant if settings.USE_TZ else instant.replace(tzinfo=None)


def _format(text: Any, *args: Any, **kwargs: Any) -> str:
    return str(text).format(*args, **kwargs)


#: `str.format`, done when the text is needed and its translation is known.
format_lazy: Any = lazy(_format, str)
