"""Signals about sessions, sent after the transaction commits.

A receiver that raises an exception does not break a login or a refresh: Django logs the exception.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from django.dispatch import Signal

#: A login opened a session. Sends `session`, `user` and `request` (may be None).
session_opened = Signal()
#: A refresh succeeded. Sends `session`, `user`, `request` (may be None) and `rotated`: whether the
#: refresh token was replaced. `rotated` is False without rotation, and for a retry within the grace
#: period.
session_refreshed = Signal()
#: A session ended. Sends `session_id`, `user_id` and `reason` (an `EndReason`).
session_ended = Signal()
#: A rotated refresh token was used after its grace period. Sends `session`, `user`, `request` (may
#: be None) and `generations_behind`: the number of newer refresh tokens. 1 may be harmless, because
#: a phone may have been asleep during the grace period. A larger number means that the token was
#: stolen or the client was copied (RFC 9700 §4.14.2).
refresh_reused = Signal()


def send_after_commit(signal: Signal, *, sender: Any, using: str, **arguments: Any) -> None:
    """Send a signal after the open transaction on `using` commits; without one, send it now."""
    send = partial(signal.send_robust, sender, **arguments)
    transaction.on_commit(send, using=using, robust=True)
