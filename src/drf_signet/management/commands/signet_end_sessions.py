"""The command `manage.py signet_end_sessions`."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from drf_signet.errors import Busy
from drf_signet.management import selection
from drf_signet.models import EndReason, endable
from drf_signet.sessions import endings


class Command(BaseCommand):
    """The command that ends the sessions of one user, or of all users."""

    help = "Ends sessions: their access tokens and refresh tokens are refused. Safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options `--user`, `--user-id`, `--all`, `--dry-run` and `--json`."""
        whose = parser.add_mutually_exclusive_group(required=True)
        selection.add_user_arguments(whose)
        whose.add_argument("--all", action="store_true", help="The sessions of all users.")
        parser.add_argument("--dry-run", action="store_true", help="Count only; end nothing.")
        parser.add_argument("--json", action="store_true", help="Write a JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        """End the sessions that have neither ended nor expired, and write their number.

        Raises:
            CommandError: the user does not exist, or the write kept conflicting with others. Or
                `call_command` passed None as the user, without `all`.
        """
        if options["user"] is None and options["user_id"] is None and not options["all"]:
            raise CommandError("Choose --user, --user-id or --all.")
        sessions, dry_run = selection.sessions_of(options), options["dry_run"]
        try:
            number = endable(sessions).count() if dry_run else _end(sessions)
        except Busy as error:
            raise CommandError("Other transactions kept conflicting. Run it again.") from error
        if options["json"]:
            self.stdout.write(json.dumps({"ended": number, "dry_run": dry_run}))
        else:
            self.stdout.write(f"{number} sessions {'would be ' if dry_run else ''}ended")


def _end(sessions: Any) -> int:
    return endings.end_selected(sessions, reason=EndReason.ENDED_BY_ADMIN)
