"""simplejwt's token classes, in one module because projects patch names such as `aware_utcnow`."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from drf_signet import api, runtime
from drf_signet.errors import InvalidClaim
from drf_signet.jose import claims
from drf_signet.jose.claims import REFRESH
from drf_signet.models import Session, require_session_user, session_user_model
from drf_signet.sessions import store

from . import adoption, logins, refreshing, state, tables, wire
from .backends import TokenBackend
from .exceptions import (
    ExpiredTokenError,
    LogoutOnlyError,
    TokenBackendError,
    TokenBackendExpiredToken,
    TokenError,
)
from .logins import Login
from .models import AuthUser, TokenUser
from .settings import Setting, api_settings
from .tenancy import check_tenant, current_tenant
from .utils import (
    aware_utcnow,
    datetime_from_epoch,
    datetime_to_epoch,
    format_lazy,
    logger,
    make_utc,
)

#: Names that projects import from this module. `__getattr__` adds two models.
__all__ = [
    "AccessToken",
    "AuthUser",
    "BlacklistMixin",
    "ExpiredTokenError",
    "RefreshToken",
    "SlidingToken",
    "Token",
    "TokenBackendError",
    "TokenBackendExpiredToken",
    "TokenError",
    "TokenUser",
    "UntypedToken",
    "api_settings",
    "aware_utcnow",
    "datetime_from_epoch",
    "datetime_to_epoch",
    "format_lazy",
    "logger",
]


def __getattr__(name: str) -> Any:
    """Return a model of the `token_blacklist` app. The model is imported when it is first used."""
    if name in ("BlacklistedToken", "OutstandingToken"):
        from .token_blacklist import models

        return getattr(models, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


#: Claims that tie a token to its session and its tenant. Projects cannot set them.
_SESSION_CLAIMS = frozenset({"sid", "gen", "tid"})


class Token:
    """The base class of tokens. Claims are accessed like dict items; `str(token)` signs the token.

    `verified` is True for a new token, and for a token whose signature and claims were checked. A
    token that was read with `verify=False` is never signed, and cannot authenticate a user.

    Args:
        token: an encoded token to read; None creates a new token.
        verify: if False, neither the signature nor the claims are checked.

    Raises:
        TokenError: the encoded token is not a valid token of this type.
    """

    token_type: ClassVar[str | None] = None
    lifetime: ClassVar[Any] = None
    #: The token backend of this class; None selects the project's backend.
    _token_backend: TokenBackend | None = None
    _login: Login | None = None

    def __init__(self, token: str | bytes | None = None, verify: bool = True) -> None:
        if self.token_type is None or self.lifetime is None:
            raise TokenError(_("Cannot create token with no type or lifetime"))
        self.token = token
        self.current_time = aware_utcnow()
        #: Whether the token is new, or its signature and claims were checked.
        self.verified = False
        self.payload: dict[str, Any]
        if token is None:
            self._set_initial_claims()
        else:
            self._read(token, verify)

    def _set_initial_claims(self) -> None:
        self.payload = {}
        if self._requires("TOKEN_TYPE_CLAIM"):
            self.payload["token_type"] = self.token_type
        self._set_tenant()
        self.set_exp()
        self.set_iat()
        if self._requires("JTI_CLAIM"):
            self.set_jti()
        self.verified = True

    def _read(self, token: str | bytes, verify: bool) -> None:
        try:
            self.payload = self.get_token_backend().decode(token, verify=verify)
            if verify and current_tenant() is not None:
                check_tenant(self.payload)  # custom backends do not check the tenant
        except TokenBackendExpiredToken as error:
            raise ExpiredTokenError(_("Token is expired")) from error
        except LogoutOnlyError as error:
            self._read_logout_string(error.payload, verify)
            return
        except (TokenBackendError, InvalidClaim) as error:
            raise TokenError(_("Token is invalid")) from error
        user_key = self.payload.get(api_settings.USER_ID_CLAIM)
        if claims.is_integer(user_key):
            self.payload[api_settings.USER_ID_CLAIM] = str(user_key)
        if verify:
            self.verify()
            self.verified = True

    def _read_logout_string(self, payload: dict[str, Any], verify: bool) -> None:
        """Refuse a logout-only string. `RefreshMixin` overrides this method."""
        raise TokenError(_("Token is invalid"))

    def __repr__(self) -> str:
        return repr(self.payload)

    def __getitem__(self, key: str) -> Any:
        return self.payload[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if key in _SESSION_CLAIMS:
            raise ValueError(f"the claim {key!r} is reserved: it ties the token to its session")
        self.payload[key] = value

    def __delitem__(self, key: str) -> None:
        del self.payload[key]

    def __contains__(self, key: str) -> bool:
        return key in self.payload

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a claim, or `default` if the token does not have the claim."""
        return self.payload.get(key, default)

    def __str__(self) -> str:
        if not self.verified:
            return wire.as_string(self.token)
        self._set_tenant()
        return self.get_token_backend().encode(wire.in_order(self.payload))

    @property
    def session_id(self) -> uuid.UUID | None:
        """The id of the token's session; None if the token has no session."""
        return self._login.session_id if self._login else None

    def verify(self) -> None:
        """Check the claims of a decoded token. A subclass may add checks.

        Raises:
            TokenError: the token has expired or has another type, or its session has ended.
        """
        self.check_exp()
        if self._requires("JTI_CLAIM") and "jti" not in self.payload:
            raise TokenError(_("Token has no id"))
        self.verify_token_type()
        if self.get_token_backend() is state.token_backend:
            self._check_session()

    def verify_token_type(self) -> None:
        """Check that the `token_type` claim, if there is one, is the type of this class.

        Raises:
            TokenError: the token has another type; or no type, and the class requires one.
        """
        if "token_type" not in self.payload:
            if not self._requires("TOKEN_TYPE_CLAIM"):
                return
            raise TokenError(_("Token has no type"))
        if self.payload["token_type"] != self.token_type:
            raise TokenError(_("Token has wrong type"))

    def _requires(self, setting: str) -> bool:
        """Return whether tokens of this class have the claim JTI_CLAIM or TOKEN_TYPE_CLAIM.

        Args:
            setting: one of these names. If the setting is None, only tokens with a session have
                the claim: `SessionMixin` overrides this method.
        """
        return getattr(api_settings, setting) is not None

    def _check_session(self) -> None:
        logins.check_alive(self.payload)

    def _set_tenant(self) -> None:
        """Set the `tid` claim to the tenant of the current request.

        Raises:
            TokenError: the token was issued for another tenant.
        """
        tenant = current_tenant()
        if tenant is not None:
            self.payload.setdefault("tid", tenant)
        if self.payload.get("tid") != tenant:
            raise TokenError(_("Token is invalid"))

    def set_jti(self) -> None:
        """Set the `jti` claim to a new random id."""
        self.payload["jti"] = uuid.uuid4().hex

    def set_exp(
        self,
        claim: str = "exp",
        from_time: datetime | None = None,
        lifetime: timedelta | None = None,
    ) -> None:
        """Set the time at which the token expires.

        Args:
            claim: the claim that contains the time.
            from_time: when the lifetime begins; by default when this object was created.
            lifetime: how long the token is valid; by default the `lifetime` of the class.
        """
        begin = self.current_time if from_time is None else from_time
        self.payload[claim] = datetime_to_epoch(
            begin + (self.lifetime if lifetime is None else lifetime)
        )

    def set_iat(self, claim: str = "iat", at_time: datetime | None = None) -> None:
        """Set the time of issue, which is by default the time when this object was created."""
        self.payload[claim] = datetime_to_epoch(self.current_time if at_time is None else at_time)

    def check_exp(self, claim: str = "exp", current_time: datetime | None = None) -> None:
        """Check that the time in a claim has not passed.

        Raises:
            TokenError: the time has passed, or the claim is missing.
        """
        now = self.current_time if current_time is None else current_time
        if claim not in self.payload:
            raise TokenError(format_lazy(_("Token has no '{}' claim"), claim))
        try:
            expires_at = datetime_from_epoch(self.payload[claim])
        except (TypeError, ValueError, OverflowError, OSError) as error:
            raise TokenError(_("Token is invalid")) from error
        if expires_at <= now - self.get_token_backend().get_leeway():
            raise TokenError(format_lazy(_("Token '{}' claim has expired"), claim))

    def outstand(self) -> tuple[Any, bool] | None:
        """Return None, because only tokens with `BlacklistMixin` have an OutstandingToken row."""
        return None

    @classmethod
    def for_user(cls, user: Any) -> Self:
        """Return a new token for a user. The password is not checked."""
        if not getattr(user, "is_active", True):
            logger.warning("a token is issued to user %s, who is inactive", user.pk)
        token = cls()
        user_key = runtime.current().subject.claim(user)
        token.payload[api_settings.USER_ID_CLAIM] = str(user_key)
        token.payload |= wire.revoke_claim(user)
        token._draft_session(user)
        return token

    def _draft_session(self, user: Any, *, sets_exp: bool = True) -> None:
        """Do nothing, because this token has no session. `SessionMixin` overrides this method."""

    @property
    def token_backend(self) -> TokenBackend:
        """The backend that signs and reads this token."""
        return state.token_backend if self._token_backend is None else self._token_backend

    def get_token_backend(self) -> TokenBackend:
        """Return the backend that signs and reads this token."""
        return self.token_backend


if TYPE_CHECKING:
    _Base = Token
else:
    _Base = object


class SessionMixin(_Base):
    """A mixin for tokens with a session.

    `for_user` creates a draft of the session. Signing the token writes the draft to the database.
    """

    #: The name of the claim that contains the time until which the session must last.
    _session_end_claim: Any = "exp"

    def _requires(self, setting: str) -> bool:
        """Return True: otherwise, a refresh token could be used as an access token."""
        return True

    def _read(self, token: str | bytes, verify: bool) -> None:
        super()._read(token, verify)
        if self.verified and self.get_token_backend() is state.token_backend:
            self._login = Login.from_payload(self.as_refresh_payload)

    @property
    def as_refresh_payload(self) -> dict[str, Any]:
        """The payload that identifies the session. `RefreshMixin` sets its claim `token_type`."""
        return self.payload

    def _draft_session(self, user: Any, *, sets_exp: bool = True) -> None:
        if not isinstance(user, session_user_model()):
            _require_user_model(user)
            return  # a TokenUser has no row, so signing the token loads the user
        self._login = Login.new(user, self._new_session_id())
        self._set_session_claims(self._login.session)
        if self._login.is_limited:
            self._limit_exp(self._login.session, sets_exp=sets_exp)

    def _limit_exp(self, session: Any, *, sets_exp: bool) -> None:
        """Let a new token expire when the `LIFETIMES` setting requires it.

        Args:
            sets_exp: whether a refresh token may also be valid for longer than before. False if the
                project may have set its `exp` already.
        """
        claim, end = self._session_end_claim, session.expires_at.timestamp()
        is_refreshable = self._is_refresh_token or claim != "exp"
        if session.idle_seconds is not None and is_refreshable:
            end = min(end, datetime_to_epoch(self.current_time) + session.idle_seconds)
            if sets_exp:
                self.payload[claim] = int(end)
        self.payload[claim] = int(min(self._session_end(), end))
        if claim != "exp":
            self.payload["exp"] = min(self.payload["exp"], self.payload[claim])

    def _set_session_claims(self, session: Any) -> None:
        """Set the claims that the `CLAIMS` hook returns, and the claims about the session."""
        current = runtime.current()
        hook = current.settings.CLAIMS
        custom = dict(hook(session.user, session)) if hook else {}
        current.rules.check_custom_claims(custom)
        self.payload |= custom
        self.payload["sid"] = str(session.pk)
        self.payload["auth_time"] = int(session.auth_time.timestamp())
        if self._is_refresh_token:
            self.payload["gen"] = session.generation

    @property
    def _is_refresh_token(self) -> bool:
        return self.as_refresh_payload.get("token_type") == REFRESH

    def _new_session_id(self) -> uuid.UUID:
        return store.new_id(runtime.now())

    def _draft_session_from_claim(self) -> None:
        """Draft the session of a new token whose user claim was set without `for_user`.

        As in simplejwt, no OutstandingToken row is written for this token.
        """
        if self.token is None and self._login is None:
            user = wire.find_user(self.payload)
            if user is not None:
                SessionMixin._draft_session(self, user, sets_exp=False)

    def __str__(self) -> str:
        self._draft_session_from_claim()
        if self.verified and self._login is not None:
            self._set_tenant()
            self._write_session(self._login)
        return super().__str__()

    def _session_end(self) -> float:
        end = self.payload.get(self._session_end_claim, 0)
        return float(datetime_to_epoch(end) if isinstance(end, datetime) else end)

    def _write_session(self, login: Login) -> None:
        login.write(until=self._session_end())
        if "sid" not in self.payload:  # a legacy token whose session was just created
            self.payload["sid"] = str(login.session_id)
            self.payload.setdefault("iat", datetime_to_epoch(self.current_time))
            if self._is_refresh_token:
                self.payload["gen"] = 0


class BlacklistMixin(SessionMixin):
    """A mixin for tokens that can end their session and have an OutstandingToken row."""

    #: What `_create_row` has written.
    _row_values: Mapping[str, Any]
    #: Whether `verify` queries the token's session. False during a refresh, which queries the
    #: session later.
    _queries_session = True

    def __class_getitem__(cls, token_class: object) -> type[Self]:
        """Return the class itself, so that projects can write `BlacklistMixin["…"]`."""
        return cls

    @classmethod
    def read_without_database(cls, token: str | bytes) -> Self:
        """Verify a token, but do not query its session; return the token object."""
        instance = cls.__new__(cls)
        instance._queries_session = False
        instance.__init__(token)  # type: ignore[misc]  # as if the class were called
        return instance

    def set_jti(self) -> None:
        """Set the `jti` claim to a new id. The id of a session is the `jti` of its first token."""
        self.payload["jti"] = store.new_id(runtime.now()).hex

    def _new_session_id(self) -> uuid.UUID:
        session_id = tables.as_session_id(self.payload.get("jti"))
        return session_id or store.new_id(runtime.now())

    def _draft_session(self, user: Any, *, sets_exp: bool = True) -> None:
        super()._draft_session(user, sets_exp=sets_exp)
        if self._login is not None and tables.installed():
            self._create_row(user)
            self._login.after_write = self._update_row
            self._login.after_refusal = partial(tables.delete_row, self._row_jti)

    def _check_session(self) -> None:
        self.check_blacklist()

    def check_blacklist(self) -> None:
        """Check in the database whether a refresh would accept the token now.

        Raises:
            TokenError: the session has ended, or a newer token has replaced this token.
        """
        tables.refuse_replaced_models()
        if self._queries_session:
            refreshing.check_refreshable(self.as_refresh_payload)

    def blacklist(self) -> tuple[Any, bool]:
        """End the session, so that all of its tokens become invalid. Safe to repeat.

        Returns:
            The BlacklistedToken row, and whether it is new; (None, False) if the app of this model
            is not installed.

        Raises:
            TokenError: the token's signature is not valid.
        """
        self._require_signature()
        if self._login is not None:
            self._login.end()
            self._revoke_at_simplejwt()
        self._get_or_create_row()
        return tables.add_to_blacklist(self._row_jti)

    def _revoke_at_simplejwt(self) -> None:
        """Add this token to simplejwt's blacklist, if the row of the login is another row.

        This is the case if simplejwt or drf-signet's own endpoints have issued this token.
        """
        payload = self.as_refresh_payload
        if payload.get("jti") != self._row_jti:
            logins.revoke(payload)

    def outstand(self) -> tuple[Any, bool] | None:
        """Return the login's OutstandingToken row, and whether the row is new.

        If the session is still a draft, write the session first. Return None if the app of
        OutstandingToken is not installed.

        Raises:
            TokenError: the token's signature is not valid.
        """
        self._require_signature()
        self._draft_session_from_claim()
        if self._login is not None:
            self._write_session(self._login)
        return self._get_or_create_row()

    @property
    def _row_jti(self) -> str:
        jti = str(self.payload.get("jti"))
        if self._login is None or adoption.session_id_of(jti) == self._login.session_id:
            return jti
        return self._login.session_id.hex

    def _create_row(self, user: Any) -> None:
        """Write the OutstandingToken row of a new login, as simplejwt does.

        The session is written later, when the token is signed. If the row is put on the blacklist
        before that, `_update_row` ends the session.
        """
        created_at = make_utc(self.current_time)
        self._row_values = self._values_of_row()
        tables.create_row(self._row_jti, user=user, created_at=created_at, **self._row_values)

    def _update_row(self) -> None:
        """Follow the session, which was just written: update its row if the token has changed."""
        values = self._values_of_row()
        if values["expires_at"] != self._row_values["expires_at"]:
            tables.update_row(self._row_jti, **values)
        if tables.is_blacklisted(self._row_jti):
            api.end(cast("Login", self._login).session_id)

    def _get_or_create_row(self) -> tuple[Any, bool] | None:
        if not tables.installed():
            return None
        session = self._login.session if self._login else None
        user = session.user if session else wire.find_user(self.payload)
        created_at, values = make_utc(self.current_time), self._values_of_row()
        return tables.get_or_create_row(self._row_jti, user=user, created_at=created_at, **values)

    def _values_of_row(self) -> dict[str, Any]:
        """Return the fields of the row that depend on the time until which the session lasts."""
        expires_at = datetime_from_epoch(self._session_end())
        return {"token": self._logout_string(), "expires_at": expires_at}

    def _logout_string(self) -> str:
        """Return the logout-only string for the OutstandingToken row."""
        return self.get_token_backend().encode_logout_string(
            jti=self._row_jti,
            expires_at=int(self._session_end()),
            session_id=self.session_id,
            tenant=self.payload.get("tid"),
        )

    def _require_signature(self) -> None:
        if self.verified:
            return
        try:
            payload = self.get_token_backend().read_signed(wire.as_string(self.token))
            check_tenant(payload)
        except (TokenBackendError, InvalidClaim) as error:
            raise TokenError(_("Token is invalid")) from error
        # Use the signed claims only. The project may have changed claims of the unverified token.
        self.payload = payload
        self._login = Login.from_payload(self.as_refresh_payload)


class RefreshMixin(BlacklistMixin):
    """A mixin for refresh tokens, which issue access tokens and can be rotated."""

    #: Claims that are not copied into the access token.
    no_copy_claims: ClassVar[Any] = ("token_type", "exp", "jti", "iat")
    access_token_class: ClassVar[Any] = None
    #: Whether this object has issued an access token. A later call to `blacklist` may then be part
    #: of a rotation.
    _issued_access_token = False

    @property
    def as_refresh_payload(self) -> dict[str, Any]:
        """The payload, with the `token_type` of a refresh token."""
        return self.payload | {"token_type": REFRESH}

    def _read_logout_string(self, payload: dict[str, Any], verify: bool) -> None:
        """Accept a logout-only string, so that `blacklist` can end the session.

        The token stays unverified, so it is never signed and cannot issue an access token.
        """
        try:
            check_tenant(payload)
        except InvalidClaim as error:
            raise TokenError(_("Token is invalid")) from error
        self.payload = payload
        self._login = Login.from_payload(payload)
        if verify:
            self.check_blacklist()

    @property
    def access_token(self) -> Any:
        """A new access token for the same session, with the same custom claims.

        Raises:
            TokenError: this token was not verified, or it can only end its session.
        """
        self._draft_session_from_claim()
        if not self.verified:
            raise TokenError(_("Token is invalid"))
        access = self.access_token_class()
        access.set_exp(from_time=self.current_time)
        not_copied = (*self.no_copy_claims, "gen")
        access.payload |= {n: v for n, v in self.payload.items() if n not in not_copied}
        if self._login is not None:
            access._login, access.payload["sid"] = self._login, str(self._login.session_id)
            if self._login.is_limited:
                access._limit_exp(self._login.session, sets_exp=False)
        self._issued_access_token = True
        return access

    def blacklist(self) -> tuple[Any, bool]:
        """End the session, so that all of its tokens become invalid. Safe to repeat.

        Some projects rotate a token themselves: they read the token, issue an access token, and
        then call this method. In that case, if `refreshing.rotates()` is true, this call does not
        end the session: only this refresh token becomes invalid, and signing this object again
        returns the next refresh token.
        """
        by_hand = self._issued_access_token and self._login is not None and refreshing.rotates()
        if by_hand and self.token is not None and self.verified:
            self.payload["gen"] = refreshing.advance(self.as_refresh_payload)
            self.payload["sid"] = str(self.session_id)
            return None, True
        return super().blacklist()

    def renewed(self, session: Session, generation: int) -> Self:
        """Return the next refresh token: a copy with the given generation and new `iat` and `exp`.

        Custom claims are kept, and the `CLAIMS` hook is called again. The `jti` is kept, too: that
        of the login may be on simplejwt's blacklist, if a process of simplejwt rotated a token.
        """
        token = copy.copy(self)
        token.current_time = aware_utcnow()
        session_end = session.expires_at.timestamp()
        token.payload = _without(self.payload, api_settings.REVOKE_TOKEN_CLAIM)
        token.payload |= wire.revoke_claim(session.user)
        token._login = Login(session.pk, lasts_until=session_end)
        token._set_session_claims(session)
        token.set_iat()
        own = session.idle_seconds
        token.set_exp(lifetime=None if own is None else timedelta(seconds=own))
        token.payload["exp"] = min(token.payload["exp"], int(session_end))
        token.payload["gen"] = generation
        return token


class AccessToken(SessionMixin, Token):
    """An access token."""

    token_type = "access"  # noqa: S105
    lifetime = Setting("ACCESS_TOKEN_LIFETIME")


class RefreshToken(RefreshMixin, Token):
    """A refresh token. Its `access_token` has the same custom claims."""

    token_type = "refresh"  # noqa: S105
    lifetime = Setting("REFRESH_TOKEN_LIFETIME")
    access_token_class = AccessToken


class SlidingToken(BlacklistMixin, Token):
    """A token that is used like an access token, and can be renewed until `refresh_exp`."""

    token_type = logins.SLIDING
    lifetime = Setting("SLIDING_TOKEN_LIFETIME")

    def _set_initial_claims(self) -> None:
        super()._set_initial_claims()
        self.set_exp(
            api_settings.SLIDING_TOKEN_REFRESH_EXP_CLAIM,
            lifetime=api_settings.SLIDING_TOKEN_REFRESH_LIFETIME,
        )

    def _check_session(self) -> None:
        logins.check_alive(self.payload)  # most requests use a sliding token like an access token

    _session_end_claim = property(lambda self: api_settings.SLIDING_TOKEN_REFRESH_EXP_CLAIM)


class UntypedToken(Token):
    """A token whose type is not checked. It is only used to read tokens."""

    token_type = "untyped"  # noqa: S105
    lifetime = timedelta(0)

    def verify_token_type(self) -> None:
        """Accept every `token_type`."""


def _require_user_model(user: Any) -> None:
    """Raise TypeError for an instance of another model: its key may equal the key of a user."""
    model = user._meta.concrete_model if isinstance(user, Model) else None
    if model is not None and not issubclass(session_user_model(), model):
        require_session_user(user)


def _without(payload: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in payload.items() if key != name}
