"""The serializers of the endpoints: what clients send, and what they receive.

The serializers of requests check types and lengths; `flows` checks the values. The serializers of
answers describe the API, for OpenAPI. `drf_signet.answers` has those of errors, and says which
endpoint gives which answer. The docstrings are shown to users of the API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from rest_framework import serializers
from rest_framework.exceptions import NotFound

from .jose.codec import MAX_TOKEN_LENGTH
from .models import Session, Transport
from .sessions import store
from .transports import devices

#: Maximum length of usernames and passwords, in characters: hashing long input is expensive.
MAX_USERNAME_LENGTH = 1024
MAX_PASSWORD_LENGTH = 4096
#: ZERO WIDTH NON-JOINER and ZERO WIDTH JOINER: Persian and many emoji need them.
_JOINERS = "\u200c\u200d"


class DescribedField(serializers.CharField):
    """A string field that describes itself exactly, for OpenAPI."""

    def describe(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return JSON Schema of strings that are neither blank nor contain a null character.

        Args:
            schema: what can be known of any string field.
        """
        # Python strips more than `\s` in the regular expressions of other languages.
        blank = r"\s\u001c-\u001f\u0085" if self.trim_whitespace else ""
        return {**schema, "pattern": rf"^[^\u0000]*[^{blank}\u0000][^\u0000]*$"}


class LimitedCharField(DescribedField):
    """A string field that checks the maximum length before any validator runs.

    DRF runs all validators, even if the string is too long. Some of them read every character.
    """

    def to_internal_value(self, data: Any) -> str:
        """Refuse a string longer than `max_length`."""
        if self.max_length is not None and isinstance(data, str) and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class TokenField(DescribedField):
    """A field for a token. Spaces around the token are not removed.

    Only the first `MAX_TOKEN_LENGTH + 1` characters are kept. They are enough to refuse a string
    that is too long to be a token.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"write_only": True, "trim_whitespace": False, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        """Reject non-strings, because DRF would turn numbers into strings."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data[: MAX_TOKEN_LENGTH + 1])


class PasswordField(LimitedCharField):
    """A field for a password. Leading and trailing spaces are part of the password."""

    def __init__(self, **kwargs: Any) -> None:
        defaults = {
            "write_only": True,
            "trim_whitespace": False,
            "max_length": MAX_PASSWORD_LENGTH,
            "style": {"input_type": "password"},
        }
        super().__init__(**{**defaults, **kwargs})


class CodeField(DescribedField):
    """A field of answers whose value is one of a few stable codes.

    Args:
        codes: the possible values.
    """

    def __init__(self, codes: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._codes = codes

    def describe(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return JSON Schema of the codes.

        Inside `allOf`, drf-spectacular leaves the codes here. It would move them into a component
        whose name depends on the other fields of the project that have the same name.
        """
        return {**schema, "allOf": [{"enum": list(self._codes)}]}


class TokenObtainPairSerializer(serializers.Serializer[Any]):
    """A username and a password."""

    # The name of the username field is the user model's USERNAME_FIELD. Django's `authenticate`
    # also receives the fields that a subclass adds.

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the username and password fields, then the fields of a subclass."""
        username = LimitedCharField(write_only=True, max_length=MAX_USERNAME_LENGTH)
        credentials = {get_user_model().USERNAME_FIELD: username, "password": PasswordField()}
        return {**credentials, **super().get_fields()}


class _BooleanField(serializers.BooleanField):
    """A field for True or False. Other values, such as "yes", are refused."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class RememberSerializer(serializers.Serializer[Any]):
    """The choice "remember me" of a login. If it is missing, the project's settings decide."""

    remember = _BooleanField(required=False, write_only=True)


class CookieLoginSerializer(TokenObtainPairSerializer, RememberSerializer):
    """A username and a password, and optionally the choice "remember me"."""


class TokenRefreshSerializer(serializers.Serializer[Any]):
    """A refresh token."""

    refresh = TokenField()


class TokenVerifySerializer(serializers.Serializer[Any]):
    """An access token or a refresh token."""

    token = TokenField()


class NothingSerializer(serializers.Serializer[Any]):
    """An empty request body."""


class LabelField(LimitedCharField):
    """A field for the name that a user gives to a session: one line of printable characters."""

    def __init__(self, **kwargs: Any) -> None:
        length = Session._meta.get_field("label").max_length
        super().__init__(**{"allow_blank": True, "max_length": length, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        """Reject non-strings; remove unprintable characters and superfluous white space."""
        if not isinstance(data, str):
            self.fail("invalid")
        return " ".join(filter(None, map(_printable, super().to_internal_value(data).split())))

    def describe(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the schema as it is: blank strings and null characters are accepted, too."""
        return schema


class SessionSerializer(serializers.ModelSerializer[Session]):
    """One of your sessions. `current` marks the session of this request.

    `device` is a name for people, such as "Firefox on Windows". Only `label` can be changed.
    """

    current = serializers.SerializerMethodField(
        help_text="Whether this request belongs to the session."
    )
    transport = CodeField(
        Transport.values,
        read_only=True,
        help_text="How the client keeps the refresh token: itself, or in a cookie.",
    )
    device = serializers.SerializerMethodField(
        help_text='A name for people, such as "Firefox on Windows".'
    )
    label = LabelField(  # type: ignore[assignment]  # each field has a `label`, too
        required=False, help_text="The name that you have given to the device."
    )

    class Meta:
        model = Session
        fields = (
            "id",
            "current",
            "created_at",
            "refreshed_at",
            "expires_at",
            "transport",
            "device",
            "user_agent",
            "ip_address",
            "label",
        )
        read_only_fields = fields  # `label` is declared above, so this does not apply to it

    def get_current(self, session: Session) -> bool:
        """Return whether this request belongs to the session."""
        return session.pk == getattr(self.context["request"].auth, "session_id", None)

    def get_device(self, session: Session) -> str:
        """Return the name of the device from which the user logged in."""
        return devices.name_of(session.user_agent)

    def update(self, instance: Session, validated_data: dict[str, Any]) -> Session:
        """Save the label, and no other column: a concurrent refresh may have changed them.

        Raises:
            NotFound: the session has just ended.
        """
        instance.label = validated_data.get("label", instance.label)
        if not store.rename(instance.pk, label=instance.label):
            raise NotFound
        return instance


class TokenPairSerializer(serializers.Serializer[Any]):
    """The tokens of a new session."""

    access = serializers.CharField(help_text="Send it as `Authorization: Bearer <access>`.")
    refresh = serializers.CharField(help_text="Exchange it for a new access token.")


class RefreshedTokensSerializer(serializers.Serializer[Any]):
    """A new access token and, if refresh tokens are rotated, a new refresh token."""

    access = serializers.CharField(help_text="The new access token.")
    refresh = serializers.CharField(required=False, help_text="If present, use it from now on.")


class AccessTokenSerializer(serializers.Serializer[Any]):
    """An access token. The refresh token is in a cookie that scripts cannot read."""

    access = serializers.CharField(help_text="Send it as `Authorization: Bearer <access>`.")
    expires_in = serializers.IntegerField(
        help_text="The seconds for which the access token is valid."
    )


def _printable(word: str) -> str:
    """Remove unprintable characters, except those that join and separate letters and emoji."""
    return "".join(letter for letter in word if letter.isprintable() or letter in _JOINERS)
