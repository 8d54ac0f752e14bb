"""Legacy tokens: tokens without a session, issued by the package that a project used before.

Legacy tokens are accepted until ADOPT_TOKENS_UNTIL. A legacy access token needs only a valid
signature and valid claims. At the first use of a legacy refresh token, a session is created for it.

Until that time, processes of the other package may still run. They accept the refresh tokens of
this package, and have their own list of revoked tokens. So a refresh reads that list, and a logout
writes to it.

A module of `drf_signet.compat` registers the functions that do this.
"""

from __future__ import annotations

import uuid
from typing import Protocol

from . import runtime
from .errors import InvalidClaim, SessionEnded
from .jose.claims import Claims


class OtherPackage(Protocol):
    """The functions for the package that a project used before."""

    def adopt(self, claims: Claims, *, now: float) -> uuid.UUID:
        """Create the session of a legacy refresh token unless it exists; return its id.

        Safe to repeat. The function must not end a session.

        Args:
            claims: the claims of a verified refresh token without `sid`.
            now: the current time, in POSIX seconds.

        Raises:
            SessionEnded: the token is revoked, or its user was deleted or has a new password.
            UserInactive: the user may not authenticate.
            Busy: the write kept conflicting with other transactions.
        """

    def is_revoked(self, claims: Claims) -> bool:
        """Return whether the other package has revoked a refresh token of either package."""

    def revoke(self, claims: Claims) -> None:
        """Let the processes of the other package refuse a refresh token. Safe to repeat.

        Raises:
            Busy: the write kept conflicting with other transactions.
        """


#: Contains the registered functions, or is empty.
_registered: list[OtherPackage] = []


def register(other: OtherPackage | None) -> OtherPackage | None:
    """Register the functions for the other package.

    Args:
        other: the functions, for example a module that contains them. If None, all legacy refresh
            tokens are refused.

    Returns:
        The functions that were registered before, or None.
    """
    before = _registered.pop() if _registered else None
    if other is not None:
        _registered.append(other)
    return before


def session_of(claims: Claims, *, now: float, ends: bool = False) -> uuid.UUID:
    """Return the session id of a refresh token that came before ADOPT_TOKENS_UNTIL.

    The session of a legacy token may be created.

    Args:
        ends: whether to accept a drf-signet token that the other package has revoked.

    Raises:
        InvalidClaim: the token is a legacy token, and no other package is registered.
        SessionEnded: the other package has revoked the token; or see `OtherPackage.adopt`.
    """
    session_id = claims.session_id
    if session_id is None:
        if not _registered:
            raise InvalidClaim("sid")
        return _registered[0].adopt(claims, now=now)
    if not ends and _registered and _registered[0].is_revoked(claims):
        raise SessionEnded("revoked by the other package")
    return session_id


def revoke(claims: Claims, *, now: float) -> None:
    """Let processes of the other package refuse a refresh token, until ADOPT_TOKENS_UNTIL.

    Raises:
        Busy: the write kept conflicting with other transactions.
    """
    if _registered and now < runtime.current().rules.adopt_until:
        _registered[0].revoke(claims)
