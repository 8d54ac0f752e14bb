"""The forms of what is sent: text is taken as it is, and nothing else passes for text."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from rest_framework import serializers as drf

from drf_signet.serializers import (
    MAX_PASSWORD_LENGTH,
    MAX_USERNAME_LENGTH,
    NothingSerializer,
    PasswordField,
    TokenField,
    TokenObtainPairSerializer,
    TokenRefreshSerializer,
    TokenVerifySerializer,
)

NO_TEXTS: list[Any] = [None, 1, 1.5, True, False, [], ["x"], {}, {"x": 1}, b"x"]
NO_UNICODE = ["\0", "x\0y", "\ud800", "x\udfff"]


def codes(serializer: Any) -> dict[str, list[str]]:
    assert not serializer.is_valid()
    return {name: [one.code for one in found] for name, found in serializer.errors.items()}


@pytest.mark.parametrize("serializer", [TokenRefreshSerializer, TokenVerifySerializer])
@pytest.mark.parametrize("value", [*NO_TEXTS, *NO_UNICODE, ""], ids=repr)
def test_token_is_a_text(serializer, value) -> None:
    (name,) = serializer().fields
    assert codes(serializer(data={name: value})).keys() == {name}


@pytest.mark.parametrize("token", ["x", " x ", " ", "\n", "x" * 100_000, "é", "null"])
def test_token_is_taken_as_it_is(token) -> None:
    serializer = TokenRefreshSerializer(data={"refresh": token})
    assert serializer.is_valid()
    assert serializer.validated_data == {"refresh": token}


@pytest.mark.parametrize("name", ["username", "password"])
@pytest.mark.parametrize("value", [None, True, [], {}, "", *NO_UNICODE], ids=repr)
def test_credentials_are_texts(name, value) -> None:
    data = {"username": "vitor", "password": "123", name: value}
    assert codes(TokenObtainPairSerializer(data=data)).keys() == {name}


@pytest.mark.parametrize(
    ("name", "longest"), [("username", MAX_USERNAME_LENGTH), ("password", MAX_PASSWORD_LENGTH)]
)
def test_credentials_have_a_longest_length(name, longest) -> None:
    data = {"username": "vitor", "password": "123", name: "x" * longest}
    assert TokenObtainPairSerializer(data=data).is_valid()
    data[name] += "x"
    assert codes(TokenObtainPairSerializer(data=data)) == {name: ["max_length"]}


def test_spaces_around_a_password_stay_and_around_a_username_go() -> None:
    serializer = TokenObtainPairSerializer(data={"username": " vitor ", "password": " 123 "})
    assert serializer.is_valid()
    assert serializer.validated_data == {"username": "vitor", "password": " 123 "}


def test_username_has_the_name_that_the_user_model_gives_it(monkeypatch) -> None:
    monkeypatch.setattr(get_user_model(), "USERNAME_FIELD", "email")
    serializer = TokenObtainPairSerializer(data={"email": "v@example.com", "password": "1"})
    assert list(serializer.fields) == ["email", "password"]
    assert serializer.is_valid()


def test_members_that_nobody_asked_for_are_dropped() -> None:
    data = {"username": "v", "password": "1", "is_staff": True}
    serializer = TokenObtainPairSerializer(data=data)
    assert serializer.is_valid()
    assert serializer.validated_data == {"username": "v", "password": "1"}


def test_fields_of_a_subclass_come_after_the_credentials() -> None:
    class WithCode(TokenObtainPairSerializer):
        code = drf.CharField()

    assert list(WithCode().fields) == ["username", "password", "code"]


def test_field_of_a_subclass_replaces_ours() -> None:
    class Short(TokenObtainPairSerializer):
        password = PasswordField(max_length=3)

    assert list(Short().fields) == ["username", "password"]
    assert codes(Short(data={"username": "v", "password": "1234"})) == {"password": ["max_length"]}


def test_defaults_of_the_fields_may_be_replaced() -> None:
    assert PasswordField(max_length=8).max_length == 8
    assert PasswordField(style={}).style == {}
    assert TokenField(trim_whitespace=True).trim_whitespace


def test_password_is_hidden_while_it_is_typed() -> None:
    assert TokenObtainPairSerializer().fields["password"].style == {"input_type": "password"}


@pytest.mark.parametrize(
    "serializer", [TokenObtainPairSerializer, TokenRefreshSerializer, TokenVerifySerializer]
)
def test_what_is_read_is_never_written(serializer) -> None:
    data = dict.fromkeys(serializer().fields, "secret")
    checked = serializer(data=data)
    assert checked.is_valid()
    assert checked.data == {}


@pytest.mark.parametrize("data", [{}, {"user": 7}])
def test_nothing_reads_nothing(data) -> None:
    serializer = NothingSerializer(data=data)
    assert serializer.is_valid()
    assert serializer.validated_data == {}
