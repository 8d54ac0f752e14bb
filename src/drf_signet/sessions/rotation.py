"""Refresh a session: replace its refresh token with a new token, and detect stolen tokens.

The refresh tokens of a session have numbers, called generations. A rotation replaces generation n
with n + 1, in one conditional UPDATE. If a client sends n again within the grace period, the client
gets n + 1 again, and nothing is written. After the grace period, sending n ends the session.
Sending an older generation always ends the session (RFC 9700 §4.14.2).
"""

from __future__ import annotations

import enum
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Generic, TypeVar

from django.db import connections
from django.db.models import (
    BooleanField,
    CharField,
    DurationField,
    Exists,
    ExpressionWrapper,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    UUIDField,
)
from django.utils import timezone

from ..db.compiled import CompiledSelect, CompiledUpdate
from ..db.database import ATTEMPTS, DbNow, in_transaction, retried
from ..errors import Busy
from ..jose.claims import MAX_GENERATION
from ..models import EndReason, Session, write_database
from . import stamps, store

T = TypeVar("T")

logger = logging.getLogger("drf_signet")


class Verdict(enum.Enum):
    """The decision about a refresh attempt."""

    ADVANCED = "advanced"  #: the token was current, and a new refresh token replaces it
    REPEATED = "repeated"  #: a retry within the grace period: the next token is issued again
    KEPT = "kept"  #: the token stays current, because rotation is off
    INVALID = "invalid"  #: the token does not belong to this session; nothing changes
    ENDED = "ended"  #: the session has ended, or ends now
    INACTIVE = "inactive"  #: the session ends now, because the user may not authenticate
    REUSED = "reused"  #: the session ends now, because the token was replayed


@dataclass(frozen=True, kw_only=True)
class RefreshAttempt:
    """A verified refresh token, and the rules that apply to it.

    Args:
        session_id, generation: from the token's claims.
        belongs_to: takes a user; returns whether the claims identify that user.
        allows: takes a user; returns whether that user may authenticate.
        transport: how the token was sent.
        rotates: whether a refresh replaces the generation with the next generation.
        users: the users whom the default manager returns; None if it returns all users.
        grace: how long after a rotation the previous generation is still accepted.
        compares_password: whether a session ends if its user has got a new password.
    """

    session_id: uuid.UUID
    generation: int
    belongs_to: Callable[[Any], bool]
    allows: Callable[[Any], bool]
    transport: str
    rotates: bool
    grace: timedelta
    users: QuerySet[Any] | None = None
    compares_password: bool = True


@dataclass(frozen=True, kw_only=True)
class Rotation(Generic[T]):
    """The result of `rotate`.

    Args:
        verdict: the decision.
        session: the session as it was read; None if it does not exist.
        prepared: the result of `prepare`; None after a refusal.
        behind: how many generations the client's token is behind the current token.
    """

    verdict: Verdict
    session: Session | None = None
    prepared: T | None = None
    behind: int = 0


def rotate(attempt: RefreshAttempt, prepare: Callable[[Session, int], T]) -> Rotation[T]:
    """Judge a refresh attempt, and replace the session's generation if the verdict requires it.

    Runs one SELECT, and one UPDATE if the generation changes or the session ends.

    Args:
        prepare: takes the session and the generation to issue. It is called before anything is
            written, and its result becomes `Rotation.prepared`. If it raises, nothing is written.

    Raises:
        Busy: in every attempt, another request changed the session first. Nothing was written.
    """
    using = write_database()
    for number in range(ATTEMPTS):
        session = _read(attempt, using, again=number > 0)
        verdict = judge(attempt, session)
        if session is None or verdict in _REFUSALS:
            return _refuse(attempt, session, verdict)
        issued = attempt.generation + (verdict is not Verdict.KEPT)
        prepared = prepare(session, issued)
        if verdict is not Verdict.ADVANCED or _advance(session, using, to=issued):
            return Rotation(verdict=verdict, session=session, prepared=prepared)
    raise Busy


def check(attempt: RefreshAttempt) -> Session | None:
    """Return the session if a refresh would succeed now, otherwise None. Runs only one SELECT."""
    session = find(attempt)
    return None if judge(attempt, session) in _REFUSALS else session


def find(attempt: RefreshAttempt) -> Session | None:
    """Return an attempt's session, ended or not; None if it does not exist. Runs one SELECT."""
    return _read(attempt, write_database(), again=False)


def user_of(session: Session) -> Any:
    """Return the user of a session that this module has read, or None.

    None means that the user was deleted, or that the user model's default manager hides the user.
    """
    return session.user if getattr(session, "user_is_visible", True) else None


_REFUSALS = frozenset({Verdict.INVALID, Verdict.ENDED, Verdict.INACTIVE, Verdict.REUSED})
#: Verdict → the reason to end the session. For Verdict.ENDED, `_reason_to_end` finds the reason.
_END_REASONS = {Verdict.INACTIVE: EndReason.USER_INACTIVE, Verdict.REUSED: EndReason.REUSE}


def judge(attempt: RefreshAttempt, session: Session | None) -> Verdict:
    """Return the verdict on an attempt, given the session as it was read. Runs no query."""
    if session is None or session.end_reason or session.expires_at <= timezone.now():
        return Verdict.ENDED
    if session.transport != attempt.transport:
        return Verdict.INVALID
    user = user_of(session)
    if user is None:
        return Verdict.ENDED
    if attempt.compares_password and session.password_stamp not in stamps.password_stamps(user):
        return Verdict.ENDED
    if not attempt.belongs_to(user):
        return Verdict.INVALID
    if not attempt.allows(user):
        return Verdict.INACTIVE
    return _judge_generation(attempt, session)


def _judge_generation(attempt: RefreshAttempt, session: Session) -> Verdict:
    ahead = attempt.generation - session.generation
    if ahead == -1 and session.in_grace:  # type: ignore[attr-defined]  # annotated in _with_user
        return Verdict.REPEATED
    if ahead < 0:
        return Verdict.REUSED
    if ahead > 1:
        return Verdict.INVALID
    if ahead == 1:  # The token is genuine: a failover lost the UPDATE that recorded its generation.
        logger.warning("session %s: a rotation was lost, its successor is accepted", session)
    elif not attempt.rotates:
        return Verdict.KEPT
    return Verdict.ADVANCED if attempt.generation < MAX_GENERATION else Verdict.ENDED


def _read(attempt: RefreshAttempt, using: str, *, again: bool) -> Session | None:
    key = {"id": attempt.session_id, "grace": attempt.grace}
    locked = again and in_transaction(using)
    if attempt.users is None and not locked:
        fetch = partial(_SESSION.fetch, using, **key)
    else:
        # Do not precompile this query: the project's manager may filter by values that change.
        fetch = partial(_read_plain, using, attempt.users, locked=locked, **key)
    rows: list[Session] = retried(fetch, using=using)
    return rows[0] if rows else None


def _read_plain(
    using: str, users: QuerySet[Any] | None, *, locked: bool, **key: Any
) -> list[Session]:
    rows = _with_user(**key).using(using)
    if users is not None:
        visible = users.using(using).filter(pk=OuterRef("user_id"))
        rows = rows.annotate(user_is_visible=Exists(visible))
    if locked:  # inside a transaction, a SELECT without a lock could return the old row again
        of = ("self",) if connections[using].features.has_select_for_update_of else ()
        rows = rows.select_for_update(of=of)
    return list(rows)


def _with_user(*, id: Any, grace: Any) -> QuerySet[Session]:  # noqa: A002 - the field's name
    in_grace = ExpressionWrapper(Q(refreshed_at__gt=DbNow() - grace), output_field=BooleanField())
    return Session.objects.filter(pk=id).annotate(in_grace=in_grace).select_related("user")


def _advance(session: Session, using: str, *, to: int) -> bool:
    advance = partial(
        _ADVANCE.run,
        using,
        id=session.pk,
        generation=session.generation,
        to=to,
        stamp=session.password_stamp,
        # The stored stamp may depend on a key in SECRET_KEY_FALLBACKS, so write a new stamp.
        new_stamp=stamps.password_stamp(session.user),
    )
    advanced = retried(advance, using=using)
    if advanced:
        session.generation = to
    return advanced == 1


def _advance_update(
    *,
    id: Any,  # noqa: A002 - the field's name
    generation: Any,
    to: Any,
    stamp: Any,
    new_stamp: Any,
) -> tuple[QuerySet[Session], dict[str, Any]]:
    # Compare the stamp, too, because a rehash of the password changes only the stamp.
    as_read = Session.objects.filter(
        pk=id, generation=generation, end_reason="", password_stamp=stamp
    )
    return as_read, {"generation": to, "refreshed_at": DbNow(), "password_stamp": new_stamp}


_SESSION = CompiledSelect(_with_user, id=UUIDField(), grace=DurationField())
_ADVANCE = CompiledUpdate(
    _advance_update,
    id=UUIDField(),
    generation=IntegerField(),
    to=IntegerField(),
    stamp=CharField(),
    new_stamp=CharField(),
)


def _refuse(attempt: RefreshAttempt, session: Session | None, verdict: Verdict) -> Rotation[Any]:
    """Return a refusal, and end the session if the verdict requires it.

    The refusal is returned, not raised. With ATOMIC_REQUESTS, an exception would make DRF roll back
    the UPDATE that ended the session.
    """
    if session is None or session.end_reason or verdict is Verdict.INVALID:
        return Rotation(verdict=verdict, session=session)
    reason = _END_REASONS.get(verdict) or _reason_to_end(attempt, session)
    user_id, user_exists = session.user_id, session.user is not None
    ended_now = reason and store.end(
        session.pk, user_id=user_id, reason=reason, user_exists=user_exists
    )
    if verdict is Verdict.REUSED and not ended_now:
        verdict = Verdict.ENDED  # another request has already ended the session
    behind = session.generation - attempt.generation
    return Rotation(verdict=verdict, session=session, behind=behind)


def _reason_to_end(attempt: RefreshAttempt, session: Session) -> EndReason | None:
    """Return the reason to end a session, or None if no reason applies, as for expired sessions."""
    if user_of(session) is None:
        return EndReason.USER_DELETED
    if not attempt.compares_password:
        return None
    has_new_password = session.password_stamp not in stamps.password_stamps(session.user)
    return EndReason.PASSWORD_CHANGED if has_new_password else None
