"""The cache of verified access tokens: a process verifies each signature only once.

A token in the cache has a valid signature and valid claims. The cache checks whether the token has
expired. The caller checks whether the session has ended. When keys or settings change,
`drf_signet.runtime` creates a new cache.
"""

from __future__ import annotations

from .claims import Claims

#: Maximum number of tokens that a process caches.
CAPACITY = 4096


class VerifiedTokens:
    """A cache of limited size: token → claims. Tokens that were not used recently are dropped.

    There are two dicts. When the young dict is full, it becomes the old dict, and the previous old
    dict is dropped. A hit in the old dict copies the token to the young dict. Each step is one dict
    operation, so no lock is needed: a race between threads can only lose an entry.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._half = max(1, capacity // 2)
        self._young: dict[str, Claims] = {}
        self._old: dict[str, Claims] = {}

    def get(self, token: str, *, now: float) -> Claims | None:
        """Return the claims of a token, or None if the token is not cached or has expired."""
        claims = self._young.get(token)
        if claims is None:
            claims = self._old.get(token)
            if claims is None:
                return None
            self.put(token, claims)
        return claims if claims.expires_at > now else None

    def put(self, token: str, claims: Claims) -> None:
        """Cache the claims of a verified token."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[token] = claims

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())
