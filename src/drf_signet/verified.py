"""Tokens that were verified before, so that the same token is not verified twice.

A hit answers one question only: that these bytes were signed by a key of ours and said this.
Whoever asks still checks the time and the revocation feed. A change of keys or settings makes a
new cache (see `drf_signet.runtime`).
"""

from __future__ import annotations

from .claims import Claims

#: Tokens that a process remembers at most.
CAPACITY = 4096


class VerifiedTokens:
    """A bounded map from whole tokens to their claims, least recently used first out.

    Two dicts take turns: a full young one becomes the old one, whose entries are dropped at the
    next turn unless they were asked for. Each step is one dict operation, safe under threads
    without a lock: the worst that a race does is to forget an entry.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._half = max(1, capacity // 2)
        self._young: dict[str, Claims] = {}
        self._old: dict[str, Claims] = {}

    def get(self, token: str, *, now: float) -> Claims | None:
        """Return the claims of a token that was verified before and has not expired since."""
        claims = self._young.get(token)
        if claims is None:
            claims = self._old.get(token)
            if claims is None:
                return None
            self.put(token, claims)
        return claims if claims.expires_at > now else None

    def put(self, token: str, claims: Claims) -> None:
        """Remember a verified token."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[token] = claims

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())
