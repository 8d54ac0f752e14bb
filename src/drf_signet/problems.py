"""Translate the errors of this package into HTTP responses.

Every response has a `detail` for people and a stable `code` for programs. If a token is refused,
the log says which check failed, but the response contains only a general `reason`.
"""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.db import Error
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    ErrorDetail,
    PermissionDenied,
    ValidationError,
)
from rest_framework.response import Response
from rest_framework.settings import api_settings

from .db.outages import outage_of, reports
from .errors import (
    Busy,
    CredentialsRefused,
    CsrfFailed,
    DatabaseUnavailable,
    KeysUnavailable,
    MalformedHeader,
    RevocationUnknown,
    SignetError,
    TokenError,
    UserInactive,
)
from .transports import bearer

logger = logging.getLogger("drf_signet")

#: Seconds after which a client may repeat a request that was answered with 503.
RETRY_AFTER = 1


class Unauthorized(AuthenticationFailed):
    """The base class of 401 errors, with `detail`, `code` and optional other fields in the body."""

    def __init__(self, detail: Any, code: str, **more: Any) -> None:
        super().__init__({"detail": detail, "code": code, **more}, code)


class TokenNotValid(Unauthorized):
    """Raised if the token of a request is not valid."""


class BadAuthorizationHeader(APIException):
    """Raised if a request carries more than one token."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "bad_authorization_header"
    default_detail = {  # noqa: RUF012 - DRF's name; never mutated
        "detail": _("The request carries more than one token"),
        "code": default_code,
    }

    @property
    def auth_header(self) -> str:
        """The value of `WWW-Authenticate`, which DRF's exception handler adds to the response."""
        return bearer.challenge(error="invalid_request")


class CsrfRefused(PermissionDenied):
    """Raised if a request with a cookie may come from another site.

    If DEBUG is True, `detail` includes a hint for developers.
    """

    def __init__(self, error: CsrfFailed) -> None:
        logger.info("cookie request refused: %s", error.reason)
        detail: Any = _("The request may come from another site")
        if settings.DEBUG:
            detail = f"{detail}. {error.hint}"
        code = "csrf_failed"
        super().__init__({"detail": detail, "code": code, "reason": error.reason}, code)


class TryAgain(APIException):
    """The base class of 503 errors. The client may repeat the request after `wait` seconds."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    wait = RETRY_AFTER

    def __init__(self) -> None:
        super().__init__({"detail": self.default_detail, "code": self.default_code})


class ServiceBusy(TryAgain):
    """Raised if a write keeps conflicting with other transactions."""

    default_code = "busy"
    default_detail = _("Too many requests change this session; try again")


class ServiceUnavailable(TryAgain):
    """Raised if the database or the revocation feed fails, so that nothing can be decided."""

    default_code = "service_unavailable"
    default_detail = _("Sessions cannot be checked now; try again")


def translate(error: SignetError) -> APIException:
    """Return the API exception for an error of a token endpoint.

    Raises:
        SignetError: the error is a mistake in the settings, which clients must not see.
    """
    if isinstance(error, TokenError):
        logger.info("token refused: %s %s", error.code, error)
        detail = _("Token is invalid or expired")
        return TokenNotValid(detail, "token_not_valid", reason=error.reason)
    if isinstance(error, UserInactive):
        return TokenNotValid(_("User is inactive"), "user_inactive")
    if isinstance(error, CredentialsRefused):
        detail = _("No active account found with the given credentials")
        return Unauthorized(detail, "no_active_account")
    if isinstance(error, MalformedHeader):
        return BadAuthorizationHeader()
    if isinstance(error, CsrfFailed):
        return CsrfRefused(error)
    if isinstance(error, Busy):
        return ServiceBusy()
    if isinstance(error, DatabaseUnavailable) and reports.is_due("database"):
        # Only the message, because the local variables in the traceback may contain tokens.
        logger.error("the database cannot be used, requests get a 503: %r", error.__cause__)
    if isinstance(error, DatabaseUnavailable | KeysUnavailable | RevocationUnknown):
        return ServiceUnavailable()
    raise error


def translate_any(exc: Exception) -> Exception:
    """Return the API exception for any exception of a token endpoint, if there is one.

    A database error becomes a 503 if it may not occur again. Other exceptions are returned as they
    are: Django responds to them with a 500.
    """
    error = exc
    if isinstance(exc, Error) and (outage := outage_of(exc)):
        outage.__cause__, error = exc, outage
    return translate(error) if isinstance(error, SignetError) else exc


def translate_protected(error: SignetError) -> APIException:
    """Return the API exception for an error of a protected view. Add `messages` to token errors."""
    problem = translate(error)
    if isinstance(error, TokenError):
        message = {
            "token_class": "AccessToken",
            "token_type": "access",
            "message": _("Token is expired")
            if error.reason == "expired"
            else _("Token is invalid"),
        }
        detail = _("Given token not valid for any token type")
        return TokenNotValid(detail, "token_not_valid", reason=error.reason, messages=[message])
    return problem


def complete(response: Response, error: Exception) -> None:
    """Add `detail` and `code` to the body of DRF's error responses.

    For an invalid token, also set `WWW-Authenticate`. A body in another format, which the project's
    own EXCEPTION_HANDLER may have built, is not changed.
    """
    if isinstance(error, TokenNotValid):
        response["WWW-Authenticate"] = bearer.challenge(error="invalid_token")
    data = getattr(response, "data", None)
    if isinstance(error, ValidationError) and data is error.detail:
        # Keep the field errors and add the two fields. Use a plain dict, because with DRF's
        # `ReturnDict`, the browsable API would show the submitted values, including passwords.
        fields = data if isinstance(data, dict) else {api_settings.NON_FIELD_ERRORS_KEY: data}
        response.data = {
            **fields,
            "detail": _("Invalid input."),
            "code": ValidationError.default_code,
        }
    elif isinstance(data, dict) and isinstance(data.get("detail"), ErrorDetail):
        data.setdefault("code", data["detail"].code)
