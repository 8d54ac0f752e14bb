"""Read a payload without checking anything, as `TokenBackend.decode(verify=False)` does."""

from __future__ import annotations

from typing import Any

from drf_signet.jose import strictjson
from drf_signet.jose.codec import MAX_TOKEN_LENGTH


def decode_unverified(raw_token: object) -> dict[str, Any]:
    """Return the payload of a token whose signature is not checked.

    Raises:
        ValueError: the token does not have three segments, or the payload is not strict JSON.
    """
    if not isinstance(raw_token, str) or len(raw_token) > MAX_TOKEN_LENGTH:
        raise ValueError("not a string, or too long")
    if raw_token.count(".") != 2:
        raise ValueError("not three segments")
    try:
        payload = strictjson.loads(strictjson.b64url_decode(raw_token.split(".")[1]))
    except (ValueError, RecursionError) as error:
        raise ValueError("not strict JSON") from error
    if not isinstance(payload, dict):
        raise ValueError("not an object")
    return payload
