"""What is said of logins, refreshes and logouts, by this package's signals and by Django's own."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib.auth import user_logged_in, user_logged_out
from django.db import router
from django.dispatch import Signal
from django.http import HttpRequest

from .database import retried
from .models import Session, write_database
from .signals import send_after_commit


def announce(
    signal: Signal, session: Session | None, request: HttpRequest | None, **more: Any
) -> None:
    """Send one of this package's signals about a session, once its change is committed."""
    send_after_commit(
        signal,
        sender=Session,
        using=write_database(),
        session=session,
        user=session and session.user,
        request=request,
        **more,
    )


def say_logged_in(user: Any, request: HttpRequest) -> None:
    """Send Django's `user_logged_in`.

    Before the session is written, since what a receiver raises must leave none behind. Django's
    own receiver writes `last_login`, and may meet another login's of the same user.
    """
    say = partial(user_logged_in.send, sender=user._meta.model, request=request, user=user)
    retried(say, using=router.db_for_write(user._meta.model, instance=user))


def say_logged_out(user: Any, request: HttpRequest | None) -> None:
    """Send Django's `user_logged_out`; the user is None if its row is gone."""
    sender = type(user) if user is None else user._meta.model  # not the class of a lazy user
    user_logged_out.send(sender=sender, request=request, user=user)
