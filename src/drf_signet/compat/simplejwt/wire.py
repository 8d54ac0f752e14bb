"""How claims are written into a token, and the lifetimes that they come from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from drf_signet import claims, runtime, users

from .settings import api_settings


class Lifetime:
    """A lifetime of the settings, read each time it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, token: object, owner: type) -> timedelta:
        value: timedelta = getattr(api_settings, self._name)
        return value


def in_order(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the claims in the order of all tokens here, the user's key with its own JSON type."""
    user = api_settings.USER_ID_CLAIM
    first = ("token_type", "exp", "jti", user, "iat", "sid", "gen", "auth_time")
    ordered = {name: payload[name] for name in first if name in payload} | payload
    if isinstance(ordered.get(user), str):
        ordered[user] = _as_issued(ordered[user])
    return ordered


def _as_issued(named: str) -> int | str:
    try:
        key = runtime.current().subject.key(named)
    except ValueError:
        return named
    return key if claims.is_integer(key) else named


def user_named_in(payload: Mapping[str, Any]) -> Any:
    """Return the user whom claims name: one SELECT; None if there is none."""
    current = runtime.current()
    try:
        key = current.subject.key(payload.get(api_settings.USER_ID_CLAIM))
    except ValueError:
        return None
    return users.all_users().filter(**{current.subject.name: key}).first()


def text(token: str | bytes | None) -> str:
    """Return the text of a token as it came."""
    return token.decode("latin-1") if isinstance(token, bytes) else str(token)
