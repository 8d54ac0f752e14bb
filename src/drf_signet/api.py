"""Sessions from Python code: what `drf_signet` offers beside the endpoints."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponseBase

from . import sessions
from .database import retried
from .flows import issue
from .models import EndReason, Session, write_database, written
from .tokens import TokenPair
from .transports import cookie

__all__ = ["delete_cookie", "end", "end_all", "issue", "set_cookie"]


def set_cookie(response: HttpResponseBase, pair: TokenPair) -> None:
    """Put the refresh token of `issue(…, transport="cookie")` into its cookie; safe to repeat.

    With `ACCESS_NAME` in the setting `COOKIE`, the access token too.

    Raises:
        ValueError: the pair is of another transport, or a token is longer than a cookie may be.
    """
    cookie.write(response, pair)


def delete_cookie(response: HttpResponseBase) -> None:
    """Let the browser forget the cookies that `set_cookie` has set. Their session goes on."""
    cookie.delete(response)


def end(session: Session | uuid.UUID | str, *, reason: str = EndReason.LOGOUT) -> bool:
    """End one session; safe to repeat. One or two statements.

    Args:
        session: the session or its id, as in the claim `sid`.
        reason: an `EndReason`.

    Returns:
        Whether this call ended it; False if there is none, or it had ended before.

    Raises:
        ValueError: the id is no UUID, or the reason is none.
        Busy: the database kept refusing; nothing was changed.
    """
    found = session if isinstance(session, Session) else _find(session)
    if found is None:
        return False
    return sessions.end(found.pk, user_id=found.user_id, reason=EndReason(reason))


def end_all(
    user: Any, *, keep: Session | uuid.UUID | None = None, reason: str = EndReason.LOGOUT_ALL
) -> int:
    """End all sessions that a user has now; safe to repeat. Two statements.

    Args:
        keep: a session that goes on, for "log out everywhere else".
        reason: an `EndReason`.

    Returns:
        How many there were.

    Raises:
        ValueError: the reason is none.
        Busy: the database kept refusing.
    """
    kept = keep.pk if isinstance(keep, Session) else keep
    return sessions.end_all(user, reason=EndReason(reason), keep=kept)


def _find(session_id: uuid.UUID | str) -> Session | None:
    pk = session_id if isinstance(session_id, uuid.UUID) else uuid.UUID(session_id)
    return retried(written().filter(pk=pk).first, using=write_database())
