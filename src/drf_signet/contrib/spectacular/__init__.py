"""Adapter for drf-spectacular: the endpoints and the authentication classes in OpenAPI.

Views and serializers describe themselves. This package only passes that on.
"""

from __future__ import annotations

import re
from typing import Any

import drf_spectacular
from django.core import checks
from django.core.checks import CheckMessage, Tags, register

#: The oldest version of drf-spectacular that is supported.
OLDEST = (0, 27)


def connect() -> None:
    """Let drf-spectacular describe the endpoints, unless its version does not allow that."""
    if _problem() is None:
        from . import endpoints

        endpoints.connect()


@register(Tags.compatibility)
def check_version(**kwargs: Any) -> list[CheckMessage]:
    """Report a warning (W018) if the installed drf-spectacular cannot be used."""
    problem = _problem()
    if problem is None:
        return []
    version = drf_spectacular.__version__
    text = f"drf-spectacular {version} {problem}: OpenAPI does not describe these endpoints."
    hint = f"Install drf-spectacular {OLDEST[0]}.{OLDEST[1]} or later, or drf-signet[spectacular]."
    return [checks.Warning(text, hint=hint, id="signet.W018")]


def _problem() -> str | None:
    """Return why the adapter cannot be used. Otherwise, import it, which registers extensions."""
    if tuple(map(int, re.findall(r"\d+", drf_spectacular.__version__)[:2])) < OLDEST:
        return "is too old"
    try:
        from . import bodies, credentials, endpoints  # noqa: F401 - they register extensions
    except Exception as error:  # a newer release of drf-spectacular must not prevent the start
        return f"cannot be used ({error})"
    return None
