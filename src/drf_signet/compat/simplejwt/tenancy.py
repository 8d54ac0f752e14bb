"""Find the tenant of the current request, and check that a token was issued for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_signet import runtime, tenants
from drf_signet.jose import checks
from drf_signet.jose.claims import REFRESH


def current_tenant() -> str | None:
    """Return the tenant of the current request; None if the request has no tenant."""
    tenant_of = runtime.current().tenant_of
    return None if tenant_of is None else tenant_of(None)


def check_tenant(payload: Mapping[str, Any]) -> None:
    """Check that a token was issued for the tenant of the current request.

    Raises:
        InvalidClaim: the token was issued for another tenant, has a tenant although the request has
            none, or has no tenant although the request requires one.
    """
    tenant = current_tenant()
    # A logout-only string has no `token_type`. Treat it as a refresh token: in both cases, the
    # session is always looked up in the database.
    untagged = payload.get("token_type", REFRESH) == REFRESH and accepts_untagged(tenant)
    checks.check_tenant(payload, tenant, accepts_untagged=untagged)


def accepts_untagged(tenant: str | None) -> bool:
    """Return whether refresh tokens without `tid` are accepted for a tenant."""
    return tenant is not None and tenants.has_own_table(tenant)
