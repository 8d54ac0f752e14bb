"""A key provider for a service that only verifies tokens: it reads the JWKS of the issuer.

The service has no table and no secret of the issuer. `KEYS_FROM` is the URL of the JWKS.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from urllib.request import urlopen

from drf_signet.keys import Key, Keys


class FetchedKeys:
    """The public keys of another service."""

    def __init__(self, configured: Sequence[Key]) -> None:
        self._url = os.environ["PROOF_KEYS_FROM"]

    def keys(self) -> Keys:
        with urlopen(self._url, timeout=5) as answer:
            found = json.load(answer)["keys"]
        keys = (Key(algorithm=one["alg"], material=one, kid=one["kid"]) for one in found)
        return Keys(keys=tuple(keys), fresh_for=1.0)

    def sign(self, key: Key, signing_input: bytes, *, lifetime: float) -> bytes:
        raise NotImplementedError("this service issues no tokens")
