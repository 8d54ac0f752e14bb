"""The refresh, in the words of the old API: what `TokenRefreshSerializer` does."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import AuthenticationFailed

from drf_signet import claims, flows, runtime, users
from drf_signet.claims import Claims
from drf_signet.errors import InvalidClaim, SessionEnded, TokenReused, UserInactive
from drf_signet.errors import TokenError as Refused
from drf_signet.models import Session
from drf_signet.tokens import TokenPair

from . import logins, state, wire
from .exceptions import TokenError
from .settings import api_settings


def refresh(
    token: Any, request: HttpRequest | None, no_account: AuthenticationFailed
) -> dict[str, str]:
    """Trade a verified refresh token for new tokens; return the answer.

    Args:
        token: the token, of a class like `RefreshToken`, whose session was not asked for yet.
        no_account: what to raise if its user may not authenticate.

    Raises:
        TokenError: its session is over, or a later token has taken its place.
    """
    mint, rotates = partial(_mint, token), logins.rotates()
    try:
        outcome = flows.refresh(token, request, verify=_claims_of, mint=mint, rotates=rotates)
    except UserInactive:  # of a token of old, before it has become a session
        raise no_account from None
    except Refused as error:
        raise _worded(error) from error
    if isinstance(outcome, TokenPair):
        answer = {"access": outcome.access}
        return answer | ({"refresh": outcome.refresh} if outcome.refresh else {})
    if isinstance(outcome, UserInactive) or _lost_its_user(token, outcome):
        raise no_account
    raise _worded(outcome)


def is_over(payload: dict[str, Any]) -> bool:
    """Whether a refresh token whose payload was verified would be refused now."""
    try:
        logins.check_refreshable(payload)
    except TokenError:
        return True
    return False


def _claims_of(token: Any, *, now: float) -> Claims:
    """Return what a verified token says as a refresh token of ours, whatever its class's type is.

    Raises:
        InvalidClaim: its class has keys of its own, or it is not good for a refresh.
    """
    if token.get_token_backend() is not state.token_backend:
        raise InvalidClaim("sid")
    rules = runtime.current().rules
    return claims.read(token.as_ours, token_type=claims.REFRESH, rules=rules, now=now)


def _mint(token: Any, session: Session, generation: int) -> TokenPair:
    renewed = token.renewed(session, generation)
    access = renewed.access_token
    access.payload["exp"] = min(access["exp"], int(session.expires_at.timestamp()))
    advanced = generation != token.get("gen", 0)
    return TokenPair(
        access=str(access),
        refresh=str(renewed) if advanced or api_settings.ROTATE_REFRESH_TOKENS else None,
        expires_in=access["exp"] - access["iat"],
        refresh_expires_in=renewed["exp"] - renewed["iat"],
        session=session,
    )


def _worded(error: Exception) -> TokenError:
    ended = isinstance(error, SessionEnded | TokenReused)
    return TokenError(_("Token is blacklisted") if ended else _("Token is invalid"))


def _lost_its_user(token: Any, outcome: object) -> bool:
    """Whether the session has ended because its user may not authenticate: one SELECT."""
    if not isinstance(outcome, SessionEnded):
        return False
    user = wire.user_named_in(token.payload)
    return user is None or not users.may_authenticate(user)
