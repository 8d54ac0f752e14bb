"""What the endpoints read and do: in subclasses, `get_token` and `validate` are overridden."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import update_last_login
from django.db import DatabaseError
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, ValidationError

from drf_signet import users
from drf_signet.serializers import MAX_USERNAME_LENGTH
from drf_signet.serializers import PasswordField as _PasswordField

from . import refreshing
from .exceptions import EndedError
from .models import AuthUser, TokenUser  # noqa: F401 - projects import them from here
from .settings import api_settings
from .tokens import RefreshToken, SlidingToken, Token, UntypedToken

if TYPE_CHECKING:
    _Serializer = serializers.Serializer[Any]
else:
    _Serializer = serializers.Serializer


class PasswordField(_PasswordField):
    """A password, taken as it is: with the spaces around it."""


class _UsernameField:
    """The user model's USERNAME_FIELD, unless a subclass names another."""

    def __get__(self, serializer: object, owner: type) -> str:
        return str(get_user_model().USERNAME_FIELD)


class TokenObtainSerializer(_Serializer):
    """Username and password; `self.user` is who they belong to."""

    username_field: Any = _UsernameField()
    token_class: ClassVar[type[Token] | None] = None

    default_error_messages: ClassVar[Any] = {
        "no_active_account": _("No active account found with the given credentials")
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        username = serializers.CharField(write_only=True, max_length=MAX_USERNAME_LENGTH)
        self.fields[self.username_field] = username
        self.fields["password"] = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask Django's authentication backends.

        Raises:
            AuthenticationFailed: they know nobody, or one who may not authenticate.
        """
        credentials = {name: attrs[name] for name in (self.username_field, "password")}
        if "request" in self.context:
            credentials["request"] = self.context["request"]
        self.user: Any = authenticate(**credentials)
        if self.user is None or not api_settings.USER_AUTHENTICATION_RULE(self.user):
            raise self._no_account()
        return {}

    @classmethod
    def get_token(cls, user: Any) -> Any:
        """Return a new token for a user; a subclass adds claims to it."""
        return cls.token_class.for_user(user)  # type: ignore[union-attr]

    def _issue(self) -> Any:
        """Return the token of `get_token`, whose session will know of the request."""
        token = self.get_token(self.user)
        if (login := getattr(token, "_login", None)) is not None:
            request = self.context.get("request")
            login.request = getattr(request, "_request", request)
        return token

    def _note_login(self) -> None:
        """Write `last_login`, where the setting says so, before anything else is written."""
        if not api_settings.UPDATE_LAST_LOGIN:
            return
        try:
            update_last_login(type(self.user), self.user)
        except DatabaseError as error:
            if users.was_deleted(self.user):
                raise self._no_account() from error
            raise

    def _no_account(self) -> AuthenticationFailed:
        code = "no_active_account"
        return AuthenticationFailed(self.error_messages[code], code)


class TokenObtainPairSerializer(TokenObtainSerializer):
    """Exchange username and password for a refresh and an access token."""

    token_class = RefreshToken

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Log in, and open the session."""
        data = super().validate(attrs)
        refresh = self._issue()
        self._note_login()
        return data | {"refresh": str(refresh), "access": str(refresh.access_token)}


class TokenObtainSlidingSerializer(TokenObtainSerializer):
    """Exchange username and password for a sliding token."""

    token_class = SlidingToken

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Log in, and open the session."""
        data = super().validate(attrs)
        token = self._issue()
        self._note_login()
        return data | {"token": str(token)}


class TokenRefreshSerializer(_Serializer):
    """Exchange a refresh token for an access token and, with rotation, a new refresh token."""

    refresh = serializers.CharField()
    access = serializers.CharField(read_only=True)
    token_class: ClassVar[Any] = RefreshToken

    default_error_messages: ClassVar[Any] = {
        "no_active_account": _("No active account found for the given token.")
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refresh.

        Raises:
            TokenError: the token is not valid.
            AuthenticationFailed: its user may not authenticate.
        """
        request = self.context.get("request")
        plain = getattr(request, "_request", request)
        token = self.token_class.unasked(attrs["refresh"])
        no_account = AuthenticationFailed(
            self.error_messages["no_active_account"], "no_active_account"
        )
        return refreshing.refresh(token, plain, no_account)


class TokenRefreshSlidingSerializer(_Serializer):
    """Exchange a sliding token for one that expires later."""

    token = serializers.CharField()
    token_class: ClassVar[Any] = SlidingToken

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Renew the token, until the instant in `refresh_exp`.

        Raises:
            TokenError: the token is not valid, or that instant has passed.
        """
        token = self.token_class(attrs["token"])
        last = api_settings.SLIDING_TOKEN_REFRESH_EXP_CLAIM
        token.check_exp(last)
        token.check_blacklist()
        token.set_exp()
        token.set_iat()
        token["exp"] = min(token["exp"], token[last])
        return {"token": str(token)}


class TokenVerifySerializer(_Serializer):
    """A token of any type."""

    token = serializers.CharField(write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Verify it.

        Raises:
            TokenError: it is not valid.
            ValidationError: it is a refresh token whose session has ended.
        """
        try:
            payload = UntypedToken(attrs["token"]).payload
        except EndedError as error:
            if error.payload.get("token_type") != RefreshToken.token_type:
                raise
            raise ValidationError(_("Token is blacklisted")) from error
        if payload.get("token_type") == RefreshToken.token_type and refreshing.is_over(payload):
            raise ValidationError(_("Token is blacklisted"))
        return {}


class TokenBlacklistSerializer(_Serializer):
    """A refresh token, whose session is ended."""

    refresh = serializers.CharField(write_only=True)
    token_class: ClassVar[Any] = RefreshToken

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Log out.

        Raises:
            TokenError: the token is not valid, or was blacklisted before.
        """
        self.token_class(attrs["refresh"]).blacklist()
        return {}
