"""The answers of simplejwt's endpoints, for OpenAPI. See `drf_signet.answers`."""

from __future__ import annotations

from rest_framework.serializers import CharField

from drf_signet import answers
from drf_signet.answers import Methods, Own
from drf_signet.serializers import (
    CodeField,
    NothingSerializer,
    RefreshedTokensSerializer,
    TokenPairSerializer,
)


class FieldErrorsSerializer(answers.InvalidInputSerializer):
    """The input is not valid. Each invalid field has a list of messages under its own name.

    If the body cannot be read, the response has `detail` and `code` instead.
    """

    detail = CharField(required=False)
    code = CodeField(["parse_error"], required=False)


class TokenOrUserRefusedSerializer(answers.ErrorSerializer):
    """The token is not valid, or its user may not log in."""

    code = CodeField(["no_active_account", "token_not_valid"])


class SlidingTokenSerializer(answers.AnswerSerializer):
    """A sliding token: it is both an access token and a refresh token."""

    token = CharField(help_text="Send it as `Authorization: Bearer <token>`.")


_FORM = {**answers.REFUSALS, 400: FieldErrorsSerializer}
_TOKEN_FORM = {**_FORM, 401: TokenOrUserRefusedSerializer}
_LOGIN = {**answers.LOGIN, **_FORM}

ANY: Methods = {"POST": {200: Own.ONE, **_TOKEN_FORM}}
OBTAIN: Methods = {"POST": {200: TokenPairSerializer, **_LOGIN}}
REFRESH: Methods = {"POST": {200: RefreshedTokensSerializer, **_TOKEN_FORM}}
OBTAIN_SLIDING: Methods = {"POST": {200: SlidingTokenSerializer, **_LOGIN}}
REFRESH_SLIDING: Methods = {"POST": {200: SlidingTokenSerializer, **_TOKEN_FORM}}
DONE: Methods = {"POST": {200: NothingSerializer, **_TOKEN_FORM}}
