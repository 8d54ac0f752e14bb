"""Installation of the alias: Django imports this module when it loads the app.

This module defines no AppConfig, so the app's name is the entry in INSTALLED_APPS:
`rest_framework_simplejwt` or `drf_signet.compat.simplejwt`.
"""

from __future__ import annotations

from . import alias

alias.install()
