"""Password stamps: short hashes that change with the password. A session keeps the user's stamp.

A refresh compares the stamp of the session with the stamps of its user, and so finds a password
that was changed without a signal.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction

from ..db.database import misses_new_rows, retried
from ..models import sessions_for_write, write_database


def password_stamp(user: Any) -> str:
    """Return a short hash that changes with the password.

    Return an empty string if the user model has no passwords.
    """
    auth_hash = getattr(user, "get_session_auth_hash", None)
    return _stamp(auth_hash()) if auth_hash else ""


def password_stamps(user: Any) -> Sequence[str]:
    """Return a user's valid stamps, computed with SECRET_KEY and with SECRET_KEY_FALLBACKS."""
    fallbacks = getattr(user, "get_session_auth_fallback_hash", list)
    return [password_stamp(user), *map(_stamp, fallbacks())]


def renew(session_id: uuid.UUID, *, stamp: str) -> bool:
    """Write a new stamp to a session. Return False if the session has ended.

    Raises:
        Busy: the write kept conflicting with other transactions; nothing was changed.
    """
    alive = sessions_for_write().filter(pk=session_id, end_reason="")
    return retried(partial(alive.update, password_stamp=stamp), using=write_database()) == 1


def save_password(user: Any, stored: Any, *, only: uuid.UUID | None = None) -> bool:
    """Save a password hash, and keep the user's sessions valid.

    One transaction updates the user's password and the password stamps of the sessions. Return
    False, and update nothing, if the stored password has changed since it was read.

    Args:
        user: the user with the new hash, not saved yet.
        stored: the same user as read from the database, with the old hash.
        only: the id of the only session to keep valid. None keeps all sessions valid.

    Raises:
        Busy: the write kept conflicting with other transactions; nothing was changed.
    """
    using = write_database()
    as_stored = type(stored)._base_manager.using(using).filter(pk=user.pk, password=stored.password)
    stamped = sessions_for_write().filter(user=user, password_stamp__in=password_stamps(stored))
    if only is not None:
        stamped = stamped.filter(pk=only)

    restamp = partial(stamped.update, password_stamp=password_stamp(user))

    @transaction.atomic(using=using)
    def save() -> bool:
        if not as_stored.update(password=user.password):
            return False
        restamp()
        if misses_new_rows(using):  # a login may have saved a session with the old stamp
            again = partial(retried, restamp, using=using)
            transaction.on_commit(again, using=using, robust=True)
        return True

    return retried(save, using=using)


def _stamp(auth_hash: object) -> str:
    # 64 bits are enough: a stamp is only compared with stamps of the same user.
    digest = hashlib.sha256(str(auth_hash).encode()).digest()[:8]
    return base64.urlsafe_b64encode(digest)[:11].decode("ascii")  # the twelfth character is padding
