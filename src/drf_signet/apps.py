"""The Django application."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SignetConfig(AppConfig):
    """drf-signet: label `drf_signet`."""

    name = "drf_signet"
    verbose_name = _("Sessions of the API")

    def ready(self) -> None:
        """Register the system checks, and listen to the saves of users."""
        from . import checks, userchanges  # noqa: F401 - checks are registered by being imported

        userchanges.connect()
