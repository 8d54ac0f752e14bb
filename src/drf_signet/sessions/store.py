"""Open sessions, end sessions, and delete the rows of expired sessions.

Each change to a session is one conditional UPDATE, and the number of changed rows tells whether the
session changed. Each UPDATE is committed immediately unless the caller has an open transaction.
Sessions are never read from a replica.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from ..db.database import DbNow, in_transaction, retried
from ..errors import UserChanged
from ..models import (
    EndReason,
    Session,
    SessionQuerySet,
    Transport,
    require_session_user,
    sessions_for_write,
    write_database,
)
from . import endings, opening
from .endings import NEXT, fetch
from .opening import UserCheck
from .stamps import password_stamp

#: Maximum number of rows that one statement changes or deletes by their ids.
BATCH = endings.BATCH
#: How long after a logout the response may still be on its way to the browser.
ANSWERED_WITHIN = timedelta(minutes=1)
#: How long a session's row is kept after its expiry, to allow for clock differences and late
#: requests.
KEPT_AFTER_END = timedelta(hours=2)


@dataclass(frozen=True, kw_only=True)
class Client:
    """The user agent and the IP address of a login, as stored with the session."""

    user_agent: str = ""
    ip_address: str | None = None


def new_id(now: float) -> uuid.UUID:
    """Return a UUIDv7 (RFC 9562 §5.7). Its time prefix keeps new ids together in the index."""
    value = int(now * 1000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76  # set the UUID version to 7
    return uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62)  # set the UUID variant


def draft(
    *,
    id: uuid.UUID,  # noqa: A002 - the field's name
    user: Any,
    now: float,
    lifetime: timedelta,
    idle_seconds: int | None = None,
    transport: str = Transport.TOKEN,
    client: Client = Client(),
) -> Session:
    """Return an unsaved session. Its tokens can be created before the session is saved.

    Args:
        id: the primary key, see `new_id`.
        now: the time of the login, in POSIX seconds.
        lifetime: the time from the login to the session's expiry.
        idle_seconds: see `Session`.

    Raises:
        TypeError: the user is not an instance of the user model that sessions belong to.
    """
    require_session_user(user)
    opened = as_datetime(now)
    return Session(
        id=id,
        user=user,
        created_at=opened,
        auth_time=opened,
        refreshed_at=opened,
        expires_at=as_datetime(now + lifetime.total_seconds()),
        password_stamp=password_stamp(user),
        idle_seconds=idle_seconds,
        transport=transport,
        user_agent=client.user_agent,
        ip_address=client.ip_address,
    )


def open(  # noqa: A001 - as `end`
    session: Session, *, limit: int | None = None, check: UserCheck | None = None
) -> None:
    """Save a session that was created by `draft`. This takes one INSERT.

    Args:
        limit: maximum number of the user's live sessions. If there are more, the sessions that have
            been idle the longest are ended.
        check: checks whether the user has changed since the authentication. None skips the check.

    Raises:
        UserChanged: the user has changed since the authentication.
        IntegrityError: a session with this id already exists.
        Busy: a write kept conflicting with other transactions. If `limit` is set, the session may
            have been saved already.
    """
    using = write_database()
    opened = session.refreshed_at
    session.refreshed_at = DbNow()
    if check is None:
        retried(lambda: session.save(force_insert=True, using=using), using=using)
    elif not opening.insert(session, check):
        raise UserChanged
    session.refreshed_at = opened  # receivers of signals expect a datetime, not an expression
    if limit is not None:
        _end_excess(session.user, limit=limit)


def adopt(session: Session, *, check: UserCheck | None = None) -> bool:
    """Save a session unless its id already exists, and return whether it was saved.

    Several clients may send a legacy token at the same time. All of these requests use the same
    session id, so only one INSERT succeeds.

    Args:
        check: see `open`.

    Raises:
        UserChanged: see `open`.
    """
    using = write_database()
    # Inside the caller's transaction, use a savepoint, so that only a failed INSERT is rolled back.
    savepoint = transaction.atomic(using=using) if in_transaction(using) else nullcontext()
    try:
        with savepoint:
            open(session, check=check)
    except IntegrityError:
        return False
    return True


def end(session_id: uuid.UUID, *, user_id: Any, reason: str, user_exists: bool = False) -> bool:
    """End a session with one UPDATE, and return whether this call ended it. Safe to repeat.

    Args:
        user_exists: see `drf_signet.models.end_fields`.

    Raises:
        Busy: the write kept conflicting with other transactions.
    """
    session = session_id, user_id
    return endings.end_given([session], reason=reason, user_exists=user_exists) == 1


def rename(session_id: uuid.UUID, *, label: str) -> bool:
    """Set the label of a session, and return False if the session has ended."""
    alive = sessions_for_write().filter(pk=session_id, end_reason="")
    return bool(retried(partial(alive.update, label=label), using=alive.db))


def was_just_logged_out(session: Session | None, *, now: float) -> bool:
    """Return whether a logout or a new login ended the session less than `ANSWERED_WITHIN` ago.

    The response to that request may still be on its way to the browser.
    """
    if session is None or session.ended_at is None or session.end_reason != EndReason.LOGOUT:
        return False
    return abs(as_datetime(now) - session.ended_at) < ANSWERED_WITHIN


def end_all(
    user: Any,
    *,
    reason: str,
    keep: uuid.UUID | None = None,
    keep_stamps: Sequence[str] = (),
    spared: endings.Spared | None = None,
) -> int:
    """End all of a user's sessions that have not ended yet, and return how many were ended.

    Sessions that a later login opens stay valid. `endings.end_selected` lists the SQL statements.

    Args:
        keep: the id of a session that stays valid.
        keep_stamps: sessions with one of these password stamps stay valid.
        spared: see `endings.end_selected`.

    Raises:
        Busy: the write kept conflicting with other transactions.
    """
    alive = _alive_sessions(user)
    ending = alive.exclude(pk=keep) if keep else alive
    if keep_stamps:
        ending = ending.exclude(password_stamp__in=keep_stamps)
    return endings.end_selected(ending, reason=reason, spared=spared)


def clear_expired(
    *, now: float, leeway: float = 0, report: Callable[[int], object] | None = None
) -> int:
    """Delete the rows of expired sessions, and return the number of deleted rows.

    A session that ended before its expiry is kept until it expires, because its tokens must still
    be refused. Each statement deletes one batch, so that locks are held only briefly. Safe to
    repeat and to run in parallel.

    Args:
        report: called after each batch, with the number of rows deleted so far.
    """
    using, expired = write_database(), expired_sessions(now=now, leeway=leeway)
    deleted = 0
    while ids := fetch(expired.order_by("expires_at").values_list("id", flat=True)[:BATCH]):
        removed = retried(partial(_delete, ids), using=using)
        deleted += removed
        if report is not None:
            report(deleted)
        if not removed:
            break  # another process is already deleting these rows
    return deleted


def expired_sessions(*, now: float, leeway: float = 0) -> SessionQuerySet:
    """Return the sessions whose rows `clear_expired` deletes."""
    before = as_datetime(now - leeway) - KEPT_AFTER_END
    return sessions_for_write().filter(expires_at__lt=before)


def as_datetime(seconds: float) -> datetime:
    """Convert POSIX seconds to a datetime, which is aware if USE_TZ is True."""
    return datetime.fromtimestamp(seconds, UTC if settings.USE_TZ else None)


def _alive_sessions(user: Any) -> SessionQuerySet:
    """Return the sessions of a user that have not ended.

    In a transaction, the rows are locked. At MariaDB's default isolation level, a SELECT without
    FOR UPDATE would miss sessions that logins have opened since the transaction began.
    """
    require_session_user(user)
    alive = sessions_for_write().filter(user=user, end_reason="")
    return alive.select_for_update() if in_transaction(alive.db) else alive


def _end_excess(user: Any, *, limit: int) -> None:
    """End all live sessions of a user except the `limit` most recently used sessions."""
    live = sessions_for_write().filter(user=user).live()
    newest = live.last_used_first()
    excess = fetch(newest.values_list(*NEXT)[limit : limit + endings.BATCH + 1])
    if len(excess) <= endings.BATCH:
        endings.end_given(excess, reason=EndReason.EVICTED)
        return
    kept = fetch(newest.values_list("id", "refreshed_at")[:limit])
    _, oldest = kept[-1]  # sessions that other logins open now are newer, so they are not ended
    older = live.filter(refreshed_at__lte=oldest).exclude(pk__in=[pk for pk, _ in kept])
    endings.end_together(older, reason=EndReason.EVICTED, now=excess[0][-1])


def _delete(ids: Sequence[uuid.UUID]) -> int:
    _, per_model = sessions_for_write().filter(pk__in=ids).delete()
    return per_model.get(Session._meta.label, 0)
