"""The command `manage.py signet_rotate_key`."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError

from drf_signet.keys import changes
from drf_signet.management.signing import KeyCommand


class Command(KeyCommand):
    """The command that makes the next signing key."""

    help = (
        "Makes the next signing key now. It is published at once, signs after PUBLISHED_AHEAD, and "
        "nobody is logged out."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options `--to`, `--reencrypt` and `--dry-run`."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--to",
            metavar="KID",
            default="",
            help='Make no new key: let this former key sign again, or "settings".',
        )
        what.add_argument(
            "--reencrypt",
            action="store_true",
            help="Make no new key: encrypt all private keys again under the current SECRET_KEY.",
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate, and write which key signs next.

        Raises:
            CommandError: the rotation is not possible; the message says why.
        """
        dry_run = options["dry_run"]
        if options["reencrypt"]:
            number = self.change(changes.reencrypt, dry_run=dry_run)
            self.say(f"{number} private keys encrypted under SECRET_KEY.", dry_run=dry_run)
            return
        change = self.change(changes.rotate, to=options["to"], dry_run=dry_run)
        if change is None:
            raise CommandError("Another process has just rotated. See `manage.py signet_keys`.")
        kid = "A new key" if dry_run and not options["to"] else f"The key {change.kid!r}"
        when = f"in {timedelta(seconds=change.signs_in)}" if change.signs_in else "now"
        self.say(f"{kid} is published, and signs {when}.", dry_run=dry_run)
