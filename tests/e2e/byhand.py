"""JSON Web Tokens taken apart and put together with nothing but the standard library."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

#: `{"typ":"JWT","alg":"HS256"}`, as the tutorial prints it.
HEADER = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"

#: How the payload of user 1 begins, as a pattern.
FIRST_CLAIMS = r'\{{"token_type":"{kind}","exp":\d+,"jti":"[0-9a-f]{{32}}","user_id":1\b'

#: The tutorial's own access token, of December 2018.
OF_OLD = {
    "token_type": "access",
    "exp": 1543828431,
    "jti": "7f5997b7150d46579dc2b49167097e7b",
    "user_id": 1,
}


def decode(segment: str) -> bytes:
    """Decode one Base64URL segment."""
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def encode(data: bytes) -> str:
    """Encode one segment."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def claims(token: str) -> dict[str, Any]:
    """Read the payload, whoever signed it."""
    payload: dict[str, Any] = json.loads(decode(token.split(".")[1]))
    return payload


def signature(signing_input: str, secret_key: str) -> str:
    """Compute HMAC-SHA256 over `header.payload`."""
    mac = hmac.new(secret_key.encode(), signing_input.encode("ascii"), hashlib.sha256)
    return encode(mac.digest())


def mint(payload: Mapping[str, Any], secret_key: str) -> str:
    """Sign a payload as the project itself would."""
    text = json.dumps(payload, separators=(",", ":"))
    signing_input = f"{HEADER}.{encode(text.encode())}"
    return f"{signing_input}.{signature(signing_input, secret_key)}"
