"""The endpoints, by their old names: each reads a serializer of the settings, and answers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from django.utils.decorators import method_decorator
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables
from rest_framework import status
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from drf_signet import problems
from drf_signet.errors import CredentialsRefused, SignetError
from drf_signet.throttling import LoginThrottle
from drf_signet.views import SignetView, keeping_transactions

from .authentication import challenge, header_types
from .exceptions import InvalidToken, TokenError
from .settings import api_settings


def __getattr__(name: str) -> Any:
    """Return the schemes of the settings in force, where they were imported from too."""
    if name == "AUTH_HEADER_TYPES":
        return header_types()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class TokenViewBase(SignetView):
    """An endpoint: its serializer does the work, and what it returns is the answer."""

    permission_classes = ()
    authentication_classes = ()

    serializer_class: Any = None
    #: The serializer's dotted path; empty: the one in the settings.
    _serializer_class = ""
    _serializer_setting: ClassVar[str] = ""

    www_authenticate_realm = "api"

    def get_serializer_class(self) -> Any:
        """Return `serializer_class`, or else what the settings name."""
        if self.serializer_class:
            return self.serializer_class
        path = self._serializer_class or getattr(api_settings, self._serializer_setting, "")
        try:
            return import_string(path)
        except ImportError as error:
            raise ImportError(f"Could not import serializer '{path}'") from error

    def get_authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return challenge(self.www_authenticate_realm)

    @method_decorator(sensitive_variables())
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Let the serializer do it."""
        serializer = self.get_serializer(data=request.data)
        try:
            serializer.is_valid(raise_exception=True)
        except TokenError as error:
            raise InvalidToken(error.args[0]) from error
        return Response(serializer.validated_data, status=status.HTTP_200_OK)

    def handle_exception(self, exc: Exception) -> Response:
        """Answer an error as before, with a `code` where there was none.

        What a refusal has written stays: DRF marks the request's transaction for rollback.
        """
        error = problems.translate(exc) if isinstance(exc, SignetError) else exc
        with keeping_transactions():
            response = super(SignetView, self).handle_exception(error)
        if not isinstance(error, ValidationError):
            problems.complete(response, error)
        return response


class _LoginView(TokenViewBase):
    """An endpoint that takes a password: failures are counted where LOGIN_THROTTLE is set."""

    login_throttle_class = LoginThrottle

    @method_decorator(sensitive_variables())
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Log in."""
        data: Any = request.data if isinstance(request.data, Mapping) else {}
        username = str(data.get(get_user_model().USERNAME_FIELD, ""))
        try:
            with self.login_throttle_class().attempt(request._request, username):
                return self._log_in(request, *args, **kwargs)
        except CredentialsRefused as refused:
            raise refused.args[0] from None

    def _log_in(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        try:
            return super().post(request, *args, **kwargs)
        except AuthenticationFailed as error:
            raise CredentialsRefused(error) from error


class TokenObtainPairView(_LoginView):
    """Exchange username and password for a refresh and an access token."""

    _serializer_setting = "TOKEN_OBTAIN_SERIALIZER"


class TokenRefreshView(TokenViewBase):
    """Exchange a refresh token for an access token and, with rotation, a new refresh token."""

    _serializer_setting = "TOKEN_REFRESH_SERIALIZER"


class TokenObtainSlidingView(_LoginView):
    """Exchange username and password for a sliding token."""

    _serializer_setting = "SLIDING_TOKEN_OBTAIN_SERIALIZER"


class TokenRefreshSlidingView(TokenViewBase):
    """Exchange a sliding token for one that expires later."""

    _serializer_setting = "SLIDING_TOKEN_REFRESH_SERIALIZER"


class TokenVerifyView(TokenViewBase):
    """Say whether a token, of any type, is valid."""

    _serializer_setting = "TOKEN_VERIFY_SERIALIZER"


class TokenBlacklistView(TokenViewBase):
    """End the session of a refresh token."""

    _serializer_setting = "TOKEN_BLACKLIST_SERIALIZER"


token_obtain_pair = TokenObtainPairView.as_view()
token_refresh = TokenRefreshView.as_view()
token_obtain_sliding = TokenObtainSlidingView.as_view()
token_refresh_sliding = TokenRefreshSlidingView.as_view()
token_verify = TokenVerifyView.as_view()
token_blacklist = TokenBlacklistView.as_view()
