"""Find the tenant of a request, if one process serves several tenants.

The `TENANT` setting is a function that returns the name of the tenant. Tokens contain this name in
the claim `tid`. A token is accepted only in requests for which `TENANT` returns the same name. If
the project does not set `TENANT`, an integration in `drf_signet.contrib` may register a function.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.db import DEFAULT_DB_ALIAS
from django.http import HttpRequest

from .conf import caches
from .conf.hooks import TenantHook
from .jose.checks import MAX_TENANT_LENGTH
from .sessions.scopes import current_scope

#: Contains at most one item: the registered function as the key, and its `own_tables` as the value.
_registered: dict[TenantHook, bool] = {}
#: The request that is being handled, for code that does not receive the request as an argument.
served_request: ContextVar[HttpRequest | None] = ContextVar("drf_signet_request", default=None)


def register(tenant_of: TenantHook | None, *, own_tables: bool = True) -> TenantHook | None:
    """Register a function that returns the tenant. It is used if the project does not set `TENANT`.

    Args:
        tenant_of: a function that returns the name of the current schema. None removes the
            registered function.
        own_tables: whether each schema has its own table of sessions.

    Returns:
        The function that was registered before, or None.
    """
    before = registered()
    _registered.clear()
    if tenant_of is not None:
        _registered[tenant_of] = own_tables
    caches.clear_caches()
    return before


def registered() -> TenantHook | None:
    """Return the registered function, or None."""
    return next(iter(_registered), None)


def name_of(tenant_of: TenantHook, request: HttpRequest | None) -> str | None:
    """Return the name of a request's tenant; None if the request has no tenant.

    Args:
        tenant_of: the `TENANT` setting, or the registered function.
        request: the request; None to use the request of `serving`. If there is no such request, as
            in a management command, `tenant_of` receives None.

    Raises:
        ImproperlyConfigured: the function returned a value that is neither a string nor None. Or
            there is no request, and the function returned None or an empty string.
        SuspiciousOperation: the name is longer than `MAX_TENANT_LENGTH`. Or there is a request, and
            the name is empty.
    """
    served = served_request.get() if request is None else request
    name = tenant_of(served)
    if isinstance(name, str) and (name or served is not None):
        if not 0 < len(name) <= MAX_TENANT_LENGTH:
            raise SuspiciousOperation(f"a tenant's name has 1 to {MAX_TENANT_LENGTH} characters")
        return str(name)
    if name is None and served is not None:
        return None
    where = "without a request" if served is None else "for a request"
    raise ImproperlyConfigured(
        f"SIGNET['TENANT'] returned {name!r} {where}: it must return the name of the tenant"
        + (", from the current context, or raise an error." if served is None else " or None.")
    )


def has_own_table(name: str | None) -> bool:
    """Return whether the current table of sessions certainly contains only sessions of this tenant.

    If the connection has a schema, return whether the tenant has the same name as the schema, and
    each schema has its own table. Otherwise, return whether the tenant has the same name as the
    database. For the default database, return False, because all tenants may share its table.
    """
    alias, schema = current_scope()
    if schema is not None:
        return any(_registered.values()) and schema == name
    return alias == name != DEFAULT_DB_ALIAS


@contextmanager
def serving(request: Any) -> Iterator[None]:
    """Make a request available in a `with` block to code that does not receive it as an argument.

    Args:
        request: an `HttpRequest` or a DRF `Request`.
    """
    token = served_request.set(getattr(request, "_request", request))
    try:
        yield
    finally:
        served_request.reset(token)
