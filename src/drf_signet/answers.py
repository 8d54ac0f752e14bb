"""Tables of what each endpoint reads and answers. OpenAPI describes the API with them.

The views have the tables as their attribute `responses`: method → status → the serializer of the
body, or None if there is no body. Nothing reads the tables while a request is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Literal

from rest_framework.serializers import BaseSerializer, CharField, Serializer

from . import serializers
from .errors import TokenError
from .serializers import CodeField

#: The values of `reason` if a token is refused.
TOKEN_REASONS = sorted({TokenError.reason, *(e.reason for e in TokenError.__subclasses__())})
#: The values of `reason` if a request with a cookie may come from another site.
CSRF_REASONS = ["cross_site", "header_missing", "origin_missing", "origin_untrusted"]


class AnswerSerializer(Serializer[Any]):
    """The base class of answers."""

    #: Parts of the JSON Schema that no field describes.
    json_schema: ClassVar[Mapping[str, Any]] = {}


class ErrorSerializer(AnswerSerializer):
    """The base class of error bodies. A subclass has the possible values of `code`."""

    detail = CharField(help_text="A message for people. It may change.")


class UnreadableSerializer(ErrorSerializer):
    """The request body is not what its content type says."""

    code = CodeField(["parse_error"])


class BadRequestSerializer(ErrorSerializer):
    """The request body cannot be read, or the request carries more than one token."""

    code = CodeField(["bad_authorization_header", "parse_error"])


class InvalidInputSerializer(ErrorSerializer):
    """The input is not valid. Each invalid field has a list of messages under its own name."""

    json_schema: ClassVar[Mapping[str, Any]] = {"additionalProperties": {}}
    code = CodeField(["invalid", "parse_error"])


class InvalidRenameSerializer(InvalidInputSerializer):
    """The label is not valid, or the request carries more than one token."""

    code = CodeField(["bad_authorization_header", "invalid", "parse_error"])


class NoActiveAccountSerializer(ErrorSerializer):
    """The username and password are not those of an active account."""

    code = CodeField(["no_active_account"])


class TokenRefusedSerializer(ErrorSerializer):
    """The token is not valid, or its user may no longer authenticate."""

    code = CodeField(["token_not_valid", "user_inactive"])
    reason = CodeField(TOKEN_REASONS, required=False, help_text="Only with `token_not_valid`.")


class TokenMessageSerializer(AnswerSerializer):
    """Why a token is refused, in the format of other JWT packages."""

    token_class = CharField()
    token_type = CharField()
    message = CharField()


class NotAuthenticatedSerializer(TokenRefusedSerializer):
    """The request has no valid token, or its user may no longer authenticate."""

    code = CodeField(["not_authenticated", "token_not_valid", "user_inactive"])
    messages = TokenMessageSerializer(
        many=True, required=False, help_text="Only if an access token is refused."
    )


class ProtectedSerializer(NotAuthenticatedSerializer):
    """The request has no valid token. Without any token, there is only `detail`."""

    code = CodeField(["token_not_valid", "user_inactive"], required=False)


class CsrfFailedSerializer(ErrorSerializer):
    """The request is authenticated by a cookie, and may come from another site."""

    code = CodeField(["csrf_failed"])
    reason = CodeField(CSRF_REASONS)


class UnknownFormatSerializer(ErrorSerializer):
    """The endpoint does not have the format that `?format=` in the URL asks for."""

    code = CodeField(["not_found"])


class NotFoundSerializer(ErrorSerializer):
    """You have no session with this id, or the URL asks for an unknown `?format=`."""

    code = CodeField(["not_found"])


class MethodNotAllowedSerializer(ErrorSerializer):
    """The endpoint does not support the method of the request."""

    code = CodeField(["method_not_allowed"])


class NotAcceptableSerializer(ErrorSerializer):
    """The endpoint has no format that the `Accept` header of the request allows."""

    code = CodeField(["not_acceptable"])


class TooLargeSerializer(ErrorSerializer):
    """The request body is too large."""

    code = CodeField(["request_too_large"])


class UnsupportedMediaTypeSerializer(ErrorSerializer):
    """The endpoint does not read the content type of the request."""

    code = CodeField(["unsupported_media_type"])


class ThrottledSerializer(ErrorSerializer):
    """Too many logins have failed. Wait for the seconds in `Retry-After`."""

    code = CodeField(["throttled"])


class TryAgainSerializer(ErrorSerializer):
    """The server could not process the request. Repeat it after the seconds in `Retry-After`."""

    code = CodeField(["busy", "service_unavailable"])


class Own(Enum):
    """Bodies that are made with the view's own serializer, which a subclass may replace."""

    ONE = "one object"
    LIST = "a list"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of requests or a header of answers.

    The fields have the names that OpenAPI and drf-spectacular use. `type` is a JSON Schema, and
    `response` contains the statuses of the answers that have the header.
    """

    name: str
    type: Mapping[str, Any]
    location: Literal["query", "path", "header", "cookie"] = "header"
    description: str
    required: bool = False
    response: list[int] = field(default_factory=list)


Body = type[BaseSerializer[Any]] | Own | None
Methods = Mapping[str, Mapping[int, Body]]

#: The errors that DRF and the base class of all endpoints return.
REFUSALS: Mapping[int, Body] = {
    404: UnknownFormatSerializer,
    405: MethodNotAllowedSerializer,
    406: NotAcceptableSerializer,
    413: TooLargeSerializer,
    415: UnsupportedMediaTypeSerializer,
    503: TryAgainSerializer,
}
FORM = {**REFUSALS, 400: InvalidInputSerializer}
TOKEN_FORM = {**FORM, 401: TokenRefusedSerializer}
LOGIN = {**FORM, 401: NoActiveAccountSerializer, 429: ThrottledSerializer}
_OWN_SESSIONS = {
    **REFUSALS,
    400: BadRequestSerializer,
    401: NotAuthenticatedSerializer,
    403: CsrfFailedSerializer,
}

#: For OpenAPI of a project: the answers of any view whose authentication class is
#: `JWTAuthentication`, in addition to the view's own answers.
PROTECTED: Mapping[int, type[ErrorSerializer]] = {
    400: BadRequestSerializer,
    401: ProtectedSerializer,
    403: CsrfFailedSerializer,
    503: TryAgainSerializer,
}

OBTAIN: Methods = {"POST": {200: serializers.TokenPairSerializer, **LOGIN}}
REFRESH: Methods = {"POST": {200: serializers.RefreshedTokensSerializer, **TOKEN_FORM}}
VERIFY: Methods = {"POST": {200: serializers.NothingSerializer, **TOKEN_FORM}}
LOGOUT: Methods = {"POST": {204: None, **TOKEN_FORM}}
LOGOUT_ALL: Methods = {"POST": {204: None, **_OWN_SESSIONS}}
SESSION_LIST: Methods = {
    "GET": {200: Own.LIST, **_OWN_SESSIONS, 404: NotFoundSerializer},
}
SESSION_DETAIL: Methods = {
    "PATCH": {
        200: Own.ONE,
        **_OWN_SESSIONS,
        400: InvalidRenameSerializer,
        404: NotFoundSerializer,
    },
    "DELETE": {204: None, **_OWN_SESSIONS, 404: NotFoundSerializer},
}

_COOKIE = {**REFUSALS, 400: UnreadableSerializer, 403: CsrfFailedSerializer}

COOKIE_LOGIN: Methods = {
    "POST": {
        200: serializers.AccessTokenSerializer,
        **LOGIN,
        403: CsrfFailedSerializer,
    },
}
COOKIE_REFRESH: Methods = {
    "POST": {
        200: serializers.AccessTokenSerializer,
        204: None,
        **_COOKIE,
        401: TokenRefusedSerializer,
    },
}
COOKIE_LOGOUT: Methods = {"POST": {204: None, **_COOKIE}}

_TEXT, _UUID = {"type": "string"}, {"type": "string", "format": "uuid"}

#: The headers of answers.
HEADERS = (
    Parameter(
        name="Retry-After",
        type={"type": "integer"},
        description="The seconds after which the request may be repeated.",
        required=True,
        response=[429, 503],
    ),
    Parameter(
        name="WWW-Authenticate",
        type=_TEXT,
        description="How to authenticate and, if a token was refused, the error (RFC 6750).",
        response=[401],
    ),
    Parameter(name="Allow", type=_TEXT, description="The supported methods.", response=[405]),
)
FROM_A_PAGE = Parameter(
    name="X-Requested-With",
    type={**_TEXT, "default": "XMLHttpRequest", "minLength": 1},
    description="Any value. A page of another site cannot send this header.",
    required=True,
)
BEFORE = Parameter(
    name="before",
    type=_UUID,
    location="query",
    description="List the sessions that were last used before the session with this id.",
)
SESSION_ID = Parameter(
    name="session_id", type=_UUID, location="path", description="The id of the session."
)


def refresh_cookie(name: str) -> Parameter:
    """Return the refresh cookie as a parameter of an endpoint that works without it, too."""
    return Parameter(name=name, type=_TEXT, location="cookie", description="The refresh cookie.")
