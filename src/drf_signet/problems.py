"""Errors at the edge: the one place where what went wrong becomes an HTTP answer.

Every answer has `detail`, for people, and `code`, which is stable. The body tells no more than
that; which check failed goes to the log.
"""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
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

from .errors import (
    Busy,
    CredentialsRefused,
    CsrfFailed,
    MalformedHeader,
    RevocationUnknown,
    SignetError,
    TokenError,
    UserInactive,
)
from .transports import bearer

logger = logging.getLogger("drf_signet")

#: After how many seconds a client may try again when the database was too busy.
RETRY_AFTER = 1


class Unauthorized(AuthenticationFailed):
    """401, with a stable code and whatever else the body says."""

    def __init__(self, detail: Any, code: str, **more: Any) -> None:
        super().__init__({"detail": detail, "code": code, **more}, code)


class TokenNotValid(Unauthorized):
    """A token was sent and refused."""


class BadAuthorizationHeader(APIException):
    """The request carries more than one credential."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "bad_authorization_header"
    default_detail = {  # noqa: RUF012 - DRF's name, and never changed
        "detail": _("The request carries more than one token"),
        "code": default_code,
    }

    @property
    def auth_header(self) -> str:
        """The challenge, where DRF's exception handler looks for it."""
        return bearer.challenge(error="invalid_request")


class CsrfRefused(PermissionDenied):
    """A request with a cookie may come from another site. Under DEBUG it says what allows it."""

    def __init__(self, error: CsrfFailed) -> None:
        logger.info("cookie request refused: %s", error.reason)
        detail: Any = _("The request may come from another site")
        if settings.DEBUG:
            detail = f"{detail}. {error.hint}"
        code = "csrf_failed"
        super().__init__({"detail": detail, "code": code, "reason": error.reason}, code)


class TryAgain(APIException):
    """Nothing was changed; the same request may be sent again after `wait` seconds."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    wait = RETRY_AFTER

    def __init__(self) -> None:
        super().__init__({"detail": self.default_detail, "code": self.default_code})


class ServiceBusy(TryAgain):
    """The database kept refusing a conflicting write."""

    default_code = "busy"
    default_detail = _("Too many requests change this session; try again")


class ServiceUnavailable(TryAgain):
    """The database cannot be asked which sessions have ended: an outage, not bad credentials."""

    default_code = "service_unavailable"
    default_detail = _("Sessions cannot be checked now; try again")


def translate(error: SignetError) -> APIException:
    """Return the answer to an error of a token endpoint.

    Errors of the configuration are none of the client's: they are raised again.
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
    if isinstance(error, RevocationUnknown):
        return ServiceUnavailable()
    raise error


def translate_protected(error: SignetError) -> APIException:
    """Return the answer to an error of a protected view: with `messages`, as simplejwt has them."""
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
    """Give an answer of DRF's own the `detail` and `code` that it lacks, a challenge its error.

    Answers that the project's EXCEPTION_HANDLER has shaped itself keep their shape.
    """
    if isinstance(error, TokenNotValid):
        response["WWW-Authenticate"] = bearer.challenge(error="invalid_token")
    data = getattr(response, "data", None)
    if isinstance(error, ValidationError) and data is error.detail:
        # The field errors stay where they are looked for, beside the two that are always there. A
        # plain dict, since from DRF's own the web interface fills its form with what was sent:
        # passwords, and texts that no page can hold.
        fields = data if isinstance(data, dict) else {api_settings.NON_FIELD_ERRORS_KEY: data}
        response.data = {
            **fields,
            "detail": _("Invalid input."),
            "code": ValidationError.default_code,
        }
    elif isinstance(data, dict) and isinstance(data.get("detail"), ErrorDetail):
        data.setdefault("code", data["detail"].code)
