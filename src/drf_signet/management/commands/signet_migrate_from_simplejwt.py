"""The command `manage.py signet_migrate_from_simplejwt`, for projects that move from simplejwt."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from drf_signet import runtime
from drf_signet.compat.simplejwt.moving import advice, changes, names, sources, tokens
from drf_signet.compat.simplejwt.moving.sources import Code
from drf_signet.compat.simplejwt.moving.tokens import Tables, Tally
from drf_signet.conf import settings as conf
from drf_signet.errors import UnusableKey


class Command(BaseCommand):
    """Report what a move from simplejwt requires, and create sessions for its live tokens."""

    help = "Reports what a move from simplejwt requires, and turns its live tokens into sessions."
    requires_system_checks = ()  # the command itself reports mistakes in the settings

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options `--dry-run` and `--with-blacklisted`."""
        parser.add_argument("--dry-run", action="store_true", help="Report only; write nothing.")
        parser.add_argument(
            "--with-blacklisted",
            action="store_true",
            help="Keep blacklisted tokens as ended sessions, so that you can drop the old tables.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Report on settings, code and tokens, and import the tokens unless `--dry-run` is given.

        Raises:
            CommandError: the settings cannot be used, the tables cannot be read, or
                ADOPT_TOKENS_UNTIL is not set to a time in the future.
        """
        code = sources.scan(sources.own_directories())
        try:
            self._report_settings(code)
            self._report_code(code)
            runtime.current()
            self._report_changes(code)
        except (ImproperlyConfigured, UnusableKey) as error:
            raise CommandError(f"The settings cannot be used: {error}") from error
        self._title("Tokens")
        write, with_blacklisted = not options["dry_run"], options["with_blacklisted"]
        try:
            self._import_tokens(write=write, with_blacklisted=with_blacklisted)
        except Error as error:
            raise CommandError(f"The database cannot be read: {error}") from error

    def _report_settings(self, code: Code) -> None:
        self._title("Settings")
        for item in advice.on_settings(code, now=runtime.now()):
            self._line(f"{item.verdict:<9} {item.setting}: {item.text}.")
        if lines := advice.proposal():
            self._line("Instead of SIMPLE_JWT write:")
            for line in ("SIGNET = {", *lines, "}"):
                self._line(line)

    def _report_code(self, code: Code) -> None:
        self._title("Code")
        for place, name in code.mentions:
            self._line(f"{place} {name} → {names.instead(name)}")
        for place in code.unreadable:
            self._line(f"{place} cannot be read as Python")
        if not code.mentions:
            self._line("Nothing names rest_framework_simplejwt.")

    def _report_changes(self, code: Code) -> None:
        self._title("What will change for your users and your tests")
        for audience, change in changes.concerning(code):
            self._line(f"{audience}  {change.what}")
            self._line(f"       → {change.todo}")

    def _import_tokens(self, *, write: bool, with_blacklisted: bool) -> None:
        migrated = tokens.sessions_exist()
        if not migrated and write:
            raise CommandError("Run `manage.py migrate` first: there is no table of sessions yet.")
        if not migrated:
            self._line("There is no table of sessions yet: `manage.py migrate` creates it.")
        if not tokens.tables_exist():
            self._line("There are no tables of simplejwt's blacklist, so nothing is imported.")
            self._line("Legacy tokens become sessions at their first use.")
            return
        now = runtime.now()
        tables = tokens.survey(now=now)
        adopting = now < conf.current().ADOPT_TOKENS_UNTIL
        tally = tokens.import_live(now=now, write=write and adopting)
        self._report_counts(tables, tally, done=write and adopting)
        if with_blacklisted and write and adopting:
            number = tokens.import_blacklisted(now=now)
            self._line(f"{number} blacklisted tokens kept as ended sessions")
        self._line(_when_to_drop_tables(tables, imported=with_blacklisted, adopting=adopting))
        if not adopting:
            if tables.latest:
                latest = _isoformat(tables.latest)
                self._line(f'"ADOPT_TOKENS_UNTIL": "{latest}" accepts all live tokens.')
            if write:
                raise CommandError("Set ADOPT_TOKENS_UNTIL first. No token was imported.")

    def _report_counts(self, tables: Tables, tally: Tally, *, done: bool) -> None:
        self._line(f"{tally.imported} live tokens {'became' if done else 'would become'} sessions")
        rows = {
            "are sessions already": tally.known,
            "of users who are gone": tally.no_user,
            "of users who may not authenticate": tally.inactive,
            **{f"refused: {code}": number for code, number in sorted(tally.refused.items())},
            "blacklisted": tables.blacklisted,
            "expired": tables.expired,
        }
        for outcome, number in rows.items():
            if number:
                self._line(f"{number} {outcome}")

    def _title(self, text: str) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(text))

    def _line(self, text: str) -> None:
        self.stdout.write(f"  {text}")


def _when_to_drop_tables(tables: Tables, *, imported: bool, adopting: bool) -> str:
    latest = tables.latest_blacklisted
    if latest is None or imported:
        return "The old tables may be dropped once nothing runs simplejwt any more."
    adopt_until = conf.current().ADOPT_TOKENS_UNTIL
    read_until = datetime.fromtimestamp(adopt_until, UTC) if adopting else latest
    return f"The old tables may be dropped after {_isoformat(min(latest, read_until))}."


def _isoformat(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")
