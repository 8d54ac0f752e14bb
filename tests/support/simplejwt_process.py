"""Do what a process of simplejwt does with the tokens of both packages and with its tables."""

from __future__ import annotations

import uuid
from typing import Any

from drf_signet import runtime
from drf_signet.compat.simplejwt import blacklist
from drf_signet.compat.simplejwt.blacklist import Blacklisted, Outstanding


def insert_row(token: str) -> Any:
    """Insert the row of a token among the outstanding tokens, unless there is one; return it."""
    payload = runtime.current().codec.decode(token)
    values = {"token": token, "expires_at": blacklist.as_stored(payload["exp"])}
    row, _ = Outstanding._base_manager.get_or_create(jti=payload["jti"], defaults=values)
    return row


def log_out_at_simplejwt(token: str) -> None:
    """Put a token on the blacklist, as a process of simplejwt does at a logout."""
    at = blacklist.as_stored(runtime.now())
    Blacklisted._base_manager.get_or_create(
        token=insert_row(token), defaults={"blacklisted_at": at}
    )


def rotate_at_simplejwt(token: str) -> str:
    """Rotate a token as a process of simplejwt with BLACKLIST_AFTER_ROTATION does."""
    log_out_at_simplejwt(token)
    payload = runtime.current().codec.decode(token)
    payload["jti"] = uuid.uuid4().hex
    rotated = runtime.current().codec.encode(payload)
    insert_row(rotated)
    return rotated


def is_blacklisted(token: str) -> bool:
    """Return whether a process of simplejwt would refuse a token."""
    return blacklist.holds(runtime.current().codec.decode(token)["jti"])
