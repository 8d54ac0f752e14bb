"""`manage.py signet_clear_expired`: for a daily job."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from drf_signet import conf, runtime, sessions


class Command(BaseCommand):
    """Delete the rows of sessions that are past their absolute end."""

    help = "Deletes the rows of sessions that are past their absolute end. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        cleared = sessions.clear_expired(now=runtime.now(), leeway=conf.current().LEEWAY)
        self.stdout.write(f"{cleared} expired sessions deleted")
