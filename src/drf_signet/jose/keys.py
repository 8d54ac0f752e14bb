"""The configured keys, as an ordered key ring, and which of them sign and verify at a moment.

A `Key` only holds the configured values, from which `drf_signet.jose.loading` loads the actual key.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import DuplicateKid, ShortSecret, UnusableKey

#: Algorithm → key type (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2).
ALGORITHMS: Mapping[str, str] = {
    "HS256": "oct",
    "HS384": "oct",
    "HS512": "oct",
    "RS256": "RSA",
    "RS384": "RSA",
    "RS512": "RSA",
    "PS256": "RSA",
    "PS384": "RSA",
    "PS512": "RSA",
    "ES256": "EC",
    "ES384": "EC",
    "ES512": "EC",
    "EdDSA": "OKP",
    "Ed25519": "OKP",
}

#: Algorithm → minimum length of a secret in bytes, which is the size of the hash (RFC 7518 §3.2).
MIN_SECRET_BYTES: Mapping[str, int] = {"HS256": 32, "HS384": 48, "HS512": 64}

#: Algorithm → curve (RFC 7518 §3.4, RFC 8037 §3.1, RFC 9864 §2.2).
CURVES: Mapping[str, str] = {
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
}

#: Minimum size of an RSA key, in bits (RFC 7518 §3.3).
MIN_RSA_BITS = 2048

Material = str | bytes | Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key for one algorithm: a shared secret, a PEM string or a JWK.

    A key verifies until `not_after`, and signs from `not_before` until `not_after`. It verifies
    before `not_before`, too, so that every process accepts its first tokens, even if the clocks of
    two processes differ.

    Args:
        algorithm: one of `ALGORITHMS`. The key verifies only tokens with this algorithm.
        material: the secret, a PEM string, or a JWK as a mapping.
        kid: the `kid` in the header of every token that the key signs. If None, `derives_kid`
            decides.
        derives_kid: whether a key without `kid` takes the `kid` of its JWK or, if there is none,
            the thumbprint of its public key (RFC 7638). A secret never gets a thumbprint: every
            token would contain a hash of the secret.
        allow_short: whether to accept a secret that is shorter than the algorithm requires.
        not_before, not_after: the two times in POSIX seconds. The default is no limit.

    Raises:
        UnusableKey: the algorithm is unknown, the secret is empty or too short, or the key would
            expire before it signs.
    """

    algorithm: str
    material: Material = field(repr=False)
    kid: str | None = None
    allow_short: bool = False
    derives_kid: bool = False
    not_before: float = -math.inf
    not_after: float = math.inf

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise UnusableKey(f"unknown algorithm {self.algorithm!r}")
        if not self.material:
            raise UnusableKey(f"the key for {self.algorithm} is empty")
        if self.is_short and not self.allow_short:
            needed = MIN_SECRET_BYTES[self.algorithm]
            raise ShortSecret(f"{self.algorithm} needs a secret of at least {needed} bytes")
        if not self.not_before < self.not_after:
            raise UnusableKey("not_after must be later than not_before")

    @property
    def is_short(self) -> bool:
        """Whether the key is a shared secret with fewer bytes than the algorithm's hash."""
        if isinstance(self.material, Mapping):
            return False  # the codec checks the length of a JWK when it loads the key
        return len(as_bytes(self.material)) < MIN_SECRET_BYTES.get(self.algorithm, 0)


@dataclass(frozen=True, kw_only=True)
class KeyRing:
    """An ordered collection of keys. All keys verify until they expire.

    The first key signs whose time has begun and has not ended. To rotate keys, put the new key
    first.

    Raises:
        UnusableKey: the ring is empty.
        DuplicateKid: two keys share a `kid`.
    """

    keys: tuple[Key, ...]

    def __post_init__(self) -> None:
        if not self.keys:
            raise UnusableKey("there is no key")
        refuse_duplicates(key.kid for key in self.keys)

    def signing_key(self, now: float) -> Key | None:
        """Return the key that signs at a time, in POSIX seconds; None if no key does."""
        return next((key for key in self.keys if key.not_before <= now < key.not_after), None)

    def verifying_keys(self, now: float) -> tuple[Key, ...]:
        """Return the keys that verify at a time, in POSIX seconds, in the order of the ring."""
        return tuple(key for key in self.keys if now < key.not_after)

    def period(self, now: float) -> tuple[float, float]:
        """Return from when until when the same keys sign and verify as at a time.

        The first time belongs to the period, the second does not. Both are in POSIX seconds.
        """
        times = [time for key in self.keys for time in (key.not_before, key.not_after)]
        begins = max((time for time in times if time <= now), default=-math.inf)
        return begins, min((time for time in times if time > now), default=math.inf)


def refuse_duplicates(kids: Iterable[str | None]) -> None:
    """Check that no two keys share a `kid`. Keys without `kid` are ignored.

    Raises:
        DuplicateKid: two keys share a `kid`.
    """
    found = [kid for kid in kids if kid is not None]
    if len(set(found)) != len(found):
        raise DuplicateKid("two keys share a kid")


def as_bytes(material: str | bytes) -> bytes:
    """Return a secret or a PEM string as bytes. A string is encoded as UTF-8.

    Raises:
        UnusableKey: the string cannot be encoded.
    """
    try:
        return material.encode() if isinstance(material, str) else material
    except UnicodeEncodeError:  # `from None`, because the exception contains the string
        raise UnusableKey("a key contains a character that UTF-8 cannot encode") from None
