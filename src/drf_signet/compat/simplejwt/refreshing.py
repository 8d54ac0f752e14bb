"""Refresh token objects, with simplejwt's response bodies and errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import AuthenticationFailed

from drf_signet import flows, runtime
from drf_signet.conf import settings as conf
from drf_signet.errors import InvalidClaim, SessionEnded, TokenReused, UserInactive
from drf_signet.errors import TokenError as SignetTokenError
from drf_signet.jose import claims
from drf_signet.jose.claims import REFRESH, Claims
from drf_signet.models import Session, sessions_for_write
from drf_signet.sessions import rotation
from drf_signet.tokens import RefreshStrategy, TokenPair, refresh_attempt
from drf_signet.users import loading

from . import adoption, blacklist, logins, state, wire
from .exceptions import TokenError
from .settings import api_settings
from .tenancy import accepts_untagged, current_tenant


def refresh(
    token: Any, request: HttpRequest | None, no_account: AuthenticationFailed
) -> dict[str, str]:
    """Exchange a verified refresh token for new tokens, and return the response body.

    Args:
        token: an instance of the serializer's `token_class`, created by the class method
            `read_without_database`.
        no_account: the exception to raise if the user may not authenticate.

    Raises:
        TokenError: the token is not valid, its session has ended, or a newer token has replaced it.
    """
    if api_settings.USER_ID_CLAIM not in token and "sid" not in token:
        return _refresh_without_session(token)
    try:
        outcome = flows.refresh(token, request, strategy=_TokenObjectStrategy(token))
    except UserInactive:  # the token is a legacy token without a session
        raise no_account from None
    except SignetTokenError as error:
        raise _as_simplejwt_error(error) from error
    if isinstance(outcome, TokenPair):
        new_tokens = {"access": outcome.access}
        return new_tokens | ({"refresh": outcome.refresh} if outcome.refresh else {})
    if isinstance(outcome, UserInactive) or _ended_because_of_user(token, outcome):
        raise no_account
    raise _as_simplejwt_error(outcome)


def would_be_refused(payload: dict[str, Any]) -> bool:
    """Return whether a refresh would refuse a token with this verified payload."""
    try:
        check_refreshable(payload)
    except TokenError:
        return True
    return False


def rotates() -> bool:
    """Return whether a refresh makes the old refresh token invalid.

    This is the case if SIGNET turns rotation on. If only SIMPLE_JWT turns rotation on, the old
    token stays valid unless BLACKLIST_AFTER_ROTATION is set, as in simplejwt.
    """
    if not api_settings.ROTATE_REFRESH_TOKENS:
        return False
    set_in_signet = "ROTATE_REFRESH_TOKENS" in conf.given("SIGNET")
    return set_in_signet or bool(api_settings.BLACKLIST_AFTER_ROTATION)


def check_refreshable(payload: Mapping[str, Any]) -> None:
    """Check in the database that a refresh would accept the token of a verified payload.

    Raises:
        TokenError: a refresh would refuse the token.
    """
    if "sid" not in payload:
        logins.check_legacy(payload)
    if not _is_refreshable(payload):
        raise TokenError(_("Token is blacklisted"))


def advance(payload: Mapping[str, Any]) -> int:
    """Rotate a refresh token, and return the generation of the token that replaces it.

    Raises:
        TokenError: the token has already been rotated, or its session has ended.
    """
    attempt = _attempt(payload, rotates=True)
    rotated = rotation.rotate(attempt, lambda session, generation: (generation,))
    if rotated.prepared is None:
        raise TokenError(_("Token is blacklisted"))
    return rotated.prepared[0]


def _refresh_without_session(token: Any) -> dict[str, str]:
    """Refresh a token that does not identify a user, and so has no session, as simplejwt does.

    A rotated token is only refused if the project has the tables of the blacklist.
    """
    check_refreshable(token.as_refresh_payload)
    new_tokens = {"access": str(token.access_token)}
    if not api_settings.ROTATE_REFRESH_TOKENS:
        return new_tokens
    if rotates():
        row, is_new = token.blacklist()
        if row is not None and not is_new:  # another request has just rotated the token
            raise TokenError(_("Token is blacklisted"))
    token.set_jti()
    token.set_exp()
    token.set_iat()
    token.outstand()
    return new_tokens | {"refresh": str(token)}


def _is_refreshable(payload: Mapping[str, Any]) -> bool:
    if "sid" not in payload:
        login = logins.Login.from_payload(payload)
        if blacklist.holds(str(payload.get("jti"))):
            return False
        if login is None:
            return True
        if not sessions_for_write().filter(pk=login.session_id).exists():
            return _could_be_adopted(payload)
    elif payload.get("token_type") == REFRESH and "gen" not in payload:
        # A logout-only string has these claims. It can be used until its session ends.
        return sessions_for_write().filter(pk=logins.session_id_of(payload), end_reason="").exists()
    return rotation.check(_attempt(payload, rotates=rotates())) is not None


def _attempt(payload: Mapping[str, Any], *, rotates: bool) -> rotation.RefreshAttempt:
    """Return the attempt to refresh the token of a verified payload.

    Raises:
        TokenError: the token is on simplejwt's blacklist, or it cannot get a session.
    """
    valid = logins.validate(payload)
    try:
        return refresh_attempt(valid, now=runtime.now(), rotates=rotates)
    except UserInactive as error:
        raise TokenError(_("Token is blacklisted")) from error
    except SignetTokenError as error:
        raise _as_simplejwt_error(error) from error


def _could_be_adopted(payload: Mapping[str, Any]) -> bool:
    user = wire.find_user(payload)
    if user is None or not loading.may_authenticate(user):
        return False
    if not adoption.is_of_current_tenant(str(payload.get("jti"))):
        return False
    return adoption.matches_current_password(payload, user)


class _TokenObjectStrategy(RefreshStrategy):
    """A strategy that refreshes a token object.

    The new refresh token has the class of that object, and the new access token has its
    `access_token_class`.

    Args:
        token: a refresh token object that has already been verified.
    """

    def __init__(self, token: Any) -> None:
        self._token = token

    def verify(self, raw_token: Any, *, now: float, request: HttpRequest | None) -> Claims:
        """Return the claims. Their `token_type` is "refresh", even if the class has another type.

        Raises:
            InvalidClaim: the class has its own token backend, or a claim is not valid.
        """
        if raw_token.get_token_backend() is not state.token_backend:
            raise InvalidClaim("sid")
        tenant = current_tenant()
        return claims.validate(
            raw_token.as_refresh_payload,
            token_type=REFRESH,
            rules=runtime.current().rules,
            now=now,
            tenant=tenant,
            accepts_untagged=accepts_untagged(tenant),
        )

    def rotates(self, transport: str) -> bool:
        """Return whether this refresh makes the old refresh token invalid; see `rotates`."""
        return rotates()

    def mint(
        self,
        session: Session,
        generation: int,
        *,
        now: float,
        presented: int,
        request: HttpRequest | None,
    ) -> TokenPair:
        """Return a new access token and, with rotation, a new refresh token. Keep custom claims."""
        renewed = self._token.renewed(session, generation)
        access = renewed.access_token
        access.payload["exp"] = min(access["exp"], int(session.expires_at.timestamp()))
        returned = generation != presented or api_settings.ROTATE_REFRESH_TOKENS
        return TokenPair(
            access=str(access),
            refresh=str(renewed) if returned else None,
            expires_in=access["exp"] - access["iat"],
            refresh_expires_in=renewed["exp"] - renewed["iat"],
            session=session,
        )


def _as_simplejwt_error(error: Exception) -> TokenError:
    ended = isinstance(error, SessionEnded | TokenReused)
    return TokenError(_("Token is blacklisted") if ended else _("Token is invalid"))


def _ended_because_of_user(token: Any, outcome: object) -> bool:
    """Return whether a session has ended and its user may not authenticate. Runs one SELECT."""
    if not isinstance(outcome, SessionEnded):
        return False
    user = wire.find_user(token.payload)
    return user is None or not loading.may_authenticate(user)
