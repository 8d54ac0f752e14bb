"""`manage.py flushexpiredtokens`: the old name of the daily job."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from ....utils import aware_utcnow
from ...models import OutstandingToken


class Command(BaseCommand):
    """Delete what has expired: rows of the tables of old, and sessions."""

    help = "Delete expired tokens from the tables of outstanding and blacklisted tokens."

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete them, and then the sessions whose rows nobody can ask for any more."""
        OutstandingToken.objects.filter(expires_at__lte=aware_utcnow()).delete()
        call_command("signet_clear_expired", stdout=self.stdout)
