"""The command `manage.py signet_sessions`."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder

from drf_signet.management import selection
from drf_signet.models import Session, State
from drf_signet.transports import devices


class Command(BaseCommand):
    """The command that lists sessions."""

    help = "Lists live sessions, the most recent login first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options `--user`, `--user-id`, `--all-states` and `--json`."""
        selection.add_user_arguments(parser.add_mutually_exclusive_group())
        parser.add_argument(
            "--all-states", action="store_true", help="List ended and expired sessions, too."
        )
        parser.add_argument("--json", action="store_true", help="Write a JSON array of objects.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write one line, or one object of the array, for each session.

        Raises:
            CommandError: the user does not exist.
        """
        sessions = selection.sessions_of(options)
        shown = sessions if options["all_states"] else sessions.live()
        rows = selection.newest_first(shown.with_state().select_related("user"))
        self._write_json(rows) if options["json"] else self._write_lines(rows)

    def _write_json(self, rows: Iterator[Session]) -> None:
        """Write an array, one object at a time."""
        separator = "["
        for session in rows:
            self.stdout.write(
                separator + json.dumps(_facts(session), cls=DjangoJSONEncoder), ending=""
            )
            separator = ",\n"
        self.stdout.write("]" if separator != "[" else "[]")

    def _write_lines(self, rows: Iterator[Session]) -> None:
        number = 0
        for number, session in enumerate(rows, 1):  # noqa: B007
            facts = _facts(session)
            used = session.refreshed_at.isoformat(" ", "seconds")
            what = " – ".join(filter(None, (facts["label"], facts["device"])))  # noqa: RUF001
            line = f"{session.pk}  {facts['state']:<7}  {used}  {facts['user'] or '-'}"
            self.stdout.write(f"{line}  {facts['ip_address'] or '-'}  {what or '-'}")
        self.stdout.write(f"{number} sessions")


def _facts(session: Session) -> dict[str, Any]:
    """Return the facts about a session that the command prints, none of them secret."""
    return {
        "id": session.pk,
        "state": State(session.state).value,  # type: ignore[attr-defined]  # an annotation
        "user": session.user and str(getattr(session.user, session.user.USERNAME_FIELD)),
        "user_id": session.user_id,
        "device": devices.name_of(session.user_agent),
        "label": session.label,
        "user_agent": session.user_agent,
        "ip_address": session.ip_address,
        "transport": session.transport,
        "created_at": session.created_at,
        "refreshed_at": session.refreshed_at,
        "expires_at": session.expires_at,
        "ended_at": session.ended_at,
        "end_reason": session.end_reason,
    }
