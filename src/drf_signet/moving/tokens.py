"""Outstanding tokens of simplejwt → sessions, in batches, as their first use would make them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, QuerySet

from drf_signet import adoption, blacklist, claims, runtime, sessions, users
from drf_signet.blacklist import Blacklisted, Outstanding
from drf_signet.claims import REFRESH, Claims
from drf_signet.database import DbNow, retried
from drf_signet.errors import TokenError
from drf_signet.models import EndReason, Session, write_database, written
from drf_signet.sessions import BATCH


@dataclass(kw_only=True)
class Tally:
    """How many tokens, by what becomes of them; `refused` by the check that they fail."""

    imported: int = 0
    known: int = 0
    no_user: int = 0
    inactive: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, check: str) -> None:
        """Count a token that a check has refused."""
        self.refused[check] = self.refused.get(check, 0) + 1


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What simplejwt's tables hold now: numbers of rows, and the latest `exp` of each kind."""

    expired: int
    live: int
    latest: datetime | None
    blacklisted: int
    latest_blacklisted: datetime | None


def survey(*, now: float) -> Tables:
    """Count the rows: three statements."""
    alive = _live(now).aggregate(rows=Count("pk"), latest=Max("expires_at"))
    dead = _blacklisted(now).aggregate(rows=Count("pk"), latest=Max("token__expires_at"))
    return Tables(
        expired=_tokens().filter(expires_at__lte=blacklist.as_stored(now)).count(),
        live=alive["rows"],
        latest=_aware(alive["latest"]),
        blacklisted=dead["rows"],
        latest_blacklisted=_aware(dead["latest"]),
    )


def import_live(*, now: float, write: bool) -> Tally:
    """Make a session of each token that is neither expired nor blacklisted. Safe to repeat.

    The ids are those of adoption, so that a client that comes meanwhile meets the same session.
    Each batch commits alone, and memory does not grow with the number of tokens.

    Args:
        now: POSIX seconds.
        write: False counts only.
    """
    tally = Tally()
    for rows in _batches(_live(now), "token"):
        believed = [read for (_, text) in rows if (read := _read(text, now, tally)) is not None]
        drafts = _new(list(_drafts(believed, now, tally)), tally)
        if write:
            _insert(drafts)
        tally.imported += len(drafts)
    return tally


def bury_blacklisted(*, now: float) -> int:
    """Keep each blacklisted token as an ended session until it expires; return how many there are.

    From then on the tables of old are of no use. Safe to repeat.

    Args:
        now: POSIX seconds.
    """
    buried = 0
    fields = "token__token", "token__jti", "token__expires_at", "blacklisted_at"
    for rows in _batches(_blacklisted(now), *fields):
        graves = [_grave(*row) for (_, text, *row) in rows if not _is_of_ours(text)]
        _insert(_new(graves, Tally()))
        alive = written().filter(pk__in=[one.pk for one in graves], end_reason="")
        for session in alive:
            sessions.end(session.pk, user_id=session.user_id, reason=EndReason.LOGOUT)
        buried += len(graves)
    return buried


def _aware(stored: datetime | None) -> datetime | None:
    return None if stored is None else blacklist.as_aware(stored)


def _tokens() -> QuerySet[Outstanding]:
    return Outstanding._base_manager.using(blacklist.database())


def _live(now: float) -> QuerySet[Outstanding]:
    dead = Exists(Blacklisted._base_manager.filter(token=OuterRef("pk")))
    return _tokens().filter(~dead, expires_at__gt=blacklist.as_stored(now))


def _blacklisted(now: float) -> QuerySet[Blacklisted]:
    rows = Blacklisted._base_manager.using(blacklist.database())
    return rows.filter(token__expires_at__gt=blacklist.as_stored(now))


def _batches(rows: QuerySet[Any], *fields: str) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Yield rows by key: MySQL's client would hold all of an iterator's, and pools cut cursors."""
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", *fields)[:BATCH]):
        last = batch[-1][0]
        yield batch


def _read(text: str, now: float, tally: Tally) -> Claims | None:
    current = runtime.current()
    rules = replace(current.rules, adopt_until=math.inf)  # a dry run comes before the setting
    if _is_of_ours(text):
        tally.known += 1
        return None
    try:
        return claims.read(current.codec.decode(text), token_type=REFRESH, rules=rules, now=now)
    except TokenError as error:
        tally.refuse(error.code)
        return None


def _is_of_ours(text: str) -> bool:
    """Whether a token that stands in these tables was issued by this package, through the alias."""
    try:
        return "sid" in runtime.current().codec.decode(text)
    except TokenError:
        return False


def _drafts(believed: Sequence[Claims], now: float, tally: Tally) -> Iterator[Session]:
    subject = runtime.current().subject
    keys = {one.user_key for one in believed}
    rows = users.all_users().using(write_database())
    found = rows.filter(**{f"{subject.name}__in": keys})
    by_key = {subject.key(subject.claim(user)): user for user in found}
    for one in believed:
        user = by_key.get(one.user_key)
        if user is None:
            tally.no_user += 1
        elif not users.may_authenticate(user):
            tally.inactive += 1
        elif not adoption.is_of_todays_password(one, user):
            tally.refuse("another password")
        else:
            yield adoption.draft(one, user, now=now)


def _new(drafts: Sequence[Session], tally: Tally) -> list[Session]:
    rows = written().filter(pk__in=[one.pk for one in drafts])
    known = set(rows.values_list("pk", flat=True))
    tally.known += len(known)
    return [one for one in drafts if one.pk not in known]


def _insert(drafts: Sequence[Session]) -> None:
    for one in drafts:
        one.refreshed_at = DbNow()
    insert = partial(written().bulk_create, drafts, ignore_conflicts=True)
    retried(insert, using=write_database())


def _grave(jti: str, expires_at: datetime, ended_at: datetime) -> Session:
    return Session(
        id=adoption.session_id_of(jti),
        created_at=ended_at,
        auth_time=ended_at,
        expires_at=sessions.as_datetime(blacklist.as_aware(expires_at).timestamp()),
        end_reason=EndReason.LOGOUT,
        ended_at=ended_at,
    )
