"""The vectors: hostile tokens and a few good ones, as data in `tests/vectors/*.toml`.

A text of a vector is a template, in which `$alg` is the signer's algorithm, `$jwk` the attacker's
public key, and so on; or a list of [text, times], for texts that are long. An entry with a member
that is not known here is an error, so that no misspelt vector passes for a test.
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

from tests.forge import NOW, Signer, compact, encode, signature, signer

DIRECTORY = Path(__file__).with_name("vectors")

#: The header and the payload that a vector has where it says nothing else.
HEADER = '{"typ":"JWT","alg":"$alg"}'
PAYLOAD = '{"token_type":"access","jti":"7f5997b7150d46579dc2b49167097e7b","user_id":1}'

Text = str | list[tuple[str, int]]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A token with a header and a payload of its own.

    Args:
        header, payload: their JSON texts.
        header_encoding, payload_encoding: a codec of Python's, or `hex` for any bytes.
        sign: by whom and how; see `_signature`.
        ring: `one` is the signer's key without a kid; `named` is that key as "2026" and after it
            the other key, passive, as "2025".
        only, unless: algorithms of signers that this is, or is not, for.
        code: of the error; empty if the token is accepted.
    """

    name: str
    header: Text = HEADER
    header_encoding: str = "utf-8"
    payload: Text = PAYLOAD
    payload_encoding: str = "utf-8"
    sign: str = "valid"
    ring: str = "one"
    only: list[str] = field(default_factory=list)
    unless: list[str] = field(default_factory=list)
    code: str = ""

    def concerns(self, by: Signer) -> bool:
        """Whether this is for a signer."""
        return by.alg not in self.unless and (not self.only or by.alg in self.only)

    def token(self, by: Signer) -> str:
        """Make the token."""
        header = _bytes(_filled(self.header, by), self.header_encoding)
        payload = _bytes(_filled(self.payload, by), self.payload_encoding)
        signing_input = f"{encode(header)}.{encode(payload)}"
        return f"{signing_input}.{encode(_signature(self.sign, by, signing_input.encode()))}"


@dataclass(frozen=True, kw_only=True)
class Form:
    """A text that is nearly a token.

    Args:
        token: the text, in which `$header`, `$payload` and `$signature` are those of a good token.
        signed: in place of it, a signing input to which its valid signature is appended.
        code: of the error; empty if the token is accepted.
    """

    name: str
    token: Text = ""
    signed: Text = ""
    code: str = "malformed"

    def text(self, by: Signer) -> str:
        """Make the text."""
        header, payload, signature_ = good_token(by).split(".")
        segments = {"header": header, "payload": payload, "signature": signature_}
        if self.signed:
            return by.complete(_filled(self.signed, by, **segments))
        return _filled(self.token, by, **segments)


@dataclass(frozen=True, kw_only=True)
class ClaimSet:
    """A validly signed payload, given as what distinguishes it from a good one.

    Args:
        token: `access` or `refresh`, what the payload is.
        read_as: `access`, `refresh` or `either`, what it is taken for.
        set: claims → their JSON texts, in which `$now+300` is 300 seconds after now.
        remove: claims that are missing.
        settings: what is in `SIGNET`.
        code: of the error, empty if the token is accepted; for `invalid_claim` also the claim.
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
        """Return the JSON text."""
        members: dict[str, Text] = {**CLAIMS, "token_type": f'"{self.token}"'}
        if self.token == "refresh":
            members["gen"] = "0"
        members.update(self.set)
        kept = {name: text for name, text in members.items() if name not in self.remove}
        texts = (f'"{name}":{instants(joined(text))}' for name, text in kept.items())
        return "{" + ",".join(texts) + "}"


#: The claims of a good access token → their JSON texts.
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
    """Read all vectors of some files."""
    return [kind(**entry) for name in names for entry in entries(name)]


def entries(name: str) -> list[dict[str, Any]]:
    """Return the vectors of a file as they are written."""
    text = DIRECTORY.joinpath(f"{name}.toml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = tomllib.loads(text)["vector"]
    return found


def good_token(by: Signer) -> str:
    """Return the token that all vectors are variations of: always the same one."""
    return _good_token(by.alg)


@functools.cache
def _good_token(alg: str) -> str:
    by = signer(alg)
    return by.token(_filled(HEADER, by), PAYLOAD)


def joined(text: Text) -> str:
    """Return a text in one piece."""
    return text if isinstance(text, str) else "".join(part * times for part, times in text)


def instants(text: str) -> str:
    """Put times in the place of `$now`, `$now+1` and `$now-1`."""
    return re.sub(r"\$now([+-]\d+)?", lambda match: str(NOW + int(match[1] or 0)), text)


def _filled(text: Text, by: Signer, **more: str) -> str:
    attacker = signer(by.alg, "other")
    return Template(joined(text)).safe_substitute(
        alg=by.alg, lower=by.alg.lower(), jwk=compact(attacker.public_jwk), **more
    )


def _bytes(text: str, encoding: str) -> bytes:
    return bytes.fromhex(text) if encoding == "hex" else text.encode(encoding)


def _signature(how: str, by: Signer, message: bytes) -> bytes:
    """Sign as a vector says.

    `valid`; `other`, by the other key of the same kind; `alg X`, by the right key and another
    algorithm; `secret X`, by HMAC-SHA256 with the text X; `public X`, with a form of the public
    key; `hex X`, these bytes; `zeros`, as many as a signature has; `der`, ECDSA's other form;
    `cut` and `doubled`, a valid one that is too short or too long.
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
