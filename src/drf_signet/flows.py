"""Login, refresh, verify, logout: the order of their steps, and nothing else.

Each takes and returns plain values and can be called from anywhere; the request is optional but
for a login by password. A refusal that may have written something is returned, not raised: DRF
rolls the request's transaction back when a view raises, and the end of a session must stay.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import authenticate
from django.db import DatabaseError
from django.http import HttpRequest

from . import adoption, clients, rotation, runtime, sessions, tokens, users
from .announcements import announce, say_logged_in, say_logged_out
from .claims import ACCESS, Claims
from .database import retried
from .errors import (
    CredentialsRefused,
    InvalidClaim,
    SessionEnded,
    SignetError,
    TokenError,
    TokenReused,
    UserInactive,
)
from .models import EndReason, Session, Transport, write_database, written
from .rotation import Presented, Rotation, Verdict
from .signals import refresh_reused, session_opened, session_refreshed
from .tokens import TokenPair
from .transports import access, cookie

logger = logging.getLogger("drf_signet")

#: Makes the tokens of a generation of a session.
Mint = Callable[[Session, int], TokenPair]


def login(
    request: HttpRequest, credentials: Mapping[str, Any], *, transport: str = Transport.TOKEN
) -> TokenPair:
    """Log in by Django's authentication backends.

    Args:
        credentials: keyword arguments of Django's `authenticate`, passed on as they are.
        transport: how the refresh token will travel, see `issue`.

    Raises:
        CredentialsRefused: no backend knows them, or the user may not authenticate.
    """
    user = authenticate(request, **credentials)
    if user is None or not users.may_authenticate(user):
        raise CredentialsRefused
    try:
        return issue(user, request, transport=transport)
    except DatabaseError as error:
        if users.was_deleted(user):
            raise CredentialsRefused from error
        raise


def issue(
    user: Any,
    request: HttpRequest | None = None,
    *,
    transport: str = Transport.TOKEN,
    claims: Mapping[str, Any] | None = None,
) -> TokenPair:
    """Open a session for a user whose identity is established, and return its first tokens.

    `USER_AUTHENTICATION_RULE` is not asked. With a request, Django's `user_logged_in` is sent,
    which updates `last_login`; for a cookie, the session of the request's own cookie is ended.

    Args:
        transport: how the refresh token will travel: "token" or "cookie".
        claims: own claims for these two tokens; those of later tokens come from `CLAIMS` alone.

    Raises:
        ValueError: the transport is unknown, or a claim takes a reserved name.
    """
    transport = Transport(transport)
    now, settings = runtime.now(), runtime.current().settings
    session = sessions.draft(
        id=sessions.new_id(now),
        user=user,
        now=now,
        lifetime=settings.login_lifetime(transport),
        transport=transport,
        client=clients.describe(request),
    )
    pair = tokens.mint_pair(session, 0, now=now, extra=claims)
    if request is not None and transport == Transport.COOKIE:
        logout_of(cookie.read(request), request)
    if request is not None:
        say_logged_in(user, request)
    open_session(session, request)
    return pair


def open_session(session: Session, request: HttpRequest | None = None) -> None:
    """Write a drafted session and say so: one INSERT, more with `MAX_SESSIONS_PER_USER`.

    Raises:
        Busy: the database kept refusing.
    """
    sessions.open(session, limit=runtime.current().settings.MAX_SESSIONS_PER_USER)
    announce(session_opened, session, request)


def authenticate_request(
    request: HttpRequest, load: Callable[..., Any], *arguments: Any
) -> tuple[Any, Claims] | None:
    """Return (user, claims) for the access token of a request; None if it carries none.

    No statement, but for the feed's once per interval, and `load` where the user is loaded now.

    Args:
        load: called with the claims and the arguments, returns the user, or raises.

    Raises:
        SignetError: the request carries more than one token, or a bad one; or nobody can tell.
    """
    claims = access.read(request, now=runtime.now())
    if claims is None:
        return None
    tokens.check_alive(claims)
    return users.named_by(claims, load, *arguments), claims


async def aauthenticate_request(
    request: HttpRequest, load: Callable[[Claims], Any]
) -> tuple[Any, Claims] | None:
    """As `authenticate_request`; in a thread only while a database is asked."""
    claims = access.read(request, now=runtime.now())
    if claims is None:
        return None
    current = runtime.current()
    due = current.feed.is_due()  # decided once: a moment later it may be, on the event loop
    await _off_loop(tokens.check_alive, claims, ask=due, hop=due)
    return await _off_loop(users.named_by, claims, load, hop=not current.users_are_lazy), claims


async def _off_loop(step: Callable[..., Any], *args: Any, hop: bool, **kwargs: Any) -> Any:
    """Run a step; in a thread if it may wait for a database."""
    return await sync_to_async(step)(*args, **kwargs) if hop else step(*args, **kwargs)


def refresh(
    raw: object,
    request: HttpRequest | None = None,
    *,
    transport: str = Transport.TOKEN,
    verify: Callable[..., Claims] = tokens.verify_refresh,
    mint: Mint | None = None,
    rotates: bool | None = None,
) -> TokenPair | SignetError:
    """Trade a refresh token for new tokens; safe to repeat within the grace period.

    Args:
        verify: reads the token, in place of `tokens.verify_refresh`.
        mint: makes the tokens of a session and generation, in place of `tokens.mint_pair`. Called
            before anything is written, and again after a lost race.
        rotates: whether the generation advances, in place of `ROTATE_REFRESH_TOKENS`.

    Returns:
        The tokens, or the refusal.

    Raises:
        TokenError: the token itself is not valid; nothing was read or written.
        Busy: the database kept refusing; nothing was changed.
    """
    now = runtime.now()
    shown = present(verify(raw, now=now), transport, now=now, rotates=rotates)
    rotated = rotation.rotate(shown, mint or partial(_successor, shown, now))
    if rotated.prepared is None:
        return _refusal(rotated, request)
    advanced = rotated.verdict is Verdict.ADVANCED
    announce(session_refreshed, rotated.session, request, rotated=advanced)
    return rotated.prepared


def verify(raw: object) -> Claims:
    """Return the claims of a token that would be accepted now; for a refresh token one SELECT.

    Raises:
        TokenError: it would not be.
        UserInactive: nor would it be, and it is a token of old that is no session yet.
    """
    now = runtime.now()
    claims = tokens.verify_either(raw, now=now)
    if claims.token_type == ACCESS:
        tokens.check_alive(claims)
    elif not rotation.check(present(claims, now=now)):
        raise SessionEnded
    return claims


def identify(raw: str, *, transport: str) -> tuple[Any, Claims]:
    """Return (user, claims) of a refresh token that is in force: one SELECT, nothing changes.

    Raises:
        TokenError: a refresh would be refused.
    """
    now = runtime.now()
    claims = tokens.verify_refresh(raw, now=now)
    session = rotation.check(present(claims, transport, now=now))
    if session is None:
        raise SessionEnded
    return session.user, claims


def logout_of(raw: str | None, request: HttpRequest) -> None:
    """End the session of a refresh cookie; one that is missing or no good is no obstacle."""
    with suppress(TokenError):
        if raw is not None:
            logout(raw, request, transport=Transport.COOKIE)


def logout(
    raw: object, request: HttpRequest | None = None, *, transport: str = Transport.TOKEN
) -> None:
    """End the session of a refresh token; safe to repeat.

    Raises:
        TokenError: the token itself is not valid.
        Busy: the database kept refusing; nothing was changed.
    """
    now = runtime.now()
    presented = present(tokens.verify_refresh(raw, now=now), transport, now=now)
    rows = written().select_related("user").filter(pk=presented.session_id)
    session = retried(rows.first, using=write_database())
    if session is None or session.end_reason:
        return
    user = session.user  # None if its row is gone: that keeps nobody from ending the session
    foreign = user is not None and not presented.belongs_to(user)
    if foreign or session.transport != presented.transport:
        raise InvalidClaim("sid")
    sessions.end(session.pk, user_id=session.user_id, reason=EndReason.LOGOUT)
    say_logged_out(user, request)


def logout_everywhere(user: Any, request: HttpRequest | None = None) -> None:
    """End all sessions of a user; safe to repeat.

    Raises:
        Busy: the database kept refusing.
    """
    sessions.end_all(user, reason=EndReason.LOGOUT_ALL)
    say_logged_out(user, request)


def present(
    claims: Claims, transport: str = Transport.TOKEN, *, now: float, rotates: bool | None = None
) -> Presented:
    """Return what a refresh token presents; a token of old gets its session first."""
    if claims.session_id is None:
        if transport != Transport.TOKEN:
            raise InvalidClaim("sid")
        adoption.adopt(claims, now=now)
    settings = runtime.current().settings
    return Presented(
        session_id=claims.session_id or adoption.session_id(claims),
        generation=claims.generation,
        belongs_to=partial(users.is_named_by, claims),
        allows=users.may_authenticate,
        transport=transport,
        rotates=settings.rotates(transport) if rotates is None else rotates,
        grace=settings.ROTATION_GRACE_PERIOD,
    )


def _successor(presented: Presented, now: float, session: Session, generation: int) -> TokenPair:
    unchanged = generation == presented.generation  # no rotation: the client keeps its token
    return tokens.mint_pair(session, generation, now=now, refresh=not unchanged)


def _refusal(rotated: Rotation[TokenPair], request: HttpRequest | None) -> SignetError:
    if rotated.verdict is Verdict.REUSED:
        announce(refresh_reused, rotated.session, request, generations_behind=rotated.behind)
        logger.warning(
            "session %s ended: a refresh token %d generations old was reused",
            rotated.session,
            rotated.behind,
        )
        return TokenReused(behind=rotated.behind)
    if rotated.verdict is Verdict.INVALID:
        return InvalidClaim("sid")
    if rotated.verdict is Verdict.INACTIVE:
        return UserInactive()
    just_now = sessions.is_just_logged_out(rotated.session, now=runtime.now())
    return SessionEnded(just_now=just_now)
