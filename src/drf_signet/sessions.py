"""Sessions: opened at login, ended once, cleared when nobody can ask for them any more.

Every change of state is one conditional UPDATE whose row count is the answer; each commits alone
unless the caller holds a transaction. Decisions are read from the database that is written to.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from django.conf import settings
from django.db import IntegrityError, transaction

from . import conf, revocation
from .database import DbNow, in_transaction, retried
from .models import EndReason, Session, Transport, write_database, written
from .signals import send_after_commit, session_ended
from .strictjson import b64url_encode

T = TypeVar("T")

#: Rows of one statement, where a number of rows has to be named.
BATCH = 1000
#: How long a logout may take until its answer has reached the browser.
ANSWERED_WITHIN = timedelta(minutes=1)
#: How long a session's row outlives the session, so that clocks and late requests find it.
KEPT_AFTER_END = timedelta(hours=2)


@dataclass(frozen=True, kw_only=True)
class Client:
    """What is remembered of the client that logged in."""

    user_agent: str = ""
    ip_address: str | None = None


def new_id(now: float) -> uuid.UUID:
    """Return a UUIDv7 (RFC 9562 §5.7): random, and in the index beside its contemporaries."""
    value = int(now * 1000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    return uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62)  # variant


def draft(
    *,
    id: uuid.UUID,  # noqa: A002 - the field's name
    user: Any,
    now: float,
    lifetime: timedelta,
    transport: str = Transport.TOKEN,
    client: Client = Client(),
) -> Session:
    """Return a session as it will be, unsaved: tokens are made from it before it is written.

    Args:
        id: its primary key, see `new_id`.
        now: the instant of the login, POSIX seconds.
        lifetime: from then until its absolute end.
    """
    opened = as_datetime(now)
    return Session(
        id=id,
        user=user,
        created_at=opened,
        auth_time=opened,
        refreshed_at=opened,
        expires_at=as_datetime(now + lifetime.total_seconds()),
        password_stamp=password_stamp(user),
        transport=transport,
        user_agent=client.user_agent,
        ip_address=client.ip_address,
    )


def open(session: Session, *, limit: int | None = None) -> None:  # noqa: A001 - the word for it
    """Write a drafted session: one INSERT. With a limit, end the user's idlest sessions beyond it.

    Raises:
        IntegrityError: a session of this id exists.
        Busy: the database kept refusing; with a limit, the session may have been written.
    """
    using = write_database()
    opened = session.refreshed_at
    session.refreshed_at = DbNow()
    retried(lambda: session.save(force_insert=True, using=using), using=using)
    session.refreshed_at = opened  # an expression is of no use to receivers
    if limit is not None:
        live = written().filter(user=session.user).live()
        newest = live.order_by("-refreshed_at", "-id").values_list("id", "user_id")
        _end(_fetch(newest[limit:]), EndReason.EVICTED)


def adopt(session: Session) -> bool:
    """Write a drafted session unless one of its id exists; return whether it was written.

    Many clients may present the same token of old at once: its id decides who was first.
    """
    using = write_database()
    # Inside the caller's transaction a refused INSERT needs a savepoint to be undone alone.
    alone = transaction.atomic(using=using) if in_transaction(using) else nullcontext()
    try:
        with alone:
            open(session)
    except IntegrityError:
        return False
    return True


def end(session_id: uuid.UUID, *, user_id: Any, reason: str) -> bool:
    """End one session: one UPDATE. Safe to repeat; return whether this call ended it.

    Raises:
        Busy: the database kept refusing.
    """
    return _end([(session_id, user_id)], reason) == 1


def is_just_logged_out(session: Session | None, *, now: float) -> bool:
    """Whether a logout, or a login in its place, has ended it and may not be answered yet."""
    if session is None or session.ended_at is None or session.end_reason != EndReason.LOGOUT:
        return False
    return abs(as_datetime(now) - session.ended_at) < ANSWERED_WITHIN


def end_all(
    user: Any, *, reason: str, keep: uuid.UUID | None = None, unless: Sequence[str] = ()
) -> int:
    """End all sessions of a user that are alive now; return how many were found.

    Two statements, or one if there are none. A login that comes after the first is not touched.

    Args:
        keep: a session that goes on.
        unless: password stamps whose sessions go on.

    Raises:
        Busy: the database kept refusing.
    """
    alive = written().filter(user=user, end_reason="")
    ending = alive.exclude(pk=keep) if keep else alive
    if unless:
        ending = ending.exclude(password_stamp__in=unless)
    found = _fetch(ending.values_list("id", "user_id"))
    for start in range(0, len(found), BATCH):
        _end(found[start : start + BATCH], reason)
    return len(found)


def expect_deletion(user: Any) -> None:
    """Let this process know of the ends that a user's deletion will bring, at its commit.

    One SELECT. The rows are changed by `drf_signet.models.END_SESSIONS`, which tells other
    processes.
    """
    alive = written().filter(user=user, end_reason="")
    if found := list(alive.values_list("id", flat=True)):
        _tell_feed(found, write_database())


def clear_expired(*, now: float, leeway: float = 0) -> int:
    """Delete the rows of sessions that are past their absolute end; return how many.

    Ended sessions stay until then, for as long as a token could name them. Batched, so that no
    lock is held for long; safe to repeat and to run beside itself.
    """
    using = write_database()
    before = as_datetime(now - leeway) - KEPT_AFTER_END
    expired = written().filter(expires_at__lt=before)
    deleted = 0
    while ids := _fetch(expired.order_by("expires_at").values_list("id", flat=True)[:BATCH]):
        removed = retried(partial(_delete, ids), using=using)
        deleted += removed
        if not removed:
            break  # another one is at it
    return deleted


def carry_over(user: Any, stored: Any) -> bool:
    """Let sessions survive that the same password is hashed anew: user and stamps, both or neither.

    Return whether that was done: not if the user's password is another than `stored` by now.

    Args:
        user: with the new hash, about to be saved.
        stored: the same user as it is in the database.

    Raises:
        Busy: the database kept refusing; neither was changed.
    """
    using = write_database()
    as_stored = type(stored)._base_manager.using(using).filter(pk=user.pk, password=stored.password)
    stamped = written().filter(user=user, password_stamp__in=password_stamps(stored))

    @transaction.atomic(using=using)
    def carry() -> bool:
        if not as_stored.update(password=user.password):
            return False
        stamped.update(password_stamp=password_stamp(user))
        return True

    return retried(carry, using=using)


def password_stamp(user: Any) -> str:
    """Return what changes with the user's password; empty for users without one."""
    hashed = getattr(user, "get_session_auth_hash", None)
    return _stamp(hashed()) if hashed else ""


def password_stamps(user: Any) -> Sequence[str]:
    """Return the stamps that count: today's first, then those under SECRET_KEY_FALLBACKS."""
    fallbacks = getattr(user, "get_session_auth_fallback_hash", list)
    return [password_stamp(user), *map(_stamp, fallbacks())]


def _stamp(auth_hash: object) -> str:
    # 64 bits: a stamp is only ever compared with those of the same user.
    return b64url_encode(hashlib.sha256(str(auth_hash).encode()).digest()[:8])


def as_datetime(seconds: float) -> datetime:
    """Return POSIX seconds as a datetime of the kind that the project's fields take."""
    return datetime.fromtimestamp(seconds, UTC if settings.USE_TZ else None)


def _fetch(rows: Iterable[T]) -> list[T]:
    # At SERIALIZABLE a read can be what loses a conflict.
    return retried(lambda: list(rows), using=write_database())


def _end(found: Sequence[tuple[uuid.UUID, Any]], reason: str) -> int:
    """End those sessions of (id, user_id) that are alive, and say so; return how many were."""
    using = write_database()
    alive = written().filter(pk__in=sorted(session_id for session_id, _ in found), end_reason="")
    ended = retried(lambda: alive.update(ended_at=DbNow(), end_reason=reason), using=using)
    if ended:
        _tell_feed([session_id for session_id, _ in found], using)
    for session_id, user_id in found if ended else ():
        send_after_commit(
            session_ended,
            sender=Session,
            using=using,
            session_id=session_id,
            user_id=user_id,
            reason=reason,
        )
    return ended


def _tell_feed(ended: Sequence[uuid.UUID], using: str) -> None:
    """Let this process know at once, and the others within an interval of the commit."""
    if in_transaction(using) and not revocation.own_endings.alone:
        transaction.on_commit(partial(_confirm, ended, using), using=using, robust=True)
    else:
        _mark(ended)


def _confirm(ended: Sequence[uuid.UUID], using: str) -> None:
    """Stamp the ends again: the feed looks back from now, and the commit may have come late."""
    _mark(ended)
    rows = written().filter(pk__in=sorted(ended), ended_at__isnull=False)
    retried(lambda: rows.update(ended_at=DbNow()), using=using)


def _mark(ended: Sequence[uuid.UUID]) -> None:
    settings = conf.current()
    keep = revocation.reach(
        access_lifetime=settings.ACCESS_TOKEN_LIFETIME.total_seconds(), leeway=settings.LEEWAY
    )
    revocation.own_endings.mark(ended, keep=keep)


def _delete(ids: Sequence[uuid.UUID]) -> int:
    _, per_model = written().filter(pk__in=ids).delete()
    return per_model.get(Session._meta.label, 0)
