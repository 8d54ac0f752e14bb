"""The import of simplejwt's outstanding tokens, which creates their sessions in batches."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, QuerySet

from drf_signet import runtime
from drf_signet.db.database import DbNow, retried
from drf_signet.errors import TokenError
from drf_signet.jose import claims
from drf_signet.jose.claims import REFRESH, Claims
from drf_signet.models import EndReason, Session, sessions_for_write, write_database
from drf_signet.sessions import store
from drf_signet.sessions.store import BATCH
from drf_signet.users import loading

from .. import adoption, blacklist, logout_string
from ..blacklist import Blacklisted, Outstanding


@dataclass(kw_only=True)
class Tally:
    """The number of tokens for each outcome of the import.

    Args:
        imported: tokens for which sessions were created or, in a dry run, would be created.
        known: tokens that have sessions already.
        no_user: tokens whose users were deleted.
        inactive: tokens whose users may not authenticate.
        refused: name of a check → number of tokens that failed the check.
    """

    imported: int = 0
    known: int = 0
    no_user: int = 0
    inactive: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, check: str) -> None:
        """Count a token that failed a check."""
        self.refused[check] = self.refused.get(check, 0) + 1


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The numbers of rows in simplejwt's tables, and the latest expiry times.

    Args:
        expired: number of expired tokens.
        live: number of tokens that are neither expired nor blacklisted.
        latest: when the last live token expires.
        blacklisted: number of blacklisted tokens that have not expired.
        latest_blacklisted: when the last of these blacklisted tokens expires.
    """

    expired: int
    live: int
    latest: datetime | None
    blacklisted: int
    latest_blacklisted: datetime | None


def survey(*, now: float) -> Tables:
    """Count the rows of simplejwt's two tables. Runs three statements."""
    live = _live(now).aggregate(rows=Count("pk"), latest=Max("expires_at"))
    blacklisted = _blacklisted(now).aggregate(rows=Count("pk"), latest=Max("token__expires_at"))
    return Tables(
        expired=_tokens().filter(expires_at__lte=blacklist.as_stored(now)).count(),
        live=live["rows"],
        latest=_aware(live["latest"]),
        blacklisted=blacklisted["rows"],
        latest_blacklisted=_aware(blacklisted["latest"]),
    )


def tables_exist() -> bool:
    """Return whether simplejwt's two tables exist. Runs one statement."""
    return blacklist.have_tables(Outstanding, Blacklisted, using=blacklist.database())


def sessions_exist() -> bool:
    """Return whether the table of sessions exists. Runs one statement."""
    return blacklist.have_tables(Session, using=write_database())


def import_live(*, now: float, write: bool) -> Tally:
    """Create a session for each token that is neither expired nor blacklisted. Safe to repeat.

    The import and the adoption compute the same session id for a token. If a client uses the token
    during the import, the token therefore still gets only one session. Each batch is committed
    separately, and only one batch is in memory at a time.

    Args:
        now: the current time, in POSIX seconds.
        write: if False, count the tokens, but write no session. The table of sessions need not
            exist then.
    """
    tally = Tally()
    migrated = write or sessions_exist()
    for rows in _batches(_live(now), "token"):
        read = [_read(raw_token, now, tally) for _, raw_token in rows]
        valid = [token for token in read if token is not None]
        drafts = list(_drafts(valid, now, tally))
        if migrated:
            drafts = _without_known(drafts, tally)
        if write:
            _insert(drafts)
        tally.imported += len(drafts)
    return tally


def import_blacklisted(*, now: float) -> int:
    """Write ended sessions for unexpired blacklisted tokens; return the number of these tokens.

    The ended sessions replace the blacklist, so that simplejwt's tables can be dropped. Sessions of
    blacklisted drf-signet tokens end, too: a process of simplejwt has logged them out. Safe to
    repeat.

    Args:
        now: the current time, in POSIX seconds.
    """
    imported = 0
    rotated = _rotated_by_simplejwt(now)
    fields = "token__token", "token__jti", "token__expires_at", "blacklisted_at"
    for rows in _batches(_blacklisted(now), *fields):
        ended = [_ended_session(*row) for _, raw_token, *row in rows if not _is_own(raw_token)]
        _insert(_without_known(ended, Tally()))
        generations: dict[uuid.UUID, int | None] = {session.pk: None for session in ended}
        _end(generations | dict(_own(raw_token for _, raw_token, *_ in rows)), rotated)
        imported += len(ended)
    return imported


def _aware(stored: datetime | None) -> datetime | None:
    return None if stored is None else blacklist.as_aware(stored)


def _tokens() -> QuerySet[Outstanding]:
    return Outstanding._base_manager.using(blacklist.database())


def _live(now: float) -> QuerySet[Outstanding]:
    is_blacklisted = Exists(Blacklisted._base_manager.filter(token=OuterRef("pk")))
    return _tokens().filter(~is_blacklisted, expires_at__gt=blacklist.as_stored(now))


def _blacklisted(now: float) -> QuerySet[Blacklisted]:
    rows = Blacklisted._base_manager.using(blacklist.database())
    return rows.filter(token__expires_at__gt=blacklist.as_stored(now))


def _batches(rows: QuerySet[Any], *fields: str) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Yield the rows in batches, in the order of their primary keys.

    `QuerySet.iterator()` would not work: MySQL's client loads all rows together, and some
    connection poolers do not support server-side cursors.
    """
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", *fields)[:BATCH]):
        last = batch[-1][0]
        yield batch


def _read(raw_token: str, now: float, tally: Tally) -> Claims | None:
    current = runtime.current()
    if _is_own(raw_token):
        tally.known += 1
        return None
    # Ignore ADOPT_TOKENS_UNTIL, so that a dry run works before the project has set it.
    rules = replace(current.rules, adopt_until=math.inf)
    try:
        payload = current.codec.decode(raw_token)
        return claims.validate(payload, token_type=REFRESH, rules=rules, now=now)
    except TokenError as error:
        tally.refuse(error.code)
        return None


def _is_own(raw_token: str) -> bool:
    """Return whether the token of an outstanding row belongs to a session of drf-signet."""
    return logout_string.is_logout_only(raw_token) or any(True for _ in _own([raw_token]))


def _own(raw_tokens: Iterable[str]) -> Iterator[tuple[uuid.UUID, int | None]]:
    """Yield the session id and the generation of each token that belongs to a session.

    The generation is None in a logout-only string, which does not contain it.
    """
    codec = runtime.current().codec
    for raw_token in raw_tokens:
        is_logout_only = logout_string.is_logout_only(raw_token)
        decode = partial(logout_string.decode, codec) if is_logout_only else codec.decode
        with suppress(TokenError, KeyError, ValueError, TypeError, AttributeError):
            payload = decode(raw_token)
            generation = payload.get("gen")
            yield uuid.UUID(payload["sid"]), generation if claims.is_integer(generation) else None


def _rotated_by_simplejwt(now: float) -> dict[uuid.UUID, int]:
    """Return the sessions with a live token that simplejwt issued: session id → its generation.

    A process of simplejwt that rotates a drf-signet token puts it on the blacklist, and issues a
    token with the same session and generation.
    """
    found: dict[uuid.UUID, int] = {}
    for rows in _batches(_live(now), "token"):
        for session_id, generation in _own(raw_token for _, raw_token in rows):
            if generation is not None:
                found[session_id] = max(generation, found.get(session_id, 0))
    return found


def _end(generations: Mapping[uuid.UUID, int | None], rotated: Mapping[uuid.UUID, int]) -> None:
    """End the sessions of blacklisted tokens, unless a newer token of the session is in use.

    Args:
        generations: session id → the generation of the blacklisted token; None if it is unknown.
        rotated: the result of `_rotated_by_simplejwt`.
    """
    for session in sessions_for_write().filter(pk__in=list(generations), end_reason=""):
        generation = generations[session.pk]
        is_older = generation is not None and generation < session.generation
        if not is_older and rotated.get(session.pk, -1) < session.generation:
            store.end(session.pk, user_id=session.user_id, reason=EndReason.LOGOUT)


def _drafts(valid: Sequence[Claims], now: float, tally: Tally) -> Iterator[Session]:
    subject = runtime.current().subject
    keys = {token.user_key for token in valid}
    users = loading.all_users().using(write_database()).filter(**{f"{subject.name}__in": keys})
    by_key = {subject.key(subject.claim(user)): user for user in users}
    for token in valid:
        user = by_key.get(token.user_key)
        if user is None:
            tally.no_user += 1
        elif not loading.may_authenticate(user):
            tally.inactive += 1
        elif not adoption.matches_current_password(token, user):
            tally.refuse("another password")
        else:
            yield adoption.draft(token, user, now=now)


def _without_known(drafts: Sequence[Session], tally: Tally) -> list[Session]:
    """Return the drafts that have no row yet, and add the number of the others to `tally.known`."""
    rows = sessions_for_write().filter(pk__in=[session.pk for session in drafts])
    known = set(rows.values_list("pk", flat=True))
    tally.known += len(known)
    return [session for session in drafts if session.pk not in known]


def _insert(drafts: Sequence[Session]) -> None:
    for session in drafts:
        session.refreshed_at = DbNow()
    insert = partial(sessions_for_write().bulk_create, drafts, ignore_conflicts=True)
    retried(insert, using=write_database())


def _ended_session(jti: str, expires_at: datetime, ended_at: datetime) -> Session:
    return Session(
        id=adoption.session_id_of(jti),
        created_at=ended_at,
        auth_time=ended_at,
        expires_at=store.as_datetime(blacklist.as_aware(expires_at).timestamp()),
        end_reason=EndReason.LOGOUT,
        ended_at=ended_at,
    )
