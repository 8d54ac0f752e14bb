"""Errors, by their old names."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, status


class TokenError(Exception):
    """A token is not valid; the argument is a text for people."""


class ExpiredTokenError(TokenError):
    """The token has expired."""


class EndedError(TokenError):
    """The token itself is sound, but its session has ended; `payload` is what it says."""

    def __init__(self, text: Any, payload: Any) -> None:
        super().__init__(text)
        self.payload = payload


class TokenBackendError(Exception):
    """A token cannot be read, or an algorithm is unknown."""


class TokenBackendExpiredToken(TokenBackendError):
    """The token could be read, but for its time."""


class DetailDictMixin:
    """Makes an answer's body of `detail`, `code`, and what else is given."""

    default_detail: Any
    default_code: str

    def __init__(self, detail: Any = None, code: str | None = None) -> None:
        given = detail if isinstance(detail, dict) else {} if detail is None else {"detail": detail}
        body = {"detail": self.default_detail, "code": self.default_code} | given
        super().__init__(body if code is None else body | {"code": code})  # type: ignore[call-arg]


class AuthenticationFailed(DetailDictMixin, exceptions.AuthenticationFailed):
    """401: the request is not authenticated."""


class InvalidToken(AuthenticationFailed):
    """401: the token is not valid."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = _("Token is invalid or expired")
    default_code = "token_not_valid"
