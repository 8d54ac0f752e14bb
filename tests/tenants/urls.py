"""The URL patterns of all tenants. The endpoints of the simplejwt alias are under `alias/`."""

from __future__ import annotations

from typing import Any

from django.urls import include, path
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import (
    JWTAuthentication,
    JWTStatelessUserAuthentication,
)
from rest_framework_simplejwt.views import (
    TokenBlacklistView,
    TokenObtainPairView,
    TokenRefreshView,
    TokenVerifyView,
)

from tests.support.tenant_hosts import GREETINGS


class HelloView(APIView):
    """Return the user's email address, which is different in each schema."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: Any) -> Response:
        return Response({"email": request.user.email})


class AliasView(HelloView):
    authentication_classes = (JWTAuthentication,)


class StatelessView(HelloView):
    authentication_classes = (JWTStatelessUserAuthentication,)

    def get(self, request: Any) -> Response:
        return Response({"pk": request.user.pk})


urlpatterns = [
    path("api/token/", include("drf_signet.urls")),
    path("auth/", include("drf_signet.urls_browser")),
    path("hello/", HelloView.as_view()),
    *GREETINGS,
    path("alias/token/", TokenObtainPairView.as_view()),
    path("alias/token/refresh/", TokenRefreshView.as_view()),
    path("alias/token/verify/", TokenVerifyView.as_view()),
    path("alias/token/blacklist/", TokenBlacklistView.as_view()),
    path("alias/hello/", AliasView.as_view()),
    path("alias/stateless/", StatelessView.as_view()),
]
