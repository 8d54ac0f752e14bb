"""End sessions in the database and in this process's revocation feed, and send the signals.

Up to `BATCH` sessions are ended by their ids. If there are more, they are never all read together:
one UPDATE ends all of them with the same `ended_at`, and SELECTs then find them by this value and
read them page by page. After the commit of a transaction or after a slow UPDATE, `ended_at` is
renewed by further UPDATEs, because the polls of other processes read only sessions that ended
recently.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from ..conf import settings as conf
from ..db.database import DbNow, after_ends, in_transaction, retried, unique_time
from ..models import (
    EndReason,
    Session,
    SessionQuerySet,
    end_fields,
    endable,
    ended_by_deletion,
    sessions_for_write,
    write_database,
)
from ..signals import send_after_commit, session_ended
from . import broadcast, polls, revocation
from .ended import ended_sessions

T = TypeVar("T")

#: Maximum number of sessions that one statement changes or deletes by their ids.
BATCH = 1000
#: Maximum number of sessions that a SELECT reads after an UPDATE of more than `BATCH` sessions.
PAGE = 10_000
#: If an UPDATE takes longer than this, `ended_at` is set again afterwards. Otherwise, polls might
#: not read far enough back to find the sessions.
SLOW = timedelta(seconds=polls.OVERLAP / 2)
#: The values to read for each session: its id, its user's id, and the database's current time.
NEXT = ("id", "user_id", DbNow())


@dataclass(frozen=True, kw_only=True)
class _EndedTogether:
    """The sessions that one UPDATE has ended, with the same `ended_at` and the same reason."""

    ended_at: datetime
    reason: str
    page: int

    def rows(self) -> SessionQuerySet:
        """Return a queryset of the sessions, which uses the index on `ended_at`."""
        return sessions_for_write().filter(ended_at=self.ended_at, end_reason=self.reason)

    def pages(self) -> Iterator[list[tuple[Any, ...]]]:
        """Yield lists of tuples with the `NEXT` values of the sessions.

        A list contains at most `page` tuples, and is read with one SELECT.
        """
        rows = self.rows().order_by("id").values_list(*NEXT)
        page = fetch(rows[: self.page])
        while page:
            yield page
            last_id, *_ = page[-1]
            is_full = len(page) == self.page
            page = fetch(rows.filter(pk__gt=last_id)[: self.page]) if is_full else []


@dataclass(kw_only=True)
class Spared:
    """A session that does not end together with the other sessions of its user.

    `end_selected` sets `found` if the session would have ended.
    """

    session_id: uuid.UUID
    found: bool = False


def end_selected(
    rows: SessionQuerySet, *, reason: str, page: int = PAGE, spared: Spared | None = None
) -> int:
    """End the sessions that `endable` selects from a queryset, and return how many were ended.

    Up to `BATCH` sessions take one SELECT and one UPDATE. If there are more sessions, one UPDATE
    still ends all of them. They are then read in pages of at most `page` sessions, with one SELECT
    per page, and marked as ended in this process. If `session_ended` has receivers, the pages are
    read once more, to send the signals. Inside a transaction, the pages are read after the commit,
    and one UPDATE per page sets `ended_at` again.

    Args:
        rows: a queryset that is not sliced, and that uses the database that sessions are written
            to.
        page: maximum number of sessions in memory at a time.
        spared: a session that does not end, even if the queryset contains it.

    Raises:
        Busy: the write kept conflicting with other transactions.
    """
    alive = endable(rows)
    first = fetch(alive.values_list(*NEXT)[: BATCH + 1])
    many = len(first) > BATCH
    if spared is not None:
        ending = [row for row in first if row[0] != spared.session_id]
        spared.found = len(ending) < len(first) or (
            many and bool(fetch(alive.filter(pk=spared.session_id).values_list("pk")))
        )
        first, alive = ending, alive.exclude(pk=spared.session_id)
    if not many:
        return end_given(first, reason=reason)
    return end_together(alive, reason=reason, now=first[0][-1], page=page)


def end_given(
    sessions: Sequence[tuple[Any, ...]], *, reason: str, user_exists: bool = False
) -> int:
    """End the given sessions that have not ended, and return how many were ended.

    Args:
        sessions: tuples that begin with the id of a session and the id of its user.
        user_exists: see `drf_signet.models.end_fields`.
    """
    using = write_database()
    session_ids = [session_id for session_id, *_ in sessions]
    alive = sessions_for_write().filter(pk__in=sorted(session_ids), end_reason="")
    fields = end_fields(reason, user_exists=user_exists)
    ended = retried(partial(alive.update, **fields), using=using)
    if ended:
        tell_feed(session_ids)
    for session_id, user_id, *_ in sessions if ended else ():
        send_after_commit(
            session_ended,
            sender=Session,
            using=using,
            session_id=session_id,
            user_id=user_id,
            reason=reason,
        )
    return ended


def end_together(alive: SessionQuerySet, *, reason: str, now: datetime, page: int = PAGE) -> int:
    """End all sessions of a queryset with one UPDATE, and return how many were ended.

    Args:
        now: the current time according to the database's clock.
        page: maximum number of sessions in memory at a time.
    """
    using = write_database()
    together = _EndedTogether(ended_at=unique_time(now), reason=reason, page=page)
    ended = retried(
        lambda: alive.update(**end_fields(reason) | {"ended_at": together.ended_at}), using=using
    )
    if in_transaction(using) and not ended_sessions.alone:
        after_ends(_renew_and_announce, together, using=using)
    else:
        after_ends(_announce, _mark_all(together), using=using)
    return ended


def follow_deletion(ended_at: datetime, **kwargs: Any) -> None:
    """After a deletion of users is committed, mark their sessions as ended and renew `ended_at`."""
    together = _EndedTogether(ended_at=ended_at, reason=EndReason.USER_DELETED, page=PAGE)
    if ended_sessions.alone:
        _mark_all(together)
    else:
        after_ends(_renew, together, using=write_database())


ended_by_deletion.connect(follow_deletion, dispatch_uid="signet.follow_deletion")


def tell_feed(ended: Sequence[uuid.UUID]) -> None:
    """Mark sessions as ended in this process: now, or when the open transaction commits."""
    using = write_database()
    if in_transaction(using) and not ended_sessions.alone:
        after_ends(_mark_and_renew, ended, using=using)
    else:
        _mark(ended)


def fetch(rows: Iterable[T]) -> list[T]:
    """Return a queryset's rows. Retry after a conflict, which can occur under SERIALIZABLE."""
    return retried(lambda: list(rows), using=write_database())


def _mark_and_renew(ended: Sequence[uuid.UUID]) -> None:
    """Mark sessions as ended in this process, and set `ended_at` to the current time.

    After a long transaction, `ended_at` may be too old for other processes, because their feeds
    read only sessions that ended recently.
    """
    _mark(ended)
    session_ids = sorted(ended)
    for start in range(0, len(session_ids), BATCH):
        batch = session_ids[start : start + BATCH]
        rows = sessions_for_write().filter(pk__in=batch, ended_at__isnull=False)
        retried(partial(rows.update, ended_at=DbNow()), using=write_database())


def _mark_all(ended: _EndedTogether) -> list[_EndedTogether]:
    """Mark many sessions as ended in this process. Renew `ended_at` if the UPDATE was slow.

    Return the sessions, grouped by `ended_at`.
    """
    now = ended.ended_at
    for page in ended.pages():
        _mark([session_id for session_id, *_ in page])
        *_, now = page[-1]
    return _renew(ended) if now - ended.ended_at > SLOW else [ended]


def _renew(ended: _EndedTogether) -> list[_EndedTogether]:
    """Mark many sessions as ended in this process, and renew `ended_at`, page by page.

    Each page gets its own `ended_at`, because one UPDATE of all sessions could be slow again.
    Return the sessions, grouped by `ended_at`.
    """
    parts = [ended]
    for page in ended.pages():
        last_id, _, now = page[-1]
        _mark([session_id for session_id, *_ in page])
        ended_at = max(unique_time(now), parts[-1].ended_at + timedelta(microseconds=1))
        rows = ended.rows().filter(pk__lte=last_id)
        retried(partial(rows.update, ended_at=ended_at), using=write_database())
        parts.append(replace(ended, ended_at=ended_at))
    return parts[1:]


def _renew_and_announce(ended: _EndedTogether) -> None:
    _announce(_renew(ended))


def _mark(ended: Sequence[uuid.UUID]) -> None:
    """Mark sessions as ended in this process, and send them to the other processes."""
    settings = conf.current()
    keep = revocation.reach(
        access_lifetime=settings.ACCESS_TOKEN_LIFETIME.total_seconds(), leeway=settings.LEEWAY
    )
    ended_sessions.mark(ended, keep=keep)
    if not ended_sessions.alone:
        broadcast.send(ended)


def _announce(parts: Iterable[_EndedTogether]) -> None:
    """Send `session_ended` for each session.

    Receivers may be slow, so mark the sessions as ended before you call this function.
    """
    if not session_ended.has_listeners(Session):
        return
    for session_id, user_id, reason in _each(parts):
        session_ended.send_robust(Session, session_id=session_id, user_id=user_id, reason=reason)


def _each(parts: Iterable[_EndedTogether]) -> Iterator[tuple[Any, Any, str]]:
    for part in parts:
        for page in part.pages():
            yield from ((session_id, user_id, part.reason) for session_id, user_id, _ in page)
