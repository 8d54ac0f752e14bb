"""Helpers for token classes: the order of claims, and the user of a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_signet import runtime
from drf_signet.jose import claims
from drf_signet.users import loading

from .settings import api_settings
from .utils import get_md5_hash_password


def in_order(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the payload with its claims in the same order as in drf-signet's own tokens.

    If USER_ID_FIELD is an integer field, the user claim is converted from a string to an integer,
    unless the claim is `sub`.
    """
    user_claim = api_settings.USER_ID_CLAIM
    first = ("token_type", "exp", "jti", user_claim, "iat", "sid", "gen", "auth_time")
    ordered = {name: payload[name] for name in first if name in payload} | payload
    if isinstance(ordered.get(user_claim), str):
        ordered[user_claim] = _as_number_if_integer_key(ordered[user_claim])
    return ordered


def _as_number_if_integer_key(value: str) -> int | str:
    subject = runtime.current().subject
    try:
        key = subject.key(value)
    except ValueError:
        return value
    return key if claims.is_integer(key) and not subject.is_string else value


def find_user(payload: Mapping[str, Any]) -> Any:
    """Return the user whom a payload identifies; None if there is no such user. Runs one SELECT."""
    current = runtime.current()
    try:
        key = current.subject.key(payload.get(api_settings.USER_ID_CLAIM))
    except ValueError:
        return None
    return loading.all_users().filter(**{current.subject.name: key}).first()


def revoke_claim(user: Any) -> dict[str, str]:
    """Return the claim with a hash of the user's password hash, if CHECK_REVOKE_TOKEN is on.

    Processes of simplejwt, for example during a rolling deploy, refuse a token without the claim.
    This package does not compare the claim if the token has a session.
    """
    password_hash = getattr(user, "password", None)
    if not api_settings.CHECK_REVOKE_TOKEN or not isinstance(password_hash, str):
        return {}
    return {api_settings.REVOKE_TOKEN_CLAIM: get_md5_hash_password(password_hash)}


def as_string(raw_token: str | bytes | None) -> str:
    """Return a token as a string. Bytes are decoded as Latin-1, which can decode any byte."""
    return raw_token.decode("latin-1") if isinstance(raw_token, bytes) else str(raw_token)
