"""simplejwt's authentication classes, with the methods that projects override."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from rest_framework import HTTP_HEADER_ENCODING
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from drf_signet import problems, runtime, tenants
from drf_signet.authentication import AccessTokenAuthentication
from drf_signet.db.outages import outages_as_errors
from drf_signet.errors import SignetError
from drf_signet.users import own_session

from . import adoption, logins
from .exceptions import AuthenticationFailed, EndedError, InvalidToken, TokenError
from .models import AuthUser, TokenUser  # noqa: F401 - projects import them from here
from .settings import api_settings
from .tokens import Token  # noqa: F401 - as above


def __getattr__(name: str) -> Any:
    """Return AUTH_HEADER_TYPES or AUTH_HEADER_TYPE_BYTES, computed from the settings."""
    if name == "AUTH_HEADER_TYPES":
        return header_types()
    if name == "AUTH_HEADER_TYPE_BYTES":
        return {scheme.encode(HTTP_HEADER_ENCODING) for scheme in header_types()}
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def header_types() -> tuple[str, ...]:
    """Return the accepted authentication schemes. A 401 response contains the first scheme."""
    types = api_settings.AUTH_HEADER_TYPES
    return tuple(types) if isinstance(types, list | tuple) else (types,)


def challenge(realm: str) -> str:
    """Return the value of the `WWW-Authenticate` header for a request without a token."""
    return build_challenge(_replaceable("AUTH_HEADER_TYPES"), realm)


def challenge_with_error(realm: str, error: str = "invalid_token") -> str:
    """Return the value of the `WWW-Authenticate` header for a refused token (RFC 6750 §3.1)."""
    return build_challenge(_replaceable("AUTH_HEADER_TYPES"), realm, error)


def build_challenge(types: Sequence[str], realm: str, error: str | None = None) -> str:
    """Return a challenge with the first of the accepted schemes."""
    plain = f'{types[0]} realm="{realm}"'
    return plain if error is None else f'{plain}, error="{error}"'


def _replaceable(name: str) -> Any:
    """Return the current value of a name in this module. Tests may replace the value."""
    return getattr(sys.modules[__name__], name)


class JWTAuthentication(AccessTokenAuthentication):
    """Authentication class for tokens in a request header. It loads the user with one SELECT."""

    www_authenticate_realm = "api"
    media_type = "application/json"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user_model: Any = get_user_model()

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return the user and the verified token, or None if the request carries no token.

        Raises:
            APIException: 401 if the token or its user is refused, 503 if the database fails.
        """
        try:
            with outages_as_errors():
                validated_token = self._validate_token_of(request)
                if validated_token is None:
                    return None
                user = self.get_user(validated_token)
        except SignetError as error:
            raise problems.translate_protected(error) from error
        if "sid" in validated_token:  # a legacy token has no session
            session_id = getattr(validated_token, "session_id", None)
            own_session.attach(getattr(request, "_request", request), session_id)
        return user, validated_token

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge for a 401 response.

        The challenge contains an error code if a token was sent (RFC 6750 §3).
        """
        error = self._error_for_challenge(request)
        realm = self.www_authenticate_realm
        return challenge(realm) if error is None else challenge_with_error(realm, error)

    def get_header(self, request: Request) -> bytes | None:
        """Return the value of the header AUTH_HEADER_NAME; None if the request lacks the header."""
        header = request.META.get(api_settings.AUTH_HEADER_NAME)
        return header.encode(HTTP_HEADER_ENCODING, "replace") if isinstance(header, str) else header

    def get_raw_token(self, header: bytes) -> bytes | None:
        """Return the token in a header value; None if its scheme is not in AUTH_HEADER_TYPES."""
        # Split at spaces and tabs only (RFC 9110 §5.6.3). `bytes.split()` also splits at \v and \f.
        parts = [part for part in header.replace(b"\t", b" ").split(b" ") if part]
        schemes = {scheme.lower() for scheme in _replaceable("AUTH_HEADER_TYPE_BYTES")}
        if not parts or parts[0].lower() not in schemes:
            return None
        if len(parts) != 2:
            message = _("Authorization header must contain two space-delimited values")
            raise AuthenticationFailed(message, code="bad_authorization_header")
        return parts[1]

    def get_validated_token(self, raw_token: str | bytes) -> Any:
        """Return the token as an instance of the first class in AUTH_TOKEN_CLASSES that accepts it.

        Raises:
            InvalidToken: no class accepts the token; `messages` contains the error of each class.
            AuthenticationFailed: the session has ended, and the user may not authenticate.
        """
        messages = []
        for token_class in api_settings.AUTH_TOKEN_CLASSES:
            try:
                return token_class(raw_token)
            except TokenError as error:
                # Remove the traceback, because its local variables contain the raw token.
                refusal = error.with_traceback(None)
            except SignetError as error:
                raise problems.translate_protected(error) from error
            self._refuse_because_of_user(refusal)
            message = {
                "token_class": token_class.__name__,
                "token_type": token_class.token_type,
                "message": refusal.args[0],
            }
            messages.append(message)
        detail = _("Given token not valid for any token type")
        raise InvalidToken({"detail": detail, "messages": messages})

    def get_user(self, validated_token: Any) -> Any:
        """Load the user of a verified token. Runs one SELECT.

        Raises:
            InvalidToken: the token was not verified, or has no valid user claim.
            AuthenticationFailed: the user does not exist or is inactive, or the token is a legacy
                token and the user's password has changed.
        """
        user = self._find_user(validated_token)
        if user is None:
            raise AuthenticationFailed(_("User not found"), code="user_not_found")
        if api_settings.CHECK_USER_IS_ACTIVE and not user.is_active:
            raise AuthenticationFailed(_("User is inactive"), code="user_inactive")
        is_legacy = "sid" not in validated_token
        if is_legacy and not adoption.matches_current_password(validated_token, user):
            raise _password_changed()
        return user

    @sensitive_variables()
    def _validate_token_of(self, request: Request) -> Any:
        """Return the verified token of a request; None if the request carries no token.

        Only this method and the functions that it calls have the raw token in local variables.
        Error reports about later failures therefore do not contain the token.
        """
        token_header = self.get_header(request)
        if token_header is None:
            return None
        raw_token = self.get_raw_token(token_header)
        if raw_token is None:
            return None
        with tenants.serving(request):
            return self.get_validated_token(raw_token)

    def _error_for_challenge(self, request: Request) -> str | None:
        token_header = None
        try:
            token_header = self.get_header(request)
            sent = token_header is not None and self.get_raw_token(token_header) is not None
        except APIException:  # the header has no token after the scheme, or several
            several = token_header is not None and len(token_header.split(None, 2)) > 2
            return "invalid_request" if several else "invalid_token"
        return "invalid_token" if sent else None

    def _find_user(self, token: Any) -> Any:
        user_id = user_id_of(token)
        try:
            field = runtime.current().subject.name
            return self.user_model._default_manager.filter(**{field: user_id}).first()
        except (TypeError, ValueError, OverflowError, ValidationError) as error:
            raise InvalidToken(_no_user_claim()) from error

    def _refuse_because_of_user(self, error: TokenError) -> None:
        """Raise AuthenticationFailed if a session has ended and its user may not authenticate.

        A user may not authenticate if the user was deleted or is inactive. With CHECK_REVOKE_TOKEN,
        this method also raises the exception if a password change has ended the session.
        """
        if not isinstance(error, EndedError):
            return
        self.get_user(error.payload)
        if api_settings.CHECK_REVOKE_TOKEN and logins.ended_by_password_change(error.payload):
            raise _password_changed()


class JWTStatelessUserAuthentication(JWTAuthentication):
    """Authentication class that creates the user object from the token's claims."""

    def get_user(self, validated_token: Any) -> Any:
        """Return an instance of TOKEN_USER_CLASS for the token. Runs no SQL."""
        user_id_of(validated_token)
        return api_settings.TOKEN_USER_CLASS(validated_token)

    def _refuse_because_of_user(self, error: TokenError) -> None:
        """Do nothing, because this class does not load the user."""


JWTTokenUserAuthentication = JWTStatelessUserAuthentication


def default_user_authentication_rule(user: Any) -> bool:
    """Return whether a user exists and, if CHECK_USER_IS_ACTIVE is on, is active."""
    return user is not None and (not api_settings.CHECK_USER_IS_ACTIVE or bool(user.is_active))


def user_id_of(token: Any) -> Any:
    """Return the user claim of a verified token.

    Raises:
        InvalidToken: the token was not verified, or has no user claim.
    """
    if not getattr(token, "verified", True) or api_settings.USER_ID_CLAIM not in token:
        raise InvalidToken(_no_user_claim())
    return token[api_settings.USER_ID_CLAIM]


def _password_changed() -> AuthenticationFailed:
    message = _("The user's password has been changed.")
    return AuthenticationFailed(message, code="password_changed")


def _no_user_claim() -> Any:
    return _("Token contained no recognizable user identification")
