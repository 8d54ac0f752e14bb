"""Mint and verify the two kinds of token, by the runtime's key ring, lifetimes and rules."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from . import claims, runtime
from .claims import Claims, Grant
from .errors import SessionEnded
from .models import Session, Transport


@dataclass(frozen=True, kw_only=True)
class TokenPair:
    """Fresh tokens of one session. `refresh` is None where the client keeps the one it has.

    `expires_in` is the life of the access token, `refresh_expires_in` that of the refresh token, in
    seconds. Representations leave the tokens out.
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
) -> TokenPair:
    """Sign an access token of a session and, unless `refresh` is False, a refresh token.

    Neither outlives the session. Nothing is read or written.

    Args:
        generation: of the refresh token.
        now: POSIX seconds.
        extra: claims of this call, over those that the `CLAIMS` hook computes.

    Raises:
        ValueError, TypeError: a claim is reserved, not JSON, or makes the token too long.
        UnusableKey: this project's keys can only verify.
    """
    settings = runtime.current().settings
    hook = settings.CLAIMS
    own = {**(hook(session.user, session) if hook else {}), **(extra or {})}
    grant = Grant(
        session_id=session.pk,
        generation=generation,
        user_id=runtime.current().subject.claim(session.user),
        auth_time=int(session.auth_time.timestamp()),
        extra=own,
    )
    end = session.expires_at.timestamp()
    expires_at = min(now + settings.ACCESS_TOKEN_LIFETIME.total_seconds(), end)
    idle_end = min(now + settings.idle_lifetime(session.transport).total_seconds(), end)
    # A cookie has no room for claims that nobody reads: browsers drop one above 4096 bytes.
    lasting = replace(grant, extra={}) if session.transport == Transport.COOKIE else grant
    return TokenPair(
        access=_mint(claims.ACCESS, grant, now=now, expires_at=expires_at),
        refresh=_mint(claims.REFRESH, lasting, now=now, expires_at=idle_end) if refresh else None,
        expires_in=int(expires_at) - int(now),
        refresh_expires_in=int(idle_end) - int(now),
        session=session,
    )


def verify_access(raw: object, *, now: float) -> Claims:
    """Return the claims of an access token. No database; a token seen before is not read again.

    Raises:
        TokenError: it is not a valid access token; the subclass says why.
    """
    verified = runtime.current().verified
    if isinstance(raw, str) and (known := verified.get(raw, now=now)) is not None:
        return known
    found = _verify(raw, claims.ACCESS, now)
    if isinstance(raw, str) and found.sid is not None:  # tokens of old have a last day
        verified.put(raw, found)
    return found


def check_alive(claims: Claims, *, ask: bool = True) -> None:
    """Check that the session of an access token has not ended, as far as this process knows.

    Args:
        ask: whether the feed may ask a database.

    Raises:
        SessionEnded: it has.
        RevocationUnknown: the feed is too old.
    """
    sid = claims.sid
    if sid is not None and runtime.current().feed.has_ended(sid, ask=ask):
        raise SessionEnded


def verify_refresh(raw: object, *, now: float) -> Claims:
    """Return the claims of a refresh token; whether its session goes on is another question.

    Raises:
        TokenError: it is not a valid refresh token; the subclass says why.
    """
    return _verify(raw, claims.REFRESH, now)


def verify_either(raw: object, *, now: float) -> Claims:
    """Return the claims of a token of either kind.

    Raises:
        TokenError: it is not a valid token; the subclass says why.
    """
    return _verify(raw, None, now)


def _mint(token_type: str, grant: Grant, *, now: float, expires_at: float) -> str:
    current = runtime.current()
    payload = claims.write(
        token_type,
        grant,
        rules=current.rules,
        jti=uuid.uuid4().hex,
        now=now,
        expires_at=expires_at,
    )
    return current.codec.encode(payload)


def _verify(raw: object, token_type: str | None, now: float) -> Claims:
    current = runtime.current()
    payload = current.codec.decode(raw)
    return claims.read(payload, token_type=token_type, rules=current.rules, now=now)
