"""Refresh tokens from before the switch to this package: each becomes a session at its first use.

The session's id is computed from the token's `jti`, so that however many clients present the token
at once, and however often, it is one session, in which the old token is generation 0.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import timedelta

from . import runtime, sessions, users
from .claims import Claims
from .models import Session


def session_id(claims: Claims) -> uuid.UUID:
    """Return the id of the session that a token of old becomes: a UUIDv8 (RFC 9562 §5.8)."""
    digest = hashlib.sha256(b"drf-signet adoption " + claims.jti.encode()).digest()
    value = int.from_bytes(digest[:16]) & ~(0xF << 76) | 0x8 << 76
    return uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def adopt(claims: Claims, *, now: float) -> None:
    """Make sure that the session of a token of old exists. Safe to repeat; ends nothing.

    Raises:
        SessionEnded: its user is gone.
        UserInactive: its user may not authenticate.
        Busy: the database kept refusing.
    """
    pk = session_id(claims)
    if not sessions.written().filter(pk=pk).exists():
        sessions.adopt(_draft(pk, claims, now))


def _draft(pk: uuid.UUID, claims: Claims, now: float) -> Session:
    user = users.load(claims, users.all_users())
    # The row outlives the token, so that an ended session is not adopted a second time.
    token_life = timedelta(seconds=claims.expires_at - now)
    lifetime = max(token_life, runtime.current().settings.login_lifetime)
    session = sessions.draft(id=pk, user=user, now=now, lifetime=lifetime)
    session.auth_time = sessions.as_datetime(claims.get("iat", now))
    return session
