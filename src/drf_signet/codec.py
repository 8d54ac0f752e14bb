"""Claims ⇄ compact JWS (RFC 7515), strictly. The only module that imports the JOSE library.

The reader goes from cheap to dear and from certain to doubtful: form, header, key, algorithm,
signature; what is not signed by one of our keys is never parsed as claims.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from joserfc import jwk
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwa import JWSAlgModel
from joserfc.jws import JWSRegistry

from . import strictjson
from .errors import BadSignature, MalformedToken, UnknownKey, UnusableKey, WrongAlgorithm
from .keys import ALGORITHMS, MIN_RSA_BITS, MIN_SECRET_BYTES, Key, KeyRing, as_bytes

#: Longest token that is issued or read, in characters.
MAX_TOKEN_LENGTH = 8192

# What a key with a public half begins with. As a secret, whoever reads that half could sign.
_KEY_PAIR = re.compile(rb"-----BEGIN |ssh-(?:rsa|ed25519) |ecdsa-sha2-")
_HEADER_NAMES = frozenset({"alg", "typ", "kid"})


class Codec:
    """Signs with the first key of a ring and reads what any of its keys has signed.

    Keys are imported once, here; an instance is immutable and safe to share between threads.

    Args:
        ring: the keys.
        typ: the media type written into and demanded of the header (RFC 7519 §5.1).

    Raises:
        UnusableKey: a key cannot be imported or does not fit its algorithm.
    """

    def __init__(self, ring: KeyRing, *, typ: str = "JWT") -> None:
        self._typ = typ
        self._keys = tuple(_Loaded.load(key) for key in ring.keys)
        self._by_kid = {key.kid: (key,) for key in self._keys if key.kid is not None}
        self._without_kid = self._keys if len(self._keys) == 1 else _kidless(self._keys)
        # The headers we write ourselves are recognised by their text, without parsing.
        headers = [self._header_segment(key) for key in self._keys]
        self._known = {
            header: tuple(k for k in self._for(key.kid) if k.name == key.name)
            for header, key in zip(headers, self._keys, strict=True)
        }
        self._header = headers[0]

    @property
    def can_sign(self) -> bool:
        """Whether the first key of the ring has a private part that may sign."""
        return self._keys[0].can_sign

    def encode(self, claims: Mapping[str, Any]) -> str:
        """Sign claims with the first key.

        Raises:
            UnusableKey: that key is a public key, or by its `key_ops` not for signing.
            TypeError, ValueError: the claims are not JSON, or make a token that nobody would read.
        """
        key = self._keys[0]
        if not key.can_sign:
            raise UnusableKey("the first key only verifies: it is public, or not for signing")
        payload = strictjson.dumps(dict(claims))
        strictjson.loads(payload)  # what we would refuse to read is not signed either
        signing_input = f"{self._header}.{strictjson.b64url_encode(payload)}"
        signature = key.algorithm.sign(signing_input.encode("ascii"), key.key)
        token = f"{signing_input}.{strictjson.b64url_encode(signature)}"
        if len(token) > MAX_TOKEN_LENGTH:
            raise ValueError(f"the token would be longer than {MAX_TOKEN_LENGTH} characters")
        return token

    def decode(self, token: object) -> dict[str, Any]:
        """Return the claims of a token signed by a key of the ring. Their values are unchecked.

        Raises:
            MalformedToken: not three canonical Base64URL segments of at most `MAX_TOKEN_LENGTH`
                characters in all, or header or payload is not the JSON object it has to be.
            UnknownKey, WrongAlgorithm, BadSignature: as their names say.
        """
        if not isinstance(token, str) or len(token) > MAX_TOKEN_LENGTH:
            raise MalformedToken("not a text of acceptable length")
        signed, _, signature = token.rpartition(".")
        header, _, payload = signed.partition(".")
        if not (header and payload and signature):
            raise MalformedToken("not three segments")
        try:
            keys = self._known.get(header) or self._select(header)
            raw_payload = strictjson.b64url_decode(payload)
            raw_signature = strictjson.b64url_decode(signature)
            signing_input = signed.encode("ascii")
            for key in keys:
                if key.verifies(signing_input, raw_signature):
                    return _json_object(raw_payload)
        except (ValueError, RecursionError) as error:
            raise MalformedToken("not canonical Base64URL, or not strict JSON") from error
        raise BadSignature

    def _header_segment(self, key: _Loaded) -> str:
        header = {"typ": self._typ, "alg": key.name}
        if key.kid is not None:
            header["kid"] = key.kid
        return strictjson.b64url_encode(strictjson.dumps(header))

    def _for(self, kid: str | None) -> tuple[_Loaded, ...]:
        return self._without_kid if kid is None else self._by_kid.get(kid, ())

    def _select(self, segment: str) -> tuple[_Loaded, ...]:
        header = _json_object(strictjson.b64url_decode(segment))
        if not header.keys() <= _HEADER_NAMES:
            raise MalformedToken("a header parameter that we do not understand")
        if not all(isinstance(value, str) for value in header.values()):
            raise MalformedToken("a header parameter that is not a text")
        candidates = self._for(header.get("kid"))
        if not candidates:
            raise UnknownKey
        matching = tuple(key for key in candidates if key.name == header.get("alg"))
        if not matching:
            raise WrongAlgorithm
        if header.get("typ") != self._typ:
            raise MalformedToken("of another type")
        return matching


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """A key of the ring, imported and checked against its algorithm."""

    name: str
    kid: str | None
    algorithm: JWSAlgModel
    key: jwk.Key

    @classmethod
    def load(cls, key: Key) -> _Loaded:
        algorithm = JWSRegistry.algorithms[key.algorithm]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SecurityWarning)  # lengths are checked by us
                loaded = _import(key)
                algorithm.check_key(loaded)
                loaded.check_key_op("verify")  # every key of a ring verifies
        except Exception as error:  # importers raise what they like: KeyError, UnsupportedAlgorithm
            raise UnusableKey(f"not a key for {key.algorithm}: {error}") from error
        _check_strength(key, loaded)
        return cls(name=key.algorithm, kid=key.kid, algorithm=algorithm, key=loaded)

    @property
    def can_sign(self) -> bool:
        try:
            self.key.check_key_op("sign")
        except JoseError:
            return False
        return True

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        try:
            return bool(self.algorithm.verify(signed, signature, self.key))
        except Exception:  # whatever a primitive makes of a hostile signature: not verified
            return False


def _kidless(keys: tuple[_Loaded, ...]) -> tuple[_Loaded, ...]:
    return tuple(key for key in keys if key.kid is None)


def _import(key: Key) -> jwk.Key:
    key_type = ALGORITHMS[key.algorithm]
    if isinstance(key.material, Mapping):
        declared = key.material.get("kty")
        if declared != key_type:
            raise ValueError(f"it needs kty {key_type!r}, not {declared!r}")
        return jwk.import_key(cast(jwk.DictKey, dict(key.material)))
    return jwk.JWKRegistry.import_key(as_bytes(key.material), key_type)


def _check_strength(key: Key, loaded: jwk.Key) -> None:
    if isinstance(loaded, jwk.OctKey):
        needed = MIN_SECRET_BYTES[key.algorithm]
        if _KEY_PAIR.search(loaded.raw_value):  # RFC 8725 §2.1
            raise UnusableKey(f"{key.algorithm} needs a secret, not a private or public key")
        if len(loaded.raw_value) < needed and not key.allow_short:
            raise UnusableKey(f"{key.algorithm} needs a secret of at least {needed} bytes")
    if isinstance(loaded, jwk.RSAKey) and loaded.raw_value.key_size < MIN_RSA_BITS:
        raise UnusableKey(f"{key.algorithm} needs an RSA key of at least {MIN_RSA_BITS} bits")
    if isinstance(loaded, jwk.OKPKey) and loaded.curve_name != "Ed25519":
        raise UnusableKey(f"{key.algorithm} needs a key on the curve Ed25519")


def _json_object(data: bytes) -> dict[str, Any]:
    value = strictjson.loads(data)
    if not isinstance(value, dict):
        raise MalformedToken("not an object")
    return value
