"""Load the configured keys with joserfc, and check that each fits its algorithm.

Only this module uses joserfc.
"""

from __future__ import annotations

import base64
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeVar, cast

from joserfc import jwk
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwa import JWSAlgModel
from joserfc.jws import JWSRegistry

from ..errors import ShortKey, ShortSecret, UnusableKey, WrongCurve, WrongKeyUse
from .keys import ALGORITHMS, CURVES, MIN_RSA_BITS, MIN_SECRET_BYTES, Key, as_bytes

T = TypeVar("T")

#: Key type → the members of a public key, beside `kty` (RFC 7518 §6, RFC 8037 §2).
PUBLIC_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "RSA": ("n", "e"),
    "EC": ("crv", "x", "y"),
    "OKP": ("crv", "x"),
}

#: Algorithm → the curve, or the size in bits, of a new key. An RSA key has the smallest size.
_NEW_KEYS: Mapping[str, str | int] = {
    **{name: 8 * size for name, size in MIN_SECRET_BYTES.items()},
    **CURVES,
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
    """A key of the ring that was loaded and checked against its algorithm.

    `kid` stands in the header of every token that the key signs, unless it is None. `source` is the
    configured key.
    """

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
            UnusableKey: the key cannot be loaded or does not fit its algorithm; a subclass may say
                why.
        """
        algorithm = JWSRegistry.algorithms[key.algorithm]
        loaded = _checked(partial(_import, key), key)
        _check_use(key, loaded)
        _check_strength(key, loaded)
        _check_halves(key, loaded)
        _checked(partial(algorithm.check_key, loaded), key)
        return cls(
            algorithm_name=key.algorithm,
            kid=_kid(key, loaded),
            algorithm=algorithm,
            key=loaded,
            can_sign=_allows(loaded, "sign"),
            source=key,
        )

    def public(self) -> Key:
        """Return the key without its private members. A shared secret stays as it is."""
        return replace(self.source, material=self.public_jwk() or self.source.material)

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Return whether a signature is valid."""
        try:
            return bool(self.algorithm.verify(signed, signature, self.key))
        except Exception:  # checking an invalid signature may raise any exception
            return False

    def secret(self) -> bytes | None:
        """Return the bytes of a secret; None for another key."""
        return self.key.raw_value if isinstance(self.key, jwk.OctKey) else None

    def thumbprint(self) -> str | None:
        """Return the thumbprint of the public key (RFC 7638), or None for a secret."""
        return _thumbprint(self.key)

    def public_jwk(self) -> dict[str, Any] | None:
        """Return the public key as a JWK with only the members of its key type; None for a secret.

        joserfc would also return the members of a secret, and members that the project has added.
        """
        if self.key.key_type not in PUBLIC_MEMBERS:
            return None
        members = self.key.as_dict(private=False)
        names = ("kty", *PUBLIC_MEMBERS[self.key.key_type])
        return {name: members[name] for name in names}


def generate(algorithm: str) -> dict[str, Any]:
    """Return a new key for an algorithm, as a JWK with its private members."""
    size = _NEW_KEYS.get(algorithm, MIN_RSA_BITS)
    return dict(jwk.JWKRegistry.generate_key(ALGORITHMS[algorithm], size).as_dict(private=True))


def _checked(step: Callable[[], T], key: Key) -> T:
    try:
        with warnings.catch_warnings():
            # joserfc warns about weak keys, but `_check_strength` below is stricter.
            warnings.simplefilter("ignore", SecurityWarning)
            return step()
    except Exception as error:  # such as JoseError, KeyError or UnsupportedAlgorithm
        raise UnusableKey(f"not a key for {key.algorithm}: {error}") from error


def _kid(key: Key, loaded: jwk.Key) -> str | None:
    if key.kid is not None or not key.derives_kid:
        return key.kid
    own = key.material.get("kid") if isinstance(key.material, Mapping) else None
    return own if isinstance(own, str) and own else _thumbprint(loaded)


def _thumbprint(key: jwk.Key) -> str | None:
    return key.thumbprint() if key.key_type in PUBLIC_MEMBERS else None


def _allows(key: jwk.Key, operation: Literal["sign", "verify"]) -> bool:
    try:
        key.check_key_op(operation)
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
    raw = as_bytes(key.material)
    if key_type != "oct" and b"-----BEGIN" in raw:
        # An environment variable may contain the escapes "\r" and "\n" instead of line breaks.
        raw = raw.replace(b"\\r", b"").replace(b"\\n", b"\n")
    return jwk.JWKRegistry.import_key(raw, key_type)


def _check_use(key: Key, loaded: jwk.Key) -> None:
    """Check that a JWK is for signatures and for its algorithm (RFC 7517 §4.2 to §4.4)."""
    members = key.material if isinstance(key.material, Mapping) else {}
    if members.get("use", "sig") != "sig":
        raise WrongKeyUse(f"the use of a key for {key.algorithm} must be 'sig'")
    if members.get("alg", key.algorithm) != key.algorithm:
        raise WrongKeyUse(f"the alg of a key for {key.algorithm} is another algorithm")
    if not _allows(loaded, "verify"):  # all keys must be able to verify
        raise WrongKeyUse(f"the key_ops of a key for {key.algorithm} must contain 'verify'")


def _check_strength(key: Key, loaded: jwk.Key) -> None:
    if isinstance(loaded, jwk.OctKey):
        _check_secret(key, loaded.raw_value)
    elif isinstance(loaded, jwk.RSAKey):
        if loaded.raw_value.key_size < MIN_RSA_BITS:
            raise ShortKey(f"{key.algorithm} needs an RSA key of at least {MIN_RSA_BITS} bits")
    elif (curve := CURVES[key.algorithm]) != loaded.curve_name:
        raise WrongCurve(f"{key.algorithm} needs a key on the curve {curve}")


def _check_halves(key: Key, loaded: jwk.Key) -> None:
    """Check that `x` of a private OKP key is its public key: `x` is published.

    `cryptography` checks this for the other types of keys, but ignores `x` if there is a `d`.
    """
    if isinstance(loaded, jwk.OKPKey):
        public = jwk.OKPKey.import_key(loaded.as_pem(private=False))
        if public["x"] != loaded["x"]:
            raise UnusableKey(f"the x of a key for {key.algorithm} is not the public key of its d")


def _check_secret(key: Key, secret: bytes) -> None:
    needed = MIN_SECRET_BYTES[key.algorithm]
    if _is_key_text(secret):  # a public key used as a secret: RFC 8725 §2.1
        raise UnusableKey(
            f"{key.algorithm} needs a secret, not a private or public key, nor a JWK in a string: "
            "it must be a dict"
        )
    if len(secret) < needed and not key.allow_short:
        raise ShortSecret(f"{key.algorithm} needs a secret of at least {needed} bytes")


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
