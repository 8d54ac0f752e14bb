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

# What a last, incomplete group of four may end with: the characters that leave no bit over.
_LAST = {2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}
# To the alphabet that `binascii` knows, whose own two characters and padding are made invalid.
_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/!!!")
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
    rest = len(segment) % 4
    if rest and segment[-1] not in _LAST.get(rest, ()):
        raise ValueError("not canonical Base64URL")
    try:
        padded = segment.encode("ascii").translate(_TO_BASE64) + b"=="[: -rest % 4]
        return binascii.a2b_base64(padded, strict_mode=True)
    except ValueError as error:
        raise ValueError("not Base64URL") from error


def loads(data: bytes) -> Any:
    """Parse one JSON text (RFC 8259), more strictly than `json.loads`.

    Raises:
        ValueError: not UTF-8, a byte order mark, a duplicate name, NaN or Infinity (also as a
            number too large), an integer beyond 64 bits, nesting deeper than `MAX_DEPTH`, a lone
            surrogate, bytes after the text.
    """
    text = data.decode("utf-8")
    flat = data.startswith(b"{") and data.count(b"{") == 1 and b"[" not in data
    if flat and b"\\u" not in data:
        value, end = _QUICK.raw_decode(text)
        # No more colons than names: then no name came twice.
        if end == len(text) and data.count(b":") == len(value) and not _has_large_integers(value):
            return value
    return _loads_closely(data, text)


def dumps(value: Any) -> bytes:
    """Write compact JSON, keys in their given order.

    Raises:
        TypeError, ValueError: the value is not JSON (NaN and Infinity are not).
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def _loads_closely(data: bytes, text: str) -> Any:
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _depth(data) > MAX_DEPTH:
        raise ValueError("nested too deeply")
    value = _CLOSE.decode(text)
    if "\\u" in text:  # the only way to a lone surrogate, which no database and no socket takes
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _has_large_integers(value: dict[str, Any]) -> bool:
    for one in value.values():
        if one.__class__ is int and not -MAX_INTEGER <= one <= MAX_INTEGER:
            return True
    return False


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


#: Reads what cannot have the faults that the other hooks are needed for; they double the time.
_QUICK = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_float)
_CLOSE = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_constant=_refuse_constant,
    parse_float=_float,
    parse_int=_integer,
)
