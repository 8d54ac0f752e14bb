"""`JWTAuthentication`, for DRF's `DEFAULT_AUTHENTICATION_CLASSES`."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from . import problems, runtime, tokens, users
from .claims import Claims
from .errors import SignetError
from .transports import bearer


class JWTAuthentication(BaseAuthentication):
    """Authenticate a request by the access token in its `Authorization` header.

    `request.user` is the user, `request.auth` the verified, read-only claims. A request without
    such a header is none of ours; one with a bad token is 401. Nothing is ever written.
    """

    def authenticate(self, request: Request) -> tuple[Any, Claims] | None:
        """Return (user, claims), or None if the request carries no credential for us.

        Raises:
            APIException: 401 for a bad token, 400 for more than one.
        """
        try:
            return self._authenticate(request)
        except SignetError as error:
            raise problems.translate_protected(error) from error

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401; with an error only if a token was sent (RFC 6750 §3.1)."""
        sent = bearer.read(request) is not None
        return bearer.challenge(error="invalid_token" if sent else None)

    def get_user_queryset(self) -> QuerySet[Any]:
        """Return the users that a token may name: the hook for `select_related` and tenants."""
        return users.all_users()

    @sensitive_variables("raw")
    def _authenticate(self, request: Request) -> tuple[Any, Claims] | None:
        raw = bearer.read(request)
        if raw is None:
            return None
        claims = tokens.verify_access(raw, now=runtime.now())
        return users.load(claims, self.get_user_queryset()), claims
