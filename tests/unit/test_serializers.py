"""Test the serializers: which values each field accepts, rejects or changes."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from django.contrib.auth import get_user_model
from rest_framework import serializers as drf

from drf_signet.jose.codec import MAX_TOKEN_LENGTH
from drf_signet.serializers import (
    MAX_PASSWORD_LENGTH,
    MAX_USERNAME_LENGTH,
    LimitedCharField,
    NothingSerializer,
    PasswordField,
    SessionSerializer,
    TokenField,
    TokenObtainPairSerializer,
    TokenRefreshSerializer,
    TokenVerifySerializer,
)

NON_STRINGS: list[Any] = [None, 1, 1.5, True, False, [], ["x"], {}, {"x": 1}, b"x"]
INVALID_STRINGS = ["\0", "x\0y", "\ud800", "x\udfff"]


def codes(serializer: Any) -> dict[str, list[str]]:
    assert not serializer.is_valid()
    return {name: [error.code for error in details] for name, details in serializer.errors.items()}


@pytest.mark.parametrize("serializer", [TokenRefreshSerializer, TokenVerifySerializer])
@pytest.mark.parametrize("value", [*NON_STRINGS, *INVALID_STRINGS, ""], ids=repr)
def test_token_that_is_not_a_valid_string_is_rejected(serializer, value) -> None:
    (name,) = serializer().fields
    assert codes(serializer(data={name: value})).keys() == {name}


@pytest.mark.parametrize("token", ["x", " x ", " ", "\n", "x" * MAX_TOKEN_LENGTH, "é", "null"])
def test_token_is_not_changed(token) -> None:
    serializer = TokenRefreshSerializer(data={"refresh": token})
    assert serializer.is_valid()
    assert serializer.validated_data == {"refresh": token}


def test_token_that_is_too_long_is_cut_and_is_still_too_long() -> None:
    serializer = TokenRefreshSerializer(data={"refresh": "x" * 100_000})
    assert serializer.is_valid()
    assert serializer.validated_data == {"refresh": "x" * (MAX_TOKEN_LENGTH + 1)}


@pytest.mark.parametrize("name", ["username", "password"])
@pytest.mark.parametrize("value", [None, True, [], {}, "", *INVALID_STRINGS], ids=repr)
def test_credential_that_is_not_a_valid_string_is_rejected(name, value) -> None:
    data = {"username": "vitor", "password": "123", name: value}
    assert codes(TokenObtainPairSerializer(data=data)).keys() == {name}


@pytest.mark.parametrize(
    ("name", "max_length"), [("username", MAX_USERNAME_LENGTH), ("password", MAX_PASSWORD_LENGTH)]
)
def test_credential_beyond_the_maximum_length_is_rejected(name, max_length) -> None:
    data = {"username": "vitor", "password": "123", name: "x" * max_length}
    assert TokenObtainPairSerializer(data=data).is_valid()
    data[name] += "x"
    assert codes(TokenObtainPairSerializer(data=data)) == {name: ["max_length"]}


def test_spaces_around_a_username_count_towards_its_maximum_length() -> None:
    data = {"username": "vitor" + " " * MAX_USERNAME_LENGTH, "password": "123"}
    assert codes(TokenObtainPairSerializer(data=data)) == {"username": ["max_length"]}


def test_limited_field_without_a_maximum_length_accepts_every_length() -> None:
    assert LimitedCharField().run_validation("x" * 100_000) == "x" * 100_000


def test_spaces_are_trimmed_around_a_username_but_not_around_a_password() -> None:
    serializer = TokenObtainPairSerializer(data={"username": " vitor ", "password": " 123 "})
    assert serializer.is_valid()
    assert serializer.validated_data == {"username": "vitor", "password": " 123 "}


def test_username_field_is_named_after_username_field_of_the_user_model(monkeypatch) -> None:
    monkeypatch.setattr(get_user_model(), "USERNAME_FIELD", "email")
    serializer = TokenObtainPairSerializer(data={"email": "v@example.com", "password": "1"})
    assert list(serializer.fields) == ["email", "password"]
    assert serializer.is_valid()


def test_unknown_members_are_dropped() -> None:
    data = {"username": "v", "password": "1", "is_staff": True}
    serializer = TokenObtainPairSerializer(data=data)
    assert serializer.is_valid()
    assert serializer.validated_data == {"username": "v", "password": "1"}


def test_fields_of_a_subclass_follow_the_credentials() -> None:
    class WithCode(TokenObtainPairSerializer):
        code = drf.CharField()

    assert list(WithCode().fields) == ["username", "password", "code"]


def test_field_of_a_subclass_replaces_a_credential_field() -> None:
    class Short(TokenObtainPairSerializer):
        password = PasswordField(max_length=3)

    assert list(Short().fields) == ["username", "password"]
    assert codes(Short(data={"username": "v", "password": "1234"})) == {"password": ["max_length"]}


def test_arguments_override_the_defaults_of_the_fields() -> None:
    assert PasswordField(max_length=8).max_length == 8
    assert PasswordField(style={}).style == {}
    assert TokenField(trim_whitespace=True).trim_whitespace


def test_password_is_an_input_of_type_password() -> None:
    assert TokenObtainPairSerializer().fields["password"].style == {"input_type": "password"}


@pytest.mark.parametrize(
    "serializer", [TokenObtainPairSerializer, TokenRefreshSerializer, TokenVerifySerializer]
)
def test_serialized_data_contains_no_credentials_and_no_token(serializer) -> None:
    data = dict.fromkeys(serializer().fields, "secret")
    checked = serializer(data=data)
    assert checked.is_valid()
    assert checked.data == {}


@pytest.mark.parametrize("data", [{}, {"user": 7}])
def test_nothing_serializer_ignores_the_body(data) -> None:
    serializer = NothingSerializer(data=data)
    assert serializer.is_valid()
    assert serializer.validated_data == {}


@pytest.mark.parametrize(
    ("serializer", "name"),
    [
        (TokenObtainPairSerializer, "username"),
        (TokenObtainPairSerializer, "password"),
        (TokenRefreshSerializer, "refresh"),
        (SessionSerializer, "label"),
    ],
)
@pytest.mark.parametrize(
    "text", ["", " ", "\n", "\0", " \0", "x\0", "\0x", "x", " x ", "\u00e9", "\x1f", "\x85"]
)
def test_schema_of_a_field_allows_the_strings_that_the_field_accepts(
    serializer, name, text
) -> None:
    field = serializer().fields[name]
    schema = jsonschema.Draft202012Validator(field.describe({}))
    try:
        field.run_validation(text)
    except drf.ValidationError:
        assert not schema.is_valid(text)
    else:
        assert schema.is_valid(text)
