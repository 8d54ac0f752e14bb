"""Encode claims as compact JWS, and decode compact JWS strictly (RFC 7515).

The checks run from the cheapest to the most expensive: length, segments, header, key, algorithm,
signature. Claims are parsed only after the signature is verified. Only this module uses joserfc.
"""

from __future__ import annotations

import base64
import copy
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from joserfc import jwk
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwa import JWSAlgModel
from joserfc.jws import JWSRegistry

from ..errors import BadSignature, MalformedToken, UnknownKey, UnusableKey, WrongAlgorithm
from . import strictjson
from .keys import ALGORITHMS, MIN_RSA_BITS, MIN_SECRET_BYTES, Key, KeyRing, as_bytes

#: Maximum length of a token that is issued or accepted, in characters.
MAX_TOKEN_LENGTH = 8192

# Matches the beginnings of PEM and SSH keys, and the member `kty`, which every JWK has. A key in
# such a format must not be used as a secret: anyone who knows the public key could sign tokens.
_KEY_TEXT = re.compile(
    rb"""---- ?BEGIN |ssh-(?:rsa|dss|ed25519) |ssh-ed25519@|ecdsa-sha2-|["']kty\\*["']\s*:"""
)
# Matches what may separate the lines of a PEM key: white space, a byte order mark, and the escapes
# "\n" and "\r", which an environment variable may contain instead of line breaks.
_BETWEEN_LINES = re.compile(rb"\s|\\[rn]|\xef\xbb\xbf")
_HEADER_NAMES = frozenset({"alg", "typ", "kid"})


class Codec:
    """A codec that signs tokens with a ring's first key and verifies tokens with any of its keys.

    The constructor loads the keys. An instance is immutable and safe to share between threads.

    Args:
        ring: the keys.
        typ: the value of `typ` in the header; a token must have the same value (RFC 7519 §5.1).

    Raises:
        UnusableKey: a key cannot be loaded or does not fit its algorithm.
    """

    _separator = "."

    def __init__(self, ring: KeyRing, *, typ: str = "JWT") -> None:
        self._typ = typ
        self._keys = tuple(_LoadedKey.load(key) for key in ring.keys)
        self._keys_by_kid = {key.kid: (key,) for key in self._keys if key.kid is not None}
        without_kid = tuple(key for key in self._keys if key.kid is None)
        self._keys_without_kid = self._keys if len(self._keys) == 1 else without_kid
        # Encoded header → the keys to verify the token with. The headers that this class writes
        # are found here and need not be parsed.
        headers = [self._header_segment(key) for key in self._keys]
        self._keys_by_header = {
            header: tuple(
                k for k in self._keys_for(key.kid) if k.algorithm_name == key.algorithm_name
            )
            for header, key in zip(headers, self._keys, strict=True)
        }
        self._header = headers[0]

    @property
    def can_sign(self) -> bool:
        """Whether the first key of the ring can sign; a public key cannot."""
        return self._keys[0].can_sign

    def for_purpose(self, purpose: str) -> Codec:
        """Return a codec that has the same keys, but writes strings of another form.

        The form is `purpose:header:payload:signature`. Such a string is not a JWS. Its signature
        covers the purpose and the colons, so it is not valid in a JWS or for another purpose.
        """
        codec = copy.copy(self)
        codec._separator = ":"
        codec._header = f"{purpose}:{self._header}"
        codec._keys_by_header = {
            f"{purpose}:{header}": keys for header, keys in self._keys_by_header.items()
        }
        return codec

    def encode(self, claims: Mapping[str, Any]) -> str:
        """Sign claims with the first key.

        Raises:
            UnusableKey: the first key is a public key, or its `key_ops` does not allow signing.
            TypeError, ValueError: the claims are not strict JSON, or the token would be too long.
        """
        key = self._keys[0]
        if not key.can_sign:
            raise UnusableKey("the first key only verifies: it is public, or not for signing")
        payload = strictjson.dumps(dict(claims))
        strictjson.loads(payload)  # never sign a payload that `decode` would refuse
        signing_input = f"{self._header}{self._separator}{strictjson.b64url_encode(payload)}"
        signature = key.algorithm.sign(signing_input.encode("ascii"), key.key)
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

    def _header_segment(self, key: _LoadedKey) -> str:
        header = {"typ": self._typ, "alg": key.algorithm_name}
        if key.kid is not None:
            header["kid"] = key.kid
        return strictjson.b64url_encode(strictjson.dumps(header))

    def _keys_for(self, kid: str | None) -> tuple[_LoadedKey, ...]:
        return self._keys_without_kid if kid is None else self._keys_by_kid.get(kid, ())

    def _select_keys(self, segment: str) -> tuple[_LoadedKey, ...]:
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
            raise MalformedToken("wrong typ in the header")
        return matching


@dataclass(frozen=True, kw_only=True)
class _LoadedKey:
    """A key of the ring that was loaded and checked against its algorithm."""

    algorithm_name: str
    kid: str | None
    algorithm: JWSAlgModel
    key: jwk.Key
    can_sign: bool

    @classmethod
    def load(cls, key: Key) -> _LoadedKey:
        algorithm = JWSRegistry.algorithms[key.algorithm]
        try:
            with warnings.catch_warnings():
                # joserfc warns about weak keys, but `_check_strength` below is stricter.
                warnings.simplefilter("ignore", SecurityWarning)
                loaded = _import(key)
                algorithm.check_key(loaded)
                loaded.check_key_op("verify")  # all keys must be able to verify
        except Exception as error:  # such as JoseError, KeyError or UnsupportedAlgorithm
            raise UnusableKey(f"not a key for {key.algorithm}: {error}") from error
        _check_strength(key, loaded)
        return cls(
            algorithm_name=key.algorithm,
            kid=key.kid,
            algorithm=algorithm,
            key=loaded,
            can_sign=_may_sign(loaded),
        )

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        try:
            return bool(self.algorithm.verify(signed, signature, self.key))
        except Exception:  # checking an invalid signature may raise any exception
            return False


def _may_sign(key: jwk.Key) -> bool:
    try:
        key.check_key_op("sign")
    except JoseError:
        return False
    return True


def _import(key: Key) -> jwk.Key:
    key_type = ALGORITHMS[key.algorithm]
    if isinstance(key.material, Mapping):
        declared = key.material.get("kty")
        if declared != key_type:
            raise ValueError(f"its kty must be {key_type!r}, not {declared!r}")
        return jwk.import_key(cast(jwk.DictKey, dict(key.material)))
    return jwk.JWKRegistry.import_key(as_bytes(key.material), key_type)


def _check_strength(key: Key, loaded: jwk.Key) -> None:
    if isinstance(loaded, jwk.OctKey):
        needed = MIN_SECRET_BYTES[key.algorithm]
        if _is_key_text(loaded.raw_value):  # a public key used as a secret: RFC 8725 §2.1
            raise UnusableKey(
                f"{key.algorithm} needs a secret, not a private or public key, nor a JWK in a "
                "string: it must be a dict"
            )
        if len(loaded.raw_value) < needed and not key.allow_short:
            raise UnusableKey(f"{key.algorithm} needs a secret of at least {needed} bytes")
    if isinstance(loaded, jwk.RSAKey) and loaded.raw_value.key_size < MIN_RSA_BITS:
        raise UnusableKey(f"{key.algorithm} needs an RSA key of at least {MIN_RSA_BITS} bits")
    if isinstance(loaded, jwk.OKPKey) and loaded.curve_name != "Ed25519":
        raise UnusableKey(f"{key.algorithm} needs a key on the curve Ed25519")


def _is_key_text(secret: bytes) -> bool:
    """Return whether a secret is a JWK, an SSH key, or a PEM key, even without its BEGIN line."""
    if _KEY_TEXT.search(secret) or _is_asymmetric(secret):
        return True
    body = _BETWEEN_LINES.sub(b"", secret).rstrip(b"=")
    try:
        decoded = base64.b64decode(body + b"=" * (-len(body) % 4), validate=True)
    except ValueError:
        return False
    return bool(_KEY_TEXT.search(decoded)) or _is_asymmetric(decoded)


def _is_asymmetric(der: bytes) -> bool:
    """Return whether the bytes are a private key, a public key or a certificate in DER format."""
    if not der.startswith(b"\x30"):  # keys and certificates begin with the tag of a SEQUENCE
        return False
    certificate = (  # joserfc reads certificates only in PEM
        b"-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----" % base64.encodebytes(der)
    )
    return any(_imports(text, name) for text in (der, certificate) for name in ("RSA", "EC", "OKP"))


def _imports(der: bytes, key_type: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            jwk.JWKRegistry.import_key(der, key_type)
    except Exception:  # joserfc may raise any exception, as in `_LoadedKey.load`
        return False
    return True


def _json_object(data: bytes) -> dict[str, Any]:
    value = strictjson.loads(data)
    if not isinstance(value, dict):
        raise MalformedToken("not a JSON object")
    return value
