"""The session behind a token that was made in Python, and whether it goes on.

The row of a new session is written when the first of its tokens is signed (`str(token)`): until
then claims can still be added, and of a token that is never signed nothing is left behind.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from django.utils.translation import gettext_lazy as _

from drf_signet import (
    adoption,
    api,
    blacklist,
    claims,
    clients,
    conf,
    flows,
    rotation,
    runtime,
    sessions,
    users,
)
from drf_signet.claims import ACCESS, REFRESH, Claims
from drf_signet.database import retried
from drf_signet.errors import SessionEnded, SignetError, UserInactive
from drf_signet.models import EndReason, Session, Transport, write_database, written
from drf_signet.revocation import DatabaseSource

from . import wire
from .exceptions import EndedError, TokenError
from .settings import api_settings

SLIDING = "sliding"
_OURS = (ACCESS, REFRESH, SLIDING)  # a tuple: a claim may be of a type that has no hash

#: Why a token of old becomes no session: it is on the blacklist, or its user is not let in.
_NOT_ADOPTED = (SessionEnded, UserInactive)


class Login:
    """One session, as the tokens of it that are in hand know it; they share this object.

    Args:
        session_id: its id.
        end: until when it lasts at least, POSIX seconds.
        session: the row, if it has yet to be written.
        write: writes the row.
    """

    def __init__(
        self,
        session_id: uuid.UUID,
        *,
        end: float,
        session: Session | None = None,
        write: Callable[[], object] | None = None,
    ) -> None:
        self.session_id = session_id
        self.session = session
        self.request: Any = None
        #: Called once the session is written.
        self.opened: Callable[[], object] | None = None
        self._end = end
        self._write = write
        self._over = False

    def __deepcopy__(self, memo: object) -> Login:
        """Return itself: it is one session, however often its tokens are copied."""
        return self

    @classmethod
    def new(cls, user: Any, session_id: uuid.UUID) -> Login:
        """Draft a session; nothing is written."""
        now = runtime.now()
        lifetime = runtime.current().settings.login_lifetime(Transport.TOKEN)
        session = sessions.draft(id=session_id, user=user, now=now, lifetime=lifetime)
        login = cls(session_id, end=session.expires_at.timestamp(), session=session)
        login._write = login._open
        return login

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Login | None:
        """Return the login that a verified payload names; None if it names none."""
        if "sid" in payload:
            return cls(_session_id(payload), end=payload["exp"])
        if api_settings.USER_ID_CLAIM not in payload or payload.get("token_type") not in _OURS:
            return None
        old = _believed(payload)
        write = partial(_adopt, dict(payload))
        return cls(adoption.session_id(old), end=old.expires_at, write=write)

    def write(self, *, until: float) -> None:
        """Write what is not written yet, so that a token may be signed that lives until then.

        Raises:
            TokenError: the login was ended before it began, or its user may not authenticate.
            Busy: the database kept refusing.
        """
        if self._over:
            raise TokenError(_("Token is blacklisted"))
        end = sessions.as_datetime(until)
        if self.session is not None and self._write is not None and until > self._end:
            self.session.expires_at, self._end = end, until
        if self._write is not None:
            try:
                self._write()
            except _NOT_ADOPTED as error:
                raise TokenError(_("Token is blacklisted")) from error
            self._write = None
        if until > self._end:
            shorter = written().filter(pk=self.session_id, expires_at__lt=end)
            retried(lambda: shorter.update(expires_at=end), using=write_database())
            self._end = until

    def end(self) -> None:
        """End the session; safe to repeat. One that was not written yet never will be."""
        if self._write is not None and self.session is None:
            with suppress(*_NOT_ADOPTED):  # first, since without a row it could be adopted later
                self._write()
        elif self._write is not None:
            self._over = True
            return
        api.end(self.session_id)

    def _open(self) -> None:
        assert self.session is not None  # noqa: S101 - for mypy: `new` sets both
        client = clients.describe(self.request)
        self.session.user_agent, self.session.ip_address = client.user_agent, client.ip_address
        flows.open_session(self.session, self.request)
        if self.opened is not None:
            self.opened()


def rotates() -> bool:
    """Whether a refresh advances the generation, so that the token of before is used up.

    Where only the old settings speak, they mean what they meant: a rotated token stays good
    unless BLACKLIST_AFTER_ROTATION.
    """
    if not api_settings.ROTATE_REFRESH_TOKENS:
        return False
    said_here = "ROTATE_REFRESH_TOKENS" in conf.given("SIGNET")
    return said_here or bool(api_settings.BLACKLIST_AFTER_ROTATION)


def check_alive(payload: Mapping[str, Any]) -> None:
    """Check a verified payload of any type against the feed of ended sessions.

    No statement, but for the feed's own; one for a token that lives longer than the feed
    remembers.

    Raises:
        TokenError: the session has ended, or the token has none and needs one.
        RevocationUnknown: nobody can tell now.
    """
    if "sid" not in payload:
        _check_old(payload)
        return
    session_id = _session_id(payload)
    current = runtime.current()
    iat = payload.get("iat")
    if not claims.is_integer(iat):
        raise TokenError(_("Token is invalid"))
    remembered = payload["exp"] - iat <= current.rules.access_span
    ended = current.feed.has_ended(str(session_id))
    if ended or (not remembered and DatabaseSource().has_ended(session_id)):
        raise EndedError(_("Token is blacklisted"), payload)


def ended_with_password(payload: Mapping[str, Any]) -> bool:
    """Whether the session of a verified payload ended because the password changed: one SELECT."""
    rows = written().filter(end_reason=EndReason.PASSWORD_CHANGED)
    return rows.filter(pk=_session_id(payload)).exists()


def check_refreshable(payload: Mapping[str, Any]) -> None:
    """Check that a refresh token, as it is, would be taken now: one or two SELECTs.

    Raises:
        TokenError: it would not.
    """
    if "sid" not in payload:
        _check_old(payload)
    if not _is_refreshable(payload):
        raise TokenError(_("Token is blacklisted"))


def advance(payload: Mapping[str, Any]) -> int:
    """Use a refresh token up, and return the generation that follows it.

    Raises:
        TokenError: it is used up already, or its session is over.
    """
    presented = flows.present(_believed(payload), now=runtime.now(), rotates=True)
    rotated = rotation.rotate(presented, lambda session, generation: (generation,))
    if rotated.prepared is None:
        raise TokenError(_("Token is blacklisted"))
    return rotated.prepared[0]


def _is_refreshable(payload: Mapping[str, Any]) -> bool:
    if "sid" not in payload:
        login = Login.of(payload)
        if blacklist.holds(str(payload.get("jti"))):
            return False
        if login is None:
            return True
        if not written().filter(pk=login.session_id).exists():
            return _could_be_adopted(payload)
    elif payload.get("token_type") == REFRESH and "gen" not in payload:  # it can only end it
        return written().filter(pk=_session_id(payload), end_reason="").exists()
    presented = flows.present(_believed(payload), now=runtime.now(), rotates=rotates())
    return rotation.check(presented) is not None


def _could_be_adopted(payload: Mapping[str, Any]) -> bool:
    user = wire.user_named_in(payload)
    if user is None or not users.may_authenticate(user):
        return False
    return adoption.is_of_todays_password(payload, user)


def _check_old(payload: Mapping[str, Any]) -> None:
    """Refuse a token that names a user and no session, unless tokens of old are adopted."""
    names_a_user = api_settings.USER_ID_CLAIM in payload and payload.get("token_type") in _OURS
    if names_a_user and runtime.now() >= runtime.current().rules.adopt_until:
        raise TokenError(_("Token is invalid"))


def _adopt(payload: Mapping[str, Any]) -> None:
    adoption.adopt(_believed(payload), now=runtime.now())


def _session_id(payload: Mapping[str, Any]) -> uuid.UUID:
    try:
        return uuid.UUID(payload["sid"])
    except (ValueError, TypeError, AttributeError) as error:
        raise TokenError(_("Token is invalid")) from error


def _believed(payload: Mapping[str, Any]) -> Claims:
    as_refresh = {**payload, "token_type": REFRESH}
    if "sid" in payload:
        as_refresh.setdefault("gen", 0)  # a sliding token has none
    current = runtime.current()
    try:
        return claims.read(as_refresh, token_type=None, rules=current.rules, now=runtime.now())
    except SignetError as error:
        raise TokenError(_("Token is invalid")) from error
