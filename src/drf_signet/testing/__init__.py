"""For tests of projects that use drf-signet: authenticated clients and tokens, without a login."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.test import APIClient

from drf_signet import runtime, sessions, tokens
from drf_signet.transports import bearer


def auth_client(user: Any, *, claims: Mapping[str, Any] | None = None) -> APIClient:
    """Return an `APIClient` that sends an access token of a new session of `user`. One INSERT."""
    client = APIClient()
    scheme = bearer.challenge().split()[0]
    header = runtime.current().settings.AUTH_HEADER_NAME
    client.credentials(**{header: f"{scheme} {token_for(user, claims=claims)}"})
    return client


def token_for(
    user: Any,
    *,
    token_type: str = "access",  # noqa: S107
    expired: bool = False,
    claims: Mapping[str, Any] | None = None,
) -> str:
    """Return a token of a new session of `user`, as a login would have issued it. One INSERT.

    Args:
        token_type: "access" or "refresh".
        expired: issue it so long ago that it has just expired. The session is alive all the same.
        claims: own claims, over those of the `CLAIMS` hook.

    Raises:
        ValueError: another token type, or a claim takes a reserved name.
    """
    if token_type not in ("access", "refresh"):
        raise ValueError(f"no such token type: {token_type!r}")
    settings, now = runtime.current().settings, runtime.now()
    session = sessions.draft(
        id=sessions.new_id(now), user=user, now=now, lifetime=settings.login_lifetime
    )
    sessions.open(session)
    lifetimes = {
        "access": settings.ACCESS_TOKEN_LIFETIME,
        "refresh": settings.REFRESH_TOKEN_LIFETIME,
    }
    age = lifetimes[token_type].total_seconds() + settings.LEEWAY + 1 if expired else 0
    pair = tokens.mint_pair(session, 0, now=now - age, extra=claims)
    return str(getattr(pair, token_type))
