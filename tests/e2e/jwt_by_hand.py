"""Decode and sign JSON Web Tokens with only the standard library."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

#: The header `{"typ":"JWT","alg":"HS256"}` in Base64URL, as the tutorial prints it.
HEADER = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"

#: The template of a regular expression that matches the first claims in the tokens of user 1.
FIRST_CLAIMS = r'\{{"token_type":"{kind}","exp":\d+,"jti":"[0-9a-f]{{32}}","user_id":1\b'

#: The claims of the legacy access token in the tutorial, which simplejwt issued in December 2018.
LEGACY_CLAIMS = {
    "token_type": "access",
    "exp": 1543828431,
    "jti": "7f5997b7150d46579dc2b49167097e7b",
    "user_id": 1,
}


def decode(segment: str) -> bytes:
    """Decode a Base64URL segment of a token."""
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def encode(data: bytes) -> str:
    """Encode bytes as a Base64URL segment of a token."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def claims(token: str) -> dict[str, Any]:
    """Return the claims of a token without verifying its signature."""
    payload: dict[str, Any] = json.loads(decode(token.split(".")[1]))
    return payload


def signature(signing_input: str, secret_key: str) -> str:
    """Return the HMAC-SHA256 signature of `header.payload` in Base64URL."""
    mac = hmac.new(secret_key.encode(), signing_input.encode("ascii"), hashlib.sha256)
    return encode(mac.digest())


def mint(payload: Mapping[str, Any], secret_key: str) -> str:
    """Return a token with this payload, signed with HS256 like the tokens of the example."""
    text = json.dumps(payload, separators=(",", ":"))
    signing_input = f"{HEADER}.{encode(text.encode())}"
    return f"{signing_input}.{signature(signing_input, secret_key)}"
