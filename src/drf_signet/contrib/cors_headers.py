"""Adapter for django-cors-headers, which lets pages of other origins call the API: two checks."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004
from django.middleware.common import CommonMiddleware

from drf_signet.checks.middleware import places_of
from drf_signet.middleware import JWTMiddleware

#: Origins that no project has a reason to allow. `.invalid` is reserved (RFC 2606).
_STRANGERS = ("https://signet.invalid", "http://signet.invalid:8000")


def connect() -> None:
    """Register the checks."""
    register(check_order, Tags.security)
    register(check_credentials, Tags.security, deploy=True)


def check_order(**kwargs: Any) -> list[CheckMessage]:
    """Report W014 if pages of other origins cannot read some answers of other middleware."""
    answering = [*places_of(CommonMiddleware), *places_of(JWTMiddleware)]
    places = list(places_of(CorsMiddleware))
    if not (answering and places and min(answering) < min(places)):
        return []
    message = "CorsMiddleware comes after middleware that answers requests itself."
    hint = (
        "Put CorsMiddleware before CommonMiddleware and JWTMiddleware: otherwise pages of other "
        "origins cannot read their redirects and errors."
    )
    return [Warning(message, hint=hint, id="signet.W014")]


def check_credentials(**kwargs: Any) -> list[CheckMessage]:
    """Report W015 if pages of any origin may send cookies and read the answers."""
    if not (getattr(settings, "CORS_ALLOW_CREDENTIALS", False) and _allows_everybody()):
        return []
    message = "CORS_ALLOW_CREDENTIALS is on, and all origins are allowed."
    hint = (
        "Every page on the web can call the API with the cookies of its visitors. List the origins "
        "of your pages in CORS_ALLOWED_ORIGINS."
    )
    return [Warning(message, hint=hint, id="signet.W015")]


def _allows_everybody() -> bool:
    if getattr(settings, "CORS_ALLOW_ALL_ORIGINS", False):
        return True
    patterns = getattr(settings, "CORS_ALLOWED_ORIGIN_REGEXES", ())
    with suppress(TypeError, re.error):  # django-cors-headers reports patterns that are not valid
        return any(re.match(pattern, origin) for pattern in patterns for origin in _STRANGERS)
    return False
