"""Tests of `drf_signet.jose.strictjson`: strict JSON, and canonical Base64URL."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drf_signet.jose import strictjson
from tests.support.cpu_limit import completes_within_cpu_limit, needs_fork
from tests.support.vector_files import Signed, load

#: JSON scalars that do not change when they are encoded and then parsed.
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-strictjson.MAX_INTEGER, strictjson.MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=6,
)
#: Valid JSON and almost valid JSON, which lenient and strict parsers may treat differently.
NEARLY_JSON = st.lists(
    st.sampled_from(
        [
            *("{", "}", "[", "]", ",", ":", " ", "\ufeff", "true", "null", "NaN", "-Infinity"),
            *("1", "-0", "1e3", "1e400", "9" * 19, "9" * 21),
            *('"a"', '"a":', '"\\u0061":', '"\\ud800"', '"\\"'),
        ]
    ),
    max_size=12,
).map("".join)
#: Run fewer examples than the default in tests with `VALUES`. Each value takes a long time to
#: generate. Each value is also large, so 50 examples are enough.
half_as_many = settings(max_examples=50)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def lenient(data: bytes) -> Any:
    """Parse JSON with `json.loads`; raise ValueError if `json.loads` cannot parse the input."""
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError from error


def same(first: Any, second: Any) -> bool:
    """Return whether two values are equal and have the same types at every level."""
    return repr(first) == repr(second)


class TestBase64url:
    @given(st.binary())
    def test_decoding_reverses_encoding_for_any_bytes(self, data: bytes) -> None:
        assert strictjson.b64url_decode(strictjson.b64url_encode(data)) == data

    @given(st.text(ALPHABET) | st.text())
    def test_encoding_reverses_decoding_for_any_accepted_string(self, segment: str) -> None:
        try:
            data = strictjson.b64url_decode(segment)
        except ValueError:
            return
        assert strictjson.b64url_encode(data) == segment

    def test_a_pair_of_characters_is_accepted_only_if_it_is_canonical(self) -> None:
        pairs = [a + b for a in ALPHABET for b in ALPHABET]
        accepted = [pair for pair in pairs if _accepted(pair)]
        assert accepted == [pair for pair in pairs if ALPHABET.index(pair[1]) % 16 == 0]
        assert len(accepted) == 256

    @pytest.mark.parametrize(
        ("segment", "data"),
        [("", b""), ("Zg", b"f"), ("Zm8", b"fo"), ("Zm9v", b"foo"), ("-_-_", b"\xfb\xff\xbf")],
    )
    def test_examples_are_decoded_and_encoded(self, segment: str, data: bytes) -> None:
        assert strictjson.b64url_decode(segment) == data
        assert strictjson.b64url_encode(data) == segment

    @pytest.mark.parametrize(
        "segment",
        [
            *("Z", "Zm9vY", "Zg=", "Zg==", "=", "====", "Zh", "Zm9", "Z===g", "Zg==Zg=="),
            *("+/+/", "Zm 9v", "Zm9v\n", " Zm9v", "Zm.9v", "Zm\0v"),
            *("Zm9é", "Zm9\N{FULLWIDTH LATIN SMALL LETTER V}", "Zg\ud800"),
        ],
    )
    def test_non_canonical_encodings_are_refused(self, segment: str) -> None:
        with pytest.raises(ValueError, match=r"Base64URL|ASCII"):
            strictjson.b64url_decode(segment)


class TestLoads:
    @given(NEARLY_JSON.map(str.encode) | st.binary() | VALUES.map(json.dumps).map(str.encode))
    def test_accepted_json_has_the_value_that_a_lenient_parser_returns(self, data: bytes) -> None:
        try:
            strict = strictjson.loads(data)
        except ValueError:
            return
        assert same(strict, lenient(data))

    @half_as_many
    @given(VALUES)
    def test_any_json_value_is_parsed(self, value: Any) -> None:
        for ascii_only in (True, False):
            data = json.dumps(value, ensure_ascii=ascii_only).encode()
            assert same(strictjson.loads(data), value)

    @pytest.mark.parametrize("depth", [1, 2, 31, 32])
    @pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
    def test_nesting_up_to_the_limit_is_parsed(
        self, opening: str, closing: str, depth: int
    ) -> None:
        text = opening * depth + "1" + closing * depth
        assert same(strictjson.loads(text.encode()), json.loads(text))

    @pytest.mark.parametrize("depth", [33, 1000, 20_000])
    @pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ("[", "")])
    def test_nesting_beyond_the_limit_is_refused(
        self, opening: str, closing: str, depth: int
    ) -> None:
        text = opening * depth + "1" + closing * depth
        with pytest.raises(ValueError, match="nested too deeply"):
            strictjson.loads(text.encode())

    def test_adjacent_lists_do_not_count_as_nested(self) -> None:
        text = "[" * 31 + "[],[]" + "]" * 31
        assert same(strictjson.loads(text.encode()), json.loads(text))
        with pytest.raises(ValueError, match="nested too deeply"):
            strictjson.loads(f"[{text}]".encode())

    def test_brackets_inside_strings_do_not_count_as_nesting(self) -> None:
        for inside in ("[" * 40, "{" * 40, '\\"[' * 40, "\\\\", "[\\\\" * 40):
            text = f'["{inside}", {{"{inside}": [{"[]," * 40}1]}}]'
            assert same(strictjson.loads(text.encode()), json.loads(text))

    def test_brackets_after_a_string_count_as_nesting(self) -> None:
        text = '["\\\\", "\\"", ' + "[" * 32 + "]" * 33
        with pytest.raises(ValueError, match="nested too deeply"):
            strictjson.loads(text.encode())

    @needs_fork
    @pytest.mark.parametrize("end", ["", "\\"])
    def test_an_unterminated_string_is_scanned_in_linear_time(self, end: str) -> None:
        """Parse a million quotes: a parser that scans again from each quote would need hours."""

        def read() -> None:
            rest = b'\\"' * 1_000_000 + end.encode()
            with pytest.raises(ValueError, match="nested too deeply"):
                strictjson.loads(b"[" * 33 + b'"' + rest)
            with pytest.raises(ValueError, match="Unterminated string"):
                strictjson.loads(b'["' + b"[" * 33 + rest)

        assert completes_within_cpu_limit(read)

    @pytest.mark.parametrize("digits", ["9223372036854775807", "-9223372036854775807", "0", "-0"])
    def test_integers_within_64_bits_are_parsed(self, digits: str) -> None:
        assert same(strictjson.loads(digits.encode()), int(digits))

    @pytest.mark.parametrize(
        "digits",
        [
            *("9223372036854775808", "-9223372036854775808", "1" + "0" * 19, "1" + "0" * 20),
            *("9" * 5000, "-" + "9" * 5000),
        ],
    )
    def test_integers_beyond_64_bits_are_refused(self, digits: str) -> None:
        with pytest.raises(ValueError, match="integer out of range"):
            strictjson.loads(digits.encode())

    @pytest.mark.parametrize("digits", ["1e999", "-1e999", "1.5e400", "9" * 400 + ".0"])
    def test_numbers_that_would_become_infinite_are_refused(self, digits: str) -> None:
        with pytest.raises(ValueError, match="number out of range"):
            strictjson.loads(digits.encode())

    @pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
    def test_nan_and_infinity_are_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match="is not JSON"):
            strictjson.loads(f"[{name}]".encode())

    @pytest.mark.parametrize(
        "text", ['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[{"b":{"":0,"":0}}]', '{"é":1,"é":2}']
    )
    def test_a_duplicate_name_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="duplicate name"):
            strictjson.loads(text.encode())

    def test_names_that_only_look_alike_are_parsed(self) -> None:
        composed, decomposed = "\u00e9", "e\u0301"
        text = json.dumps({composed: 1, decomposed: 2, "A": 3, "a": 4})
        assert strictjson.loads(text.encode()) == {composed: 1, decomposed: 2, "A": 3, "a": 4}

    @pytest.mark.parametrize(
        "text", ['"\\ud800"', '"\\udc00"', '["\\ude00\\ud83d"]', '{"\\ud800":1}']
    )
    def test_a_lone_surrogate_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="surrogates not allowed"):
            strictjson.loads(text.encode())

    def test_a_pair_of_surrogates_is_parsed(self) -> None:
        assert strictjson.loads(b'"\\ud83d\\ude00"') == "\U0001f600"

    def test_an_escaped_backslash_before_a_u_is_parsed(self) -> None:
        assert strictjson.loads(rb'"\\ud800"') == "\\ud800"

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
    def test_encodings_other_than_utf_8_are_refused(self, encoding: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            strictjson.loads('{"ü":1}'.encode(encoding))

    @pytest.mark.parametrize(
        "text", ["", " ", "x", "1 1", "{}x", "{}{}", "[1,]", "{a:1}", "'a'", "01"]
    )
    def test_invalid_json_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            strictjson.loads(text.encode())


class TestDumps:
    @half_as_many
    @given(VALUES)
    def test_loads_returns_the_value_that_dumps_wrote(self, value: Any) -> None:
        assert same(strictjson.loads(strictjson.dumps(value)), value)

    def test_dumps_writes_compact_ascii_in_the_given_order(self) -> None:
        assert strictjson.dumps({"b": [1, None], "a": "é"}) == b'{"b":[1,null],"a":"\\u00e9"}'

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")]])
    def test_dumps_refuses_numbers_that_are_not_json(self, value: Any) -> None:
        with pytest.raises(ValueError, match="not JSON compliant"):
            strictjson.dumps(value)

    @pytest.mark.parametrize("value", [{1, 2}, b"bytes", object(), {"a": 1j}])
    def test_dumps_refuses_values_that_are_not_json(self, value: Any) -> None:
        with pytest.raises(TypeError):
            strictjson.dumps(value)


def test_a_lenient_parser_accepts_some_vectors_that_are_refused() -> None:
    """Test that only a strict parser refuses all vectors: `json.loads` accepts some of them."""
    refused = [
        vector
        for vector in load(Signed, "payload")
        if vector.code and vector.payload_encoding == "utf-8"
    ]
    accepted = [vector for vector in refused if _is_leniently_accepted(vector)]
    assert len(accepted) >= 15


def _is_leniently_accepted(vector: Signed) -> bool:
    payload = vector.payload if isinstance(vector.payload, str) else ""
    try:
        lenient(payload.encode())
    except ValueError:
        return False
    return True


def _accepted(segment: str) -> bool:
    try:
        data = strictjson.b64url_decode(segment)
    except ValueError:
        return False
    return data == base64.urlsafe_b64decode(segment + "==")
