"""Send the signals of this package and of Django about logins, refreshes and logouts."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib.auth import user_logged_in, user_logged_out
from django.db import router
from django.dispatch import Signal
from django.http import HttpRequest

from ..db.database import retried
from ..models import Session, write_database
from ..signals import send_after_commit


def announce(
    signal: Signal, session: Session | None, request: HttpRequest | None, **more: Any
) -> None:
    """Send one of this package's signals about a session, after the transaction commits."""
    if not signal.has_listeners(Session):
        return
    user = session and session.user
    more |= {"session": session, "user": user, "request": request}
    send_after_commit(signal, sender=Session, using=write_database(), **more)


def send_user_logged_in(user: Any, request: HttpRequest) -> None:
    """Send Django's signal `user_logged_in`.

    Call this function before the session is saved, so that no session is saved if a receiver raises
    an exception. Django's own receiver writes `last_login`, which may conflict with another login
    of the same user.

    Raises:
        Busy: the write kept conflicting with other transactions.
    """
    send = partial(user_logged_in.send, sender=user._meta.model, request=request, user=user)
    retried(send, using=router.db_for_write(user._meta.model, instance=user))


def send_user_logged_out(user: Any, request: HttpRequest | None) -> None:
    """Send Django's signal `user_logged_out`. `user` is None if the user was deleted."""
    sender = (
        type(user) if user is None else user._meta.model
    )  # not `type(user)`, because a lazy user has its own class
    user_logged_out.send(sender=sender, request=request, user=user)
