"""The Django application."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SignetConfig(AppConfig):
    """drf-signet: label `drf_signet`."""

    name = "drf_signet"
    verbose_name = _("Sessions of the API")

    def ready(self) -> None:
        """Register the system checks; listen to the saves of users and of blacklisted tokens."""
        from . import adoption, checks, userchanges  # noqa: F401 - checks are there by their import

        userchanges.connect()
        adoption.connect()
