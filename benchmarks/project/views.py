"""Views with and without authentication, and views for specific measurements."""

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
    """A view without authentication."""

    authentication_classes: tuple[Any, ...] = ()
    permission_classes: tuple[Any, ...] = (AllowAny,)

    def get(self, request: Request) -> Response:
        """Return the primary key of the user."""
        return Response({"user": request.user.pk})


class ProtectedView(OpenView):
    """A view for users whom the tested package authenticates."""

    authentication_classes = (import_string(STACK.authentication),)
    permission_classes = (IsAuthenticated,)


class Idle(BaseAuthentication):
    """An authentication class that returns the same user for every request, without any checks."""

    _USER = SimpleNamespace(pk=1, is_authenticated=True)

    def authenticate(self, request: Request) -> tuple[Any, None]:
        """Return the same user for every request."""
        return self._USER, None


class IdleView(ProtectedView):
    """A view whose authentication class checks nothing, to measure REST framework alone."""

    authentication_classes = (Idle,)


class StatementsView(OpenView):
    """A view that reports how many SQL statements this process has executed."""

    def get(self, request: Request) -> Response:
        """Return the number of statements. This view itself executes no statement."""
        return Response({"statements": statements.executed()})


class SlowLogoutView(OpenView):
    """A view that ends a drf-signet session in a transaction that stays open for some seconds."""

    def post(self, request: Request) -> Response:
        """End the session, and return the time of the commit in POSIX seconds."""
        import drf_signet

        data: Any = request.data
        committed: list[float] = []
        with transaction.atomic():
            transaction.on_commit(lambda: committed.append(time.time()))
            drf_signet.end(data["sid"])
            time.sleep(data["seconds"])
        return Response({"committed_at": committed[0]})
