"""The package's public functions: issue tokens, end sessions, and set or delete cookies."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponseBase

from .db.database import retried
from .flows import issue
from .models import EndReason, Session, sessions_for_write, write_database
from .sessions import store
from .tokens import TokenPair
from .transports import cookie
from .users import changes, own_session

__all__ = ["delete_cookie", "end", "end_all", "issue", "keep", "set_cookie"]


def set_cookie(response: HttpResponseBase, pair: TokenPair) -> None:
    """Set the refresh cookie on a response. Safe to repeat.

    If the `COOKIE` setting has an `ACCESS_NAME`, this function also sets the access cookie.

    Args:
        pair: the result of `issue(…, transport="cookie")`.

    Raises:
        ValueError: the pair was issued for another transport, or a token is too long for a cookie.
    """
    cookie.write(response, pair)


def delete_cookie(response: HttpResponseBase) -> None:
    """Delete the cookies that `set_cookie` sets. The session stays valid."""
    cookie.delete(response)


def end(session: Session | uuid.UUID | str, *, reason: str = EndReason.LOGOUT) -> bool:
    """End one session. Safe to repeat. Runs one or two SQL statements.

    Args:
        session: the session or its id (the `sid` claim).
        reason: an `EndReason`.

    Returns:
        True if this call ended the session. False if the session does not exist or had already
        ended.

    Raises:
        ValueError: the id is not a UUID, or the reason is not an `EndReason`.
        Busy: the write kept conflicting with other transactions; nothing was changed.
    """
    row = session if isinstance(session, Session) else _find(session)
    if row is None:
        return False
    return store.end(row.pk, user_id=row.user_id, reason=EndReason(reason))


def end_all(
    user: Any, *, keep: Session | uuid.UUID | None = None, reason: str = EndReason.LOGOUT_ALL
) -> int:
    """End all of a user's sessions that have not ended yet. Safe to repeat.

    For up to 1000 sessions, this function runs two SQL statements. If there are more sessions, one
    UPDATE still ends all of them. Additional SELECT statements then read the sessions in pages of
    10,000, to mark them as ended in this process and to send `session_ended`.

    Args:
        keep: the session that stays valid, or its id, for "log out everywhere else".
        reason: an `EndReason`.

    Returns:
        The number of sessions that this call ended.

    Raises:
        ValueError: the reason is not an `EndReason`.
        Busy: the write kept conflicting with other transactions.
    """
    keep_id = keep.pk if isinstance(keep, Session) else keep
    ended = store.end_all(user, reason=EndReason(reason), keep=keep_id)
    changes.look_again_after_commit([user.pk])
    return ended


def keep(request: Any) -> bool:
    """Keep the session of a request valid when the request changes the password of its user.

    Call this function in the view that changes the password, before or after the user is saved. The
    user's other sessions end. The session keeps its access tokens and its refresh token.

    A refresh at the same moment cannot end the session if the save and this call are in the same
    transaction. After the save, this function runs one UPDATE; before the save, no statement.

    Args:
        request: the request of the view, of Django or REST framework.

    Returns:
        True if the session stays valid. False if the request was not authenticated with an access
        token of a session, or if the session has already ended.

    Raises:
        Busy: the write kept conflicting with other transactions; nothing was changed.
    """
    own = own_session.of_request(request) or changes.own_of_auth(request)
    return own is not None and changes.keep(own)


def _find(session_id: uuid.UUID | str) -> Session | None:
    pk = session_id if isinstance(session_id, uuid.UUID) else uuid.UUID(session_id)
    return retried(sessions_for_write().filter(pk=pk).first, using=write_database())
