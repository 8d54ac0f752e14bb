"""Sessions and the blacklist in step: who is put there is logged out, who is logged out is there.

Tokens of before the switch are none of ours here: see `drf_signet.adoption`.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models.signals import post_save

from drf_signet.signals import session_ended

from .. import tables
from .models import BlacklistedToken


def connect() -> None:
    """Listen to both."""
    uid = f"{__name__}.{{}}"
    post_save.connect(end_listed, sender=BlacklistedToken, dispatch_uid=uid.format("end"))
    session_ended.connect(list_ended, dispatch_uid=uid.format("list"))


def end_listed(*, instance: BlacklistedToken, created: bool, raw: bool, **kwargs: Any) -> None:
    """End the session of a login that was put on the blacklist."""
    if created and not raw:
        tables.end_logins([instance.token.jti])


def list_ended(*, session_id: uuid.UUID, **kwargs: Any) -> None:
    """Put a login whose session has ended on the blacklist, if it has a row."""
    tables.list_as_ended(session_id.hex)
