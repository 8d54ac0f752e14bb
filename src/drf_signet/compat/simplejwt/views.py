"""simplejwt's endpoints. A setting or a subclass can replace the serializer of an endpoint."""

from __future__ import annotations

import sys
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

from drf_signet import problems, tenants
from drf_signet.db.database import keeping_transactions
from drf_signet.errors import CredentialsRefused, SignetError  # noqa: F401 - a public name
from drf_signet.throttling import LoginThrottle
from drf_signet.views import SignetView

from . import answers
from .authentication import build_challenge, challenge, challenge_with_error, header_types  # noqa: F401 - public names
from .exceptions import InvalidToken, TokenError, TokenUserRefused
from .settings import Setting, api_settings  # noqa: F401 - projects import it from here


def __getattr__(name: str) -> Any:
    """Return AUTH_HEADER_TYPES from the current settings."""
    if name == "AUTH_HEADER_TYPES":
        return header_types()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# DRF's web interface and OpenAPI show a view's docstring to users of the API. drf-spectacular also
# shows the docstring of a base class, if a project's view has none.


class TokenViewBase(SignetView):
    """Send a username and password, or a token, as the fields below describe."""

    permission_classes = ()
    authentication_classes = ()
    responses = answers.ANY

    serializer_class: Any = None
    #: The dotted path of the serializer.
    _serializer_class: ClassVar[Any] = ""

    www_authenticate_realm = "api"

    def get_serializer_class(self) -> Any:
        """Return `serializer_class` if it is set; else import the serializer by its dotted path."""
        if self.serializer_class:
            return self.serializer_class
        try:
            return import_string(self._serializer_class)
        except ImportError as error:
            message = f"Could not import serializer '{self._serializer_class}'"
            raise ImportError(message) from error

    def get_authenticate_header(self, request: Request) -> str:
        """Return the value of `WWW-Authenticate` in a 401 response."""
        return build_challenge(_header_types(), self.www_authenticate_realm)

    # Validates the body with the serializer, and returns the validated data. No docstring, so that
    # OpenAPI describes each endpoint with the docstring of its class.
    @method_decorator(sensitive_variables())
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: D102
        serializer = self.get_serializer(data=request.data)
        try:
            with tenants.serving(request):
                serializer.is_valid(raise_exception=True)
        except TokenError as error:
            raise InvalidToken(error.args[0]) from error
        return Response(serializer.validated_data, status=status.HTTP_200_OK)

    def handle_exception(self, exc: Exception) -> Response:
        """Return simplejwt's response to an error, and add a `code` if the body has none.

        DRF marks the request's transaction for rollback. This method removes the mark. Otherwise,
        a session that the request has ended would become valid again.
        """
        error = problems.translate_any(exc)
        with keeping_transactions():
            response = super(SignetView, self).handle_exception(error)
        if not isinstance(error, ValidationError):
            problems.complete(response, error)
        if isinstance(error, InvalidToken | TokenUserRefused) and "WWW-Authenticate" in response:
            realm = self.www_authenticate_realm
            response["WWW-Authenticate"] = build_challenge(_header_types(), realm, "invalid_token")
        return response


class _LoginView(TokenViewBase):
    """Exchange a username and password for tokens."""

    #: Limits failed logins if LOGIN_THROTTLE is set.
    login_throttle_class = LoginThrottle

    @method_decorator(sensitive_variables())
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        try:
            with self.login_throttle_class().attempt(request._request, _username_of(request)):
                return self._log_in(request, *args, **kwargs)
        except CredentialsRefused as refused:
            raise refused.args[0] from None

    def _log_in(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        try:
            return super().post(request, *args, **kwargs)
        except AuthenticationFailed as error:
            raise CredentialsRefused(error) from error
        except ValidationError as error:
            if _is_too_long(error):
                raise CredentialsRefused(error) from error
            raise


class TokenObtainPairView(_LoginView):
    """Exchange a username and password for an access token and a refresh token.

    Send the access token with each request, in the header `Authorization`. When it has expired,
    exchange the refresh token for a new access token.
    """

    _serializer_class = Setting("TOKEN_OBTAIN_SERIALIZER")
    responses = answers.OBTAIN


class TokenRefreshView(TokenViewBase):
    """Exchange a refresh token for a new access token.

    If the response contains a refresh token, use it next time instead of the one that you sent.
    """

    _serializer_class = Setting("TOKEN_REFRESH_SERIALIZER")
    responses = answers.REFRESH


class TokenObtainSlidingView(_LoginView):
    """Exchange a username and password for a sliding token.

    Send the token with each request, in the header `Authorization`. Before it expires, exchange it
    for a token that expires later.
    """

    _serializer_class = Setting("SLIDING_TOKEN_OBTAIN_SERIALIZER")
    responses = answers.OBTAIN_SLIDING


class TokenRefreshSlidingView(TokenViewBase):
    """Exchange a sliding token for a sliding token that expires later.

    Log in again if the token has expired, or if your login is too long ago.
    """

    _serializer_class = Setting("SLIDING_TOKEN_REFRESH_SERIALIZER")
    responses = answers.REFRESH_SLIDING


class TokenVerifyView(TokenViewBase):
    """Check whether a token is valid. It may be of any type.

    If the token is valid, the response is an empty object.
    """

    _serializer_class = Setting("TOKEN_VERIFY_SERIALIZER")
    responses = answers.DONE


class TokenBlacklistView(TokenViewBase):
    """Log out: end the session of a refresh token.

    The refresh token and the access tokens of its session are refused from then on. The response is
    an empty object.
    """

    _serializer_class = Setting("TOKEN_BLACKLIST_SERIALIZER")
    responses = answers.DONE


def _header_types() -> tuple[str, ...]:
    """Return AUTH_HEADER_TYPES of this module, which tests may replace."""
    types: tuple[str, ...] = sys.modules[__name__].AUTH_HEADER_TYPES
    return types


def _username_of(request: Request) -> str:
    """Return the username in the request, or an empty string if there is no valid one."""
    data: Any = request.data if isinstance(request.data, Mapping) else {}
    username = data.get(get_user_model().USERNAME_FIELD)
    return str(username) if isinstance(username, str | int | float) else ""


def _is_too_long(error: ValidationError) -> bool:
    """Return whether a field of the input exceeds its maximum length."""
    codes: Any = error.get_codes()
    return isinstance(codes, dict) and any("max_length" in field for field in codes.values())


token_obtain_pair = TokenObtainPairView.as_view()
token_refresh = TokenRefreshView.as_view()
token_obtain_sliding = TokenObtainSlidingView.as_view()
token_refresh_sliding = TokenRefreshSlidingView.as_view()
token_verify = TokenVerifyView.as_view()
token_blacklist = TokenBlacklistView.as_view()
