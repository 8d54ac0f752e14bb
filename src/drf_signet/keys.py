"""Signing keys as they are configured: an ordered ring, of which the first key signs.

A key here is a description; `drf_signet.codec` turns it into something that signs and verifies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import UnusableKey

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

#: Shortest secret, in bytes: the size of the hash (RFC 7518 §3.2).
MIN_SECRET_BYTES: Mapping[str, int] = {"HS256": 32, "HS384": 48, "HS512": 64}

#: Shortest RSA modulus, in bits (RFC 7518 §3.3).
MIN_RSA_BITS = 2048

Material = str | bytes | Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key: a shared secret, a PEM text or a JWK, bound to one algorithm.

    Args:
        algorithm: one of `ALGORITHMS`. A token verifies only under this one.
        material: the secret itself, a PEM text, or a JWK as a mapping.
        kid: written into the header of every token it signs; None writes none.
        allow_short: accept a secret shorter than the algorithm asks for.

    Raises:
        UnusableKey: the algorithm is unknown, or the secret is empty or too short.
    """

    algorithm: str
    material: Material = field(repr=False)
    kid: str | None = None
    allow_short: bool = False

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise UnusableKey(f"unknown algorithm {self.algorithm!r}")
        if not self.material:
            raise UnusableKey(f"the key for {self.algorithm} is empty")
        if self.is_short and not self.allow_short:
            needed = MIN_SECRET_BYTES[self.algorithm]
            raise UnusableKey(f"{self.algorithm} needs a secret of at least {needed} bytes")

    @property
    def is_short(self) -> bool:
        """Whether this is a shared secret with fewer bytes than its hash."""
        if isinstance(self.material, Mapping):
            return False  # a JWK's length is checked when it is imported
        return len(as_bytes(self.material)) < MIN_SECRET_BYTES.get(self.algorithm, 0)


@dataclass(frozen=True, kw_only=True)
class KeyRing:
    """Keys in order: the first signs, all verify. Rotation is putting a new one in front.

    Raises:
        UnusableKey: the ring is empty, or two keys share a `kid`.
    """

    keys: tuple[Key, ...]

    def __post_init__(self) -> None:
        if not self.keys:
            raise UnusableKey("there is no key")
        kids = [key.kid for key in self.keys if key.kid is not None]
        if len(set(kids)) != len(kids):
            raise UnusableKey("two keys share a kid")


def as_bytes(material: str | bytes) -> bytes:
    """Return the bytes of a secret or PEM text; text is UTF-8."""
    return material.encode() if isinstance(material, str) else material
