"""Encode claims as compact JWS, and decode compact JWS strictly (RFC 7515).

The checks run from the cheapest to the most expensive: length, segments, header, key, algorithm,
signature. Claims are parsed only after the signature is verified.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, Protocol

from ..errors import (
    BadSignature,
    MalformedToken,
    UnknownKey,
    UnusableKey,
    WrongAlgorithm,
    WrongTyp,
)
from . import strictjson
from .keys import Key, KeyRing, refuse_duplicates
from .loading import LoadedKey

#: Maximum length of a token that is issued or accepted, in characters.
MAX_TOKEN_LENGTH = 8192

_HEADER_NAMES = frozenset({"alg", "typ", "kid"})


class Sign(Protocol):
    """A function that signs instead of a key of the ring, which may then be public."""

    def __call__(self, key: Key, signing_input: bytes, *, lifetime: float) -> bytes:
        """Return the signature; see `drf_signet.keys.KeyProvider.sign`."""


class Codec:
    """A codec that signs tokens with one key of a ring, and verifies tokens with several.

    The constructor loads the keys. An instance is immutable and safe to share between threads. It
    knows the keys of one moment, and is right until the next key begins to sign or expires: from
    `since` until `until`. `CodecSchedule` returns the codec of the current time.

    Args:
        ring: the keys.
        typ: the value of `typ` in the header; a token must have the same value (RFC 7519 §5.1).
        now: the time whose keys to use, in POSIX seconds.
        sign: signs the tokens. By default, the keys of the ring do.

    Raises:
        UnusableKey: a key cannot be loaded or does not fit its algorithm, or two keys share a
            `kid`.
    """

    since: float
    until: float
    _separator = "."
    _prefix = ""

    def __init__(
        self, ring: KeyRing, *, typ: str = "JWT", now: float = 0.0, sign: Sign | None = None
    ) -> None:
        self._typ = typ
        self._sign = sign
        self._ring = ring
        self._loaded = tuple(map(LoadedKey.load, ring.keys))
        refuse_duplicates(key.kid for key in self._loaded)
        self._select_keys_of(now)

    @property
    def can_sign(self) -> bool:
        """Whether there is a key that signs now; a public key cannot."""
        return self._signing is not None and bool(self._sign or self._signing.can_sign)

    @property
    def verifying_keys(self) -> tuple[LoadedKey, ...]:
        """The keys that verify now, in the order of the ring."""
        return self._keys

    def at(self, now: float) -> Codec:
        """Return the codec for another time, without loading the keys again."""
        codec = copy.copy(self)
        codec._select_keys_of(now)
        return codec

    def with_typ(self, typ: str) -> Codec:
        """Return a codec with the same keys for tokens with another `typ` in the header."""
        codec = copy.copy(self)
        codec._typ = typ
        codec._build_tables()
        return codec

    def for_purpose(self, purpose: str) -> Codec:
        """Return a codec that has the same keys, but writes strings of another form.

        The form is `purpose:header:payload:signature`. Such a string is not a JWS. Its signature
        covers the purpose and the colons, so it is not valid in a JWS or for another purpose.
        """
        codec = copy.copy(self)
        codec._separator = ":"
        codec._prefix = f"{purpose}:"
        codec._build_tables()
        return codec

    def valid_until(self, token: str) -> float:
        """Return when the key of a verified token expires, in POSIX seconds.

        If several keys may have signed the token, the first of them decides.
        """
        header = token.rpartition(self._separator)[0].rpartition(self._separator)[0]
        keys = self._keys_by_header.get(header, self._keys)
        return min((key.source.not_after for key in keys), default=math.inf)

    def encode(self, claims: Mapping[str, Any]) -> str:
        """Sign claims with the key that signs now.

        Raises:
            UnusableKey: no key signs now, or it is a public key, or its `key_ops` does not allow
                signing.
            TypeError, ValueError: the claims are not strict JSON, or the token would be too long.
        """
        key = self._signing
        if key is None:
            raise UnusableKey("no key signs now: all have expired, or their time has not begun")
        if not (self._sign or key.can_sign):
            raise UnusableKey("the first key only verifies: it is public, or not for signing")
        payload = strictjson.dumps(dict(claims))
        strictjson.loads(payload)  # never sign a payload that `decode` would refuse
        signing_input = f"{self._header}{self._separator}{strictjson.b64url_encode(payload)}"
        data = signing_input.encode("ascii")
        if self._sign is None:
            signature = key.algorithm.sign(data, key.key)
        else:
            signature = self._sign(key.source, data, lifetime=_lifetime(claims))
        token = f"{signing_input}{self._separator}{strictjson.b64url_encode(signature)}"
        if len(token) > MAX_TOKEN_LENGTH:
            raise ValueError(f"the token would be longer than {MAX_TOKEN_LENGTH} characters")
        return token

    def decode(self, token: object) -> dict[str, Any]:
        """Check the signature of a token and return its claims. The claims are not validated.

        Raises:
            MalformedToken: the token is longer than `MAX_TOKEN_LENGTH`, does not have three
                canonical Base64URL segments, or has an invalid header or payload.
            UnknownKey: no key of the ring has the token's `kid`.
            WrongAlgorithm: the key with this `kid` is for another algorithm.
            WrongTyp: the header has another `typ`.
            BadSignature: the signature is not valid.
        """
        if not isinstance(token, str) or len(token) > MAX_TOKEN_LENGTH:
            raise MalformedToken("not a string, or too long")
        signed, _, signature = token.rpartition(self._separator)
        header, _, payload = signed.rpartition(self._separator)
        if not (header and payload and signature):
            raise MalformedToken("not three segments")
        try:
            keys = self._keys_by_header.get(header) or self._select_keys(header)
            raw_payload = strictjson.b64url_decode(payload)
            raw_signature = strictjson.b64url_decode(signature)
            signing_input = signed.encode("ascii")
            for key in keys:
                if key.verifies(signing_input, raw_signature):
                    return _json_object(raw_payload)
        except (ValueError, RecursionError) as error:
            raise MalformedToken("not canonical Base64URL, or not strict JSON") from error
        raise BadSignature

    def _select_keys_of(self, now: float) -> None:
        loaded = {id(key.source): key for key in self._loaded}
        signing = self._ring.signing_key(now)
        self._signing = None if signing is None else loaded[id(signing)]
        self._keys = tuple(loaded[id(key)] for key in self._ring.verifying_keys(now))
        self.since, self.until = self._ring.period(now)
        self._build_tables()

    def _build_tables(self) -> None:
        # A key without kid is also found by its thumbprint, which stands in the JWK Set.
        found = ((key.kid or key.thumbprint(), key) for key in self._keys)
        self._keys_by_kid = {kid: (key,) for kid, key in found if kid is not None}
        without_kid = tuple(key for key in self._keys if key.source.kid is None)
        self._keys_without_kid = self._keys if len(self._loaded) == 1 else without_kid
        # Encoded header → the keys to verify the token with. The headers that this class writes
        # are found here and need not be parsed.
        self._keys_by_header = {
            self._header_segment(key): tuple(
                k for k in self._keys_for(key.kid) if k.algorithm_name == key.algorithm_name
            )
            for key in self._keys
        }
        self._header = "" if self._signing is None else self._header_segment(self._signing)

    def _header_segment(self, key: LoadedKey) -> str:
        header = {"typ": self._typ, "alg": key.algorithm_name}
        if key.kid is not None:
            header["kid"] = key.kid
        return self._prefix + strictjson.b64url_encode(strictjson.dumps(header))

    def _keys_for(self, kid: str | None) -> tuple[LoadedKey, ...]:
        return self._keys_without_kid if kid is None else self._keys_by_kid.get(kid, ())

    def _select_keys(self, segment: str) -> tuple[LoadedKey, ...]:
        header = _json_object(strictjson.b64url_decode(segment))
        if not header.keys() <= _HEADER_NAMES:
            raise MalformedToken("unsupported header parameter")
        if not all(isinstance(value, str) for value in header.values()):
            raise MalformedToken("header parameter is not a string")
        candidates = self._keys_for(header.get("kid"))
        if not candidates:
            raise UnknownKey
        matching = tuple(key for key in candidates if key.algorithm_name == header.get("alg"))
        if not matching:
            raise WrongAlgorithm
        if header.get("typ") != self._typ:
            raise WrongTyp("wrong typ in the header")
        return matching


class CodecSchedule:
    """Returns the codec for the keys of a moment, and remembers it until the keys change.

    Args:
        codec: the codec of any time.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def at(self, now: float) -> Codec:
        """Return the codec of a time, in POSIX seconds."""
        codec = self._codec
        if not codec.since <= now < codec.until:
            codec = self._codec = codec.at(now)
        return codec


def _lifetime(claims: Mapping[str, Any]) -> float:
    """Return for how many seconds a new token is valid; 0 if its claims do not say it."""
    issued_at, expires_at = claims.get("iat"), claims.get("exp")
    if isinstance(issued_at, int | float) and isinstance(expires_at, int | float):
        return max(expires_at - issued_at, 0.0)
    return 0.0


def _json_object(data: bytes) -> dict[str, Any]:
    value = strictjson.loads(data)
    if not isinstance(value, dict):
        raise MalformedToken("not a JSON object")
    return value
