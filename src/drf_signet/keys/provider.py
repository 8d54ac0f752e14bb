"""The interface of a key provider, which the setting `KEY_PROVIDER` names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..jose.keys import Key


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The keys that are in use now.

    Args:
        keys: the first key signs, and all keys verify. A key may be public: the provider signs.
        fresh_for: after how many seconds to ask for the keys again.
    """

    keys: tuple[Key, ...]
    fresh_for: float


class KeyProvider(Protocol):
    """A source of keys: the database, or a service that keeps the private keys to itself.

    The class, or another callable, is called once per process with the keys of the settings, as a
    sequence of `Key`. A provider that also returns these keys keeps their tokens valid.
    """

    def keys(self) -> Keys:
        """Return the keys that sign and verify now. Only one thread of a process asks at a time.

        If this raises an exception, the process uses the last keys for REVOCATION_MAX_STALENESS.
        After that, requests get a 503.
        """

    def sign(self, key: Key, signing_input: bytes, *, lifetime: float) -> bytes:
        """Return the signature for a token, in the format of RFC 7518 §3.

        If this raises an exception, the request gets a 503.

        Args:
            key: the first of the keys that `keys` returned.
            signing_input: the bytes to sign.
            lifetime: for how many seconds the token is valid. The key must verify for that long
                after it has stopped signing.
        """
