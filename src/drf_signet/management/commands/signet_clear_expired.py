"""The command `manage.py signet_clear_expired`, to be run by a daily job."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from drf_signet import runtime
from drf_signet.conf import settings as conf
from drf_signet.sessions import store


class Command(BaseCommand):
    """The command that deletes the rows of expired sessions."""

    help = "Deletes the rows of expired sessions. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete the rows of expired sessions, and print the number of deleted rows."""
        cleared = store.clear_expired(now=runtime.now(), leeway=conf.current().LEEWAY)
        self.stdout.write(f"{cleared} expired sessions deleted")
