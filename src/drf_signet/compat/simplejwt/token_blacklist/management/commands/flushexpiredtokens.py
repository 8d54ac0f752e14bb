"""simplejwt's command `manage.py flushexpiredtokens`, which projects run as a daily job."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from ....utils import aware_utcnow
from ...models import OutstandingToken


class Command(BaseCommand):
    """Delete expired rows of simplejwt's tables, and expired sessions."""

    help = "Delete expired tokens from the tables of outstanding and blacklisted tokens."

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete the expired rows. Then call `signet_clear_expired`, which deletes the sessions."""
        OutstandingToken.objects.filter(expires_at__lte=aware_utcnow()).delete()
        call_command("signet_clear_expired", stdout=self.stdout)
