"""Logout-only strings. An OutstandingToken row stores such a string instead of a refresh token.

The string can only be used to end a session. Its format is
`logout-only:<header>:<payload>:<signature>`. It is not a JSON Web Token, and it cannot be turned
into one, because the signature covers the colons. Its claims do not identify the user.

Earlier versions stored a JSON Web Token: the refresh token without its `gen` claim. Rows with such
a token may still exist. `from_former_version` recognizes such a token by its claims.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from drf_signet.jose.claims import REFRESH
from drf_signet.jose.codec import Codec

_PURPOSE = "logout-only"
_START = f"{_PURPOSE}:"
_CLAIMS = {"jti", "exp", "sid"}


def encode(
    codec: Codec,
    *,
    jti: str,
    expires_at: int,
    session_id: uuid.UUID | None,
    tenant: str | None = None,
) -> str:
    """Return the logout-only string for a login.

    Args:
        jti: the `jti` of the row that stores the string.
        expires_at: the time at which the string expires, in POSIX seconds.
        session_id: the session that the string can end; None if the token has no session.
        tenant: the tenant for which the token was issued, or None.
    """
    claims: dict[str, Any] = {"jti": jti, "exp": expires_at}
    if session_id is not None:
        claims["sid"] = str(session_id)
    if tenant is not None:
        claims["tid"] = tenant
    return codec.for_purpose(_PURPOSE).encode(claims)


def is_logout_only(value: object) -> bool:
    """Return whether a value has the form of a logout-only string. Its signature is not checked."""
    return isinstance(value, str) and value.startswith(_START)


def decode(codec: Codec, logout_string: str) -> dict[str, Any]:
    """Check the signature of a logout-only string, and return its claims.

    Raises:
        TokenError: the signature is not valid.
    """
    return codec.for_purpose(_PURPOSE).decode(logout_string)


def from_former_version(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the logout-only claims of a token that an earlier version stored in a row.

    Return None for any other token.
    """
    if payload.get("token_type") != REFRESH or "gen" in payload or not payload.keys() >= _CLAIMS:
        return None
    return {name: payload[name] for name in _CLAIMS | ({"tid"} & payload.keys())}
