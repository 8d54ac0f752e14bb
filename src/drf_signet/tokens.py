"""Mint and verify access tokens and refresh tokens, with the keys and rules of the settings.

`refresh_attempt` says which session and which rules a verified refresh token leads to.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from django.http import HttpRequest

from . import legacy, runtime, tenants
from .errors import InvalidClaim, SessionEnded
from .jose.claims import ACCESS, REFRESH, Claims, SessionClaims, build_payload, validate
from .models import Session, Transport
from .sessions.rotation import RefreshAttempt
from .users import loading


@dataclass(frozen=True, kw_only=True)
class TokenPair:
    """New tokens of a session. `refresh` is None if the client keeps its refresh token.

    `expires_in` is the lifetime of the access token in seconds; `refresh_expires_in` is the
    lifetime of the refresh token. `repr` omits the tokens.
    """

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    expires_in: int
    refresh_expires_in: int
    session: Session


def mint_pair(
    session: Session,
    generation: int,
    *,
    now: float,
    refresh: bool = True,
    extra: Mapping[str, Any] | None = None,
    request: HttpRequest | None = None,
) -> TokenPair:
    """Sign an access token for a session and, unless `refresh` is False, a refresh token.

    No token expires later than the session. Runs no query.

    Args:
        generation: the generation of the refresh token.
        now: the time of issue, in POSIX seconds.
        extra: custom claims for these tokens; they override the claims of the `CLAIMS` hook.
        request: the request to pass to the `TENANT` hook.

    Raises:
        ImproperlyConfigured: see `drf_signet.tenants.name_of`.
        ValueError, TypeError: a custom claim has a reserved name, cannot be written as JSON, or
            makes the token too long.
        UnusableKey: the project's keys can verify signatures, but cannot sign.
    """
    current = runtime.current()
    settings, rules = current.settings, current.rules
    custom = dict(settings.CLAIMS(session.user, session)) if settings.CLAIMS else {}
    if extra:
        custom |= extra
    if custom:
        rules.check_custom_claims(custom)
    shared = SessionClaims(
        session_id=session.pk,
        generation=generation,
        user_id=current.subject.claim(session.user),
        auth_time=int(session.auth_time.timestamp()),
        tenant=None if current.tenant_of is None else current.tenant_of(request),
        extra=custom,
    )
    latest = session.expires_at.timestamp()
    expires_at = min(now + settings.ACCESS_TOKEN_LIFETIME.total_seconds(), latest)
    idle_lifetime = settings.idle_lifetime(session.transport, session.idle_seconds)
    refresh_expires_at = min(now + idle_lifetime.total_seconds(), latest)
    # Omit custom claims from refresh cookies: pages cannot read the claims, and browsers limit a
    # cookie to 4096 bytes.
    in_cookie = session.transport == Transport.COOKIE
    refresh_claims = replace(shared, extra={}) if custom and in_cookie else shared
    access_token = _mint(ACCESS, shared, now=now, expires_at=expires_at)
    refresh_token = None
    if refresh:
        refresh_token = _mint(REFRESH, refresh_claims, now=now, expires_at=refresh_expires_at)
    return TokenPair(
        access=access_token,
        refresh=refresh_token,
        expires_in=int(expires_at) - int(now),
        refresh_expires_in=int(refresh_expires_at) - int(now),
        session=session,
    )


def verify_access(raw_token: object, *, now: float, request: HttpRequest | None = None) -> Claims:
    """Return the claims of a valid access token, from the cache if possible. Runs no query.

    Args:
        now: the current time, in POSIX seconds.
        request: the request to pass to the `TENANT` hook.

    Raises:
        TokenError: the token is not a valid access token; the subclass says why.
    """
    current = runtime.current()
    cache = current.verified
    if isinstance(raw_token, str):
        cached = cache.get(raw_token, now=now)
        if cached is not None:
            # All tenants share the cache.
            if current.tenant_of is not None and cached.tenant != current.tenant_of(request):
                raise InvalidClaim("tid")
            return cached
    claims = verify(raw_token, ACCESS, now=now, request=request)
    if isinstance(raw_token, str) and _may_be_cached(raw_token, claims, now):
        cache.put(raw_token, claims)
    return claims


def _may_be_cached(raw_token: str, claims: Claims, now: float) -> bool:
    """Return whether a token stays valid until it expires, unless its session ends.

    Legacy tokens stop being accepted at ADOPT_TOKENS_UNTIL; other tokens when their key expires, or
    at BOTH_PROFILES_UNTIL.
    """
    valid_until = runtime.current().keys.profiles.valid_until(raw_token, now=now)
    return claims.sid is not None and claims.expires_at <= valid_until


def check_alive(claims: Claims, *, ask: bool = True) -> None:
    """Check that the session of an access token has not ended, as far as this process knows.

    Args:
        ask: whether the feed may query the database.

    Raises:
        SessionEnded: the session has ended.
        RevocationUnknown: the revocation feed could not be read.
    """
    key = claims.session_key
    if key is None:
        key = _key_of_long_lived(claims)
        ended = key is not None and runtime.current().feed.has_ended_for_long(key, ask=ask)
    else:
        ended = runtime.current().feed.has_ended(key, ask=ask)
    if ended:
        raise SessionEnded


def may_query(claims: Claims) -> bool:
    """Return whether `check_alive` may query the database for these claims."""
    feed = runtime.current().feed
    if claims.session_key is not None:
        return feed.is_due()
    key = _key_of_long_lived(claims)
    return key is not None and feed.is_due(key)


def _key_of_long_lived(claims: Claims) -> int | None:
    """Return the session key of a long-lived token; None for a legacy token."""
    session_id = claims.session_id
    return None if session_id is None else session_id.int


def verify(
    raw_token: object,
    token_type: str | None = None,
    *,
    now: float,
    request: HttpRequest | None = None,
) -> Claims:
    """Return the claims of a valid token, without checking whether its session has ended.

    Args:
        token_type: `ACCESS` or `REFRESH`; None accepts both.
        now: the current time, in POSIX seconds.
        request: the request to pass to the `TENANT` hook.

    Raises:
        TokenError: the token is not a valid token of this type; the subclass says why.
    """
    current = runtime.current()
    profiles = current.keys.profiles
    if (codec := profiles.fixed) is not None:
        payload = codec.decode(raw_token)
    else:
        payload = profiles.decode(raw_token, token_type, now=now)
    tenant, untagged = None, False
    if current.tenant_of is not None:
        tenant = current.tenant_of(request)
        untagged = token_type != ACCESS and tenants.has_own_table(tenant)
    return validate(
        payload,
        token_type=token_type,
        rules=current.rules,
        now=now,
        tenant=tenant,
        accepts_untagged=untagged,
    )


def _mint(token_type: str, shared: SessionClaims, *, now: float, expires_at: float) -> str:
    current = runtime.current()
    payload = build_payload(
        token_type,
        shared,
        rules=current.rules,
        jti=uuid.uuid4().hex,
        now=now,
        expires_at=expires_at,
    )
    profiles = current.keys.profiles
    if (codec := profiles.fixed) is not None:
        return codec.encode(payload)
    return profiles.encode(payload, now=now)


def refresh_attempt(
    claims: Claims,
    transport: str = Transport.TOKEN,
    *,
    now: float,
    rotates: bool | None = None,
    ends: bool = False,
) -> RefreshAttempt:
    """Return the `RefreshAttempt` for verified claims. For a legacy token, create a session first.

    Args:
        rotates: whether a refresh issues a new refresh token. None: the settings decide.
        ends: whether to accept a token that the other package has revoked, to end its session.
    """
    current = runtime.current()
    settings = current.settings
    session_id = claims.session_id
    if transport == Transport.TOKEN and (session_id is None or now < current.rules.adopt_until):
        session_id = legacy.session_of(claims, now=now, ends=ends)
    if session_id is None:
        raise InvalidClaim("sid")
    return RefreshAttempt(
        session_id=session_id,
        generation=claims.generation,
        belongs_to=partial(current.subject.matches, key=claims.user_key),
        allows=settings.USER_AUTHENTICATION_RULE,
        transport=transport,
        rotates=settings.rotates(transport) if rotates is None else rotates,
        grace=settings.ROTATION_GRACE_PERIOD,
        users=loading.all_users() if current.users_may_be_hidden else None,
        compares_password=settings.ends_with_password,
    )


class RefreshStrategy:
    """The methods that a refresh calls to verify the token, decide on rotation, and mint tokens.

    This class follows the settings. A subclass can support another token format.
    """

    def verify(self, raw_token: Any, *, now: float, request: HttpRequest | None) -> Claims:
        """Return the verified claims of the refresh token.

        Raises:
            TokenError: the token is not a valid refresh token.
        """
        return verify(raw_token, REFRESH, now=now, request=request)

    def rotates(self, transport: str) -> bool:
        """Return whether a refresh issues a new refresh token with the next generation."""
        return runtime.current().settings.rotates(transport)

    def mint(
        self,
        session: Session,
        generation: int,
        *,
        now: float,
        presented: int,
        request: HttpRequest | None,
    ) -> TokenPair:
        """Return the tokens for a generation of a session.

        A refresh calls this method before anything is written. If another request changes the
        session in the meantime, the refresh calls this method again.

        Args:
            generation: the generation to issue.
            presented: the generation of the refresh token that the client sent. If it equals
                `generation`, the client keeps its refresh token.
        """
        refresh = generation != presented
        return mint_pair(session, generation, now=now, refresh=refresh, request=request)


#: The strategy of this package's endpoints.
BY_SETTINGS = RefreshStrategy()
