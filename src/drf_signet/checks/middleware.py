"""The check of the setting `MIDDLEWARE`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.core.checks import CheckMessage, Error, Tags, register
from django.utils.module_loading import import_string

from ..middleware import JWTMiddleware


@register(Tags.security)
def check_middleware(**kwargs: Any) -> list[CheckMessage]:
    """Report if AuthenticationMiddleware replaces the user whom JWTMiddleware has found (E009)."""
    tokens, sessions = (list(places_of(cls)) for cls in (JWTMiddleware, AuthenticationMiddleware))
    if not (tokens and sessions and min(tokens) < max(sessions)):
        return []
    message = "JWTMiddleware comes before AuthenticationMiddleware in MIDDLEWARE."
    hint = "Put JWTMiddleware after it: AuthenticationMiddleware replaces the user of the token."
    return [Error(message, hint=hint, id="signet.E009")]


def places_of(cls: type) -> Iterator[int]:
    """Yield the indexes in MIDDLEWARE of a class and of its subclasses."""
    for place, path in enumerate(settings.MIDDLEWARE):
        found = _load(path)
        if isinstance(found, type) and issubclass(found, cls):
            yield place


def _load(path: str) -> Any:
    try:
        return import_string(path)
    except ImportError:
        return None  # Django reports it when it loads the middleware
