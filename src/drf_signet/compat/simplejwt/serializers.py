"""The serializers of simplejwt's endpoints. Projects override `get_token` and `validate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import update_last_login
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, ValidationError

from drf_signet.serializers import MAX_USERNAME_LENGTH, LimitedCharField
from drf_signet.serializers import PasswordField as _PasswordField
from drf_signet.serializers import TokenField as _TokenField
from drf_signet.users import loading

from . import refreshing
from .exceptions import EndedError, LoginRefused, TokenError, TokenUserRefused
from .models import AuthUser, TokenUser  # noqa: F401 - projects import them from here
from .settings import api_settings
from .tokens import RefreshToken, SlidingToken, Token, UntypedToken

if TYPE_CHECKING:
    _Serializer = serializers.Serializer[Any]
else:
    _Serializer = serializers.Serializer


class PasswordField(_PasswordField):
    """A password field that keeps leading and trailing spaces."""


class _AnyTokenField(_TokenField):
    """A field for a token.

    As in simplejwt, a number is converted to a string, and then refused as an invalid token.
    """

    def to_internal_value(self, data: Any) -> str:
        is_number = isinstance(data, int | float) and not isinstance(data, bool)
        return super().to_internal_value(str(data) if is_number else data)


class _UsernameField:
    """The default of `username_field`. The descriptor returns the user model's USERNAME_FIELD."""

    def __get__(self, serializer: object, owner: type) -> str:
        return str(get_user_model().USERNAME_FIELD)


class TokenObtainSerializer(_Serializer):
    """A username and a password."""

    username_field: Any = _UsernameField()
    token_class: ClassVar[type[Token] | None] = None

    default_error_messages: ClassVar[Any] = {
        "no_active_account": _("No active account found with the given credentials")
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        username = LimitedCharField(write_only=True, max_length=MAX_USERNAME_LENGTH)
        self.fields[self.username_field] = username
        self.fields["password"] = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Authenticate the user with Django's backends. Set `self.user`; return an empty dict.

        Raises:
            AuthenticationFailed: no backend accepts the credentials, or the user may not
                authenticate.
        """
        credentials = {name: attrs[name] for name in (self.username_field, "password")}
        if "request" in self.context:
            credentials["request"] = self.context["request"]
        self.user: Any = authenticate(**credentials)
        if self.user is not None and loading.is_unchecked(self.user):
            self.user = authenticate(**credentials)  # as in `loading.authenticate_user`
        if self.user is None or not api_settings.USER_AUTHENTICATION_RULE(self.user):
            raise self._no_account()
        return {}

    @classmethod
    def get_token(cls, user: Any) -> Any:
        """Return a new token for a user. A subclass may add claims."""
        return cls.token_class.for_user(user)  # type: ignore[union-attr]

    def _issue(self) -> Any:
        """Return the token from `get_token`.

        Its session will store the IP address and the user agent of the request.
        """
        token = self.get_token(self.user)
        if (login := getattr(token, "_login", None)) is not None:
            login.request = _request_of(self)
        return token

    def _update_last_login(self) -> None:
        """Update the user's `last_login` if UPDATE_LAST_LOGIN is on.

        Raises:
            AuthenticationFailed: the user was deleted during the login.
        """
        if not api_settings.UPDATE_LAST_LOGIN:
            return
        try:
            update_last_login(type(self.user), self.user)
        except DatabaseError as error:
            if loading.was_deleted(self.user):
                raise self._no_account() from error
            raise

    def _sign(self, token: Any) -> str:
        """Return the encoded token. If the session of the token is new, also save the session."""
        try:
            return str(token)
        except LoginRefused as error:
            raise self._no_account() from error

    def _no_account(self) -> AuthenticationFailed:
        code = "no_active_account"
        return AuthenticationFailed(self.error_messages[code], code)


class TokenObtainPairSerializer(TokenObtainSerializer):
    """A username and a password, to be exchanged for an access token and a refresh token."""

    token_class = RefreshToken

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Log the user in, and return the tokens of the new session."""
        data = super().validate(attrs)
        refresh_token = self._issue()
        self._update_last_login()
        data["refresh"] = self._sign(refresh_token)
        return data | {"access": str(refresh_token.access_token)}


class TokenObtainSlidingSerializer(TokenObtainSerializer):
    """A username and a password, to be exchanged for a sliding token."""

    token_class = SlidingToken

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Log the user in, and return the token of the new session."""
        data = super().validate(attrs)
        token = self._issue()
        self._update_last_login()
        return data | {"token": self._sign(token)}


class TokenRefreshSerializer(_Serializer):
    """A refresh token, to be exchanged for an access token and, with rotation, a refresh token."""

    refresh = _AnyTokenField(write_only=False)
    access = serializers.CharField(read_only=True)
    token_class: ClassVar[Any] = RefreshToken

    default_error_messages: ClassVar[Any] = {
        "no_active_account": _("No active account found for the given token.")
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refresh the session, and return the new tokens.

        Raises:
            TokenError: the token is not valid.
            AuthenticationFailed: the user may not authenticate.
        """
        token = self.token_class.read_without_database(attrs["refresh"])
        no_account = TokenUserRefused(self.error_messages["no_active_account"], "no_active_account")
        return refreshing.refresh(token, _request_of(self), no_account)


class TokenRefreshSlidingSerializer(_Serializer):
    """A sliding token, to be exchanged for a sliding token that expires later."""

    token = _AnyTokenField(write_only=False)
    token_class: ClassVar[Any] = SlidingToken

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the token with a new `exp`, which is never later than `refresh_exp`.

        Raises:
            TokenError: the token is not valid, or the time in `refresh_exp` has passed.
        """
        token = self.token_class(attrs["token"])
        end_claim = api_settings.SLIDING_TOKEN_REFRESH_EXP_CLAIM
        token.check_exp(end_claim)
        token.check_blacklist()
        token.set_exp()
        token.set_iat()
        token["exp"] = min(token["exp"], token[end_claim])
        return {"token": str(token)}


class TokenVerifySerializer(_Serializer):
    """A token of any type."""

    token = _AnyTokenField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Verify the token; return an empty dict.

        Raises:
            TokenError: the token is not valid.
            ValidationError: the token is a refresh token that a refresh would refuse.
        """
        try:
            payload = UntypedToken(attrs["token"]).payload
        except EndedError as error:
            if error.payload.get("token_type") != RefreshToken.token_type:
                raise
            raise ValidationError(_("Token is blacklisted")) from error
        is_refresh = payload.get("token_type") == RefreshToken.token_type
        if is_refresh and refreshing.would_be_refused(payload):
            raise ValidationError(_("Token is blacklisted"))
        return {}


class TokenBlacklistSerializer(_Serializer):
    """A refresh token, whose session will be ended."""

    refresh = _AnyTokenField()
    token_class: ClassVar[Any] = RefreshToken

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """End the session of the token; return an empty dict.

        Raises:
            TokenError: the token is not valid, or is already blacklisted.
        """
        token = self.token_class(attrs["refresh"])
        if not token.verified:  # a logout-only string, which clients never receive
            raise TokenError(_("Token is invalid"))
        token.blacklist()
        return {}


def _request_of(serializer: _Serializer) -> HttpRequest | None:
    """Return Django's request from the context. Tests may pass another object, or no request."""
    request = serializer.context.get("request")
    request = getattr(request, "_request", request)
    return request if isinstance(request, HttpRequest) else None
