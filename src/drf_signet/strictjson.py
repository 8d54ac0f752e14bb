"""JSON and Base64URL as RFC 7515 means them: one text for one value, nothing tolerated."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import Any, NoReturn

#: Objects and arrays inside each other. Claims of real issuers stay below 5.
MAX_DEPTH = 32
#: Integers beyond a signed 64-bit value fit no database column and no `NumericDate`.
MAX_INTEGER = 2**63 - 1

# The last quote may be missing: a text that never ends is passed over once, not once per quote.
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[][{}]', re.DOTALL)


def b64url_encode(data: bytes) -> str:
    """Encode to Base64URL without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64url_decode(segment: str) -> bytes:
    """Decode a canonical, unpadded Base64URL segment.

    Raises:
        ValueError: other characters, padding, a length that no input has, or stray bits in the
            last character: anything that would not encode to the same text again.
    """
    try:
        data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except binascii.Error as error:
        raise ValueError("not Base64URL") from error
    if b64url_encode(data) != segment:
        raise ValueError("not canonical Base64URL")
    return data


def loads(data: bytes) -> Any:
    """Parse one JSON text (RFC 8259), more strictly than `json.loads`.

    Raises:
        ValueError: not UTF-8, a byte order mark, a duplicate name, NaN or Infinity (also as a
            number too large), an integer beyond 64 bits, nesting deeper than `MAX_DEPTH`, a lone
            surrogate, bytes after the text.
    """
    if _may_nest_deeply(data) and _depth(data) > MAX_DEPTH:
        raise ValueError("nested too deeply")
    text = data.decode("utf-8")
    value = _DECODER.decode(text)
    if "\\u" in text:  # the only way to a lone surrogate, which no database and no socket takes
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def dumps(value: Any) -> bytes:
    """Write compact JSON, keys in their given order.

    Raises:
        TypeError, ValueError: the value is not JSON (NaN and Infinity are not).
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def _may_nest_deeply(data: bytes) -> bool:
    return data.count(b"[") + data.count(b"{") > MAX_DEPTH


def _depth(data: bytes) -> int:
    deepest = depth = 0
    for match in _BRACKETS.finditer(data):
        token = match.group()
        depth += (token in (b"[", b"{")) - (token in (b"]", b"}"))
        deepest = max(deepest, depth)
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate name")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> int:
    # The length first: int() on thousands of digits takes quadratic time.
    if len(digits) > 20 or abs(value := int(digits)) > MAX_INTEGER:
        raise ValueError("integer out of range")
    return value


def _float(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise ValueError("number out of range")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_constant=_refuse_constant,
    parse_float=_float,
    parse_int=_integer,
)
