"""What the endpoints read and write. They look at form alone; the flows decide."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from rest_framework import serializers

from .models import Session

#: Longest accepted username and password, in characters: hashing more would keep a server busy.
MAX_USERNAME_LENGTH = 1024
MAX_PASSWORD_LENGTH = 4096


class TokenField(serializers.CharField):
    """A token: text, taken as it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"write_only": True, "trim_whitespace": False, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        """Take a text; a number is none."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class PasswordField(serializers.CharField):
    """A password: taken as it is, with the spaces around it."""

    def __init__(self, **kwargs: Any) -> None:
        defaults = {
            "write_only": True,
            "trim_whitespace": False,
            "max_length": MAX_PASSWORD_LENGTH,
            "style": {"input_type": "password"},
        }
        super().__init__(**{**defaults, **kwargs})


class TokenObtainPairSerializer(serializers.Serializer[Any]):
    """The user model's USERNAME_FIELD and the password.

    Fields that a subclass adds are handed to Django's `authenticate` too.
    """

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the credentials' fields, and those of a subclass after them."""
        username = serializers.CharField(write_only=True, max_length=MAX_USERNAME_LENGTH)
        credentials = {get_user_model().USERNAME_FIELD: username, "password": PasswordField()}
        return {**credentials, **super().get_fields()}


class TokenRefreshSerializer(serializers.Serializer[Any]):
    """A refresh token; also what a logout reads."""

    refresh = TokenField()


class TokenVerifySerializer(serializers.Serializer[Any]):
    """A token of either kind."""

    token = TokenField()


class NothingSerializer(serializers.Serializer[Any]):
    """What an endpoint reads that needs no more than the header."""


class SessionSerializer(serializers.ModelSerializer[Session]):
    """A session as its user sees it. `current` marks the one that asks."""

    current = serializers.SerializerMethodField()

    class Meta:
        model = Session
        fields = (
            "id",
            "current",
            "created_at",
            "refreshed_at",
            "expires_at",
            "transport",
            "user_agent",
            "ip_address",
            "label",
        )
        read_only_fields = fields

    def get_current(self, session: Session) -> bool:
        """Whether the request's own access token is of this session."""
        return session.pk == getattr(self.context["request"].auth, "session_id", None)
