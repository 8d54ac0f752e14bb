"""Signal receivers that keep sessions and the blacklist in sync.

These receivers handle logins that have a session. `drf_signet.compat.simplejwt.adoption` handles
legacy tokens that have no session yet.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models.signals import post_save

from drf_signet.signals import session_ended

from .. import tables
from .models import BlacklistedToken


def connect() -> None:
    """Connect the receivers. Safe to repeat."""
    uid = f"{__name__}.{{}}"
    post_save.connect(end_session, sender=BlacklistedToken, dispatch_uid=uid.format("end"))
    session_ended.connect(add_to_blacklist, dispatch_uid=uid.format("list"))


def end_session(*, instance: BlacklistedToken, created: bool, raw: bool, **kwargs: Any) -> None:
    """End the session of a token that was added to the blacklist."""
    if created and not raw:
        tables.end_logins([instance.token.jti])


def add_to_blacklist(*, session_id: uuid.UUID, **kwargs: Any) -> None:
    """Add the login of an ended session to the blacklist, if its OutstandingToken row exists."""
    tables.add_to_blacklist(session_id.hex)
