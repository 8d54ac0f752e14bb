"""The configuration of the app `token_blacklist`."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from .. import alias

alias.install()  # INSTALLED_APPS may contain this app without its parent package


class TokenBlacklistConfig(AppConfig):
    """An AppConfig with simplejwt's app name, which projects pass to `apps.is_installed`."""

    name = f"{alias.OLD}.token_blacklist"
    verbose_name = _("Token Blacklist")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the receivers that synchronise sessions and the blacklist."""
        from . import receivers

        receivers.connect()
