"""Strict JSON and Base64URL for JWS (RFC 7515). Each byte string has only one valid encoding."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import Any, NoReturn

#: Maximum nesting depth of objects and arrays. Real tokens have fewer than 5 levels.
MAX_DEPTH = 32
#: Maximum absolute value of an integer. Larger integers do not fit in a 64-bit database column.
MAX_INTEGER = 2**63 - 1

# Base64URL has groups of four characters, of which the last group may be incomplete. Length of the
# incomplete group → the characters that may end the group: those whose unused bits are all zero.
_LAST_CHARACTERS = {2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}
# Translates Base64URL to the Base64 alphabet of `binascii`. The characters "+", "/" and "=" are not
# valid in Base64URL. They become "!", which is not valid in Base64 either.
_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/!!!")
# Matches strings, and brackets outside of strings. The closing quote is optional, so that an
# unterminated string matches as a whole. Otherwise, the search would take quadratic time.
_STRINGS_AND_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[][{}]', re.DOTALL)


def b64url_encode(data: bytes) -> str:
    """Encode bytes as Base64URL without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64url_decode(segment: str) -> bytes:
    """Decode a canonical, unpadded Base64URL segment.

    Raises:
        ValueError: the segment is not canonical: it has invalid characters, padding, an impossible
            length, or unused bits in its last character that are not zero.
    """
    rest = len(segment) % 4
    if rest and segment[-1] not in _LAST_CHARACTERS.get(rest, ()):
        raise ValueError("not canonical Base64URL")
    try:
        padded = segment.encode("ascii").translate(_TO_BASE64) + b"=="[: -rest % 4]
        return binascii.a2b_base64(padded, strict_mode=True)
    except ValueError as error:
        raise ValueError("not Base64URL") from error


def loads(data: bytes) -> Any:
    """Parse one JSON text (RFC 8259), more strictly than `json.loads`.

    Raises:
        ValueError: the input is not UTF-8 or not JSON, starts with a byte order mark, or contains a
            duplicate name, NaN, Infinity, a number too large for a float, an integer beyond 64
            bits, a lone surrogate, or nesting deeper than `MAX_DEPTH`.
    """
    text = data.decode("utf-8")
    flat = data.startswith(b"{") and data.count(b"{") == 1 and b"[" not in data
    if not flat or b"\\u" in data:
        return _loads_thoroughly(data, text)
    value, end = _FAST_DECODER.raw_decode(text)
    # A colon follows each name. If the data has only as many colons as `value` has keys, no name
    # occurs twice.
    if end != len(text) or data.count(b":") != len(value):
        return _loads_thoroughly(data, text)
    for item in value.values():
        if item.__class__ is int and not -MAX_INTEGER <= item <= MAX_INTEGER:
            raise ValueError("integer out of range")
    return value


def dumps(value: Any) -> bytes:
    """Return a value as compact JSON. The order of the keys is kept.

    Raises:
        TypeError, ValueError: JSON cannot represent the value, for example NaN or Infinity.
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def _loads_thoroughly(data: bytes, text: str) -> Any:
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _depth(data) > MAX_DEPTH:
        raise ValueError("nested too deeply")
    value = _THOROUGH_DECODER.decode(text)
    if "\\u" in text:  # only an escape can produce a lone surrogate, which UTF-8 cannot encode
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _depth(data: bytes) -> int:
    deepest = depth = 0
    for match in _STRINGS_AND_BRACKETS.finditer(data):
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
    # Check the length first: int() on thousands of digits takes quadratic time.
    if len(digits) > 20 or abs(value := int(digits)) > MAX_INTEGER:
        raise ValueError("integer out of range")
    return value


def _float(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise ValueError("number out of range")
    return value


#: Decodes flat objects. `loads` itself checks them for duplicate names and large integers, because
#: hooks in the decoder would double the decoding time.
_FAST_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_float)
_THOROUGH_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_constant=_refuse_constant,
    parse_float=_float,
    parse_int=_integer,
)
