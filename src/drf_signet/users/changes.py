"""End a user's sessions when the user gets a new password, is deactivated or is deleted.

Forms, the admin and management commands send Django's signals, so the project needs no setup. A
bulk update or raw SQL sends no signal. In that case, the next refresh ends the session. The
`on_delete` function `drf_signet.models.END_SESSIONS` ends the sessions of deleted users.

Each change locks the user's row before it reads the user's sessions. A login locks the row too (see
`drf_signet.sessions.opening`). So if a login runs at the same time, there are two cases: the change
finds the session of the login, or the login finds the changed user and saves no session.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from django.contrib.auth.hashers import get_hasher, identify_hasher, is_password_usable
from django.core.signals import request_finished
from django.db import connections, transaction
from django.db.models import Exists, OuterRef
from django.db.models.signals import post_save, pre_save

from .. import runtime
from ..db.collector import deleting_users
from ..db.database import ATTEMPTS, in_transaction, misses_new_rows, retried
from ..models import EndReason, Session, session_user_model, sessions_for_write, write_database
from ..sessions import endings, stamps, store
from . import loading, own_session
from .own_session import OwnSession

logger = logging.getLogger("drf_signet")

#: The name of an attribute that is set on a user instance after a save. Django sets `_password` to
#: None after a save, and also before it saves a rehashed password. The attribute distinguishes the
#: two cases.
_SAVED = "_signet_saved"

#: Fields whose change ends sessions. A save that writes only other fields runs no extra query.
WATCHED = frozenset({"password", "is_active"})


def connect() -> None:
    """Connect the signal receivers for the user model, its proxies and its child models."""
    pre_save.connect(keep_sessions_on_rehash, dispatch_uid="signet.keep_sessions_on_rehash")
    pre_save.connect(keep_own_session, dispatch_uid="signet.keep_own_session")
    post_save.connect(end_on_change, dispatch_uid="signet.end_on_change")
    deleting_users.connect(look_again_after_commit, dispatch_uid="signet.look_again_after_commit")
    request_finished.connect(own_session.forget, dispatch_uid="signet.forget_own_session")


def end_on_change(
    *,
    instance: Any,
    created: bool,
    raw: bool,
    update_fields: Collection[str] | None,
    **kwargs: Any,
) -> None:
    """End the sessions of a saved user whose password changed or who may not authenticate."""
    if raw or not isinstance(instance, session_user_model()):
        return
    if update_fields is not None and WATCHED.isdisjoint(update_fields):
        return
    instance.__dict__[_SAVED] = True
    if created:
        return
    _end_invalid(instance)
    look_again_after_commit([instance.pk])


def look_again_after_commit(user_ids: Sequence[Any], **kwargs: Any) -> None:
    """After the commit, end the sessions that the caller's transaction could not see.

    Logins opened these sessions after the transaction began and before it locked the users' rows.
    Does nothing if the transaction can see such sessions.
    """
    using = write_database()
    if misses_new_rows(using):
        transaction.on_commit(partial(_look_again, user_ids), using=using, robust=True)


def _look_again(user_ids: Sequence[Any]) -> None:
    users = session_user_model()._base_manager.using(write_database()).filter(pk__in=user_ids)
    found = list(users)  # one user after a change, and none after a deletion
    for user in found:
        _end_invalid(user)
    if len(found) < len(user_ids):
        deleted = ~Exists(users.filter(pk=OuterRef("user_id")))
        rows = sessions_for_write().filter(deleted, user_id__in=user_ids)
        endings.end_selected(rows, reason=EndReason.USER_DELETED)


def _end_invalid(user: Any) -> None:
    """End the user's sessions that could no longer be refreshed.

    The session of the current request ends when Django closes the request, so that the view can
    call `keep` until then. If there are tenants, it ends immediately: when the request is closed,
    the database and the schema may be different.
    """
    if not loading.may_authenticate(user):
        store.end_all(user, reason=EndReason.USER_INACTIVE)
    elif runtime.current().settings.ends_with_password:
        own = own_session.current()
        spared = None if own is None else endings.Spared(session_id=own.session_id)
        valid = stamps.password_stamps(user)
        store.end_all(user, reason=EndReason.PASSWORD_CHANGED, keep_stamps=valid, spared=spared)
        if own is not None and spared is not None and spared.found:
            _spare(own, user, valid[0])


def _spare(own: OwnSession, user: Any, new_stamp: str) -> None:
    """Keep or end the session whose own request has changed the password."""
    own.new_stamp = new_stamp
    if own.kept:  # `keep_own_session` could not write the stamp
        keep(own)
    elif runtime.current().tenant_of is None:
        own.defer(end_own_session)
    else:
        store.end(own.session_id, user_id=user.pk, reason=EndReason.PASSWORD_CHANGED)


def keep(own: OwnSession) -> bool:
    """Keep a session valid if its own request changes, or has just changed, the user's password.

    Return False if the session has already ended.

    Raises:
        Busy: the write kept conflicting with other transactions; nothing was changed.
    """
    own.kept = True
    if own.new_stamp is None:
        return True  # no new password yet; `keep_own_session` writes the stamp with the password
    kept = stamps.renew(own.session_id, stamp=own.new_stamp)
    own.new_stamp = None
    return kept


def own_of_auth(request: Any) -> OwnSession | None:
    """Return the session of the token in `request.auth`; None if it is not valid.

    This is for authentication classes of other packages, which do not call `own_session.attach`.
    Runs one SELECT.
    """
    session_id = getattr(getattr(request, "auth", None), "session_id", None)
    session = _alive_with_user(session_id) if isinstance(session_id, uuid.UUID) else None
    if session is None or _has_old_password(session):
        return None
    own_session.attach(getattr(request, "_request", request), session_id)
    return own_session.of_request(request)


def keep_own_session(
    *, instance: Any, raw: bool, update_fields: Collection[str] | None, **kwargs: Any
) -> None:
    """Before a user is saved, write the new password and the stamp of the kept session together.

    Otherwise, a concurrent refresh could read the new password and the old stamp, and end the
    session. The save then writes the same password again. Outside of a transaction, this does
    nothing: the password would stay changed if the save failed. `keep` is then repeated afterwards.
    """
    own = own_session.current()
    if own is None or not own.kept or raw or not isinstance(instance, session_user_model()):
        return
    if not in_transaction(write_database()):
        return
    written = update_fields or [field.name for field in instance._meta.concrete_fields]
    if "password" not in written:
        return
    if not sessions_for_write().filter(pk=own.session_id, user_id=instance.pk).exists():
        return
    user: Any = instance
    rows = type(user)._base_manager.using(write_database()).filter(pk=user.pk)
    for _ in range(ATTEMPTS):
        stored = rows.first()
        if stored is None or stored.password == user.password:
            return
        if stamps.save_password(user, stored, only=own.session_id):
            return


def end_own_session(own: OwnSession) -> None:
    """End the session of a finished request, unless the request has kept it.

    If this fails, the next refresh of the session ends it.
    """
    if own.new_stamp is None:
        return
    connection = connections[write_database()]
    was_closed = connection.connection is None
    try:
        _end_if_outdated(own.session_id)
    except Exception:
        logger.exception("session %s could not be ended after a new password", own.sid)
    finally:
        if was_closed:  # Django's AsyncClient closes requests in a separate thread
            connection.close()


def _end_if_outdated(session_id: uuid.UUID) -> None:
    session = _alive_with_user(session_id)
    if session is not None and _has_old_password(session):
        store.end(session_id, user_id=session.user_id, reason=EndReason.PASSWORD_CHANGED)


def _alive_with_user(session_id: uuid.UUID) -> Session | None:
    alive = sessions_for_write().filter(pk=session_id, end_reason="", user__isnull=False)
    return retried(alive.select_related("user").first, using=write_database())


def _has_old_password(session: Session) -> bool:
    return session.password_stamp not in stamps.password_stamps(session.user)


def keep_sessions_on_rehash(
    *, instance: Any, raw: bool, update_fields: Collection[str] | None, **kwargs: Any
) -> None:
    """Keep the sessions valid when Django rehashes an unchanged password, for example at a login.

    This receiver runs before the save. It saves the new hash and the password stamps of the
    sessions in one transaction. Otherwise, a concurrent refresh could read the new hash and an old
    stamp, and end the session.
    """
    if (
        raw
        or not isinstance(instance, session_user_model())
        or not _is_rehash(instance, update_fields)
    ):
        return
    rows: Any = type(instance)._base_manager.using(write_database()).filter(pk=instance.pk)
    while (stored := rows.first()) and _needs_rehash(stored.password):
        if stamps.save_password(instance, stored):
            return
    if stored and _SAVED not in instance.__dict__:
        # Another process has saved a new hash, of the same password or of a new one: use it.
        loading.set_unchecked_hash(instance, stored.password)


def _is_rehash(user: Any, update_fields: Collection[str] | None) -> bool:
    """Return whether this save is a rehash by `check_password`, which sets `_password` to None."""
    return (
        update_fields is not None
        and set(update_fields) == {"password"}
        and user.__dict__.get("_password", "") is None
        and is_password_usable(user.password)
    )


def _needs_rehash(password_hash: str) -> bool:
    """Return whether Django would replace a stored hash at the next login."""
    try:
        hasher = identify_hasher(password_hash)
    except ValueError:
        return False
    preferred = get_hasher()
    return hasher.algorithm != preferred.algorithm or preferred.must_update(password_hash)
