"""The views that all stacks share: one, with and without authentication, and two for the lab."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from django.db import transaction
from django.utils.module_loading import import_string
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from . import statements
from .settings import STACK


class OpenView(APIView):
    """The least that a view does: say who asks."""

    authentication_classes: tuple[Any, ...] = ()
    permission_classes: tuple[Any, ...] = (AllowAny,)

    def get(self, request: Request) -> Response:
        """Answer with the user's key."""
        return Response({"user": request.user.pk})


class ProtectedView(OpenView):
    """The same view, for those that the stack authenticates."""

    authentication_classes = (import_string(STACK.authentication),)
    permission_classes = (IsAuthenticated,)


class Idle(BaseAuthentication):
    """Let everybody in as the same user, without a look at the request."""

    _USER = SimpleNamespace(pk=1, is_authenticated=True)

    def authenticate(self, request: Request) -> tuple[Any, None]:
        """Return the user."""
        return self._USER, None


class IdleView(ProtectedView):
    """The same view, for an authenticator that does nothing: REST framework's own way."""

    authentication_classes = (Idle,)


class StatementsView(OpenView):
    """How many statements this process has executed so far."""

    def get(self, request: Request) -> Response:
        """Answer with the count; it costs none."""
        return Response({"statements": statements.executed()})


class SlowLogoutView(OpenView):
    """End a session of drf-signet inside a transaction that commits some seconds later."""

    def post(self, request: Request) -> Response:
        """Answer with the instant of the commit, POSIX seconds."""
        import drf_signet

        data: Any = request.data
        committed: list[float] = []
        with transaction.atomic():
            transaction.on_commit(lambda: committed.append(time.time()))
            drf_signet.end(data["sid"])
            time.sleep(data["seconds"])
        return Response({"committed_at": committed[0]})
