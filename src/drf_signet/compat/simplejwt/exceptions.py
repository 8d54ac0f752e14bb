"""The exception classes of simplejwt's API."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, status


class TokenError(Exception):
    """Raised if a token is not valid. The argument is a human-readable message."""


class ExpiredTokenError(TokenError):
    """Raised if a token has expired."""


class EndedError(TokenError):
    """Raised if a token is valid, but its session has ended. `payload` is the token's payload."""

    def __init__(self, text: Any, payload: Any) -> None:
        super().__init__(text)
        self.payload = payload


class TokenBackendError(Exception):
    """Raised if a token cannot be read or verified, or if an option of the backend is invalid."""


class TokenBackendExpiredToken(TokenBackendError):
    """Raised if a token has a valid signature, but has expired."""


class LogoutOnlyError(TokenBackendError):
    """Raised if a logout-only string is read as a token. `payload` contains the string's claims."""

    def __init__(self, payload: dict[str, Any]) -> None:
        super().__init__(_("Token is invalid"))
        self.payload = payload


class DetailDictMixin:
    """A mixin that makes `detail` a dict with the keys `detail` and `code`.

    If the argument `detail` is a dict, its items are merged into this dict.
    """

    default_detail: Any
    default_code: str

    def __init__(self, detail: Any = None, code: str | None = None) -> None:
        given = detail if isinstance(detail, dict) else {} if detail is None else {"detail": detail}
        body = {"detail": self.default_detail, "code": self.default_code} | given
        super().__init__(body if code is None else body | {"code": code})  # type: ignore[call-arg]


class AuthenticationFailed(DetailDictMixin, exceptions.AuthenticationFailed):
    """Raised if a request cannot be authenticated. The response has the status 401."""


class TokenUserRefused(exceptions.AuthenticationFailed):
    """Raised if a token is valid, but its user is not allowed to authenticate (status 401)."""


class LoginRefused(exceptions.AuthenticationFailed):
    """Raised if a session is not opened because its user has changed. See `UserChanged`."""

    default_detail = _("No active account found with the given credentials")
    default_code = "no_active_account"


class InvalidToken(AuthenticationFailed):
    """Raised if a token in a request is not valid. The response has the status 401."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = _("Token is invalid or expired")
    default_code = "token_not_valid"
