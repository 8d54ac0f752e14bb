"""The routes, as the documentation and simplejwt name them."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import resolve, reverse

from drf_signet import urls, views
from tests.endpoints import ALL, NO_SESSION

ROUTES = {
    "token_obtain_pair": ("/api/token/", views.TokenObtainPairView),
    "token_refresh": ("/api/token/refresh/", views.TokenRefreshView),
    "token_verify": ("/api/token/verify/", views.TokenVerifyView),
    "token_logout": ("/api/token/logout/", views.TokenLogoutView),
    "token_logout_all": ("/api/token/logout/all/", views.TokenLogoutAllView),
    "session_list": ("/api/token/sessions/", views.SessionListView),
    "session_detail": (f"/api/token/sessions/{NO_SESSION}/", views.SessionDetailView),
}


def test_every_route_is_listed_here_and_among_the_endpoints() -> None:
    names = [pattern.name for pattern in urls.urlpatterns]
    assert sorted(names) == sorted(ROUTES) == sorted(endpoint.name for endpoint in ALL)


@pytest.mark.parametrize("name", ROUTES)
def test_name_and_path_lead_to_the_view(name) -> None:
    path, view = ROUTES[name]
    assert reverse(name, args=[NO_SESSION] if name == "session_detail" else []) == path
    found: Any = resolve(path).func
    assert found.view_class is view
