"""The reader beside one that is written from the design, step by step and with no short way."""

from __future__ import annotations

import base64
import json
import math
import re
import uuid
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from drf_signet import claims
from drf_signet.claims import ACCESS, MAX_GENERATION, MAX_LIFETIME, REFRESH, Rules
from drf_signet.codec import MAX_TOKEN_LENGTH, Codec
from drf_signet.errors import TokenError
from drf_signet.keys import KeyRing
from tests.forge import NOW, compact, encode, signer

SIGNER = signer("HS256")
CODEC = Codec(KeyRing(keys=(SIGNER.key(),)))
LEEWAY, SPAN = 5, 3600
SID = "01980a3c-7d1e-7000-8000-00000000002a"


def any_text(value: object) -> str:
    """Take any text for a user."""
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


RULES = Rules(user_key=any_text, leeway=LEEWAY, access_span=SPAN)


def read(token: str, token_type: str | None) -> dict[str, Any] | None:
    """Return what the package believes of a token, or None."""
    try:
        payload = CODEC.decode(token)
        return dict(claims.read(payload, token_type=token_type, rules=RULES, now=NOW))
    except TokenError:
        return None


def by_the_book(token: str, token_type: str | None) -> dict[str, Any] | None:
    """Return what the design believes of a token, or None."""
    try:
        header, payload = _parse(token)
    except (ValueError, RecursionError):
        return None
    known = isinstance(header, dict) and header == {"typ": "JWT", "alg": "HS256"}
    believed = known and isinstance(payload, dict) and _believes(payload, token_type)
    return {name: _frozen(value) for name, value in payload.items()} if believed else None


def _parse(token: str) -> tuple[Any, Any]:
    segments = token.split(".")
    if len(token) > MAX_TOKEN_LENGTH or len(segments) != 3 or not all(segments):
        raise ValueError
    header, payload, _ = raw = [_segment(one) for one in segments]
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


#: What a claim that is there may say.
BELIEVED: dict[str, Callable[[Any], bool]] = {
    "token_type": lambda value: value in (ACCESS, REFRESH),
    "exp": lambda value: _is_int(value, NOW - LEEWAY + 1, NOW + LEEWAY + MAX_LIFETIME),
    "iat": lambda value: _is_int(value, 0, NOW + LEEWAY),
    "nbf": lambda value: _is_int(value, 0, NOW + LEEWAY),
    "jti": lambda value: isinstance(value, str) and 0 < len(value) < 256 and "\0" not in value,
    "user_id": lambda value: isinstance(value, str),
    "sid": _is_sid,
}


def _believes(payload: dict[str, Any], token_type: str | None) -> bool:
    if not BELIEVED.keys() - {"nbf"} <= payload.keys():
        return False
    try:
        said = all(says(payload[name]) for name, says in BELIEVED.items() if name in payload)
    except ValueError:
        return False
    if not said or token_type not in (None, payload["token_type"]):
        return False
    if payload["token_type"] == REFRESH:
        return _is_int(payload.get("gen"), 0, MAX_GENERATION)
    return bool(payload["exp"] - payload["iat"] <= SPAN)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(inner) for name, inner in value.items()})
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
AT_THE_EDGE = [
    *(NOW + by for by in (-LEEWAY, 1 - LEEWAY, LEEWAY, LEEWAY + 1, SPAN - 5, SPAN - 4)),
    *(NOW + LEEWAY + MAX_LIFETIME + by for by in (0, 1)),
    *(0, -1, True, False, None, 1.0, float(NOW), MAX_GENERATION, MAX_GENERATION + 1),
    *(2**63 - 1, 2**63, -(2**63), 10**30, math.nan, math.inf),
    *("", "\0", "a:b", "{", "[", '"', "\\", "é", "\ud800", "x" * 255, "x" * 256, ACCESS, REFRESH),
    *(SID, SID.upper(), SID.replace("-", ""), f"{{{SID}}}", [], {}, [1], {"a": {"b": [1]}}),
]
NAMES = st.sampled_from([*GOOD, "nbf", "role", "a:b", "é", ""])
CHANGED = st.dictionaries(NAMES, st.sampled_from(AT_THE_EDGE), max_size=2).map(
    lambda changed: json.dumps({**GOOD, **changed}, separators=(",", ":"))
)
#: What generation alone comes by too seldom.
TELLING = [
    *(compact({**GOOD, "exp": NOW - 5 + SPAN + by}) for by in (0, 1)),
    *(compact(GOOD)[:-1] + more for more in (',"exp":1}', ',"role":1,"role":1}', ',"gen":7 } ')),
]
PAYLOADS = CHANGED | CHANGED | st.sampled_from(TELLING)
#: What is put into, or in place of, a character of a text.
SPLINTERS = ["", *'{}[]:,"\\09.-eE+ \n\t\ufeff\0', "\\u0061", "\\ud800", "NaN", "1e999", ',"exp":1']


@st.composite
def spoilt(draw: st.DrawFn, texts: st.SearchStrategy[str], splinters: list[str]) -> str:
    """Return a text, in most cases as it is, else with something put in, exchanged or cut out."""
    text = draw(texts)
    if draw(st.integers(0, 2)):
        return text
    at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 1))
    return text[:at] + draw(st.sampled_from(splinters)) + text[at + length :]


HEADERS = st.sampled_from(
    [compact({"typ": "JWT", "alg": "HS256"}), '{"alg":"HS256", "typ":"JWT"}', '{"alg":"HS256"}']
)
SEGMENTS = st.tuples(spoilt(HEADERS, SPLINTERS), spoilt(PAYLOADS, SPLINTERS))


@given(SEGMENTS, st.data(), st.sampled_from([ACCESS, REFRESH, None]))
@settings(max_examples=300)
def test_it_believes_what_the_design_believes_and_nothing_else(
    segments: tuple[str, str], data: st.DataObject, token_type: str | None
) -> None:
    signing_input = ".".join(encode(one.encode("utf-8", "surrogatepass")) for one in segments)
    token = SIGNER.complete(signing_input)
    token = data.draw(spoilt(st.just(token), ["", *"AQ_-.=+/ \n!é"]))
    assert repr(read(token, token_type)) == repr(by_the_book(token, token_type))


@given(st.integers(28, 40), st.sampled_from(["[]", "{}"]))
@example(31, "[]")
@example(32, "{}")
def test_it_reads_as_deep_as_the_design_and_no_deeper(depth: int, kind: str) -> None:
    opening = {"[]": "[", "{}": '{"a":'}[kind]
    inner = opening * depth + "1" + kind[1] * depth
    payload = f'{compact(GOOD)[:-1]},"deep":{inner}}}'
    token = SIGNER.token(compact({"typ": "JWT", "alg": "HS256"}), payload)
    assert (read(token, ACCESS) is None) == (by_the_book(token, ACCESS) is None) == (depth > 31)


def test_the_token_that_the_others_are_made_from_is_believed() -> None:
    token = SIGNER.ours(GOOD)
    assert read(token, ACCESS) == by_the_book(token, ACCESS) == GOOD
