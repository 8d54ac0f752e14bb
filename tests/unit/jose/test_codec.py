"""Tests of `drf_signet.jose.codec`: signing tokens, and decoding valid and hostile tokens."""

from __future__ import annotations

import base64
import dataclasses
import functools
import gc
import importlib.metadata
import json
import math
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwa import JWSAlgModel
from joserfc.jws import JWSRegistry

from drf_signet.errors import (
    BadSignature,
    MalformedToken,
    TokenError,
    UnknownKey,
    UnusableKey,
    WrongAlgorithm,
    WrongTyp,
)
from drf_signet.jose.codec import MAX_TOKEN_LENGTH, Codec, CodecSchedule
from drf_signet.jose.keys import ALGORITHMS, Key, KeyRing, Material
from drf_signet.jose.loading import LoadedKey
from tests.support.token_forge import (
    SIGNERS,
    Signer,
    compact,
    decode,
    encode,
    private_key,
    signature,
    signer,
)
from tests.support.vector_files import Form, Signed, entries, good_token, load
from tests.unit.jose.test_strictjson import SCALARS, VALUES, half_as_many

JOSERFC = tuple(int(part) for part in importlib.metadata.version("joserfc").split(".")[:3])
CLAIMS = {"token_type": "access", "user_id": 1}
SIGNED_FILES = ["algorithm", "key_header", "extensions", "payload"]
SIGNED = load(Signed, *SIGNED_FILES)
FORMS = load(Form, "form")

HS256 = signer("HS256")

each_signer = pytest.mark.parametrize("by", SIGNERS, ids=str)


@pytest.fixture(autouse=True, scope="module")
def _no_network() -> Iterator[None]:
    """Fail each test that opens a socket, for example to fetch a key from a URL in a token."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("decoding a token opened a socket")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", refuse)
        yield


@functools.cache
def reader(alg: str, ring: str = "single") -> Codec:
    """Return a codec with one test key, or with two keys if `ring` is "named"."""
    if ring == "single":
        return codec(signer(alg).key())
    return codec(signer(alg).key(kid="2026"), signer(alg, "other").key(kid="2025"))


def codec(*keys: Key, typ: str = "JWT") -> Codec:
    return Codec(KeyRing(keys=keys), typ=typ)


def refusal(codec: Codec, token: object) -> TokenError | None:
    """Return the TokenError that decoding a token raises, or None. Other errors propagate."""
    try:
        codec.decode(token)
    except TokenError as error:
        return error
    return None


def code(codec: Codec, token: object) -> str:
    """Return the code of the error that decoding a token raises, or "" if there is no error.

    Also assert that the messages of the error contain no part of the token.
    """
    error = refusal(codec, token)
    if error is None:
        return ""
    parts = [part for part in str(token).split(".") if len(part) > 12]
    assert not [part for part in parts if part in messages(error)]
    return error.code


def messages(error: BaseException | None) -> str:
    """Return the repr and the message of an error and of its causes, as they appear in a log."""
    return f"{error!r} {error} {messages(error.__cause__ or error.__context__)}" if error else ""


# Test vectors


# Each test runs all vectors of a file, and a failure lists the vectors by name. One test per vector
# would take most of the test suite's time.


@each_signer
@pytest.mark.parametrize("file", SIGNED_FILES)
def test_every_signed_vector_gets_its_error_code(file: str, by: Signer) -> None:
    vectors = [vector for vector in load(Signed, file) if vector.applies_to(by)]
    codes = {vector.name: code(reader(by.alg, vector.ring), vector.token(by)) for vector in vectors}
    assert codes == {vector.name: vector.code for vector in vectors}


@each_signer
def test_every_form_gets_its_error_code(by: Signer) -> None:
    codes = {form.name: code(reader(by.alg), form.text(by)) for form in FORMS}
    assert codes == {form.name: form.code for form in FORMS}


def test_names_of_vectors_are_unique() -> None:
    names = [vector.name for vector in SIGNED] + [form.name for form in FORMS]
    assert len(names) == len(set(names)) > 300


def test_every_vector_applies_to_a_signer() -> None:
    assert [vector.name for vector in SIGNED if not any(map(vector.applies_to, SIGNERS))] == []


def test_every_error_code_of_the_codec_has_vectors() -> None:
    codes = {
        error.code for error in (MalformedToken, WrongTyp, UnknownKey, WrongAlgorithm, BadSignature)
    }
    assert {vector.code for vector in SIGNED} == codes | {""}


@each_signer
def test_vectors_with_a_bad_header_are_accepted_with_the_valid_header(by: Signer) -> None:
    """Test that the header is the only reason why these vectors are refused."""
    validly_signed = [vector for vector in SIGNED if vector.sign == "valid"]
    refused = [vector for vector in validly_signed if vector.code and vector.applies_to(by)]
    repaired = {
        vector.name: Signed(name=vector.name, payload=vector.payload).token(by)
        for vector in refused
        if vector.header != Signed.header and vector.payload == Signed.payload
    }
    assert len(repaired) > 80
    codes = {name: code(reader(by.alg), token) for name, token in repaired.items()}
    assert codes == dict.fromkeys(repaired, "")


@pytest.mark.parametrize("answer", entries("known_answers"), ids=lambda answer: answer["name"])
def test_the_forge_reproduces_published_signatures(answer: Mapping[str, str]) -> None:
    """Test `token_forge`: other tests compare its signatures with those of the codec."""
    by = signer(answer["alg"])
    message, published = answer["signing_input"].encode(), decode(answer["signature"])
    if by.alg == "ES256":
        assert _verifies_es256(by, message, published)
    else:
        assert by.sign(message) == published


def test_the_example_token_of_rfc_7515_is_decoded() -> None:
    answer = entries("known_answers")[0]
    assert answer["name"].startswith("RFC 7515, A.1")
    claims = reader("HS256").decode(f"{answer['signing_input']}.{answer['signature']}")
    assert claims == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}


def _verifies_es256(by: Signer, message: bytes, signature: bytes) -> bool:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    key = private_key(by.jwk).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    numbers = [int.from_bytes(half, "big") for half in (signature[:32], signature[32:])]
    key.verify(encode_dss_signature(*numbers), message, ec.ECDSA(SHA256()))
    return True


# Changed tokens


@each_signer
class TestChangedToken:
    def test_a_token_with_a_flipped_bit_in_a_character_is_refused(self, by: Signer) -> None:
        token, codec = good_token(by), reader(by.alg)
        assert code(codec, token) == ""
        flipped = [
            token[:at] + chr(ord(token[at]) ^ 1 << bit) + token[at + 1 :]
            for at in range(len(token))
            for bit in range(8)
        ]
        assert [text for text in flipped if not refusal(codec, text)] == []

    def test_a_token_with_a_flipped_bit_in_a_decoded_segment_is_refused(self, by: Signer) -> None:
        segments = [decode(segment) for segment in good_token(by).split(".")]
        codec = reader(by.alg)
        flipped = []
        for which, data in enumerate(segments):
            for at in range(len(data) * 8):
                changed = bytearray(data)
                changed[at // 8] ^= 1 << at % 8
                parts = [*segments[:which], bytes(changed), *segments[which + 1 :]]
                flipped.append(".".join(map(encode, parts)))
        assert len(flipped) == 8 * sum(map(len, segments))
        assert [text for text in flipped if not refusal(codec, text)] == []

    def test_a_token_that_is_cut_at_any_place_is_refused(self, by: Signer) -> None:
        token, codec = good_token(by), reader(by.alg)
        cuts = [token[:length] for length in range(len(token))]
        cuts += [token[length:] for length in range(1, len(token))]
        assert [text for text in cuts if not refusal(codec, text)] == []

    def test_a_token_with_a_character_removed_or_doubled_is_refused(self, by: Signer) -> None:
        token, codec = good_token(by), reader(by.alg)
        changed = [token[:at] + token[at + 1 :] for at in range(len(token))]
        changed += [token[:at] + token[at] + token[at:] for at in range(len(token))]
        assert [text for text in changed if not refusal(codec, text)] == []

    def test_a_token_with_segments_of_another_token_is_refused(self, by: Signer) -> None:
        first, second = by.sign_claims({"user_id": 1}), by.sign_claims({"user_id": 2})
        third = by.token(f'{{"alg":"{by}","typ":"JWT"}}', compact({"user_id": 1}))
        codec, tokens = reader(by.alg), [first, second, third]
        parts = [token.split(".") for token in tokens]
        mixed = [
            f"{a[0]}.{b[1]}.{c[2]}"
            for a in parts
            for b in parts
            for c in parts
            if f"{a[0]}.{b[1]}.{c[2]}" not in tokens
        ]
        mixed += [".".join(reversed(part)) for part in parts]
        assert all(not refusal(codec, token) for token in tokens)
        assert len(mixed) > 12
        assert [text for text in mixed if not refusal(codec, text)] == []

    def test_a_token_with_stray_bits_in_a_last_character_is_malformed(self, by: Signer) -> None:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        codec, segments = reader(by.alg), good_token(by).split(".")
        stray = 0
        for which, segment in enumerate(segments):
            for last in alphabet.replace(segment[-1], ""):
                changed = segment[:-1] + last
                if decode(changed) != decode(segment):
                    continue
                stray += 1
                parts = [*segments[:which], changed, *segments[which + 1 :]]
                # Sign a changed header or payload again, so that only its encoding is invalid.
                text = by.complete(".".join(parts[:2])) if which < 2 else ".".join(parts)
                assert code(codec, text) == "malformed"
        assert stray >= 3

    def test_a_token_of_another_algorithm_is_refused(self, by: Signer) -> None:
        for other in SIGNERS:
            if other.alg != by.alg:
                assert code(reader(by.alg), good_token(other)) == "wrong_algorithm"

    def test_a_token_of_a_key_outside_the_ring_is_refused(self, by: Signer) -> None:
        token = signer(by.alg, "other").sign_claims(CLAIMS)
        assert code(codec(signer(by.alg, "other").key()), token) == ""
        assert code(reader(by.alg), token) == "bad_signature"


def test_a_character_outside_the_alphabet_is_malformed_at_any_place() -> None:
    token, codec = good_token(HS256), reader("HS256")
    strange = [chr(number) for number in range(0x180) if not _is_in_the_alphabet(chr(number))]
    strange += ["\u2028", "\u3000", "\uff0e", "\ud800", "\U0001d7d8"]
    assert "=" in strange
    inserted = [
        token[:at] + mark + token[at:] for mark in strange for at in range(0, len(token) + 1, 3)
    ]
    accepted = [text for text in inserted if not isinstance(refusal(codec, text), MalformedToken)]
    assert accepted == []


def _is_in_the_alphabet(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character in "-_")


@pytest.mark.parametrize(
    "token",
    [None, 1, True, b"", b"a.b.c", bytearray(b"a.b.c"), ["a.b.c"], {"token": "a.b.c"}, object()],
    ids=lambda token: f"{token!r:.14}",  # omit the memory address, which differs between processes
)
def test_a_value_that_is_not_a_string_is_malformed(token: object) -> None:
    assert code(reader("HS256"), token) == "malformed"


def test_a_valid_token_as_bytes_is_malformed() -> None:
    assert code(reader("HS256"), good_token(HS256).encode()) == "malformed"


# The order of the checks, and their cost


@contextmanager
def calls() -> Iterator[list[str]]:
    """Record the name of each C function, and each function of `json.decoder`, that is called."""
    names: list[str] = []

    def note(frame: Any, event: str, function: Any) -> None:
        if event == "c_call":
            names.append(function.__name__)
        elif event == "call" and frame.f_globals["__name__"] == "json.decoder":
            names.append(frame.f_code.co_name)

    gc.disable()  # garbage collection calls a hook of Hypothesis, which would be recorded
    sys.setprofile(note)
    try:
        yield names
    finally:
        sys.setprofile(None)
        gc.enable()


@pytest.mark.parametrize(
    "token",
    ["A" * 10**6, "." * 10**6, "A." * 10**6, f"{good_token(HS256)}{'A' * 10**6}", " " * 10**6],
)
def test_a_megabyte_is_refused_by_its_length_alone(token: str) -> None:
    codec = reader("HS256")
    with calls() as called:
        error = refusal(codec, token)
    assert error is not None
    assert error.code == "malformed"
    assert set(called) <= {"isinstance", "len", "next", "setprofile"}


def test_a_string_without_three_segments_is_refused_before_it_is_decoded() -> None:
    codec = reader("HS256")
    with calls() as called:
        refusal(codec, "A" * MAX_TOKEN_LENGTH)
    assert set(called) <= {"isinstance", "len", "next", "setprofile", "partition", "rpartition"}


@each_signer
def test_a_bad_signature_is_refused_before_the_payload_is_parsed(by: Signer) -> None:
    codec, token = reader(by.alg), good_token(by)
    forged = f"{token.rpartition('.')[0]}.{encode(bytes(64))}"
    with calls() as called:
        codec.decode(token)
    assert "raw_decode" in called
    with calls() as called_for_forged:
        error = refusal(codec, forged)
    assert isinstance(error, BadSignature)
    assert "raw_decode" not in called_for_forged


def test_a_token_is_accepted_up_to_the_maximum_length() -> None:
    codec = reader("HS256")
    by_length = {len(text): text for text in map(_token_of_size, range(5900, 6200))}
    assert code(codec, by_length[MAX_TOKEN_LENGTH]) == ""
    assert code(codec, by_length[max(by_length)]) == "malformed"
    accepted = [length for length, text in by_length.items() if not refusal(codec, text)]
    assert max(accepted) == MAX_TOKEN_LENGTH
    longest = codec.decode(by_length[MAX_TOKEN_LENGTH])
    assert _writer("HS256").encode(longest) == by_length[MAX_TOKEN_LENGTH]


def _token_of_size(size: int) -> str:
    return HS256.sign_claims({"a": "a" * size})


# Arbitrary input


@given(st.text() | st.binary() | SCALARS)
def test_any_value_is_a_token_error(token: object) -> None:
    assert refusal(reader("HS256"), token) is not None


@given(
    st.lists(st.text("abcAZ09-_.", max_size=12) | st.binary().map(encode), max_size=5).map(".".join)
)
def test_any_segments_are_a_token_error(token: str) -> None:
    for by in SIGNERS:
        assert refusal(reader(by.alg), token) is not None


@given(st.binary() | VALUES.map(lambda value: compact({"a": value}).encode()), st.binary())
def test_any_signed_bytes_are_accepted_or_a_token_error(header: bytes, payload: bytes) -> None:
    refusal(reader("HS256"), HS256.token(header, "{}"))
    refusal(reader("HS256"), HS256.token('{"typ":"JWT","alg":"HS256"}', payload))


@given(st.binary(max_size=600))
def test_any_forged_signature_is_a_token_error(forged: bytes) -> None:
    for by in SIGNERS:
        token = f"{good_token(by).rpartition('.')[0]}.{encode(forged)}"
        assert refusal(reader(by.alg), token) is not None


@half_as_many
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), VALUES, max_size=5))
def test_decoding_returns_the_claims_that_were_encoded(claims: dict[str, Any]) -> None:
    token = _writer("HS256").encode(claims)
    assert repr(reader("HS256").decode(token)) == repr(claims)
    assert token == HS256.sign_claims(claims)


# Encoding


def _pem(key: Any, password: bytes | None = None) -> bytes:
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
    return pem


def _public_pem(key: Any) -> bytes:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def _certificate() -> bytes:
    """Return a self-signed certificate in DER encoding."""
    key = private_key(signer("ES256").jwk)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    start = datetime(2025, 1, 1, tzinfo=UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(Encoding.DER)


@functools.cache
def _material(alg: str) -> tuple[Material, Material]:
    """Return the signing key and the verification key for an algorithm."""
    curves = {"ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
    if alg in curves:
        key = ec.generate_private_key(curves[alg]())
        return _pem(key), _public_pem(key)
    by = signer(alg)
    return by.jwk, by.public_jwk


@functools.cache
def _writer(alg: str) -> Codec:
    return codec(Key(algorithm=alg, material=_material(alg)[0]))


#: The algorithms without RSA keys. Importing a private RSA key takes 80 ms, so most tests use only
#: these algorithms.
CHEAP = [alg for alg in ALGORITHMS if ALGORITHMS[alg] != "RSA"]


def nested(depth: int) -> list[Any]:
    """Return lists that are nested to the given depth."""
    return [nested(depth - 1)] if depth > 1 else []


class TestEncode:
    @pytest.mark.parametrize("alg", [*CHEAP, "PS256"])
    def test_an_encoded_token_is_verified_with_the_public_key(self, alg: str) -> None:
        token = _writer(alg).encode(CLAIMS)
        verifier = codec(Key(algorithm=alg, material=_material(alg)[1]))
        assert verifier.decode(token) == CLAIMS
        assert _writer(alg).decode(token) == CLAIMS

    @pytest.mark.parametrize("alg", [*(a for a in ALGORITHMS if a not in CHEAP), "HS512", "EdDSA"])
    def test_a_forged_token_of_the_algorithm_is_decoded(self, alg: str) -> None:
        assert codec(signer(alg).key()).decode(signer(alg).sign_claims(CLAIMS)) == CLAIMS

    @pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512", "EdDSA", "Ed25519"])
    def test_a_deterministic_signature_equals_the_forged_signature(self, alg: str) -> None:
        assert _writer(alg).encode(CLAIMS) == signer(alg).sign_claims(CLAIMS)

    def test_the_header_equals_the_header_in_the_tutorial(self) -> None:
        token = _writer("HS256").encode(CLAIMS)
        assert token.split(".")[0] == "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"

    def test_the_header_contains_the_kid_if_the_key_has_a_kid(self) -> None:
        other = signer("HS256", "other").key(kid="2025")
        token = codec(HS256.key(kid="2026"), other).encode(CLAIMS)
        assert token == HS256.sign_claims(CLAIMS, kid="2026")

    def test_a_codec_with_another_typ_writes_and_requires_it(self) -> None:
        special = codec(HS256.key(), typ="at+jwt")
        token = special.encode(CLAIMS)
        assert decode(token.split(".")[0]) == b'{"typ":"at+jwt","alg":"HS256"}'
        assert special.decode(token) == CLAIMS
        assert code(special, HS256.sign_claims(CLAIMS)) == "wrong_typ"
        assert code(reader("HS256"), token) == "wrong_typ"

    def test_claims_keep_their_order(self) -> None:
        token = _writer("HS256").encode({"b": 1, "a": 2})
        assert decode(token.split(".")[1]) == b'{"b":1,"a":2}'

    @pytest.mark.parametrize("value", [object(), b"bytes", {1}], ids=["object", "bytes", "set"])
    def test_claims_that_are_not_json_raise_a_type_error(self, value: object) -> None:
        with pytest.raises(TypeError):
            _writer("HS256").encode({"a": value})

    @pytest.mark.parametrize(
        "claims",
        [
            {"a": 2**63},
            {"a": float("nan")},
            {"a": float("inf")},
            {"a": "\ud800"},
            {1: "a", "1": "b"},
            {"a": nested(32)},
        ],
        ids=["64 bits", "NaN", "infinity", "surrogate", "duplicate name", "depth"],
    )
    def test_claims_that_decoding_would_refuse_raise_a_value_error(
        self, claims: dict[Any, Any]
    ) -> None:
        with pytest.raises(ValueError, match=r"."):
            _writer("HS256").encode(claims)

    def test_encoding_refuses_a_token_longer_than_decoding_accepts(self) -> None:
        lengths = [len(_writer("HS256").encode({"a": "a" * size})) for size in (6000, 6050)]
        assert max(lengths) < MAX_TOKEN_LENGTH
        with pytest.raises(ValueError, match="longer than 8192 characters"):
            _writer("HS256").encode({"a": "a" * 6200})

    @pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
    def test_encoding_refuses_to_sign_with_a_public_key(self, alg: str) -> None:
        verifier = reader(alg)
        assert not verifier.can_sign
        with pytest.raises(UnusableKey, match="only verifies"):
            verifier.encode(CLAIMS)

    def test_only_the_first_key_of_the_ring_signs(self) -> None:
        public, private = (
            signer("ES256").key(),
            Key(algorithm="ES256", material=signer("ES256").jwk),
        )
        assert codec(private, public).can_sign
        assert not codec(public, private).can_sign


class TestPurpose:
    @pytest.mark.parametrize("alg", ["HS256", "RS256", "ES256", "EdDSA"])
    def test_claims_signed_for_a_purpose_are_decoded_for_this_purpose_only(self, alg: str) -> None:
        codec = _writer(alg)
        signed = codec.for_purpose("greeting").encode({"a": 1})
        assert signed.startswith("greeting:")
        assert codec.for_purpose("greeting").decode(signed) == {"a": 1}
        assert code(codec, signed) == "malformed"
        for purpose in ("", "farewell", "greeting:", "Greeting"):
            assert code(codec.for_purpose(purpose), signed) in ("malformed", "bad_signature")
            other = signed.replace("greeting", purpose)
            assert code(codec.for_purpose(purpose), other) in ("malformed", "bad_signature")

    @pytest.mark.parametrize("alg", ["HS256", "RS256", "ES256", "EdDSA"])
    def test_a_signature_for_a_purpose_is_not_valid_for_a_token_or_the_reverse(
        self, alg: str
    ) -> None:
        codec = _writer(alg)
        _, *segments = codec.for_purpose("greeting").encode({"a": 1}).split(":")
        assert code(codec, ".".join(segments)) == "bad_signature"
        segments = codec.encode({"a": 1}).split(".")
        assert code(codec.for_purpose("greeting"), ":".join(["greeting", *segments])) == (
            "bad_signature"
        )


# Choosing the key that verifies a token


class TestRing:
    def test_a_token_without_kid_is_tried_with_every_key_without_kid(self) -> None:
        other = signer("HS256", "other")
        ring = codec(HS256.key(), other.key())
        assert (
            ring.decode(HS256.sign_claims(CLAIMS))
            == ring.decode(other.sign_claims(CLAIMS))
            == CLAIMS
        )
        assert code(ring, signer("HS384").sign_claims(CLAIMS)) == "wrong_algorithm"

    def test_a_token_without_kid_is_never_tried_with_a_key_that_has_a_kid(self) -> None:
        other = signer("HS256", "other")
        ring = codec(HS256.key(kid="new"), other.key())
        assert ring.decode(other.sign_claims(CLAIMS)) == CLAIMS
        assert ring.decode(HS256.sign_claims(CLAIMS, kid="new")) == CLAIMS
        assert code(ring, HS256.sign_claims(CLAIMS)) == "bad_signature"
        assert code(ring, other.sign_claims(CLAIMS, kid="new")) == "bad_signature"

    def test_a_token_without_kid_is_tried_with_the_only_key(self) -> None:
        assert codec(HS256.key(kid="new")).decode(HS256.sign_claims(CLAIMS)) == CLAIMS

    def test_a_public_key_without_kid_is_found_by_its_thumbprint(self) -> None:
        """Test a service whose VERIFYING_KEY is the public half of a key in the issuer's ring."""
        by = signer("EdDSA")
        thumbprint = str(LoadedKey.load(by.key()).thumbprint())
        service = codec(by.key())
        assert service.decode(by.sign_claims(CLAIMS, kid=thumbprint)) == CLAIMS
        assert code(service, by.sign_claims(CLAIMS, kid="other")) == "unknown_key"

    def test_a_ring_verifies_with_keys_of_several_algorithms(self) -> None:
        ring = codec(*(by.key() for by in SIGNERS))
        for by in SIGNERS:
            assert ring.decode(by.sign_claims(CLAIMS)) == CLAIMS
            assert code(ring, signer(by.alg, "other").sign_claims(CLAIMS)) == "bad_signature"

    def test_a_kid_binds_the_algorithm_of_its_key(self) -> None:
        ring = codec(signer("EdDSA").key(kid="1"), signer("Ed25519").key(kid="2"))
        assert ring.decode(signer("EdDSA").sign_claims(CLAIMS, kid="1")) == CLAIMS
        assert ring.decode(signer("Ed25519").sign_claims(CLAIMS, kid="2")) == CLAIMS
        assert code(ring, signer("EdDSA").sign_claims(CLAIMS, kid="2")) == "wrong_algorithm"
        assert code(ring, signer("Ed25519").sign_claims(CLAIMS, kid="1")) == "wrong_algorithm"

    def test_eddsa_and_ed25519_are_different_algorithms(self) -> None:
        assert code(reader("EdDSA"), signer("Ed25519").sign_claims(CLAIMS)) == "wrong_algorithm"
        assert code(reader("Ed25519"), signer("EdDSA").sign_claims(CLAIMS)) == "wrong_algorithm"

    def test_a_kid_can_be_any_string(self) -> None:
        for kid in ("ü", "\U0001f511", '"', "a b", "1"):
            ring = codec(HS256.key(kid=kid), signer("HS256", "other").key(kid="other"))
            assert ring.decode(ring.encode(CLAIMS)) == CLAIMS
            assert ring.decode(HS256.sign_claims(CLAIMS, kid=kid)) == CLAIMS
            raw = f'{{"alg":"HS256","typ":"JWT","kid":{_quoted(kid)}}}'
            assert ring.decode(HS256.token(raw, compact(CLAIMS))) == CLAIMS


class TestTimes:
    """Test a ring whose keys have times: `old` expires at 300, `new` signs from 200."""

    RING = KeyRing(
        keys=(
            dataclasses.replace(signer("EdDSA").signing_key(kid="new"), not_before=200),
            dataclasses.replace(signer("ES256").signing_key(kid="old"), not_after=300),
        )
    )

    @pytest.fixture
    def schedule(self) -> CodecSchedule:
        return CodecSchedule(Codec(self.RING, now=0))

    def test_the_schedule_returns_the_same_codec_until_the_keys_change(
        self, schedule: CodecSchedule
    ) -> None:
        first, second, third = (schedule.at(now) for now in (0, 199.9, 200))
        assert first is second
        assert second is not third
        assert (third.since, third.until) == (200, 300)

    def test_the_schedule_follows_a_clock_that_is_set_back(self, schedule: CodecSchedule) -> None:
        assert kid_of(schedule.at(200).encode(CLAIMS)) == "new"
        assert kid_of(schedule.at(199).encode(CLAIMS)) == "old"

    def test_a_key_verifies_before_it_signs(self, schedule: CodecSchedule) -> None:
        assert schedule.at(0).decode(schedule.at(200).encode(CLAIMS)) == CLAIMS

    def test_a_key_verifies_until_it_expires(self, schedule: CodecSchedule) -> None:
        token = schedule.at(0).encode(CLAIMS)
        assert schedule.at(299.9).decode(token) == CLAIMS
        with pytest.raises(UnknownKey):
            schedule.at(300).decode(token)

    def test_a_token_is_valid_until_its_key_expires(self, schedule: CodecSchedule) -> None:
        old, new = (schedule.at(now).encode(CLAIMS) for now in (0, 200))
        assert schedule.at(0).valid_until(old) == 300
        assert schedule.at(0).valid_until(new) == math.inf

    def test_a_token_with_an_unusual_header_is_valid_until_the_first_key_expires(
        self, schedule: CodecSchedule
    ) -> None:
        token = signer("EdDSA").token('{"kid":"new","alg":"EdDSA","typ":"JWT"}', compact(CLAIMS))
        assert schedule.at(0).decode(token) == CLAIMS
        assert schedule.at(0).valid_until(token) == 300

    def test_a_token_without_kid_is_refused_although_only_one_key_is_left(
        self, schedule: CodecSchedule
    ) -> None:
        with pytest.raises(UnknownKey):
            schedule.at(300).decode(signer("EdDSA").sign_claims(CLAIMS))

    def test_a_codec_cannot_sign_after_all_keys_have_expired(self) -> None:
        expired = Codec(KeyRing(keys=self.RING.keys[1:]), now=300)
        assert not expired.can_sign
        with pytest.raises(UnusableKey, match="no key signs now"):
            expired.encode(CLAIMS)
        with pytest.raises(UnknownKey):
            expired.decode(signer("ES256").sign_claims(CLAIMS, kid="old"))

    def test_a_codec_for_a_purpose_has_the_keys_of_its_time(self, schedule: CodecSchedule) -> None:
        signed = schedule.at(0).for_purpose("logout").encode(CLAIMS)
        assert schedule.at(299).for_purpose("logout").decode(signed) == CLAIMS
        assert schedule.at(0).for_purpose("logout").valid_until(signed) == 300
        with pytest.raises(MalformedToken):
            schedule.at(300).for_purpose("logout").decode(signed)


def kid_of(token: str) -> str | None:
    """Return the `kid` in the header of a token."""
    kid: str | None = json.loads(decode(token.split(".", maxsplit=1)[0])).get("kid")
    return kid


def _quoted(text: str) -> str:
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'


# Unusable keys


def _armoured(der: str) -> str:
    body = base64.b64encode(bytes.fromhex(der)).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"


def _jwk(alg: str, /, **members: object) -> dict[str, object]:
    return {**signer(alg).jwk, **members}


UNUSABLE: list[tuple[str, str, Material]] = [
    ("not a PEM", "RS256", "secret " * 8),
    ("a cut PEM", "RS256", _public_pem(private_key(signer("RS256").jwk))[:-60]),
    ("an RSA PEM for EC", "ES256", _public_pem(private_key(signer("RS256").jwk))),
    ("an EC PEM for RSA", "RS256", _public_pem(private_key(signer("ES256").jwk))),
    ("an EC PEM for Ed25519", "EdDSA", _public_pem(private_key(signer("ES256").jwk))),
    ("an RSA key of 1024 bits", "RS256", _public_pem(rsa.generate_private_key(65537, 1024))),
    ("another curve", "ES256", _public_pem(ec.generate_private_key(ec.SECP384R1()))),
    ("the curve secp256k1", "ES256", _public_pem(ec.generate_private_key(ec.SECP256K1()))),
    ("Ed448 for EdDSA", "EdDSA", _public_pem(ed448.Ed448PrivateKey.generate())),
    ("Ed448 for Ed25519", "Ed25519", _public_pem(ed448.Ed448PrivateKey.generate())),
    ("X25519 for EdDSA", "EdDSA", _public_pem(x25519.X25519PrivateKey.generate())),
    ("a private X25519 for EdDSA", "EdDSA", _pem(x25519.X25519PrivateKey.generate())),
    ("an encrypted PEM", "ES256", _pem(private_key(signer("ES256").jwk), b"x")),
    ("a PEM with an unknown algorithm", "EdDSA", _armoured("300b300506032b653d03020000")),
    ("a JWK without kty", "HS256", {"k": signer("HS256").jwk["k"]}),
    ("a JWK with another kty", "HS256", signer("RS256").jwk),
    ("a JWK whose kty is a list", "HS256", {"kty": ["oct"], "k": "AA"}),
    ("a JWK without its value", "HS256", {"kty": "oct"}),
    ("a JWK whose value is a number", "HS256", {"kty": "oct", "k": 1}),
    ("a JWK with an empty secret", "HS256", {"kty": "oct", "k": ""}),
    ("a JWK with a short secret", "HS256", {"kty": "oct", "k": encode(b"k" * 31)}),
    ("a JWK without x", "ES256", {"kty": "EC", "crv": "P-256", "y": "AA"}),
    ("a JWK whose point is not on its curve", "ES256", _jwk("ES256", x=encode(bytes(32)))),
    ("a JWK with another curve", "ES256", _jwk("ES256", crv="P-384")),
    ("a JWK with an unknown curve", "ES256", _jwk("ES256", crv="P-1")),
    ("a JWK for encryption", "HS256", _jwk("HS256", use="enc")),
    ("a JWK for another algorithm", "HS256", _jwk("HS256", alg="HS512")),
    ("a JWK that only signs", "ES256", _jwk("ES256", key_ops=["sign"])),
    ("a JWK with empty key_ops", "HS256", _jwk("HS256", key_ops=[])),
    (
        "a JWK whose use and key_ops contradict",
        "HS256",
        _jwk("HS256", use="sig", key_ops=["encrypt"]),
    ),
]


@pytest.mark.parametrize(
    ("alg", "material"),
    [pytest.param(alg, material, id=name) for name, alg, material in UNUSABLE],
)
def test_an_unusable_key_is_refused_when_the_codec_is_created(alg: str, material: Material) -> None:
    with pytest.raises(UnusableKey) as caught:
        codec(Key(algorithm=alg, material=material))
    secret = material.get("k") if isinstance(material, Mapping) else None
    assert not isinstance(secret, str) or len(secret) < 8 or secret not in messages(caught.value)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize(
    "form",
    [
        *("pem", "pem_crlf", "pem_no_newline", "pem_bom", "ssh"),
        pytest.param(
            "der", marks=pytest.mark.skipif(JOSERFC < (1, 7, 7), reason="joserfc < 1.7.7")
        ),
    ],
)
def test_a_public_key_is_refused_as_an_hmac_secret(alg: str, form: str) -> None:
    """Refuse the key: anyone who knows the public key could sign tokens (RFC 8725 §2.1)."""
    material = signer(alg).public_forms()[form]
    with pytest.raises(UnusableKey, match=r"not a key for HS256|not a private or public key"):
        codec(Key(algorithm="HS256", material=material))
    jwk = {"kty": "oct", "k": encode(material)}
    with pytest.raises(UnusableKey, match=r"not a key for HS256|not a private or public key"):
        codec(Key(algorithm="HS256", material=jwk))


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_private_key_is_refused_as_an_hmac_secret(alg: str) -> None:
    """Test a project that has set SIGNING_KEY to a private key, but has not set ALGORITHM."""
    pem = _pem(private_key(signer(alg).jwk))
    for material in (pem, base64.b64decode(b"".join(pem.splitlines()[1:-1]))):
        with pytest.raises(UnusableKey, match="needs a secret, not a private or public key"):
            codec(Key(algorithm="HS256", material=material, allow_short=True))


def _key_texts(alg: str) -> dict[str, bytes]:
    """Return an algorithm's keys as texts that a project might use as a secret: name → text."""
    key = private_key(signer(alg).jwk)
    texts: dict[str, bytes] = {}
    for kind, pem in (("public", _public_pem(key)), ("private", _pem(key))):
        body = b"".join(line for line in pem.splitlines() if not line.startswith(b"-"))
        lines = pem.splitlines()[1:-1]
        texts |= {
            f"{kind} pem in base64": base64.b64encode(pem),
            f"{kind} body": body,
            f"{kind} body without padding": body.rstrip(b"="),
            f"{kind} body in lines": b"\n".join(lines),
            f"{kind} body in crlf lines": b"\r\n".join([b"", *lines, b""]),
            f"{kind} body in escaped lines": b"\\n".join(lines),
        }
    for kind, jwk in (("public", signer(alg).public_jwk), ("private", signer(alg).jwk)):
        text = json.dumps(dict(jwk))
        texts |= {
            f"{kind} jwk": text.encode(),
            f"{kind} jwk without spaces": compact(jwk).encode(),
            f"{kind} jwk in base64": base64.b64encode(text.encode()),
            f"{kind} jwk in lines": json.dumps(dict(jwk), indent=2).replace("\n", "\r\n").encode(),
            f"{kind} jwk in a string": json.dumps(text).encode(),
            f"{kind} jwk as python": str(dict(jwk)).encode(),
            f"{kind} jwk set": json.dumps({"keys": [dict(jwk)]}).encode(),
        }
    return texts


@pytest.mark.parametrize(
    ("alg", "around"),
    [
        ("RS256", b"\n\xef\xbb\xbf%s"),
        ("ES256", b"%s"),
        ("ES256", b"\xef\xbb\xbf%s"),
        ("EdDSA", b" \r\n\t%s\r\n"),
    ],
)
def test_the_text_of_a_key_is_refused_as_an_hmac_secret(alg: str, around: bytes) -> None:
    """Refuse the text: anyone who knows the public key could sign tokens (RFC 8725 §2.1)."""
    for name, text in _key_texts(alg).items():
        with pytest.raises(UnusableKey, match=r"not a key for HS256|nor a JWK in a string"):
            pytest.fail(f"{name}: {codec(Key(algorithm='HS256', material=around % text))}")


def test_the_text_of_a_key_is_refused_as_the_value_of_a_jwk() -> None:
    for text in _key_texts("EdDSA").values():
        with pytest.raises(UnusableKey, match=r"not a key for HS256|nor a JWK in a string"):
            codec(Key(algorithm="HS256", material={"kty": "oct", "k": encode(text)}))


def test_the_text_of_a_certificate_is_refused_as_an_hmac_secret() -> None:
    der = _certificate()
    for text in (der, base64.b64encode(der), base64.encodebytes(der)):
        with pytest.raises(UnusableKey):
            codec(Key(algorithm="HS256", material=text))


@pytest.mark.parametrize(
    "secret",
    [
        "0" * 64,
        "MII" + "A" * 61,
        base64.b64encode(b"\x30" * 48).decode(),
        base64.b64encode(b"\x30\x2e" + b"\x02" * 46).decode(),
        "0123456789abcdef" * 4,
        "kty: an ordinary word in a long secret",
        '{"k": "a secret that is JSON, but not a key"}',
        "%" * 32,
    ],
)
def test_a_secret_that_resembles_a_key_is_accepted(secret: str) -> None:
    writer = codec(Key(algorithm="HS256", material=secret))
    assert writer.decode(writer.encode(CLAIMS)) == CLAIMS


def test_a_short_secret_is_accepted_with_allow_short() -> None:
    short = {"k": encode(b"short")}
    ring = codec(Key(algorithm="HS256", material="short", allow_short=True))
    signing_input = f"{encode(compact({'typ': 'JWT', 'alg': 'HS256'}))}.{encode(compact(CLAIMS))}"
    mac = encode(signature("HS256", short, signing_input.encode()))
    assert ring.decode(f"{signing_input}.{mac}") == CLAIMS


@pytest.mark.parametrize("form", ["pem", "pem_crlf", "pem_no_newline", "jwk"])
@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_public_key_is_accepted_in_the_usual_encodings(alg: str, form: str) -> None:
    by = signer(alg)
    material: Material = by.public_jwk if form == "jwk" else by.public_forms()[form]
    assert codec(Key(algorithm=alg, material=material)).decode(by.sign_claims(CLAIMS)) == CLAIMS


def test_a_private_key_is_accepted_as_a_pem_string() -> None:
    for alg, key in (
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ):
        writer = codec(Key(algorithm=alg, material=_pem(key).decode()))
        verifier = codec(Key(algorithm=alg, material=_public_pem(key).decode()))
        assert verifier.decode(writer.encode(CLAIMS)) == CLAIMS


def test_a_jwk_with_matching_alg_use_and_key_ops_is_accepted() -> None:
    jwk = _jwk("ES256", alg="ES256", use="sig", key_ops=["sign", "verify"], kid="ignored")
    writer = codec(Key(algorithm="ES256", material=jwk))
    assert writer.can_sign
    assert reader("ES256").decode(writer.encode(CLAIMS)) == CLAIMS


def test_a_jwk_whose_key_ops_only_verify_cannot_sign() -> None:
    verifier = codec(Key(algorithm="ES256", material=_jwk("ES256", key_ops=["verify"])))
    assert not verifier.can_sign
    assert verifier.decode(signer("ES256").sign_claims(CLAIMS)) == CLAIMS
    with pytest.raises(UnusableKey, match="not for signing"):
        verifier.encode(CLAIMS)


def test_the_callers_jwk_is_not_changed() -> None:
    jwk = dict(signer("ES256").jwk)
    before = dict(jwk)
    codec(Key(algorithm="ES256", material=jwk)).encode(CLAIMS)
    assert jwk == before


class Exploding(JWSAlgModel):
    """A signature algorithm for joserfc that raises an exception that joserfc does not document."""

    name = "HS256"

    def check_key(self, key: Any) -> None:
        pass

    def sign(self, msg: bytes, key: Any) -> bytes:
        return b"s"

    def verify(self, msg: bytes, sig: bytes, key: Any) -> bool:
        raise ZeroDivisionError


def test_any_exception_of_an_algorithm_is_a_bad_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(JWSRegistry.algorithms, "HS256", Exploding())
    broken = codec(HS256.key())
    error = refusal(broken, broken.encode(CLAIMS))
    assert isinstance(error, BadSignature)
    assert error.__context__ is None
