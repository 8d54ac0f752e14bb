"""Load the test vectors in `tests/vectors/*.toml`: hostile tokens, and a few valid tokens.

The strings in a vector are templates. For example, `$alg` stands for the signer's algorithm, and
`$jwk` for the attacker's public key. A long string is written as a list of [part, repetitions]. An
unknown key in a vector raises an error, so that spelling mistakes are noticed.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any, TypeVar

from tests.support.token_forge import NOW, Signer, compact, encode, signature, signer

DIRECTORY = Path(__file__).parents[1] / "vectors"

#: The default header and the default payload of a `Signed` vector.
HEADER = '{"typ":"JWT","alg":"$alg"}'
PAYLOAD = '{"token_type":"access","jti":"7f5997b7150d46579dc2b49167097e7b","user_id":1}'

#: A string in a vector. A long string is a list of (part, number of repetitions).
Text = str | list[tuple[str, int]]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A vector that contains the header and the payload of a token.

    Args:
        header, payload: JSON strings.
        header_encoding, payload_encoding: the name of a Python codec; `hex` for hexadecimal text.
        sign: the kind of signature; see `_signature`.
        ring: the keys of the codec that verifies the token. `single` is the signer's key without a
            kid. `named` is the signer's key with the kid "2026", followed by a second key with the
            kid "2025", which can only verify tokens.
        only: the algorithms to which the vector applies.
        unless: the algorithms to which the vector does not apply.
        code: the code of the error; empty if the token is accepted.
    """

    name: str
    header: Text = HEADER
    header_encoding: str = "utf-8"
    payload: Text = PAYLOAD
    payload_encoding: str = "utf-8"
    sign: str = "valid"
    ring: str = "single"
    only: list[str] = field(default_factory=list)
    unless: list[str] = field(default_factory=list)
    code: str = ""

    def applies_to(self, by: Signer) -> bool:
        """Return whether the vector applies to the signer's algorithm."""
        return by.alg not in self.unless and (not self.only or by.alg in self.only)

    def token(self, by: Signer) -> str:
        """Return the token that the vector describes, for this signer."""
        header = _bytes(_filled(self.header, by), self.header_encoding)
        payload = _bytes(_filled(self.payload, by), self.payload_encoding)
        signing_input = f"{encode(header)}.{encode(payload)}"
        return f"{signing_input}.{encode(_signature(self.sign, by, signing_input.encode()))}"


@dataclass(frozen=True, kw_only=True)
class Form:
    """A vector that contains a whole string, which is usually not a well-formed token.

    Args:
        token: the string. `$header`, `$payload` and `$signature` stand for the segments of a valid
            token.
        signed: a signing input. If it is not empty, the string is this signing input with a valid
            signature, and `token` is ignored.
        code: the code of the error; empty if the token is accepted.
    """

    name: str
    token: Text = ""
    signed: Text = ""
    code: str = "malformed"

    def text(self, by: Signer) -> str:
        """Return the string that the vector describes, for this signer."""
        header, payload, signature_ = good_token(by).split(".")
        segments = {"header": header, "payload": payload, "signature": signature_}
        if self.signed:
            return by.complete(_filled(self.signed, by, **segments))
        return _filled(self.token, by, **segments)


@dataclass(frozen=True, kw_only=True)
class ClaimSet:
    """A vector that describes a payload by its differences from a valid payload.

    Args:
        token: the type of the token, `access` or `refresh`.
        read_as: the type that the verifier expects: `access`, `refresh` or `either`. The default is
            the type of the token.
        set: the claims to add or to replace, with their values in JSON. `$now+300` stands for the
            time in 300 seconds.
        remove: the names of the claims to remove.
        settings: the value of the `SIGNET` setting.
        code: the code of the error; empty if the token is accepted.
        claim: the name of the invalid claim, if `code` is `invalid_claim`.
    """

    name: str
    token: str = "access"
    read_as: str = ""
    set: Mapping[str, Text] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    settings: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    claim: str = ""

    def payload(self) -> str:
        """Return the payload as a JSON string."""
        members: dict[str, Text] = {**CLAIMS, "token_type": f'"{self.token}"'}
        if self.token == "refresh":
            members["gen"] = "0"
        members.update(self.set)
        kept = {name: text for name, text in members.items() if name not in self.remove}
        texts = (f'"{name}":{fill_times(joined(text))}' for name, text in kept.items())
        return "{" + ",".join(texts) + "}"


#: The claims of a valid access token, with their values in JSON.
CLAIMS = {
    "token_type": '"access"',
    "exp": "$now+300",
    "jti": '"7f5997b7150d46579dc2b49167097e7b"',
    "user_id": "1",
    "iat": "$now",
    "sid": '"01980a3c-7d1e-7000-8000-00000000002a"',
    "auth_time": "$now",
}


def load(kind: type[T], *names: str) -> list[T]:
    """Return all vectors in the files with these names, as instances of the class `kind`."""
    return [kind(**entry) for name in names for entry in entries(name)]


def entries(name: str) -> list[dict[str, Any]]:
    """Return the vectors in a file as dicts."""
    text = DIRECTORY.joinpath(f"{name}.toml").read_text(encoding="utf-8")
    vectors: list[dict[str, Any]] = tomllib.loads(text)["vector"]
    return vectors


def good_token(by: Signer) -> str:
    """Return a valid token. Calls with the same algorithm return the same token."""
    return _good_token(by.alg)


@functools.cache
def _good_token(alg: str) -> str:
    by = signer(alg)
    return by.token(_filled(HEADER, by), PAYLOAD)


def joined(text: Text) -> str:
    """Return a text as one string. If the text is a list of parts, join the parts."""
    return text if isinstance(text, str) else "".join(part * times for part, times in text)


def fill_times(text: str) -> str:
    """Replace `$now`, and expressions such as `$now+300`, with POSIX seconds."""
    return re.sub(r"\$now([+-]\d+)?", lambda match: str(NOW + int(match[1] or 0)), text)


def _filled(text: Text, by: Signer, **more: str) -> str:
    attacker = signer(by.alg, "other")
    return Template(joined(text)).safe_substitute(
        alg=by.alg, lower=by.alg.lower(), jwk=compact(attacker.public_jwk), **more
    )


def _bytes(text: str, encoding: str) -> bytes:
    return bytes.fromhex(text) if encoding == "hex" else text.encode(encoding)


def _signature(how: str, by: Signer, message: bytes) -> bytes:
    """Return the signature that a vector specifies.

    - `valid`: a valid signature.
    - `other`: a signature by another key of the same type.
    - `alg X`: a signature by the signer's key with the algorithm X.
    - `secret X`: HMAC-SHA256 with the string X as the secret.
    - `public X`: HMAC-SHA256 with the public key in the encoding X as the secret.
    - `hex X`: the bytes X, written in hexadecimal.
    - `zeros`: only zero bytes, with the length of a valid signature.
    - `der`: a valid ECDSA signature in DER encoding.
    - `cut`: a valid signature without its last byte.
    - `doubled`: a valid signature, followed by the same signature.
    """
    name, _, argument = how.partition(" ")
    makers: dict[str, Callable[[], bytes]] = {
        "valid": lambda: by.sign(message),
        "other": lambda: signer(by.alg, "other").sign(message),
        "alg": lambda: by.sign(message, alg=argument),
        "secret": lambda: _hmac(argument.encode(), message),
        "public": lambda: _hmac(by.public_forms()[argument], message),
        "hex": lambda: bytes.fromhex(argument),
        "zeros": lambda: bytes(len(by.sign(message))),
        "der": lambda: _der(by.sign(message)),
        "cut": lambda: by.sign(message)[:-1],
        "doubled": lambda: by.sign(message) * 2,
    }
    return makers[name]()


def _hmac(secret: bytes, message: bytes) -> bytes:
    return signature("HS256", {"k": encode(secret)}, message)


def _der(raw: bytes) -> bytes:
    numbers = [int.from_bytes(half, "big") for half in (raw[:32], raw[32:])]
    parts = [number.to_bytes(number.bit_length() // 8 + 1, "big") for number in numbers]
    body = b"".join(bytes([2, len(part)]) + part for part in parts)
    return bytes([0x30, len(body)]) + body
