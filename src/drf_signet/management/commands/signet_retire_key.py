"""The command `manage.py signet_retire_key`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from drf_signet.keys import changes
from drf_signet.management.signing import KeyCommand


class Command(KeyCommand):
    """The command that retires a signing key."""

    help = (
        "Cancels a signing key that has not signed yet. With --now, retires any key: all tokens "
        "that it has signed are refused, and their users must log in again. Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the argument `kid`, and the options `--now` and `--dry-run`."""
        parser.add_argument(
            "kid", help='A key that signet_keys lists, or "settings" for the keys of the settings.'
        )
        parser.add_argument("--now", action="store_true", help="Refuse all tokens of the key.")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Retire the key, and write which key signs next.

        Raises:
            CommandError: the key cannot be retired; the message says why.
        """
        dry_run = options["dry_run"]
        change = self.change(changes.retire, options["kid"], now=options["now"], dry_run=dry_run)
        if change is None:
            self.say(f"The key {options['kid']!r} is already retired.", dry_run=dry_run)
            return
        line = f"The key {change.retired!r} is retired: its tokens are refused."
        if change.kid:
            new = "A new key" if dry_run else f"The key {change.kid!r}"
            when = (
                f"in {change.signs_in} s; until then, logins get a 503"
                if change.signs_in
                else "now"
            )
            line = f"{line} {new} signs {when}."
        self.say(line, dry_run=dry_run)
