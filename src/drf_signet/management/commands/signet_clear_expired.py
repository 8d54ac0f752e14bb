"""The command `manage.py signet_clear_expired`, to be run by a daily job."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any, cast

from django.core.management.base import BaseCommand
from django.core.serializers.base import ProgressBar

from drf_signet import runtime
from drf_signet.conf import settings as conf
from drf_signet.sessions import store


class Command(BaseCommand):
    """The command that deletes the rows of expired sessions."""

    help = "Deletes the rows of expired sessions. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete the rows of expired sessions, and print the number of deleted rows.

        A terminal shows a progress bar, unless `--verbosity 0` is given.
        """
        limits: dict[str, float] = {"now": runtime.now(), "leeway": conf.current().LEEWAY}
        shows_progress = self.stdout.isatty() and options["verbosity"] > 0
        total = store.expired_sessions(**limits).count() if shows_progress else 0
        report = self._progress(total) if total else None
        cleared = store.clear_expired(**limits, report=report)
        self.stdout.write(f"{cleared} expired sessions deleted\n")

    def _progress(self, total: int) -> Callable[[int], object]:
        """Return a function that draws a progress bar up to `total`."""
        self.stdout.ending = ""  # the bar ends its lines itself
        bar = ProgressBar(cast("IO[str]", self.stdout), total)
        return lambda deleted: bar.update(min(deleted, total))
