"""Load the configured keys with joserfc, and check that each fits its algorithm.

Only this module uses joserfc.
"""

from __future__ import annotations

import base64
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from joserfc import jwk
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwa import JWSAlgModel
from joserfc.jws import JWSRegistry

from ..errors import UnusableKey
from .keys import ALGORITHMS, MIN_RSA_BITS, MIN_SECRET_BYTES, Key, as_bytes

#: Algorithm → the curve, or the size in bits, of a new key. An RSA key has the smallest size.
_NEW_KEYS: Mapping[str, str | int] = {
    **{name: 8 * size for name, size in MIN_SECRET_BYTES.items()},
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
}

# Matches the beginnings of PEM and SSH keys, and the member `kty`, which every JWK has. A key in
# such a format must not be used as a secret: anyone who knows the public key could sign tokens.
_KEY_TEXT = re.compile(
    rb"""---- ?BEGIN |ssh-(?:rsa|dss|ed25519) |ssh-ed25519@|ecdsa-sha2-|["']kty\\*["']\s*:"""
)
# Matches what may separate the lines of a PEM key: white space, a byte order mark, and the escapes
# "\n" and "\r", which an environment variable may contain instead of line breaks.
_BETWEEN_LINES = re.compile(rb"\s|\\[rn]|\xef\xbb\xbf")


@dataclass(frozen=True, kw_only=True)
class LoadedKey:
    """A key of the ring that was loaded and checked against its algorithm."""

    algorithm_name: str
    kid: str | None
    algorithm: JWSAlgModel
    key: jwk.Key
    can_sign: bool
    source: Key

    @classmethod
    def load(cls, key: Key) -> LoadedKey:
        """Load a key.

        Raises:
            UnusableKey: the key cannot be loaded or does not fit its algorithm.
        """
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
            source=key,
        )

    def sign(self, signing_input: bytes) -> bytes:
        """Return the signature of a key that can sign."""
        return self.algorithm.sign(signing_input, self.key)

    def public(self) -> Key:
        """Return the key without its private members. A shared secret stays as it is."""
        return replace(self.source, material=self.key.as_dict(private=False))

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Return whether a signature is valid."""
        try:
            return bool(self.algorithm.verify(signed, signature, self.key))
        except Exception:  # checking an invalid signature may raise any exception
            return False


def generate(algorithm: str) -> dict[str, Any]:
    """Return a new key for an algorithm, as a JWK with its private members."""
    size = _NEW_KEYS.get(algorithm, MIN_RSA_BITS)
    return dict(jwk.JWKRegistry.generate_key(ALGORITHMS[algorithm], size).as_dict(private=True))


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
                f"{key.algorithm} needs a secret, not a private or public key, nor the text of a "
                "JWK, which must be a dict"
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
    except Exception:  # joserfc may raise any exception, as in `LoadedKey.load`
        return False
    return True
