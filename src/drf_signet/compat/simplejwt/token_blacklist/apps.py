"""The Django application."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TokenBlacklistConfig(AppConfig):
    """One app under either name: projects ask whether the old one is installed."""

    name = "rest_framework_simplejwt.token_blacklist"
    verbose_name = _("Token Blacklist")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Keep sessions and the blacklist in step."""
        from . import receivers

        receivers.connect()
