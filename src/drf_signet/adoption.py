"""Refresh tokens from before the switch to this package: each becomes a session at its first use.

The session's id is computed from the token's `jti`, so that however many clients present the token
at once, and however often, it is one session, in which the old token is generation 0.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from . import runtime, sessions, users
from .claims import Claims
from .database import retried
from .models import Session, Transport

#: Of the names, which are values of `jti`, that adopted sessions are called by.
_NAMESPACE = uuid.UUID("419467a6-cf51-4637-9b90-ebeb83688b21")


def session_id(claims: Claims) -> uuid.UUID:
    """Return the id of the session that a token of old becomes: a UUIDv5 (RFC 9562 §5.5).

    Not a UUIDv8: of those, MariaDB takes only 63 in 64 for a UUID.
    """
    return uuid.uuid5(_NAMESPACE, claims.jti)


def adopt(claims: Claims, *, now: float) -> None:
    """Make sure that the session of a token of old exists. Safe to repeat; ends nothing.

    Raises:
        SessionEnded: its user is gone.
        UserInactive: its user may not authenticate.
        Busy: the database kept refusing.
    """
    pk = session_id(claims)
    rows = sessions.written().filter(pk=pk)
    if not retried(rows.exists, using=sessions.write_database()):
        sessions.adopt(_draft(pk, claims, now))


def _draft(pk: uuid.UUID, claims: Claims, now: float) -> Session:
    user = users.load(claims, users.all_users().using(sessions.write_database()))
    # The row outlives the token, so that an ended session is not adopted a second time.
    token_life = timedelta(seconds=claims.expires_at - now)
    lifetime = max(token_life, runtime.current().settings.login_lifetime(Transport.TOKEN))
    session = sessions.draft(id=pk, user=user, now=now, lifetime=lifetime)
    session.auth_time = sessions.as_datetime(claims.get("iat", now))
    return session
