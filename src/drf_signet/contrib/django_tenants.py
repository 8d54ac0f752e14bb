"""Adapter for django-tenants, which gives each tenant its own PostgreSQL schema.

The adapter provides system checks and a default for the `TENANT` setting.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Tags, register
from django.http import HttpRequest
from django.utils.asyncio import async_unsafe
from django.utils.module_loading import import_string

from drf_signet import tenants
from drf_signet.checks.middleware import places_of
from drf_signet.middleware import JWTMiddleware
from drf_signet.sessions.scopes import current_scope


def connect() -> None:
    """Name each tenant after its schema, unless all tenants share both users and sessions."""
    users, lists = get_user_model()._meta.app_label, _tenant_apps()
    own_sessions = any(_contains(listed, "drf_signet") for listed in lists)
    if own_sessions or any(_contains(listed, users) for listed in lists):
        tenants.register(schema_name, own_tables=own_sessions and not check_apps())


# Each thread has its own database connection. In the event loop's thread, the connection may use
# the schema of another tenant.
@async_unsafe("The tenant is unknown in an event loop: use a thread, with sync_to_async.")
def schema_name(request: HttpRequest | None) -> str | None:
    """Return the `schema_name` of the database connection, or None if it has none."""
    return current_scope()[1]


@register(Tags.security)
def check_apps(**kwargs: Any) -> list[CheckMessage]:
    """Report an error (E007) if tenants have their own users but share one table of sessions."""
    users = get_user_model()._meta.app_label
    if all(_contains(own, "drf_signet") for own in _tenant_apps() if _contains(own, users)):
        return []
    message = "The users are in the schema of each tenant, and the sessions are not."
    hint = (
        "Add 'drf_signet' to TENANT_APPS: otherwise PostgreSQL finds the table of sessions in the "
        "public schema, and a user there may have the same key as a user of a tenant."
    )
    return [Error(message, hint=hint, id="signet.E007")]


@register(Tags.security)
def check_middleware(**kwargs: Any) -> list[CheckMessage]:
    """Report an error (E008) if requests are authenticated before their tenant is known."""
    tokens = list(places_of(JWTMiddleware))
    if not tokens or not any(map(_selects_tenants, settings.MIDDLEWARE[min(tokens) :])):
        return []
    message = "JWTMiddleware comes before the middleware of django-tenants in MIDDLEWARE."
    hint = "Put JWTMiddleware after it: a token is checked against the tenant of the request."
    return [Error(message, hint=hint, id="signet.E008")]


def _tenant_apps() -> list[Collection[str]]:
    """Return one list of tenant apps for each type of tenant."""
    if not getattr(settings, "HAS_MULTI_TYPE_TENANTS", False):
        return [getattr(settings, "TENANT_APPS", ())]
    public = getattr(settings, "PUBLIC_SCHEMA_NAME", "public")
    types = getattr(settings, "TENANT_TYPES", {}).items()
    return [kind["APPS"] for name, kind in types if name != public]


def _contains(listed: Collection[str], label: str) -> bool:
    config = apps.get_app_config(label)
    # Settings list an app by its name or by the path of its AppConfig class.
    path = f"{type(config).__module__}.{type(config).__qualname__}"
    return config.name in listed or path in listed


def _selects_tenants(path: str) -> bool:
    bases = getattr(import_string(path), "__mro__", ())
    return any(base.__module__.startswith("django_tenants.") for base in bases)
