"""Tokens as objects: made for a user, or read from a text and then verified.

`verified` says which a token is: made here or verified, or merely read (`verify=False`). One that
was merely read is never signed, and nobody is authenticated by it.
"""

from __future__ import annotations

import importlib
import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.utils.translation import gettext_lazy as _

from drf_signet import claims, runtime

from . import logins, state, wire
from .backends import TokenBackend
from .exceptions import (
    ExpiredTokenError,
    TokenBackendError,
    TokenBackendExpiredToken,
    TokenError,
)
from .logins import Login
from .models import AuthUser, TokenUser  # noqa: F401 - projects import them from here
from .sessiontokens import BlacklistMixin, RefreshMixin, SessionMixin
from .settings import api_settings
from .utils import (
    aware_utcnow,
    datetime_from_epoch,
    datetime_to_epoch,
    format_lazy,
    logger,
)

#: What was to be had from here as well, with or without the app.
_MODELS = ("BlacklistedToken", "OutstandingToken")


def __getattr__(name: str) -> Any:
    """Return a model of the tables, which are only looked at when they are asked for."""
    if name in _MODELS:
        return getattr(importlib.import_module(".token_blacklist.models", __package__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


#: Claims by which a token is tied to its session: not for projects to set.
_TIED = frozenset({"sid", "gen"})


class Token:
    """A token of any type, with its claims as items; `str(token)` signs it.

    Args:
        token: the text of a token; None makes a new one.
        verify: False reads the text without believing it; see `verified`.

    Raises:
        TokenError: the text is no valid token of this type.
    """

    token_type: ClassVar[str | None] = None
    lifetime: ClassVar[Any] = None
    #: Another backend than the project's, for a subclass.
    _token_backend: TokenBackend | None = None
    _login: Login | None = None

    def __init__(self, token: str | bytes | None = None, verify: bool = True) -> None:
        if self.token_type is None or self.lifetime is None:
            raise TokenError(_("Cannot create token with no type or lifetime"))
        self.token = token
        self.current_time = aware_utcnow()
        #: Whether it was made here, or its text was verified.
        self.verified = False
        self.payload: dict[str, Any]
        if token is None:
            self._make()
        else:
            self._read(token, verify)

    def _make(self) -> None:
        self.payload = {"token_type": self.token_type}
        self.set_exp()
        self.set_iat()
        self.set_jti()
        self.verified = True

    def _read(self, token: str | bytes, verify: bool) -> None:
        try:
            self.payload = self.get_token_backend().decode(token, verify=verify)
        except TokenBackendExpiredToken as error:
            raise ExpiredTokenError(_("Token is expired")) from error
        except TokenBackendError as error:
            raise TokenError(_("Token is invalid")) from error
        named = self.payload.get(api_settings.USER_ID_CLAIM)
        if claims.is_integer(named):
            self.payload[api_settings.USER_ID_CLAIM] = str(named)
        if verify:
            self.verify()
            self.verified = True

    def __repr__(self) -> str:
        return repr(self.payload)

    def __getitem__(self, key: str) -> Any:
        return self.payload[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if key in _TIED:
            raise ValueError(f"the claim {key!r} is reserved: it ties the token to its session")
        self.payload[key] = value

    def __delitem__(self, key: str) -> None:
        del self.payload[key]

    def __contains__(self, key: str) -> bool:
        return key in self.payload

    def get(self, key: str, default: Any = None) -> Any:
        """Return a claim, or the default."""
        return self.payload.get(key, default)

    def __str__(self) -> str:
        if not self.verified:
            return wire.text(self.token)
        return self.get_token_backend().encode(wire.in_order(self.payload))

    @property
    def session_id(self) -> uuid.UUID | None:
        """The id of the session behind the token."""
        return self._login.session_id if self._login else None

    def verify(self) -> None:
        """Check the claims of a token that was read; a subclass may check more."""
        self.check_exp()
        if "jti" not in self.payload:
            raise TokenError(_("Token has no id"))
        self.verify_token_type()
        if self.get_token_backend() is state.token_backend:
            self._check_session()

    def verify_token_type(self) -> None:
        """Check that the token is of this type."""
        if "token_type" not in self.payload:
            raise TokenError(_("Token has no type"))
        if self.payload["token_type"] != self.token_type:
            raise TokenError(_("Token has wrong type"))

    def _check_session(self) -> None:
        logins.check_alive(self.payload)

    def set_jti(self) -> None:
        """Give the token another id."""
        self.payload["jti"] = uuid.uuid4().hex

    def set_exp(
        self,
        claim: str = "exp",
        from_time: datetime | None = None,
        lifetime: timedelta | None = None,
    ) -> None:
        """Let the token expire a lifetime after an instant: by default its own, from its birth."""
        begin = self.current_time if from_time is None else from_time
        self.payload[claim] = datetime_to_epoch(
            begin + (self.lifetime if lifetime is None else lifetime)
        )

    def set_iat(self, claim: str = "iat", at_time: datetime | None = None) -> None:
        """Say when the token was issued: by default at its birth."""
        self.payload[claim] = datetime_to_epoch(self.current_time if at_time is None else at_time)

    def check_exp(self, claim: str = "exp", current_time: datetime | None = None) -> None:
        """Check that the instant in a claim has not passed.

        Raises:
            TokenError: it has, or there is none.
        """
        now = self.current_time if current_time is None else current_time
        if claim not in self.payload:
            raise TokenError(format_lazy(_("Token has no '{}' claim"), claim))
        try:
            instant = datetime_from_epoch(self.payload[claim])
        except (TypeError, ValueError, OverflowError, OSError) as error:
            raise TokenError(_("Token is invalid")) from error
        if instant <= now - self.get_token_backend().get_leeway():
            raise TokenError(format_lazy(_("Token '{}' claim has expired"), claim))

    def outstand(self) -> tuple[Any, bool] | None:
        """Return the token's row in the table of outstanding tokens; None for one that has none."""
        return None

    @classmethod
    def for_user(cls, user: Any) -> Self:
        """Return a new token for a user, whose password is not asked for."""
        if not getattr(user, "is_active", True):
            logger.warning("a token is made for user %s, who is inactive", user.pk)
        token = cls()
        named = runtime.current().subject.claim(user)
        token.payload[api_settings.USER_ID_CLAIM] = str(named)
        token._log_in(user)
        return token

    def _log_in(self, user: Any) -> None:
        """Begin a session. Only tokens of our own types have one."""

    @property
    def token_backend(self) -> TokenBackend:
        """What signs and reads this token."""
        return state.token_backend if self._token_backend is None else self._token_backend

    def get_token_backend(self) -> TokenBackend:
        """Return what signs and reads this token."""
        return self.token_backend


class AccessToken(SessionMixin, Token):
    """An access token."""

    token_type = "access"  # noqa: S105
    lifetime = wire.Lifetime("ACCESS_TOKEN_LIFETIME")


class RefreshToken(RefreshMixin, Token):
    """A refresh token; its `access_token` carries its own claims on."""

    token_type = "refresh"  # noqa: S105
    lifetime = wire.Lifetime("REFRESH_TOKEN_LIFETIME")
    access_token_class = AccessToken


class SlidingToken(BlacklistMixin, Token):
    """A token that is both: used as an access token, and renewed until `refresh_exp`."""

    token_type = logins.SLIDING
    lifetime = wire.Lifetime("SLIDING_TOKEN_LIFETIME")

    def _make(self) -> None:
        super()._make()
        self.set_exp(
            api_settings.SLIDING_TOKEN_REFRESH_EXP_CLAIM,
            lifetime=api_settings.SLIDING_TOKEN_REFRESH_LIFETIME,
        )

    def _check_session(self) -> None:
        logins.check_alive(self.payload)  # as for an access token, which it is most of the time

    _last_claim = property(lambda self: api_settings.SLIDING_TOKEN_REFRESH_EXP_CLAIM)


class UntypedToken(Token):
    """A token of whatever type; only to be read."""

    token_type = "untyped"  # noqa: S105
    lifetime = timedelta(0)

    def verify_token_type(self) -> None:
        """Take every type."""
