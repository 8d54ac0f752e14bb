"""`manage.py signet_migrate_from_simplejwt`: what a move takes, and tokens of old as sessions."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

from drf_signet import blacklist, conf, runtime
from drf_signet.errors import UnusableKey
from drf_signet.moving import advice, names, sources, tokens
from drf_signet.moving.tokens import Tables, Tally


class Command(BaseCommand):
    """Say what moving from simplejwt takes, and make sessions of its live refresh tokens."""

    help = "Says what moving from simplejwt takes, and makes sessions of its live refresh tokens."
    requires_system_checks = ()  # what is wrong with the settings is part of what it says

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take two options."""
        parser.add_argument("--dry-run", action="store_true", help="Write nothing.")
        parser.add_argument(
            "--with-blacklisted",
            action="store_true",
            help="Keep blacklisted tokens as ended sessions, so that the old tables can go now.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        try:
            self._settings()
            self._code()
            runtime.current()
        except (ImproperlyConfigured, UnusableKey) as error:
            raise CommandError(f"The settings cannot be used: {error}") from error
        self._title("Tokens")
        try:
            self._tokens(write=not options["dry_run"], bury=options["with_blacklisted"])
        except (OperationalError, ProgrammingError) as error:
            text = f"The tables cannot be read; perhaps `manage.py migrate` has not run: {error}"
            raise CommandError(text) from error

    def _settings(self) -> None:
        self._title("Settings")
        for one in advice.on_settings(now=runtime.now()):
            self._line(f"{one.verdict:<9} {one.setting}: {one.text}.")
        if lines := advice.proposal():
            self._line("In place of SIMPLE_JWT write:")
            for line in ("SIGNET = {", *lines, "}"):
                self._line(line)

    def _code(self) -> None:
        self._title("Code")
        found = list(sources.mentions(sources.own_directories()))
        for one in found:
            if one.name:
                self._line(f"{one.path}:{one.line} {one.name} → {names.instead(one.name)}")
            else:
                self._line(f"{one.path} cannot be read as Python")
        if not found:
            self._line("Nothing names rest_framework_simplejwt.")

    def _tokens(self, *, write: bool, bury: bool) -> None:
        if not blacklist.exists():
            self._line("There are no tables of simplejwt's blacklist: nothing to import.")
            self._line("Tokens of old become sessions at their first use.")
            return
        now = runtime.now()
        tables = tokens.survey(now=now)
        adopting = now < conf.current().ADOPT_TOKENS_UNTIL
        tally = tokens.import_live(now=now, write=write and adopting)
        self._counts(tables, tally, done=write and adopting)
        if bury and write and adopting:
            self._line(
                f"{tokens.bury_blacklisted(now=now)} blacklisted tokens kept as ended sessions"
            )
        self._line(_when_tables_go(tables, buried=bury, adopting=adopting))
        if not adopting:
            if tables.latest:
                self._line(f'"ADOPT_TOKENS_UNTIL": "{_text(tables.latest)}" lets all of them in.')
            if write:
                raise CommandError("Set ADOPT_TOKENS_UNTIL first. No token was imported.")

    def _counts(self, tables: Tables, tally: Tally, *, done: bool) -> None:
        self._line(f"{tally.imported} live tokens {'became' if done else 'would become'} sessions")
        rows = {
            "are sessions already": tally.known,
            "of users who are gone": tally.no_user,
            "of users who may not authenticate": tally.inactive,
            **{f"refused: {code}": number for code, number in sorted(tally.refused.items())},
            "blacklisted": tables.blacklisted,
            "expired": tables.expired,
        }
        for what, number in rows.items():
            if number:
                self._line(f"{number} {what}")

    def _title(self, text: str) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(text))

    def _line(self, text: str) -> None:
        self.stdout.write(f"  {text}")


def _when_tables_go(tables: Tables, *, buried: bool, adopting: bool) -> str:
    dead = tables.latest_blacklisted
    if dead is None or buried:
        return "The old tables may be dropped once nothing runs simplejwt any more."
    until = _instant(conf.current().ADOPT_TOKENS_UNTIL) if adopting else dead
    return f"The old tables may be dropped after {_text(min(dead, until))}."


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _text(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")
