"""The public keys as a JWK Set (RFC 7517), for services that verify tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .loading import LoadedKey

#: How long a service may use a copy of the JWK Set, in seconds. A new key must be published for
#: this long before it signs.
MAX_AGE = 300


def key_set(keys: Iterable[LoadedKey]) -> dict[str, Any]:
    """Return the JWK Set of keys. It contains no private key and no secret.

    A key without `kid` has its thumbprint in the set, and no `kid` in the header of its tokens.
    """
    found = {}
    for key in keys:
        public = key.public_jwk()
        if public is not None:
            kid = key.kid or key.thumbprint()
            found[kid] = {**public, "use": "sig", "alg": key.algorithm_name, "kid": kid}
    return {"keys": list(found.values())}


def algorithms(keys: Iterable[LoadedKey]) -> list[str]:
    """Return the algorithms of the keys in the JWK Set, without repetitions."""
    return list(dict.fromkeys(key["alg"] for key in key_set(keys)["keys"]))
