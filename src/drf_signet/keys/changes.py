"""Rotate and retire the keys of the table.

Every change locks all rows first. Two processes that insert the first rows at once choose the same
primary key, so the database keeps only one of them.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Max, Q, QuerySet, Value
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from ..conf import settings as conf
from ..db.database import DbNow, SecondsAgo, retried
from ..jose.checks import MAX_LIFETIME
from ..jose.loading import generate
from ..models import sessions_for_write, write_database
from . import encryption, succession
from .models import CONFIGURED, KeyState, SigningKey
from .succession import NotPossible, Row, Succession, poll_interval

T = TypeVar("T")

#: The largest number of a column of integers.
_LARGEST = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a rotation or retirement has done.

    Args:
        kid: the key that signs next; "" if that does not change.
        signs_in: after how many seconds it signs.
        retired: the key that was retired; "" if none was.
    """

    kid: str = ""
    signs_in: int = 0
    retired: str = ""


def rotate(*, to: str = "", only_if_due: bool = False, dry_run: bool = False) -> Change | None:
    """Create and publish the next key, or let a former key sign again. Atomic.

    Args:
        to: the `kid` of the former key, or "settings" for the keys of the settings.
        only_if_due: do nothing if the period of the current key has not passed.
        dry_run: roll back all changes.

    Returns:
        None if nothing was changed, because no rotation is due or another process has just rotated.

    Raises:
        NotPossible: the next key is already published, or the former key cannot sign again.
        Busy: the write kept conflicting with other transactions.
    """
    rotation = conf.current().KEY_ROTATION

    def change(current: Succession) -> Change | None:
        if only_if_due and current.rotates_in(rotation) > 0:
            return None
        if current.standby is not None:
            raise NotPossible(
                f"The key {current.standby.kid!r} is already published, and signs in "
                f"{math.ceil(current.standby.starts_in)} s. `manage.py signet_retire_key "
                f"{current.standby.kid}` cancels it."
            )
        ahead = math.ceil(rotation.PUBLISHED_AHEAD.total_seconds())
        return _return_to(current, to, ahead) if to else _add(current, ahead)

    return _changing(change, dry_run=dry_run)


def retire(kid: str, *, now: bool = False, dry_run: bool = False) -> Change | None:
    """Cancel a key that has not signed yet or, with `now`, refuse all tokens of a key. Atomic.

    Args:
        kid: the key, or "settings" for the keys of the settings.
        now: whether to retire a key whose tokens are valid. If it signs, the next key takes over.
        dry_run: roll back all changes.

    Returns:
        None if the key was already retired.

    Raises:
        NotPossible: there is no such key, or its tokens are valid and `now` is not set.
        Busy: the write kept conflicting with other transactions.
    """

    def change(current: Succession) -> Change | None:
        if not current.rows and kid == CONFIGURED and now:
            added = _add(current, _known_to_all())
            _erase(CONFIGURED)
            return Change(kid=added.kid, signs_in=added.signs_in, retired=CONFIGURED)
        row = current.find(kid)
        state = current.state(row)
        if state is KeyState.RETIRED:
            return None
        if state is not KeyState.STANDBY and not now:
            raise NotPossible(_why_now(current, row))
        return _retire(current, row, state)

    return _changing(change, dry_run=dry_run)


def reencrypt(*, dry_run: bool = False) -> int:
    """Encrypt all private keys again under the current SECRET_KEY. Return their number. Atomic.

    Raises:
        NotPossible: a key was encrypted under an unknown secret.
    """

    def change(current: Succession) -> int:
        stored = [row for row in current.rows if row.private_key]
        for row in stored:
            try:
                _rows().filter(pk=row.id).update(private_key=encryption.renew(row.private_key))
            except ValueError as error:
                raise NotPossible(f"The key {row.kid!r} cannot be decrypted: {error}.") from error
        return len(stored)

    return _changing(change, dry_run=dry_run) or 0


def extend(kid: str, lifetime: float) -> None:
    """Record that a key signs a token with a longer lifetime. Runs one UPDATE."""
    longest = _as_integer(lifetime)
    _rows().filter(kid=kid, token_lifetime__lt=longest).update(token_lifetime=longest)


def _changing(change: Callable[[Succession], T], *, dry_run: bool) -> T | None:
    """Lock all rows, and call a function that changes them.

    Return None if another process inserts rows of the same numbers.
    """
    using = write_database()

    def attempt() -> T:
        with transaction.atomic(using=using):
            rows = list(succession.values(_rows().select_for_update().order_by("pk")))
            done = change(succession.build(rows))
            transaction.set_rollback(dry_run, using=using)
            return done

    try:
        return retried(attempt, using=using)
    except IntegrityError:
        return None


def _rows() -> QuerySet[SigningKey]:
    return SigningKey.objects.using(write_database())


@sensitive_variables("jwk")
def _add(current: Succession, ahead: int) -> Change:
    """Insert a new key that signs in `ahead` seconds."""
    last = max((row.id for row in current.rows), default=0)
    if not current.rows:
        _create(id=0, kid=CONFIGURED, not_before=DbNow(), token_lifetime=_lifetime_of_configured())
    kid, algorithm = secrets.token_hex(8), conf.current().KEY_ROTATION.ALGORITHM
    jwk = {**generate(algorithm), "kid": kid, "alg": algorithm}
    _create(
        id=last + 1,
        kid=kid,
        algorithm=algorithm,
        private_key=encryption.encrypt(jwk),
        not_before=_in(ahead),
        token_lifetime=0,
    )
    _stop_others(kid, ahead)
    over = [row.id for row in current.rows if current.state(row) is KeyState.RETIRED]
    _rows().filter(pk__in=over, retired_at=None).update(**_retired())
    return Change(kid=kid, signs_in=ahead)


def _create(**fields: Any) -> None:
    _rows().create(created_at=DbNow(), **fields)


def _return_to(current: Succession, kid: str, ahead: int) -> Change:
    """Let a former key sign again: at once if processes still accept its tokens."""
    row = current.find(kid)
    state = current.state(row)
    if kid == CONFIGURED and conf.current().KEY_ROTATION.PERIOD is not None:
        raise NotPossible(
            'Set "PERIOD" in KEY_ROTATION to None first. Otherwise, the next key is due at once.'
        )
    if state is KeyState.SIGNING:
        raise NotPossible(f"The key {kid!r} signs already.")
    if state is KeyState.RETIRED and kid != CONFIGURED:
        raise NotPossible(f"The key {kid!r} is retired, and its private key was erased.")
    ahead = ahead if state is KeyState.RETIRED else 0
    _rows().filter(pk=row.id).update(not_before=_in(ahead), signs_until=None, retired_at=None)
    _stop_others(kid, ahead)
    return Change(kid=kid, signs_in=ahead)


def _retire(current: Succession, row: Row, state: KeyState) -> Change:
    _erase(row.kid)
    if state is KeyState.VERIFYING:
        return Change(retired=row.kid)
    if state is KeyState.STANDBY:
        if current.signer is not None:  # it goes on
            _rows().filter(pk=current.signer.id).update(signs_until=None)
        return Change(retired=row.kid)
    if current.standby is not None:
        _rows().filter(pk=current.standby.id).update(not_before=DbNow())
        return Change(kid=current.standby.kid, retired=row.kid)
    added = _add(current, _known_to_all())
    return Change(kid=added.kid, signs_in=added.signs_in, retired=row.kid)


def _why_now(current: Succession, row: Row) -> str:
    if row is current.signer:
        return (
            f"The key {row.kid!r} signs. `manage.py signet_rotate_key` replaces it, and its tokens "
            "stay valid. With --now, all its tokens are refused."
        )
    seconds = math.ceil(current.verifies_for(row))
    return (
        f"The key {row.kid!r} retires by itself in {timedelta(seconds=seconds)}, when its last "
        "token has expired. With --now, all its tokens are refused."
    )


def _erase(kid: str) -> None:
    _rows().filter(kid=kid).update(**_retired())


def _retired() -> dict[str, Any]:
    return {"retired_at": DbNow(), "private_key": ""}


def _stop_others(kid: str, ahead: int) -> None:
    """Let all other keys stop signing in `ahead` seconds.

    This statement comes after the statement that lets the key start in as many seconds, so there is
    no moment in between at which no key signs.
    """
    longer = Q(signs_until=None) | Q(signs_until__gt=_in(ahead))
    _rows().exclude(kid=kid).filter(longer, retired_at=None).update(signs_until=_in(ahead))


def _in(seconds: int) -> SecondsAgo:
    return SecondsAgo(Value(-seconds))


def _known_to_all() -> int:
    """Return after how many seconds every process knows a key that is published now.

    One thread of a process reads the table, and for one more interval, the others do not wait.
    """
    return math.ceil(2 * poll_interval())


def _lifetime_of_configured() -> int:
    """Return for how many seconds tokens of the settings' keys may be valid. Runs one SELECT.

    No token expires later than its session, whatever the lifetimes were when it was issued, except
    a legacy token, which is accepted until ADOPT_TOKENS_UNTIL.
    """
    settings, now = conf.current(), timezone.now()
    latest = sessions_for_write().aggregate(latest=Max("expires_at"))["latest"] or now
    lifetimes = (settings.REFRESH_TOKEN_LIFETIME, settings.SESSION_LIFETIME, latest - now)
    longest = min(max(lifetimes).total_seconds(), MAX_LIFETIME)
    return _as_integer(max(longest, settings.ADOPT_TOKENS_UNTIL - now.timestamp()))


def _as_integer(seconds: float) -> int:
    return min(math.ceil(seconds), _LARGEST)
