"""Adoption: create a session for a refresh token of simplejwt when a client first sends the token.

The id of the session is computed from the token's `jti`. So a token gets only one session, even if
many clients send the token at the same time. The token is generation 0 of this session.

A token is not adopted if simplejwt's blacklist contains it, or if it contains the hash of an old
password. When a process adds a token to the blacklist, the token's session ends. If the token has
no session yet, one is created that has already ended. If another process adopts the token at the
same time, the primary key allows only one INSERT, and the session still ends.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction

from drf_signet import runtime
from drf_signet.conf import settings as conf
from drf_signet.db.database import ATTEMPTS, retried
from drf_signet.errors import (
    Busy,
    InvalidClaim,
    SessionEnded,
    TokenError,
    UserChanged,
    UserInactive,
)
from drf_signet.jose.claims import REFRESH, Claims, validate
from drf_signet.models import EndReason, Session, Transport, sessions_for_write, write_database
from drf_signet.sessions import lifetimes, store
from drf_signet.users import loading
from drf_signet.users.loading import UserState

from . import blacklist, logout_string, shared_settings
from .utils import get_md5_hash_password

#: The namespace of the UUIDv5 that is computed from a token's `jti`.
_NAMESPACE = uuid.UUID("419467a6-cf51-4637-9b90-ebeb83688b21")


def session_id_of(jti: str) -> uuid.UUID:
    """Return the id of a legacy token's session: a UUIDv5 (RFC 9562 §5.5) of the token's `jti`.

    A UUIDv8 would not work, because MariaDB's UUID type rejects one in 64 UUIDv8 values.
    """
    return uuid.uuid5(_NAMESPACE, jti)


def adopt(claims: Claims, *, now: float) -> uuid.UUID:
    """Create a session for a legacy token unless it has one, and return the id of its session.

    See `legacy.OtherPackage`.

    Raises:
        SessionEnded: the token is blacklisted, the user was deleted, or the password has changed.
        InvalidClaim: the token may belong to another tenant.
        UserInactive: the user may not authenticate.
        Busy: the write kept conflicting with other transactions.
    """
    session_id = session_id_of(claims.jti)
    if is_revoked(claims):
        raise SessionEnded("on the blacklist")
    if not _exists(session_id):
        if not is_of_current_tenant(claims.jti):
            raise InvalidClaim("tid")
        _create(claims, now)
    return session_id


def is_revoked(claims: Claims) -> bool:
    """Return whether simplejwt's blacklist contains a refresh token.

    A process of simplejwt may have added a drf-signet token, too. See `legacy.OtherPackage`.
    """
    return blacklist.holds(claims.jti)


def revoke(claims: Claims) -> None:
    """Add a refresh token to simplejwt's blacklist, if its tables exist. Safe to repeat.

    Processes of simplejwt, which know no sessions, then refuse the token. With tenants, add only a
    token that the tenant's own table contains.

    Raises:
        Busy: the write kept conflicting with other transactions.
    """
    if not is_of_current_tenant(claims.jti):
        return
    kept = logout_string.encode(
        runtime.current().codec,
        jti=claims.jti,
        expires_at=claims.expires_at,
        session_id=claims.session_id or session_id_of(claims.jti),
    )
    blacklist.add(claims.jti, token=kept, expires_at=claims.expires_at)


def end_blacklisted(*, instance: Any, raw: bool, using: str, **kwargs: Any) -> None:
    """End the session of a legacy token when a row for the token is added to the blacklist.

    This `post_save` receiver waits for the commit. If the token has no session, the receiver
    creates an ended session, so that the token cannot be adopted later.

    Raises:
        Busy: the write kept conflicting with other transactions.
    """
    if raw:  # `loaddata` may load the blacklist row before the outstanding token
        return
    outstanding, current = instance.token, runtime.current()
    try:
        payload = current.codec.decode(outstanding.token)
        claims = validate(payload, token_type=REFRESH, rules=current.rules, now=runtime.now())
    except TokenError:
        return  # the token is expired, of the wrong type, or signed with a retired key
    if claims.session_id is not None:
        return  # drf_signet issued this token: `token_blacklist.receivers` ends its session
    # Wait for the commit. At isolation levels above READ COMMITTED, this transaction does not see a
    # session that another process has just inserted. An INSERT of the same session would fail, and
    # the caller's work would be rolled back.
    transaction.on_commit(partial(_end, claims, outstanding.user_id), using=using)


def is_of_current_tenant(jti: str) -> bool:
    """Return whether a legacy token belongs to the current tenant; True if there are no tenants.

    A legacy token does not name its tenant, and users of different tenants may have the same key.
    The token belongs to the tenant whose own table of outstanding tokens contains it.
    """
    return runtime.current().tenant_of is None or blacklist.knows(jti)


def matches_current_password(claims: Mapping[str, Any], user: Any) -> bool:
    """Return whether the password hash in a legacy token matches the user's current password.

    simplejwt adds the hash to a token if CHECK_REVOKE_TOKEN is on. For a token without the hash,
    return False if the setting is on now, else True.
    """
    simple_jwt = conf.given(shared_settings.SETTING)
    name = simple_jwt.get("REVOKE_TOKEN_CLAIM", shared_settings.REVOKE_TOKEN_CLAIM)
    password_hash = claims.get(name)
    if password_hash is None and not simple_jwt.get("CHECK_REVOKE_TOKEN"):
        return True
    return bool(password_hash == get_md5_hash_password(user.password))


def draft(claims: Claims, user: Any, *, now: float) -> Session:
    """Return an unsaved session for a legacy token."""
    # Keep the row until the token expires. Otherwise, the token could be adopted again after its
    # session has ended.
    token_life = timedelta(seconds=claims.expires_at - now)
    chosen = lifetimes.of_login(user, None, Transport.TOKEN)
    session = store.draft(
        id=session_id_of(claims.jti),
        user=user,
        now=now,
        lifetime=max(token_life, chosen.lifetime),
        idle_seconds=chosen.idle_seconds,
    )
    session.auth_time = store.as_datetime(claims.get("iat", now))
    return session


def _end(claims: Claims, user_id: Any) -> None:
    session_id = session_id_of(claims.jti)
    try:
        if not _exists(session_id):
            _create(claims, runtime.now())
    except (SessionEnded, UserInactive):
        return  # there is no session to end, and the blacklist prevents a later adoption
    store.end(session_id, user_id=user_id, reason=EndReason.LOGOUT)


def _exists(session_id: uuid.UUID) -> bool:
    return retried(sessions_for_write().filter(pk=session_id).exists, using=write_database())


def _create(claims: Claims, now: float) -> None:
    using = write_database()
    load = partial(loading.load, claims, loading.all_users().using(using))
    for _ in range(ATTEMPTS):
        user = retried(load, using=using)
        if not matches_current_password(claims, user):
            raise SessionEnded("issued under another password")
        with suppress(UserChanged):  # if the user has changed, read the user again
            store.adopt(draft(claims, user, now=now), check=UserState.of(user).check())
            return
    raise Busy
