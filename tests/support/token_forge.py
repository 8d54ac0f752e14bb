"""Create tokens that are signed with `hmac` and `cryptography`, not by drf-signet's own code.

The signatures are valid, so drf-signet can reject a token only because of its header or payload.
"""

from __future__ import annotations

import base64
import functools
import hmac
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from drf_signet.jose.keys import ALGORITHMS, CURVES, Key

#: The time that tests pass to the package as the current time, in POSIX seconds.
NOW = 1_800_000_000

_HASHES: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
_CURVES: Mapping[str, Callable[[], ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}

Jwk = Mapping[str, str]

_KEYS: dict[str, dict[str, Jwk]] = tomllib.loads(
    Path(__file__).parents[1].joinpath("vectors", "keys.toml").read_text(encoding="utf-8")
)


def encode(data: bytes | str) -> str:
    """Return data in Base64URL without padding, as a segment of a token."""
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(segment: str) -> bytes:
    """Decode a Base64URL segment of a token."""
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


@dataclass(frozen=True, kw_only=True)
class Signer:
    """A signing algorithm, and a JWK that contains the key for this algorithm."""

    alg: str
    jwk: Jwk

    def __str__(self) -> str:
        return self.alg

    def sign(self, message: bytes, *, alg: str | None = None) -> bytes:
        """Return the signature of a message. `alg` replaces the algorithm but not the key."""
        return signature(alg or self.alg, self.jwk, message)

    def token(self, header: bytes | str, payload: bytes | str) -> str:
        """Return a signed token with this header and this payload. Both can be invalid."""
        return self.complete(f"{encode(header)}.{encode(payload)}")

    def complete(self, signing_input: str) -> str:
        """Append a valid signature to a signing input. The signing input can be invalid."""
        return f"{signing_input}.{encode(self.sign(signing_input.encode()))}"

    def sign_claims(self, claims: Mapping[str, Any], *, kid: str | None = None) -> str:
        """Return a signed token with these claims and with the header of drf-signet's tokens."""
        header = {"typ": "JWT", "alg": self.alg} | ({"kid": kid} if kid else {})
        return self.token(compact(header), compact(claims))

    @property
    def public_jwk(self) -> Jwk:
        """Return the JWK without the private members. A symmetric JWK stays unchanged."""
        private = {"d", "p", "q", "dp", "dq", "qi"}
        return {name: value for name, value in self.jwk.items() if name not in private}

    def key(self, *, kid: str | None = None) -> Key:
        """Return the `Key` with which a project can verify the signer's tokens."""
        return Key(algorithm=self.alg, material=self.public_jwk, kid=kid)

    def signing_key(self, *, kid: str | None = None) -> Key:
        """Return the `Key` with which a project can sign like the signer."""
        return Key(algorithm=self.alg, material=self.jwk, kid=kid)

    def public_forms(self) -> dict[str, bytes]:
        """Return the public key in several encodings, keyed by the name of the encoding."""
        public = private_key(self.jwk).public_key()
        info = PublicFormat.SubjectPublicKeyInfo
        pem = public.public_bytes(Encoding.PEM, info)
        forms = {
            "pem": pem,
            "pem_crlf": pem.replace(b"\n", b"\r\n"),
            "pem_no_newline": pem.rstrip(b"\n"),
            "pem_bom": b"\xef\xbb\xbf" + pem,
            "der": public.public_bytes(Encoding.DER, info),
            "ssh": b"",
            "jwk": compact(self.public_jwk).encode(),
            "jwk_spaced": json.dumps(dict(self.public_jwk)).encode(),
            "jwk_sorted": json.dumps(dict(self.public_jwk), sort_keys=True).encode(),
            "thumbprint_input": json.dumps(
                dict(self.public_jwk), sort_keys=True, separators=(",", ":")
            ).encode(),
        }
        forms["ssh"] = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        if isinstance(public, rsa.RSAPublicKey):
            forms["pkcs1_pem"] = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
            forms["pkcs1_der"] = public.public_bytes(Encoding.DER, PublicFormat.PKCS1)
            forms["modulus"] = decode(self.jwk["n"])
        return forms


def compact(value: Mapping[str, Any]) -> str:
    """Return JSON without spaces. The order of the members stays the same."""
    return json.dumps(dict(value), separators=(",", ":"))


def signer(alg: str, whose: str = "rfc") -> Signer:
    """Return a signer with the example key of an RFC (`rfc`) or with a different key (`other`)."""
    keys = _KEYS[whose]
    return Signer(alg=alg, jwk=keys.get(CURVES.get(alg, "")) or keys[ALGORITHMS[alg]])


#: One signer for each type of key, with the example keys of the RFCs.
SIGNERS = [signer(alg) for alg in ("HS256", "RS256", "ES256", "EdDSA")]


def signature(alg: str, jwk: Jwk, message: bytes) -> bytes:
    """Return the signature of a message, as defined in RFC 7518 §3 and RFC 8037 §3.1."""
    family, bits = alg[:2], alg[2:]
    if family == "HS":
        return hmac.digest(decode(jwk["k"]), message, f"sha{bits}")
    key = private_key(jwk)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    digest = _HASHES[bits]()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.curve.key_size + 7) // 8
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    if family == "PS":
        salted = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
        return key.sign(message, salted, digest)
    return key.sign(message, padding.PKCS1v15(), digest)


PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def private_key(jwk: Jwk) -> PrivateKey:
    """Convert a private JWK to a private key of `cryptography`."""
    return _private_key(tuple(jwk.items()))


@functools.cache
def _private_key(members: tuple[tuple[str, str], ...]) -> PrivateKey:
    jwk = dict(members)
    if jwk["kty"] == "OKP":
        return ed25519.Ed25519PrivateKey.from_private_bytes(decode(jwk["d"]))
    number = {
        name: int.from_bytes(decode(jwk[name]), "big") for name in jwk.keys() - {"kty", "crv"}
    }
    if jwk["kty"] == "EC":
        return ec.derive_private_key(number["d"], _CURVES[jwk["crv"]]())
    numbers = rsa.RSAPrivateNumbers(
        p=number["p"],
        q=number["q"],
        d=number["d"],
        dmp1=number["dp"],
        dmq1=number["dq"],
        iqmp=number["qi"],
        public_numbers=rsa.RSAPublicNumbers(number["e"], number["n"]),
    )
    # Skip the validation, which takes 80 ms. The test keys are known to be valid.
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)
