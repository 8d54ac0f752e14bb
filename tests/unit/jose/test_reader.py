"""Test token validation against a reference implementation that checks the rules one by one."""

from __future__ import annotations

import base64
import json
import math
import re
import uuid
from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from drf_signet.errors import TokenError
from drf_signet.jose import claims
from drf_signet.jose.checks import MAX_LIFETIME
from drf_signet.jose.claims import ACCESS, MAX_GENERATION, REFRESH, Rules
from drf_signet.jose.codec import MAX_TOKEN_LENGTH, Codec
from drf_signet.jose.keys import KeyRing
from tests.support.token_forge import NOW, compact, encode, signer

SIGNER = signer("HS256")
CODEC = Codec(KeyRing(keys=(SIGNER.key(),)))
LEEWAY, SPAN = 5, 3600
SID = "01980a3c-7d1e-7000-8000-00000000002a"


def any_string(value: object) -> str:
    """Return the value as the key of a user if it is a string; otherwise raise ValueError."""
    if not isinstance(value, str):
        raise ValueError("not a string")
    return value


RULES = Rules(user_key=any_string, leeway=LEEWAY, remembered_lifetime=SPAN)


def read(token: str, token_type: str | None) -> dict[str, Any] | None:
    """Return the claims of a token, or None if the package refuses the token."""
    try:
        payload = CODEC.decode(token)
        return dict(claims.validate(payload, token_type=token_type, rules=RULES, now=NOW))
    except TokenError:
        return None


def reference_read(token: str, token_type: str | None) -> dict[str, Any] | None:
    """Return the claims of a token, or None if the reference implementation refuses the token."""
    try:
        header, payload = _parse(token)
    except (ValueError, RecursionError):
        return None
    known = isinstance(header, dict) and header == {"typ": "JWT", "alg": "HS256"}
    valid = known and isinstance(payload, dict) and _is_valid(payload, token_type)
    return {name: _frozen(value) for name, value in payload.items()} if valid else None


def _parse(token: str) -> tuple[Any, Any]:
    segments = token.split(".")
    if len(token) > MAX_TOKEN_LENGTH or len(segments) != 3 or not all(segments):
        raise ValueError
    header, payload, _ = raw = [_segment(segment) for segment in segments]
    if raw[2] != SIGNER.sign(token.rpartition(".")[0].encode()):
        raise ValueError
    return _json(header), _json(payload)


def _segment(text: str) -> bytes:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(data) != text:
        raise ValueError
    return data


def _json(data: bytes) -> Any:
    value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
    if _depth(value) > 32:
        raise ValueError
    json.dumps(value, allow_nan=False)
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError
    return dict(pairs)


def _depth(value: Any) -> int:
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, dict | list) + max(map(_depth, inner), default=0)


def _is_int(value: Any, least: float, most: float) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_sid(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 36 and str(uuid.UUID(value)) == value


#: Claim name → a function that returns whether a value of the claim is valid.
IS_VALID: dict[str, Callable[[Any], bool]] = {
    "token_type": lambda value: value in (ACCESS, REFRESH),
    "exp": lambda value: _is_int(value, NOW - LEEWAY + 1, NOW + LEEWAY + MAX_LIFETIME),
    "iat": lambda value: _is_int(value, 0, NOW + LEEWAY),
    "nbf": lambda value: _is_int(value, 0, NOW + LEEWAY),
    "jti": lambda value: isinstance(value, str) and 0 < len(value) < 256 and "\0" not in value,
    "user_id": lambda value: isinstance(value, str),
    "sid": _is_sid,
}


def _is_valid(payload: dict[str, Any], token_type: str | None) -> bool:
    if not IS_VALID.keys() - {"nbf"} <= payload.keys() or "tid" in payload:
        return False
    try:
        valid = all(check(payload[name]) for name, check in IS_VALID.items() if name in payload)
    except ValueError:
        return False
    if not valid or token_type not in (None, payload["token_type"]):
        return False
    if payload["token_type"] == REFRESH:
        return _is_int(payload.get("gen"), 0, MAX_GENERATION)
    return True


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _frozen(inner) for name, inner in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


GOOD: dict[str, Any] = {
    "token_type": ACCESS,
    "exp": NOW + 300,
    "jti": "7f59",
    "user_id": "u",
    "iat": NOW - 5,
    "sid": SID,
    "gen": 7,
}
BOUNDARY_VALUES = [
    *(NOW + by for by in (-LEEWAY, 1 - LEEWAY, LEEWAY, LEEWAY + 1, SPAN - 5, SPAN - 4)),
    *(NOW + LEEWAY + MAX_LIFETIME + by for by in (0, 1)),
    *(0, -1, True, False, None, 1.0, float(NOW), MAX_GENERATION, MAX_GENERATION + 1),
    *(2**63 - 1, 2**63, -(2**63), 10**30, math.nan, math.inf),
    *("", "\0", "a:b", "{", "[", '"', "\\", "é", "\ud800", "x" * 255, "x" * 256, ACCESS, REFRESH),
    *(SID, SID.upper(), SID.replace("-", ""), f"{{{SID}}}", [], {}, [1], {"a": {"b": [1]}}),
]
NAMES = st.sampled_from([*GOOD, "nbf", "role", "a:b", "é", ""])
CHANGED = st.dictionaries(NAMES, st.sampled_from(BOUNDARY_VALUES), max_size=2).map(
    lambda changed: json.dumps({**GOOD, **changed}, separators=(",", ":"))
)
#: Payloads that Hypothesis rarely generates.
RARE_PAYLOADS = [
    *(compact({**GOOD, "exp": NOW - 5 + SPAN + by}) for by in (0, 1)),
    *(compact(GOOD)[:-1] + rest for rest in (',"exp":1}', ',"role":1,"role":1}', ',"gen":7 } ')),
]
PAYLOADS = CHANGED | CHANGED | st.sampled_from(RARE_PAYLOADS)
#: Strings that `damaged` inserts into a text, or puts in place of a character.
FRAGMENTS = ["", *'{}[]:,"\\09.-eE+ \n\t\ufeff\0', "\\u0061", "\\ud800", "NaN", "1e999", ',"exp":1']


@st.composite
def damaged(draw: st.DrawFn, texts: st.SearchStrategy[str], fragments: list[str]) -> str:
    """Draw a string; in a third of the cases, insert, replace or remove a character."""
    text = draw(texts)
    if draw(st.integers(0, 2)):
        return text
    at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 1))
    return text[:at] + draw(st.sampled_from(fragments)) + text[at + length :]


HEADERS = st.sampled_from(
    [compact({"typ": "JWT", "alg": "HS256"}), '{"alg":"HS256", "typ":"JWT"}', '{"alg":"HS256"}']
)
SEGMENTS = st.tuples(damaged(HEADERS, FRAGMENTS), damaged(PAYLOADS, FRAGMENTS))


@given(SEGMENTS, st.data(), st.sampled_from([ACCESS, REFRESH, None]))
@settings(max_examples=300)
def test_the_reader_accepts_exactly_the_tokens_that_the_reference_accepts(
    segments: tuple[str, str], data: st.DataObject, token_type: str | None
) -> None:
    signing_input = ".".join(encode(text.encode("utf-8", "surrogatepass")) for text in segments)
    token = SIGNER.complete(signing_input)
    token = data.draw(damaged(st.just(token), ["", *"AQ_-.=+/ \n!é"]))
    assert repr(read(token, token_type)) == repr(reference_read(token, token_type))


@given(st.integers(28, 40), st.sampled_from(["[]", "{}"]))
@example(31, "[]")
@example(32, "{}")
def test_the_reader_accepts_the_same_depth_as_the_reference(depth: int, kind: str) -> None:
    opening = {"[]": "[", "{}": '{"a":'}[kind]
    inner = opening * depth + "1" + kind[1] * depth
    payload = f'{compact(GOOD)[:-1]},"deep":{inner}}}'
    token = SIGNER.token(compact({"typ": "JWT", "alg": "HS256"}), payload)
    assert (read(token, ACCESS) is None) == (reference_read(token, ACCESS) is None) == (depth > 31)


def test_the_package_and_the_reference_accept_the_unchanged_token() -> None:
    token = SIGNER.sign_claims(GOOD)
    assert read(token, ACCESS) == reference_read(token, ACCESS) == GOOD
