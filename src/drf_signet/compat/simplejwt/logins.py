"""The sessions of token objects: functions that open, check and end them.

A new session is written to the database when `str(token)` signs its first token.
Until then, projects can add claims to the token. If no token is signed, no session is written.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from django.utils.translation import gettext_lazy as _

from drf_signet import api, flows, legacy, runtime, tenants
from drf_signet.db.database import retried
from drf_signet.errors import InvalidClaim, SessionEnded, SignetError, UserChanged, UserInactive
from drf_signet.jose import claims
from drf_signet.jose.claims import ACCESS, REFRESH, Claims
from drf_signet.models import EndReason, Session, Transport, sessions_for_write, write_database
from drf_signet.sessions import lifetimes, store
from drf_signet.transports import clients
from drf_signet.users.loading import UserState

from . import adoption
from .exceptions import EndedError, LoginRefused, TokenError
from .settings import api_settings
from .tenancy import accepts_untagged, current_tenant

SLIDING = "sliding"
#: Types of tokens that need a session. Not a set, because `token_type` may be unhashable.
_SESSION_TYPES = (ACCESS, REFRESH, SLIDING)


class Login:
    """The session of a token object. A refresh token and its access tokens share one `Login`.

    Args:
        session_id: the id of the session.
        lasts_until: the session does not expire before this time, in POSIX seconds.
        session: the unsaved row of a new session; None if the session is not new.
        write: a function that writes the session's row; None if the row exists.
    """

    def __init__(
        self,
        session_id: uuid.UUID,
        *,
        lasts_until: float,
        session: Session | None = None,
        write: Callable[[], object] | None = None,
    ) -> None:
        self.session_id = session_id
        self.session = session
        self.request: Any = None
        #: A function to call after the row of a new session is written; None to call nothing.
        self.after_write: Callable[[], object] | None = None
        #: Whether the `LIFETIMES` setting decides when a new session and its tokens expire.
        self.is_limited = False
        #: A function to call if the user has changed, so that no session is written.
        self.after_refusal: Callable[[], object] | None = None
        self._lasts_until = lasts_until
        #: The state of the user when a new session was drafted; None if the session is not new, or
        #: if the user had already changed by then.
        self._state: UserState | None = None
        self._write = write

    def __deepcopy__(self, memo: object) -> Login:
        """Return this object itself, because copies of a token belong to the same session."""
        return self

    @classmethod
    def new(cls, user: Any, session_id: uuid.UUID) -> Login:
        """Return the `Login` of a new session. The session is not written yet."""
        chosen = lifetimes.of_login(user, tenants.served_request.get(), Transport.TOKEN)
        session = store.draft(
            id=session_id,
            user=user,
            now=runtime.now(),
            lifetime=chosen.lifetime,
            idle_seconds=chosen.idle_seconds,
        )
        login = cls(session_id, lasts_until=session.expires_at.timestamp(), session=session)
        with suppress(UserChanged):
            login._state = UserState.of(user)
        login.is_limited = not chosen.is_default
        login._write = login._open
        return login

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Login | None:
        """Return the `Login` of a verified payload; None if the token needs no session."""
        if "sid" in payload:
            return cls(session_id_of(payload), lasts_until=payload["exp"])
        if not _is_legacy(payload):
            return None
        valid = validate(payload)
        session_id = adoption.session_id_of(valid.jti)
        return cls(session_id, lasts_until=valid.expires_at, write=partial(_adopt, dict(payload)))

    def write(self, *, until: float) -> None:
        """Save a new session. Extend an existing session if it would expire too early.

        Args:
            until: the session must not expire before this time, in POSIX seconds.

        Raises:
            TokenError: the session has already ended, or its user may not authenticate.
            LoginRefused: the user has changed since the token object was made.
            Busy: the write kept conflicting with other transactions.
        """
        end = store.as_datetime(until)
        if self.session is not None and self._write is not None and until > self._lasts_until:
            self.session.expires_at, self._lasts_until = end, until
        if self._write is not None:
            try:
                self._write()
            except (SessionEnded, UserInactive) as error:  # of `adoption.adopt`
                raise TokenError(_("Token is blacklisted")) from error
            except UserChanged as error:
                if self.after_refusal is not None:
                    self.after_refusal()
                raise LoginRefused from error
            self._write = None
        if until > self._lasts_until:
            rows = sessions_for_write().filter(pk=self.session_id, expires_at__lt=end)
            retried(lambda: rows.update(expires_at=end), using=write_database())
            self._lasts_until = until

    def end(self) -> None:
        """End the session. Safe to repeat.

        A session that has not been saved yet is saved first, so that its tokens can be signed, and
        a legacy token cannot be adopted later.
        """
        if self._write is not None:
            with suppress(SessionEnded, UserInactive, UserChanged):
                self._write()
                self._write = None
        api.end(self.session_id)

    def _open(self) -> None:
        assert self.session is not None  # noqa: S101 - for mypy: `new` sets both
        if self._state is None:
            raise UserChanged
        client = clients.describe(self.request)
        self.session.user_agent, self.session.ip_address = client.user_agent, client.ip_address
        flows.open_session(self.session, self.request, state=self._state)
        if self.after_write is not None:
            self.after_write()


def check_alive(payload: Mapping[str, Any]) -> None:
    """Check with the revocation feed that the session of a verified payload has not ended.

    Normally runs no SQL except the feed's polls. If the token may be valid for longer than the feed
    remembers an ended session, the feed looks the session up in the database.

    Raises:
        TokenError: the session has ended, or the project no longer accepts this legacy token.
        RevocationUnknown: the revocation feed could not be read.
    """
    if "sid" not in payload:
        check_legacy(payload)
        return
    session_id = session_id_of(payload)
    current = runtime.current()
    iat = payload.get("iat")
    if not claims.is_integer(iat):
        raise TokenError(_("Token is invalid"))
    remembered = payload["exp"] - iat <= current.rules.remembered_lifetime
    feed = current.feed
    has_ended = feed.has_ended if remembered else feed.has_ended_for_long
    if has_ended(session_id.int):
        raise EndedError(_("Token is blacklisted"), payload)


def ended_by_password_change(payload: Mapping[str, Any]) -> bool:
    """Return whether a password change has ended the session of a payload. Runs one SELECT."""
    rows = sessions_for_write().filter(end_reason=EndReason.PASSWORD_CHANGED)
    return rows.filter(pk=session_id_of(payload)).exists()


def revoke(payload: Mapping[str, Any]) -> None:
    """Let processes of simplejwt refuse the refresh token of a verified payload. Safe to repeat."""
    with suppress(TokenError):  # the token is expired or malformed, so simplejwt refuses it anyway
        legacy.revoke(validate(payload), now=runtime.now())


def _is_legacy(payload: Mapping[str, Any]) -> bool:
    """Return whether a payload without `sid` is from a legacy token, which needs a session."""
    return api_settings.USER_ID_CLAIM in payload and payload.get("token_type") in _SESSION_TYPES


def check_legacy(payload: Mapping[str, Any]) -> None:
    """Raise TokenError for a legacy token if the project no longer accepts legacy tokens."""
    if _is_legacy(payload) and runtime.now() >= runtime.current().rules.adopt_until:
        raise TokenError(_("Token is invalid"))


def _adopt(payload: Mapping[str, Any]) -> None:
    try:
        adoption.adopt(validate(payload), now=runtime.now())
    except InvalidClaim as error:
        raise TokenError(_("Token is invalid")) from error


def session_id_of(payload: Mapping[str, Any]) -> uuid.UUID:
    """Return the id of the session that the `sid` of a verified payload names.

    Raises:
        TokenError: `sid` is not an id.
    """
    try:
        return uuid.UUID(payload["sid"])
    except (ValueError, TypeError, AttributeError) as error:
        raise TokenError(_("Token is invalid")) from error


def validate(payload: Mapping[str, Any]) -> Claims:
    """Validate a verified payload by the rules for refresh tokens, and return the claims.

    The payload may have any `token_type`.

    Raises:
        TokenError: a claim is not valid.
    """
    as_refresh = {**payload, "token_type": REFRESH}
    if "sid" in payload:
        as_refresh.setdefault("gen", 0)  # sliding tokens have no `gen` claim
    tenant = current_tenant()
    try:
        return claims.validate(
            as_refresh,
            token_type=None,
            rules=runtime.current().rules,
            now=runtime.now(),
            tenant=tenant,
            accepts_untagged=accepts_untagged(tenant),
        )
    except SignetError as error:
        raise TokenError(_("Token is invalid")) from error
