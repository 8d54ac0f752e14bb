"""Decide how long the session of a login lasts.

The arguments of `issue` take precedence, then the `LIFETIMES` setting, then the user's choice at
the login ("remember me"), then the other settings (docs/decisions/0037).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from ..conf import parsers
from ..conf import settings as conf
from ..models import Transport


@dataclass(frozen=True, kw_only=True)
class Lifetimes:
    """How long a session lasts.

    Args:
        idle_seconds: see `Session`.
        lifetime: the time from the login to the expiry of the session.
        is_default: whether only the other settings decided.
    """

    idle_seconds: int | None
    lifetime: timedelta
    is_default: bool


def of_login(
    user: Any,
    request: HttpRequest | None,
    transport: str,
    *,
    idle: timedelta | None = None,
    lifetime: timedelta | None = None,
    remember: bool | None = None,
) -> Lifetimes:
    """Return how long a new session lasts.

    Args:
        idle, lifetime, remember: see `drf_signet.issue`.

    Raises:
        ValueError: `idle` or `lifetime` is not possible, or `remember` was given without a cookie.
        ImproperlyConfigured: `LIFETIMES` returned a value that is not valid.
    """
    if remember is not None and transport != Transport.COOKIE:
        raise ValueError('remember needs transport="cookie"')
    settings = conf.current()
    rotates = settings.rotates(transport)
    _check(idle, lifetime, rotates=rotates)
    policy_idle, policy_lifetime = _policy(user, request, transport, rotates=rotates)
    idle = idle or policy_idle or settings.COOKIE.idle_lifetime_if(remember)
    lifetime = lifetime or policy_lifetime
    if not rotates:
        # The refresh token of the login is the only one, so both times begin at the login.
        idle = idle or lifetime
        lifetime = lifetime or idle
    return Lifetimes(
        idle_seconds=None if idle is None else _stored(idle, ends_with_browser=remember is False),
        lifetime=lifetime or settings.login_lifetime(transport),
        is_default=idle is None and lifetime is None,
    )


def _policy(
    user: Any, request: HttpRequest | None, transport: str, *, rotates: bool
) -> tuple[timedelta | None, timedelta | None]:
    """Return what the `LIFETIMES` hook returns for a login. An invalid value ends the login."""
    hook = conf.current().LIFETIMES
    returned: Any = None if hook is None else hook(user, request, str(transport))
    if returned is None:
        return None, None
    try:
        idle, lifetime = returned
        _check(idle, lifetime, rotates=rotates)
    except (TypeError, ValueError) as error:
        message = f"SIGNET['LIFETIMES'] returned {returned!r}, not (idle, lifetime): {error}"
        raise ImproperlyConfigured(message) from error
    return idle, lifetime


def _check(idle: Any, lifetime: Any, *, rotates: bool) -> None:
    """Check that two lifetimes are possible. None means that the lifetime is not given.

    Without rotation, a refresh token is valid until the session expires, so the maximum lifetime of
    a token applies to both.
    """
    _parse("idle", idle, parsers.lifetime)
    _parse("lifetime", lifetime, parsers.session_lifetime if rotates else parsers.lifetime)
    if idle is not None and lifetime is not None and idle > lifetime:
        raise ValueError("idle: it must not be longer than lifetime")


def _parse(name: str, value: Any, parse: Callable[[Any], timedelta]) -> None:
    try:
        parsers.optional(parse)(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _stored(idle: timedelta, *, ends_with_browser: bool) -> int:
    """Return the value of `Session.idle_seconds`."""
    seconds = math.ceil(idle.total_seconds())
    return -seconds if ends_with_browser else seconds


def longest_of_a_token(settings: conf.Settings) -> timedelta:
    """Return the longest lifetime of a token, if `LIFETIMES` and `issue` choose no longer one."""
    cookie = settings.COOKIE
    return max(
        settings.ACCESS_TOKEN_LIFETIME,
        settings.REFRESH_TOKEN_LIFETIME,
        cookie.IDLE_LIFETIME,
        cookie.REMEMBERED_IDLE_LIFETIME or cookie.IDLE_LIFETIME,
    )
