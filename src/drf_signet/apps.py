"""The configuration of the Django app."""

from __future__ import annotations

from importlib.util import find_spec

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class SignetConfig(AppConfig):
    """The configuration of the `drf_signet` app."""

    name = "drf_signet"
    verbose_name = _("Sessions of the API")

    def ready(self) -> None:
        """Register the system checks, the signal receivers, and the adapters for other packages."""
        from . import checks  # noqa: F401 - the import registers the checks
        from .compat.simplejwt import registration
        from .sessions import broadcast
        from .users import changes

        changes.connect()
        registration.register()
        broadcast.register("drf_signet.contrib.redis.RedisBroker")
        if apps.is_installed("django_tenants"):
            from .contrib import django_tenants

            django_tenants.connect()
        if apps.is_installed("drf_spectacular"):
            from .contrib import spectacular

            spectacular.connect()
        if find_spec("ua_parser"):
            from .contrib import ua_parser

            ua_parser.connect()
        if apps.is_installed("corsheaders"):
            from .contrib import cors_headers

            cors_headers.connect()
