"""A view for all users and a view for authenticated users only."""

from __future__ import annotations

from typing import Any

from django.utils.module_loading import import_string
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .settings import STACK


class OpenView(APIView):
    """A view without authentication."""

    authentication_classes: tuple[Any, ...] = ()
    permission_classes: tuple[Any, ...] = (AllowAny,)

    def get(self, request: Request) -> Response:
        return Response({"user": request.user.pk})


class ProtectedView(OpenView):
    """A view for users whom the tested package authenticates."""

    authentication_classes = (import_string(STACK.authentication),)
    permission_classes = (IsAuthenticated,)
