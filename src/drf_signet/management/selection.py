"""Which sessions the management commands list or end."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from drf_signet.models import Session, SessionQuerySet, sessions_for_write, write_database
from drf_signet.sessions.endings import BATCH, fetch


def add_user_arguments(group: ArgumentParser | Any) -> None:
    """Add the options `--user` and `--user-id` to a group of arguments."""
    group.add_argument("--user", metavar="USERNAME", help="The sessions of this user.")
    group.add_argument("--user-id", metavar="KEY", help="The same, by the user's primary key.")


def sessions_of(options: dict[str, Any]) -> SessionQuerySet:
    """Return the sessions of the user whom the options identify, or all sessions without a user.

    The user is also found if the default manager of the user model hides the user.

    Raises:
        CommandError: there is no such user, or several users have the same username.
    """
    if options["user"] is not None:
        field, value = str(get_user_model().USERNAME_FIELD), str(options["user"])
    elif options["user_id"] is not None:
        field, value = "pk", str(options["user_id"])
    else:
        return sessions_for_write()
    return sessions_for_write().filter(user=_user(field, value))


def newest_first(sessions: SessionQuerySet) -> Iterator[Session]:
    """Yield sessions in the reverse order of their ids, and read `BATCH` of them at a time.

    A cursor does not save memory: the drivers of MySQL and MariaDB read all of its rows.
    """
    ordered = sessions.order_by("-pk")
    page = fetch(ordered[:BATCH])
    while page:
        yield from page
        page = fetch(ordered.filter(pk__lt=page[-1].pk)[:BATCH]) if len(page) == BATCH else []


def _user(field: str, value: str) -> Any:
    users = get_user_model()._base_manager.using(write_database())
    try:
        found = list(users.filter(**{field: value})[:2]) if "\0" not in value else []
    except (TypeError, ValueError, ValidationError):
        found = []  # no user can have this value
    if not found:
        raise CommandError(f"There is no user with the {_called(field)} {value!r}.")
    if len(found) > 1:
        raise CommandError(f"Several users have the username {value!r}. Use --user-id.")
    return found[0]


def _called(field: str) -> str:
    return "primary key" if field == "pk" else "username"
