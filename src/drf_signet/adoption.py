"""Refresh tokens from before the switch to this package: each becomes a session at its first use.

The session's id is computed from the token's `jti`, so that however many clients present the token
at once, and however often, it is one session, in which the old token is generation 0.

A token on simplejwt's blacklist becomes none, and neither does one that says that it is from before
a change of the password. Where a process of ours puts one on the blacklist, its session is ended as
well, and made for that if need be: so the primary key decides the race with an adoption, whoever
has looked first.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.signals import post_save

from . import blacklist, conf, runtime, sessions, tokens, users
from .claims import Claims
from .database import retried
from .errors import SessionEnded, TokenError, UserInactive
from .models import EndReason, Session, Transport, write_database, written
from .shared import REVOKE_TOKEN_CLAIM, get_md5_hash_password

#: Of the names, which are values of `jti`, that adopted sessions are called by.
_NAMESPACE = uuid.UUID("419467a6-cf51-4637-9b90-ebeb83688b21")


def connect() -> None:
    """Listen to what is put on the blacklist, if its app is installed."""
    if (model := blacklist.model()) is not None:
        post_save.connect(end_blacklisted, sender=model, dispatch_uid="signet.end_blacklisted")


def session_id(claims: Claims) -> uuid.UUID:
    """Return the id of the session that a token of old becomes."""
    return session_id_of(claims.jti)


def session_id_of(jti: str) -> uuid.UUID:
    """Return the same for the token's `jti`: a UUIDv5 (RFC 9562 §5.5).

    Not a UUIDv8: of those, MariaDB takes only 63 in 64 for a UUID.
    """
    return uuid.uuid5(_NAMESPACE, jti)


def adopt(claims: Claims, *, now: float) -> None:
    """Make sure that the session of a token of old exists. Safe to repeat; ends nothing.

    Raises:
        SessionEnded: the token is on the blacklist, its user is gone, or has another password now.
        UserInactive: its user may not authenticate.
        Busy: the database kept refusing.
    """
    if _is_adopted(claims):
        return
    if blacklist.holds(claims.jti):
        raise SessionEnded("on the blacklist")
    _adopt(claims, now)


def end_blacklisted(*, instance: Any, raw: bool, using: str, **kwargs: Any) -> None:
    """End the session of a token of old that a model's `save` has put on the blacklist: at commit.

    A receiver of `post_save`. What has become no session yet never will.

    Raises:
        Busy: the database kept refusing.
    """
    if raw:  # a fixture: what it refers to need not be there yet
        return
    outstanding = instance.token
    try:
        claims = tokens.verify_refresh(outstanding.token, now=runtime.now())
    except TokenError:
        return  # of no use to anybody: expired, of another kind, or signed by a key of the past
    if claims.session_id is not None:
        return  # a token of ours, for which its own session speaks
    # After the commit: inside a transaction above READ COMMITTED, an adoption that it cannot see
    # would be a conflict, which undoes what the caller has done.
    transaction.on_commit(partial(_end, claims, outstanding.user_id), using=using)


def is_of_todays_password(claims: Mapping[str, Any], user: Any) -> bool:
    """Whether a token of old was issued under its user's password of today, as far as it says.

    It does where simplejwt's CHECK_REVOKE_TOKEN was set; where it still is, it has to.
    """
    simple_jwt = conf.given("SIMPLE_JWT")
    said = claims.get(simple_jwt.get("REVOKE_TOKEN_CLAIM", REVOKE_TOKEN_CLAIM))
    if said is None and not simple_jwt.get("CHECK_REVOKE_TOKEN"):
        return True
    return bool(said == get_md5_hash_password(user.password))


def draft(claims: Claims, user: Any, *, now: float) -> Session:
    """Return the session that a token of old becomes, unsaved."""
    # The row outlives the token, so that an ended session is not adopted a second time.
    token_life = timedelta(seconds=claims.expires_at - now)
    lifetime = max(token_life, runtime.current().settings.login_lifetime(Transport.TOKEN))
    session = sessions.draft(id=session_id(claims), user=user, now=now, lifetime=lifetime)
    session.auth_time = sessions.as_datetime(claims.get("iat", now))
    return session


def _end(claims: Claims, user_id: Any) -> None:
    try:
        if not _is_adopted(claims):
            _adopt(claims, runtime.now())
    except (SessionEnded, UserInactive):
        return  # nobody can adopt it; and should that change, the blacklist says the same
    sessions.end(session_id(claims), user_id=user_id, reason=EndReason.LOGOUT)


def _is_adopted(claims: Claims) -> bool:
    rows = written().filter(pk=session_id(claims))
    return retried(rows.exists, using=write_database())


def _adopt(claims: Claims, now: float) -> None:
    user = users.load(claims, users.all_users().using(write_database()))
    if not is_of_todays_password(claims, user):
        raise SessionEnded("of another password")
    sessions.adopt(draft(claims, user, now=now))
