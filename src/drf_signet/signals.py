"""What happens to sessions, for the application to hear. Sent after the commit.

Receivers cannot break a login or a refresh: what they raise is logged by Django.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.dispatch import Signal

#: A login opened a session. Sends `session`, `user`, `request` (may be None).
session_opened = Signal()
#: A refresh succeeded. Sends `session`, `user`, `request` (may be None), and `rotated`: whether
#: the generation advanced (False for a retry inside the grace period, and without rotation).
session_refreshed = Signal()
#: A session ended. Sends `session_id`, `user_id`, `reason` (an `EndReason`).
session_ended = Signal()
#: A rotated refresh token came back after its grace. Sends `session`, `user`, `request` (may be
#: None), and `generations_behind`: how old it was. 1 is also what a phone that slept through the
#: grace period looks like; more is theft or a copied client (RFC 9700 §4.14.2).
refresh_reused = Signal()


def send_after_commit(signal: Signal, *, sender: Any, using: str, **arguments: Any) -> None:
    """Send a signal once the transaction on `using` commits; at once if there is none."""
    transaction.on_commit(lambda: signal.send_robust(sender, **arguments), using=using, robust=True)
