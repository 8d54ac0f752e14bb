"""Test that every route has its documented name and path."""

from __future__ import annotations

import pytest
from django.urls import reverse

from drf_signet import urls
from tests.support.endpoint_table import ALL, JWKS, UNKNOWN_SESSION_ID

PATHS = {
    "token_obtain_pair": "/api/token/",
    "token_refresh": "/api/token/refresh/",
    "token_verify": "/api/token/verify/",
    "token_logout": "/api/token/logout/",
    "token_logout_all": "/api/token/logout/all/",
    "token_logout_others": "/api/token/logout/others/",
    "jwks": "/api/token/jwks/",
    "signet_wellknown:jwks": "/.well-known/jwks.json",
    "signet_wellknown:metadata": "/.well-known/oauth-authorization-server",
    "session_list": "/api/token/sessions/",
    "session_detail": f"/api/token/sessions/{UNKNOWN_SESSION_ID}/",
}


def test_every_route_is_in_the_endpoint_table() -> None:
    names = [pattern.name for pattern in urls.urlpatterns]
    assert sorted(names) == sorted(endpoint.name for endpoint in (*ALL, JWKS))


@pytest.mark.parametrize("name", PATHS)
def test_route_has_its_documented_path(name) -> None:
    args = [UNKNOWN_SESSION_ID] if name == "session_detail" else []
    assert reverse(name, args=args) == PATHS[name]
