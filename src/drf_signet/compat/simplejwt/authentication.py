"""`JWTAuthentication` with the hooks that subclasses override, and its stateless kind."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from rest_framework import HTTP_HEADER_ENCODING, authentication
from rest_framework.request import Request

from drf_signet import adoption, problems, runtime
from drf_signet.errors import SignetError

from . import logins
from .exceptions import AuthenticationFailed, EndedError, InvalidToken, TokenError
from .models import AuthUser, TokenUser  # noqa: F401 - projects import them from here
from .settings import api_settings
from .tokens import Token  # noqa: F401 - as above


def __getattr__(name: str) -> Any:
    """Return the schemes of the settings in force, by the names that they had as constants."""
    if name == "AUTH_HEADER_TYPES":
        return header_types()
    if name == "AUTH_HEADER_TYPE_BYTES":
        return {one.encode(HTTP_HEADER_ENCODING) for one in header_types()}
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def header_types() -> tuple[str, ...]:
    """Return the accepted schemes of the header; the first is named in challenges."""
    types = api_settings.AUTH_HEADER_TYPES
    return tuple(types) if isinstance(types, list | tuple) else (types,)


def challenge(realm: str) -> str:
    """Return the value of `WWW-Authenticate`."""
    return f'{header_types()[0]} realm="{realm}"'


class JWTAuthentication(authentication.BaseAuthentication):
    """Authenticate a request by the token in its header, and load its user: one SELECT."""

    www_authenticate_realm = "api"
    media_type = "application/json"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user_model: Any = get_user_model()

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return the user and the verified token; None if the request carries none for us."""
        header = self.get_header(request)
        if header is None:
            return None
        raw_token = self.get_raw_token(header)
        if raw_token is None:
            return None
        validated_token = self.get_validated_token(raw_token)
        return self.get_user(validated_token), validated_token

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return challenge(self.www_authenticate_realm)

    def get_header(self, request: Request) -> bytes | None:
        """Return the header that the token is in; None if there is no such header."""
        header = request.META.get(api_settings.AUTH_HEADER_NAME)
        return header.encode(HTTP_HEADER_ENCODING, "replace") if isinstance(header, str) else header

    def get_raw_token(self, header: bytes) -> bytes | None:
        """Return the token of a header; None if the scheme is none of ours."""
        parts = header.split()
        schemes = {one.encode(HTTP_HEADER_ENCODING).lower() for one in header_types()}
        if not parts or parts[0].lower() not in schemes:
            return None
        if len(parts) != 2:
            text = _("Authorization header must contain two space-delimited values")
            raise AuthenticationFailed(text, code="bad_authorization_header")
        return parts[1]

    def get_validated_token(self, raw_token: str | bytes) -> Any:
        """Return the verified token, by the first class of AUTH_TOKEN_CLASSES that takes it.

        Raises:
            InvalidToken: none does, each for the reason in `messages`.
            AuthenticationFailed: its session has ended with the user.
        """
        messages = []
        for token_class in api_settings.AUTH_TOKEN_CLASSES:
            try:
                return token_class(raw_token)
            except TokenError as error:
                self._check_ended_user(error)
                message = {
                    "token_class": token_class.__name__,
                    "token_type": token_class.token_type,
                    "message": error.args[0],
                }
                messages.append(message)
            except SignetError as error:
                raise problems.translate_protected(error) from error
        detail = _("Given token not valid for any token type")
        raise InvalidToken({"detail": detail, "messages": messages})

    def get_user(self, validated_token: Any) -> Any:
        """Load the user that a verified token names: one SELECT.

        Raises:
            InvalidToken: the token names none, or was not verified.
            AuthenticationFailed: there is no such user, or not an active one.
        """
        user = self._find(validated_token)
        if user is None:
            raise AuthenticationFailed(_("User not found"), code="user_not_found")
        if api_settings.CHECK_USER_IS_ACTIVE and not user.is_active:
            raise AuthenticationFailed(_("User is inactive"), code="user_inactive")
        of_old = "sid" not in validated_token
        if of_old and not adoption.is_of_todays_password(validated_token, user):
            raise _password_changed()
        return user

    def _find(self, token: Any) -> Any:
        user_id = user_id_of(token)
        try:
            field = runtime.current().subject.name
            return self.user_model.objects.filter(**{field: user_id}).first()
        except (TypeError, ValueError, OverflowError, ValidationError) as error:
            raise InvalidToken(_no_user()) from error

    def _check_ended_user(self, error: TokenError) -> None:
        """Say what became of the user, if that is why the session has ended."""
        if not isinstance(error, EndedError):
            return
        self.get_user(error.payload)
        if api_settings.CHECK_REVOKE_TOKEN and logins.ended_with_password(error.payload):
            raise _password_changed()


class JWTStatelessUserAuthentication(JWTAuthentication):
    """Authenticate a request by the token alone: the user is what its claims say."""

    def get_user(self, validated_token: Any) -> Any:
        """Return a user of TOKEN_USER_CLASS; nothing is loaded."""
        user_id_of(validated_token)
        return api_settings.TOKEN_USER_CLASS(validated_token)

    def _check_ended_user(self, error: TokenError) -> None:
        """Know nothing of users."""


JWTTokenUserAuthentication = JWTStatelessUserAuthentication


def default_user_authentication_rule(user: Any) -> bool:
    """Allow users who exist and are active; with CHECK_USER_IS_ACTIVE off, all who exist."""
    return user is not None and (not api_settings.CHECK_USER_IS_ACTIVE or bool(user.is_active))


def user_id_of(token: Any) -> Any:
    """Return the user claim of a token that was verified.

    Raises:
        InvalidToken: it was not, or has no such claim.
    """
    if not getattr(token, "verified", True) or api_settings.USER_ID_CLAIM not in token:
        raise InvalidToken(_no_user())
    return token[api_settings.USER_ID_CLAIM]


def _password_changed() -> AuthenticationFailed:
    text = _("The user's password has been changed.")
    return AuthenticationFailed(text, code="password_changed")


def _no_user() -> Any:
    return _("Token contained no recognizable user identification")
