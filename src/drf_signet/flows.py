"""The steps of login, refresh, verification and logout.

If a refresh is refused, its session may have been ended. So `refresh` returns the error instead of
raising it: if a view raised it, DRF would roll back the request's transaction, and the session
would stay valid.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError
from django.http import HttpRequest

from . import legacy, runtime, tokens
from .errors import (
    CredentialsRefused,
    InvalidClaim,
    SessionEnded,
    SignetError,
    TokenError,
    TokenReused,
    UserInactive,
)
from .jose.claims import ACCESS, REFRESH, Claims
from .models import EndReason, Session, Transport
from .sessions import lifetimes, rotation, store
from .sessions.announcements import announce, send_user_logged_in, send_user_logged_out
from .sessions.rotation import Rotation, Verdict
from .signals import refresh_reused, session_opened, session_refreshed
from .tokens import BY_SETTINGS, RefreshStrategy, TokenPair
from .transports import access, clients, cookie
from .users import loading
from .users.loading import UserState

logger = logging.getLogger("drf_signet")


def login(
    request: HttpRequest,
    credentials: Mapping[str, Any],
    *,
    transport: str = Transport.TOKEN,
    remember: bool | None = None,
) -> TokenPair:
    """Log in with Django's authentication backends.

    Args:
        credentials: the keyword arguments for Django's `authenticate`.
        transport, remember: see `issue`.

    Raises:
        CredentialsRefused: no backend accepts the credentials, or the user may not authenticate.
    """
    user = loading.authenticate_user(request, credentials)
    try:
        return issue(user, request, transport=transport, remember=remember)
    except DatabaseError as error:
        if loading.was_deleted(user):
            raise CredentialsRefused from error
        raise


def issue(
    user: Any,
    request: HttpRequest | None = None,
    *,
    transport: str = Transport.TOKEN,
    claims: Mapping[str, Any] | None = None,
    idle: timedelta | None = None,
    lifetime: timedelta | None = None,
    remember: bool | None = None,
) -> TokenPair:
    """Open a session for a user whose identity was verified. Return the first tokens.

    `USER_AUTHENTICATION_RULE` is not checked. If a request is given, Django's `user_logged_in`
    signal is sent, which updates `last_login`. With the cookie transport, this function also ends
    the session of the refresh cookie in the request.

    Args:
        transport: how the client will keep the refresh token: "token" or "cookie".
        claims: custom claims for these tokens. A refresh adds only what the `CLAIMS` hook returns.
        idle: how long after the last refresh the session can still be refreshed.
        lifetime: how long after the login the session expires, even if it is in use.
        remember: with the cookie transport, the choice of the user: False for a cookie that the
            browser deletes when it closes, True for a long idle time. `idle`, `lifetime` and the
            `LIFETIMES` setting override the times.

    Raises:
        UserChanged: the user has changed since `user` was loaded or authenticated.
        ValueError: the transport is unknown, a claim has a reserved name, or a lifetime is not
            possible.
        ImproperlyConfigured: the `LIFETIMES` hook returned a value that is not valid.
    """
    transport, state, now = Transport(transport), UserState.of(user), runtime.now()
    chosen = lifetimes.of_login(
        user, request, transport, idle=idle, lifetime=lifetime, remember=remember
    )
    session = store.draft(
        id=store.new_id(now),
        user=user,
        now=now,
        lifetime=chosen.lifetime,
        idle_seconds=chosen.idle_seconds,
        transport=transport,
        client=clients.describe(request),
    )
    pair = tokens.mint_pair(session, 0, now=now, extra=claims, request=request)
    if request is not None and transport == Transport.COOKIE:
        end_session_of_cookie(cookie.read(request), request)
    if request is not None:
        send_user_logged_in(user, request)
    open_session(session, request, state=state)
    return pair


def open_session(session: Session, request: HttpRequest | None, *, state: UserState) -> None:
    """Save a session that `store.draft` returned, and send `session_opened`.

    Normally runs one INSERT. If MAX_SESSIONS_PER_USER is set, further statements follow.

    Raises:
        UserChanged: the user no longer matches `state`.
        Busy: the write kept conflicting with other transactions.
    """
    limit = runtime.current().settings.MAX_SESSIONS_PER_USER
    store.open(session, limit=limit, check=state.check())
    announce(session_opened, session, request)


def authenticate_request(
    request: HttpRequest, load: Callable[..., Any], *arguments: Any
) -> tuple[Any, Claims] | None:
    """Return the user and the claims of a request's access token, or None if there is no token.

    Runs a query only if the revocation feed needs one, or if users are not loaded lazily.

    Args:
        load: called with the claims and `arguments`; returns the user or raises an error.

    Raises:
        MalformedHeader: the request carries more than one token.
        TokenError: the token is not valid, or its session has ended.
        CsrfFailed: the token is in a cookie, and the request may come from another site.
        RevocationUnknown: the revocation feed could not be read.
    """
    claims = access.read(request, now=runtime.now())
    if claims is None:
        return None
    tokens.check_alive(claims)
    return loading.user_for_claims(claims, load, *arguments), claims


async def aauthenticate_request(
    request: HttpRequest, load: Callable[[Claims], Any]
) -> tuple[Any, Claims] | None:
    """Do the same as `authenticate_request`, but run database queries in a thread."""
    current = runtime.current()  # the tenant may depend on the thread; a key provider may block
    if current.tenant_of is not None or current.keys.is_due():
        return await sync_to_async(authenticate_request)(request, load)
    claims = access.read(request, now=runtime.now())
    if claims is None:
        return None
    due = tokens.may_query(claims)  # call once: a second call may return another result
    await _run(tokens.check_alive, claims, ask=due, in_thread=due)
    in_thread = not runtime.current().users_are_lazy
    return await _run(loading.user_for_claims, claims, load, in_thread=in_thread), claims


async def _run(step: Callable[..., Any], *args: Any, in_thread: bool, **kwargs: Any) -> Any:
    """Run a step, in a thread if the step may query the database and so block the event loop."""
    return await sync_to_async(step)(*args, **kwargs) if in_thread else step(*args, **kwargs)


def refresh(
    raw_token: object,
    request: HttpRequest | None = None,
    *,
    transport: str = Transport.TOKEN,
    strategy: RefreshStrategy = BY_SETTINGS,
) -> TokenPair | SignetError:
    """Exchange a refresh token for new tokens. Safe to repeat within the grace period.

    Returns:
        The new tokens, or an error if the refresh is refused.

    Raises:
        TokenError: the token itself is not valid; no session was changed.
        Busy: the write kept conflicting with other transactions; nothing was changed.
    """
    now = runtime.now()
    claims = strategy.verify(raw_token, now=now, request=request)
    attempt = tokens.refresh_attempt(
        claims, transport, now=now, rotates=strategy.rotates(transport)
    )
    mint = partial(strategy.mint, now=now, presented=attempt.generation, request=request)
    rotated = rotation.rotate(attempt, mint)
    if rotated.prepared is None:
        return _refusal(rotated, request)
    advanced = rotated.verdict is Verdict.ADVANCED
    announce(session_refreshed, rotated.session, request, rotated=advanced)
    return rotated.prepared


def verify(raw_token: object, request: HttpRequest | None = None) -> Claims:
    """Return the claims of an access token or a refresh token that is valid now.

    Runs one SELECT for a refresh token. For a legacy refresh token, a session is created first.

    Raises:
        TokenError: the token is not valid.
        UserInactive: a legacy token has no session yet, and its user may not authenticate.
    """
    now = runtime.now()
    claims = tokens.verify(raw_token, now=now, request=request)
    if claims.token_type == ACCESS:
        tokens.check_alive(claims)
    elif not rotation.check(tokens.refresh_attempt(claims, now=now)):
        raise SessionEnded
    return claims


def identify(raw_token: str, request: Any = None, *, transport: str) -> tuple[Any, Claims]:
    """Return the user and the claims of a refresh token that is valid now. Runs one SELECT.

    Raises:
        TokenError: the token is not valid, or a refresh with it would be refused.
    """
    now = runtime.now()
    claims = tokens.verify(raw_token, REFRESH, now=now, request=request)
    if not (session := rotation.check(tokens.refresh_attempt(claims, transport, now=now))):
        raise SessionEnded
    return session.user, claims


def end_session_of_cookie(raw_token: str | None, request: HttpRequest) -> None:
    """End the session of a refresh cookie. Ignore a missing or invalid cookie."""
    with suppress(TokenError):
        if raw_token is not None:
            logout(raw_token, request, transport=Transport.COOKIE)


def logout(
    raw_token: object, request: HttpRequest | None = None, *, transport: str = Transport.TOKEN
) -> None:
    """End the session of a refresh token. Safe to repeat.

    Raises:
        TokenError: the token itself is not valid.
        Busy: the write kept conflicting with other transactions; nothing was changed.
    """
    now = runtime.now()
    claims = tokens.verify(raw_token, REFRESH, now=now, request=request)
    attempt = tokens.refresh_attempt(claims, transport, now=now, ends=True)
    session = rotation.find(attempt)
    if session is None:
        return
    user = rotation.user_of(session)  # None if the user was deleted; end the session anyway
    of_another_user = user is not None and not attempt.belongs_to(user)
    is_valid = not of_another_user and session.transport == attempt.transport
    if is_valid and transport == Transport.TOKEN:
        legacy.revoke(claims, now=now)  # first, so that a client can repeat a logout that fails
    if session.end_reason:
        return
    if not is_valid:
        raise InvalidClaim("sid")
    store.end(session.pk, user_id=session.user_id, reason=EndReason.LOGOUT)
    send_user_logged_out(user, request)


def logout_everywhere(user: Any, request: HttpRequest | None = None) -> None:
    """End all sessions of a user and send `user_logged_out`. Safe to repeat.

    Raises:
        Busy: the write kept conflicting with other transactions.
    """
    store.end_all(user, reason=EndReason.LOGOUT_ALL)
    send_user_logged_out(user, request)


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
    return SessionEnded(just_now=store.was_just_logged_out(rotated.session, now=runtime.now()))
