"""Refresh: who may have the successor of a generation, and what a replay costs.

The successor of generation n of session s is *defined* as (s, n + 1). Rotation is one conditional
UPDATE; whoever presents n again inside the grace period is handed n + 1 again, with no state and
no write. Anything older is reuse, and ends the session (RFC 9700 §4.14.2).
"""

from __future__ import annotations

import enum
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from django.db import connections
from django.db.models import (
    BooleanField,
    CharField,
    DurationField,
    ExpressionWrapper,
    IntegerField,
    Q,
    QuerySet,
    UUIDField,
)
from django.utils import timezone

from . import sessions
from .claims import MAX_GENERATION
from .compiled import CompiledSelect, CompiledUpdate, Slot
from .database import ATTEMPTS, DbNow, in_transaction, retried
from .errors import Busy
from .models import EndReason, Session, write_database

T = TypeVar("T")

logger = logging.getLogger("drf_signet")


class Verdict(enum.Enum):
    """What becomes of a presented generation."""

    ADVANCED = "advanced"  #: it was in force; its successor now is
    REPEATED = "repeated"  #: the successor was in force already, and is handed out again
    KEPT = "kept"  #: it is in force and stays so: no rotation
    INVALID = "invalid"  #: not of this session: nothing changes
    ENDED = "ended"  #: the session is over, or over now
    INACTIVE = "inactive"  #: over now, because the user may not authenticate
    REUSED = "reused"  #: over now, because the token was replayed


@dataclass(frozen=True, kw_only=True)
class Presented:
    """A verified refresh token, and the rules that hold for it.

    Args:
        session_id, generation: what it says.
        belongs_to: whether the claims name this user.
        allows: whether this user may authenticate.
        transport: how it came.
        rotates: whether a refresh advances the generation.
        grace: how long after a rotation the previous generation is still served.
    """

    session_id: uuid.UUID
    generation: int
    belongs_to: Callable[[Any], bool]
    allows: Callable[[Any], bool]
    transport: str
    rotates: bool
    grace: timedelta


@dataclass(frozen=True, kw_only=True)
class Rotation(Generic[T]):
    """The verdict, the session as it was read, and what was prepared for its successor."""

    verdict: Verdict
    session: Session | None = None
    prepared: T | None = None
    behind: int = 0


def rotate(presented: Presented, prepare: Callable[[Session, int], T]) -> Rotation[T]:
    """Trade a generation for its successor: one SELECT, and one UPDATE if it advances.

    Args:
        prepare: called with the session and the generation to hand out, before anything is
            written; its result is in the answer. What it raises leaves everything as it was.

    Raises:
        Busy: the race was lost `ATTEMPTS` times; nothing was changed, and the token is still good.
    """
    for attempt in range(ATTEMPTS):
        session = _read(presented, again=attempt > 0)
        verdict = judge(presented, session)
        if session is None or verdict in _REFUSALS:
            return _refuse(presented, session, verdict)
        current = presented.generation + (verdict is not Verdict.KEPT)
        prepared = prepare(session, current)
        if verdict is not Verdict.ADVANCED or _advance(session, to=current):
            return Rotation(verdict=verdict, session=session, prepared=prepared)
    raise Busy


def check(presented: Presented) -> Session | None:
    """Return the session if a refresh would succeed: one SELECT, and nothing changes."""
    session = _read(presented, again=False)
    return None if judge(presented, session) in _REFUSALS else session


_REFUSALS = frozenset({Verdict.INVALID, Verdict.ENDED, Verdict.INACTIVE, Verdict.REUSED})
#: The reason with which a refusal ends a session that was alive.
_ENDS_WITH = {Verdict.INACTIVE: EndReason.USER_INACTIVE, Verdict.REUSED: EndReason.REUSE}


def judge(presented: Presented, session: Session | None) -> Verdict:
    """Decide from the row as it was read; change nothing."""
    if session is None or session.end_reason or session.expires_at <= timezone.now():
        return Verdict.ENDED
    if session.transport != presented.transport:
        return Verdict.INVALID
    if session.user is None or not _stamp_counts(session):
        return Verdict.ENDED
    if not presented.belongs_to(session.user):
        return Verdict.INVALID
    if not presented.allows(session.user):
        return Verdict.INACTIVE
    return _judge_generation(presented, session)


def _judge_generation(presented: Presented, session: Session) -> Verdict:
    ahead = presented.generation - session.generation
    if ahead == -1 and session.in_grace:  # type: ignore[attr-defined]  # annotated in _with_user
        return Verdict.REPEATED
    if ahead < 0:
        return Verdict.REUSED
    if ahead > 1:
        return Verdict.INVALID
    if ahead == 1:  # authentic: a failover lost the UPDATE whose successor this is
        logger.warning("session %s: a rotation was lost, its successor is accepted", session)
    elif not presented.rotates:
        return Verdict.KEPT
    return Verdict.ADVANCED if presented.generation < MAX_GENERATION else Verdict.ENDED


def _read(presented: Presented, *, again: bool) -> Session | None:
    using = write_database()

    def fetch() -> list[Session]:
        if again and in_transaction(using):
            return _locked(presented, using)
        return _SESSION.fetch(using, id=presented.session_id, grace=presented.grace)

    return next(iter(retried(fetch, using=using)), None)  # by primary key: one row, or none


def _locked(presented: Presented, using: str) -> list[Session]:
    # Without the lock the caller's snapshot would show the same row for ever.
    of = ("self",) if connections[using].features.has_select_for_update_of else ()
    rows = _with_user(presented.session_id, presented.grace).using(using)
    return list(rows.select_for_update(of=of))


def _with_user(session_id: Any, grace: Any) -> QuerySet[Session]:
    in_grace = ExpressionWrapper(Q(refreshed_at__gt=DbNow() - grace), output_field=BooleanField())
    rows = Session.objects.filter(pk=session_id).annotate(in_grace=in_grace)
    return rows.select_related("user")


def _advance(session: Session, *, to: int) -> bool:
    using = write_database()
    advanced = retried(
        lambda: _ADVANCE.run(
            using,
            id=session.pk,
            generation=session.generation,
            to=to,
            stamp=session.password_stamp,
            # Renewed, should it have counted as a fallback.
            new_stamp=sessions.password_stamp(session.user),
        ),
        using=using,
    )
    if advanced:
        session.generation = to
    return advanced == 1


def _advanced() -> tuple[QuerySet[Session], dict[str, Any]]:
    as_read = Session.objects.filter(
        pk=Slot("id", UUIDField()),
        generation=Slot("generation", IntegerField()),
        end_reason="",
        password_stamp=Slot("stamp", CharField()),  # a new hash of the same password renews it
    )
    return as_read, {
        "generation": Slot("to", IntegerField()),
        "refreshed_at": DbNow(),
        "password_stamp": Slot("new_stamp", CharField()),
    }


_SESSION = CompiledSelect(
    lambda: _with_user(Slot("id", UUIDField()), Slot("grace", DurationField()))
)
_ADVANCE = CompiledUpdate(_advanced)


def _stamp_counts(session: Session) -> bool:
    return session.password_stamp in sessions.password_stamps(session.user)


def _refuse(presented: Presented, session: Session | None, verdict: Verdict) -> Rotation[Any]:
    """End what the verdict ends. That survives the 401: refusals are returned, never raised."""
    if session is None or session.end_reason or verdict is Verdict.INVALID:
        return Rotation(verdict=verdict, session=session)
    reason = _ENDS_WITH.get(verdict) or _loss(session)
    ended_here = reason and sessions.end(session.pk, user_id=session.user_id, reason=reason)
    if verdict is Verdict.REUSED and not ended_here:
        verdict = Verdict.ENDED  # somebody else raised the alarm
    behind = session.generation - presented.generation
    return Rotation(verdict=verdict, session=session, behind=behind)


def _loss(session: Session) -> EndReason | None:
    """Return why a session that is alive cannot go on; None if it has merely expired."""
    if session.user is None:
        return EndReason.USER_DELETED
    return None if _stamp_counts(session) else EndReason.PASSWORD_CHANGED
