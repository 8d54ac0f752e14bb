"""Read and write access to the tables of the `token_blacklist` app.

OutstandingToken contains one row for each login. The `jti` of the row is the id of the session, or
the `jti` of the legacy token from which the session was created. The `token` of the row is a
logout-only string (see `logout_string`), unless simplejwt itself wrote the row.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, models

from drf_signet import api
from drf_signet.models import sessions_for_write
from drf_signet.users import loading

from . import adoption, blacklist
from .alias import NEW, OLD

APP = f"{OLD}.token_blacklist"


def installed() -> bool:
    """Return whether the project has installed the `token_blacklist` app."""
    return apps.is_installed(APP)


def create_row(jti: str, *, user: Any, **values: Any) -> None:
    """Write the OutstandingToken row of a new login.

    If the user was deleted during the login, write nothing: the login will be refused.

    Args:
        values: the values of the row's other fields.
    """
    try:
        _rows("OutstandingToken").create(jti=jti, user=user, **values)
    except IntegrityError:
        if not loading.was_deleted(user):
            raise


def update_row(jti: str, **values: Any) -> None:
    """Update the OutstandingToken row of a login."""
    _rows("OutstandingToken").filter(jti=jti).update(**values)


def delete_row(jti: str) -> None:
    """Delete the OutstandingToken row of a login that was refused."""
    _rows("OutstandingToken").filter(jti=jti).delete()


def is_blacklisted(jti: str) -> bool:
    """Return whether the OutstandingToken row of a login is on the blacklist. Runs one SELECT."""
    return _rows("BlacklistedToken").filter(token__jti=jti).exists()


def refuse_replaced_models() -> None:
    """Raise ImproperlyConfigured if a test replaces a model in the module `tokens`.

    It would have no effect: sessions decide whether a token is valid. The module does not contain
    the models, and only returns them, so a model in the module is always a replacement.
    """
    tokens = sys.modules.get(f"{NEW}.tokens")
    contents = {} if tokens is None else vars(tokens)
    for name in {"OutstandingToken", "BlacklistedToken"} & contents.keys():
        if contents[name] is not getattr(sys.modules.get(f"{NEW}.token_blacklist.models"), name, 0):
            raise ImproperlyConfigured(
                f"replacing {OLD}.tokens.{name} has no effect, because sessions decide whether a "
                f"token is valid: end the session with token.blacklist()"
            )


def get_or_create_row(jti: str, *, user: Any, **values: Any) -> tuple[Any, bool]:
    """Return the OutstandingToken row of a login, and whether this call created the row.

    If the user was deleted during the login, the new row has no user, just as if the user had been
    deleted after the login.

    Args:
        values: the values of a new row's other fields.
    """
    rows = _rows("OutstandingToken")
    defaults = {**values, "user": user}
    try:
        return rows.get_or_create(jti=jti, defaults=defaults)
    except IntegrityError:
        if user is None or not loading.was_deleted(user):
            raise
    return rows.get_or_create(jti=jti, defaults=defaults | {"user": None})


def add_to_blacklist(jti: str) -> tuple[Any, bool]:
    """Add a login to the blacklist; return the BlacklistedToken row, and whether it is new.

    Return (None, False) if the app is not installed or the login has no OutstandingToken row.
    """
    if not installed():
        return None, False
    row = _rows("OutstandingToken").filter(jti=jti).first()
    if row is None:
        return None, False
    return _rows("BlacklistedToken").get_or_create(token=row)


def end_logins(jtis: Iterable[str]) -> None:
    """End the sessions of logins that were added to the blacklist. Safe to repeat.

    Args:
        jtis: the `jti` of each login's OutstandingToken row.
    """
    values = list(jtis)
    ids = [session_id for jti in values if (session_id := as_session_id(jti)) is not None]
    ids += [adoption.session_id_of(jti) for jti in values]  # sessions of legacy tokens
    alive = sessions_for_write().filter(pk__in=ids, end_reason="")
    for pk in list(alive.values_list("pk", flat=True)):
        api.end(pk)


def as_session_id(jti: object) -> uuid.UUID | None:
    """Convert the `jti` of a row to a session id; return None if the `jti` is not a UUID."""
    try:
        return uuid.UUID(hex=str(jti))
    except ValueError:
        return None


def _rows(model: str) -> models.Manager[Any]:
    """Return the default manager of a model of the app."""
    refuse_replaced_models()
    rows: models.Manager[Any] = apps.get_model(blacklist.LABEL, model)._default_manager
    return rows
