"""What the commands for signing keys share."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from drf_signet.errors import Busy
from drf_signet.keys import database
from drf_signet.keys.succession import NotPossible


class KeyCommand(BaseCommand):
    """The base class of commands that change signing keys."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the option `--dry-run`."""
        parser.add_argument("--dry-run", action="store_true", help="Say what would be done.")

    def change(self, change: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call a function of `drf_signet.keys.changes`.

        Raises:
            CommandError: the change is not possible, or the provider is not the database.
        """
        if not database.is_in_use():
            raise CommandError('Set "KEY_PROVIDER": "database" in SIGNET first.')
        try:
            return change(*args, **options)
        except NotPossible as error:
            raise CommandError(str(error)) from error
        except Busy as error:
            raise CommandError("Other transactions kept conflicting. Run it again.") from error
        except Error as error:
            raise CommandError(f"The database cannot be used: {error}") from error

    def say(self, text: str, *, dry_run: bool) -> None:
        """Write a line, and say whether it was only a dry run."""
        self.stdout.write(f"Dry run, nothing is changed: {text}" if dry_run else text)
