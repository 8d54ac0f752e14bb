"""System checks that report mistakes in the configuration. Each message has an id.

signet.E003 (the app is not installed) is not reported here. The import of `drf_signet.models`
raises it, because checks are not registered if the app is not installed.
"""

from __future__ import annotations

from . import authentication, configuration, databases, deployment, middleware

__all__ = ["authentication", "configuration", "databases", "deployment", "middleware"]
