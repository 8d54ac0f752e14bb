"""The tables of the `token_blacklist` app, where a project has it: one row for each login.

A row's `jti` is the id of the session, or, for logins from before the switch, that of the old
token. Its `token` can end the session and no more: texts that are good for a refresh are not
stored. Without the app nothing here does anything.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db import IntegrityError

from drf_signet import adoption, api, users
from drf_signet.models import written

from .alias import OLD

APP = f"{OLD}.token_blacklist"


def installed() -> bool:
    """Whether the project has the app."""
    return apps.is_installed(APP)


def outstand(jti: str, *, user: Any, **values: Any) -> tuple[Any, bool]:
    """Return the row of a login, and whether it was made now, with these values.

    A user who was deleted meanwhile is left out, as the deletion would have done a moment later.
    """
    from .token_blacklist.models import OutstandingToken

    defaults = {**values, "user": user}
    try:
        return OutstandingToken.objects.get_or_create(jti=jti, defaults=defaults)
    except IntegrityError:
        if user is None or not users.was_deleted(user):
            raise
    return OutstandingToken.objects.get_or_create(jti=jti, defaults=defaults | {"user": None})


def list_as_ended(jti: str) -> tuple[Any, bool]:
    """Put a login on the blacklist, if it has a row; return its entry, and whether it is new."""
    if not installed():
        return None, False
    from .token_blacklist.models import BlacklistedToken, OutstandingToken

    row = OutstandingToken.objects.filter(jti=jti).first()
    if row is None:
        return None, False
    found: tuple[Any, bool] = BlacklistedToken.objects.get_or_create(token=row)
    return found


def end_logins(jtis: Iterable[str]) -> None:
    """End the sessions of rows that were put on the blacklist. Safe to repeat."""
    listed = list(jtis)
    ids = [found for jti in listed if (found := as_session_id(jti)) is not None]
    ids += [adoption.session_id_of(jti) for jti in listed]  # of those from before the switch
    alive = written().filter(pk__in=ids, end_reason="")
    for pk in list(alive.values_list("pk", flat=True)):
        api.end(pk)


def as_session_id(jti: object) -> uuid.UUID | None:
    """Return the id of the session that a `jti` of ours is; None for other texts."""
    try:
        return uuid.UUID(hex=str(jti))
    except ValueError:
        return None
