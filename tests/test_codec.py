"""The codec: what it signs, and what it makes of tokens that others have made."""

from __future__ import annotations

import base64
import functools
import gc
import importlib.metadata
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwa import JWSAlgModel
from joserfc.jws import JWSRegistry

from drf_signet.codec import MAX_TOKEN_LENGTH, Codec
from drf_signet.errors import (
    BadSignature,
    MalformedToken,
    TokenError,
    UnknownKey,
    UnusableKey,
    WrongAlgorithm,
)
from drf_signet.keys import ALGORITHMS, Key, KeyRing, Material
from tests.forge import SIGNERS, Signer, compact, decode, encode, private_key, signature, signer
from tests.test_strictjson import SCALARS, VALUES, half_as_many
from tests.vector_files import Form, Signed, entries, good_token, load

JOSERFC = tuple(int(part) for part in importlib.metadata.version("joserfc").split(".")[:3])
CLAIMS = {"token_type": "access", "user_id": 1}
SIGNED_FILES = ["algorithm", "key_header", "extensions", "payload"]
SIGNED = load(Signed, *SIGNED_FILES)
FORMS = load(Form, "form")

HS256 = signer("HS256")

each_signer = pytest.mark.parametrize("by", SIGNERS, ids=str)


@pytest.fixture(autouse=True, scope="module")
def _no_network() -> Iterator[None]:
    """Let nobody fetch the key that a token points to."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a token made us open a socket")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", refuse)
        yield


@functools.cache
def reader(alg: str, ring: str = "one") -> Codec:
    """Return a codec that verifies with the RFC's key or, `named`, with it and the other one."""
    if ring == "one":
        return codec(signer(alg).key())
    return codec(signer(alg).key(kid="2026"), signer(alg, "other").key(kid="2025"))


def codec(*keys: Key, **options: str) -> Codec:
    return Codec(KeyRing(keys=keys), **options)


def refusal(codec: Codec, token: object) -> TokenError | None:
    """Return the error that a token gets, None if it is accepted. No other error passes."""
    try:
        codec.decode(token)
    except TokenError as error:
        return error
    return None


def code(codec: Codec, token: object) -> str:
    """Return the code of the error that a token gets, empty if it is accepted.

    Nothing that is told of the error repeats a part of the token.
    """
    error = refusal(codec, token)
    if error is None:
        return ""
    parts = [part for part in str(token).split(".") if len(part) > 12]
    assert not [part for part in parts if part in told(error)]
    return error.code


def told(error: BaseException | None) -> str:
    """Return all that a log or a traceback says of an error and its causes."""
    return f"{error!r} {error} {told(error.__cause__ or error.__context__)}" if error else ""


# Vectors


# A failure lists the vectors by name; one test each would take most of the suite's time.


@each_signer
@pytest.mark.parametrize("file", SIGNED_FILES)
def test_every_signed_vector_gets_its_answer(file: str, by: Signer) -> None:
    vectors = [vector for vector in load(Signed, file) if vector.concerns(by)]
    answers = {one.name: code(reader(by.alg, one.ring), one.token(by)) for one in vectors}
    assert answers == {vector.name: vector.code for vector in vectors}


@each_signer
def test_every_form_gets_its_answer(by: Signer) -> None:
    answers = {form.name: code(reader(by.alg), form.text(by)) for form in FORMS}
    assert answers == {form.name: form.code for form in FORMS}


def test_every_vector_has_a_name_of_its_own() -> None:
    names = [vector.name for vector in SIGNED] + [form.name for form in FORMS]
    assert len(names) == len(set(names)) > 300


def test_every_vector_is_for_some_signer() -> None:
    assert [vector.name for vector in SIGNED if not any(map(vector.concerns, SIGNERS))] == []


def test_every_code_of_the_codec_has_vectors() -> None:
    codes = {error.code for error in (MalformedToken, UnknownKey, WrongAlgorithm, BadSignature)}
    assert {vector.code for vector in SIGNED} == codes | {""}


@each_signer
def test_vectors_that_differ_in_the_header_alone_are_otherwise_accepted(by: Signer) -> None:
    """A vector can fail: with the good header, its token passes."""
    differing = [one for one in SIGNED if one.code and one.sign == "valid" and one.concerns(by)]
    mended = {
        vector.name: Signed(name=vector.name, payload=vector.payload).token(by)
        for vector in differing
        if vector.header != Signed.header and vector.payload == Signed.payload
    }
    assert len(mended) > 80
    assert {name: code(reader(by.alg), token) for name, token in mended.items()} == dict.fromkeys(
        mended, ""
    )


@pytest.mark.parametrize("answer", entries("known_answers"), ids=lambda answer: answer["name"])
def test_a_published_signature_is_the_one_that_is_forged_here(answer: Mapping[str, str]) -> None:
    """The forgery's own proof; below, the codec's signatures are compared with the forgery's."""
    by = signer(answer["alg"])
    message, published = answer["signing_input"].encode(), decode(answer["signature"])
    if by.alg == "ES256":
        assert _verifies_es256(by, message, published)
    else:
        assert by.sign(message) == published


def test_the_example_of_rfc_7515_is_read() -> None:
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


# Every change of a token


@each_signer
class TestAChangedToken:
    def test_it_is_refused_with_any_bit_of_its_text_flipped(self, by: Signer) -> None:
        token, codec = good_token(by), reader(by.alg)
        assert code(codec, token) == ""
        flipped = [
            token[:at] + chr(ord(token[at]) ^ 1 << bit) + token[at + 1 :]
            for at in range(len(token))
            for bit in range(8)
        ]
        assert [text for text in flipped if not refusal(codec, text)] == []

    def test_it_is_refused_with_any_bit_of_its_content_flipped(self, by: Signer) -> None:
        segments, codec = [decode(one) for one in good_token(by).split(".")], reader(by.alg)
        flipped = []
        for which, data in enumerate(segments):
            for at in range(len(data) * 8):
                changed = bytearray(data)
                changed[at // 8] ^= 1 << at % 8
                parts = [*segments[:which], bytes(changed), *segments[which + 1 :]]
                flipped.append(".".join(map(encode, parts)))
        assert len(flipped) == 8 * sum(map(len, segments))
        assert [text for text in flipped if not refusal(codec, text)] == []

    def test_it_is_refused_when_cut_anywhere(self, by: Signer) -> None:
        token, codec = good_token(by), reader(by.alg)
        cuts = [token[:length] for length in range(len(token))]
        cuts += [token[length:] for length in range(1, len(token))]
        assert [text for text in cuts if not refusal(codec, text)] == []

    def test_it_is_refused_with_a_character_left_out_or_doubled(self, by: Signer) -> None:
        token, codec = good_token(by), reader(by.alg)
        changed = [token[:at] + token[at + 1 :] for at in range(len(token))]
        changed += [token[:at] + token[at] + token[at:] for at in range(len(token))]
        assert [text for text in changed if not refusal(codec, text)] == []

    def test_it_is_refused_with_segments_of_another(self, by: Signer) -> None:
        one, other = by.ours({"user_id": 1}), by.ours({"user_id": 2})
        third = by.token(f'{{"alg":"{by}","typ":"JWT"}}', compact({"user_id": 1}))
        codec, tokens = reader(by.alg), [one, other, third]
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

    def test_it_is_refused_with_stray_bits_in_a_last_character(self, by: Signer) -> None:
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
                # The first two are signed anew: only the spelling is wrong.
                text = by.complete(".".join(parts[:2])) if which < 2 else ".".join(parts)
                assert code(codec, text) == "malformed"
        assert stray >= 3

    def test_it_is_refused_signed_by_any_other_algorithm_and_key(self, by: Signer) -> None:
        for other in SIGNERS:
            if other.alg != by.alg:
                assert code(reader(by.alg), good_token(other)) == "wrong_algorithm"

    def test_it_is_refused_by_a_ring_without_its_key(self, by: Signer) -> None:
        token = signer(by.alg, "other").ours(CLAIMS)
        assert code(codec(signer(by.alg, "other").key()), token) == ""
        assert code(reader(by.alg), token) == "bad_signature"


def test_any_byte_outside_the_alphabet_is_refused_anywhere() -> None:
    token, codec = good_token(HS256), reader("HS256")
    strange = [chr(number) for number in range(0x180) if not _may_stand_in_a_token(chr(number))]
    strange += ["\u2028", "\u3000", "\uff0e", "\ud800", "\U0001d7d8"]
    assert "=" in strange
    inserted = [
        token[:at] + mark + token[at:] for mark in strange for at in range(0, len(token) + 1, 3)
    ]
    passed = [text for text in inserted if not isinstance(refusal(codec, text), MalformedToken)]
    assert passed == []


def _may_stand_in_a_token(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character in "-_")


@pytest.mark.parametrize(
    "token",
    [None, 1, True, b"", b"a.b.c", bytearray(b"a.b.c"), ["a.b.c"], {"token": "a.b.c"}, object()],
    ids=lambda token: f"{token!r:.14}",  # no address: workers have to agree
)
def test_what_is_no_text_is_refused(token: object) -> None:
    assert code(reader("HS256"), token) == "malformed"


def test_the_bytes_of_a_good_token_are_refused() -> None:
    assert code(reader("HS256"), good_token(HS256).encode()) == "malformed"


# Cost


@contextmanager
def calls() -> Iterator[list[str]]:
    """Note the names of all C functions that are called, and of JSON's, in this thread."""
    names: list[str] = []

    def note(frame: Any, event: str, function: Any) -> None:
        if event == "c_call":
            names.append(function.__name__)
        elif event == "call" and frame.f_globals["__name__"] == "json.decoder":
            names.append(frame.f_code.co_name)

    gc.disable()  # a collection in between calls what Hypothesis has hooked to it
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
def test_a_megabyte_is_refused_before_anything_looks_at_it(token: str) -> None:
    codec = reader("HS256")
    with calls() as called:
        error = refusal(codec, token)
    assert error is not None
    assert error.code == "malformed"
    assert set(called) <= {"isinstance", "len", "next", "setprofile"}


def test_a_text_that_is_not_three_segments_is_refused_before_it_is_decoded() -> None:
    codec = reader("HS256")
    with calls() as called:
        refusal(codec, "A" * MAX_TOKEN_LENGTH)
    assert set(called) <= {"isinstance", "len", "next", "setprofile", "partition", "rpartition"}


@each_signer
def test_the_signature_answers_before_the_payload_is_parsed(by: Signer) -> None:
    codec, token = reader(by.alg), good_token(by)
    forged = f"{token.rpartition('.')[0]}.{encode(bytes(64))}"
    with calls() as called:
        codec.decode(token)
    assert "raw_decode" in called
    with calls() as called_for_forged:
        error = refusal(codec, forged)
    assert isinstance(error, BadSignature)
    assert "raw_decode" not in called_for_forged


def test_a_token_is_read_up_to_the_longest_length_and_no_further() -> None:
    codec = reader("HS256")
    by_length = {len(text): text for text in map(_long, range(5900, 6200))}
    assert code(codec, by_length[MAX_TOKEN_LENGTH]) == ""
    assert code(codec, by_length[max(by_length)]) == "malformed"
    accepted = [length for length, text in by_length.items() if not refusal(codec, text)]
    assert max(accepted) == MAX_TOKEN_LENGTH
    longest = codec.decode(by_length[MAX_TOKEN_LENGTH])
    assert _writer("HS256").encode(longest) == by_length[MAX_TOKEN_LENGTH]


def _long(size: int) -> str:
    return HS256.ours({"a": "a" * size})


# Whatever comes


@given(st.text() | st.binary() | SCALARS)
def test_no_text_or_value_raises_anything_but_a_token_error(token: object) -> None:
    assert refusal(reader("HS256"), token) is not None


@given(
    st.lists(st.text("abcAZ09-_.", max_size=12) | st.binary().map(encode), max_size=5).map(".".join)
)
def test_no_three_segments_raise_anything_but_a_token_error(token: str) -> None:
    for by in SIGNERS:
        assert refusal(reader(by.alg), token) is not None


@given(st.binary() | VALUES.map(lambda value: compact({"a": value}).encode()), st.binary())
def test_no_signed_bytes_raise_anything_but_a_token_error(header: bytes, payload: bytes) -> None:
    refusal(reader("HS256"), HS256.token(header, "{}"))
    refusal(reader("HS256"), HS256.token('{"typ":"JWT","alg":"HS256"}', payload))


@given(st.binary(max_size=600))
def test_no_signature_raises_anything_but_a_token_error(forged: bytes) -> None:
    for by in SIGNERS:
        token = f"{good_token(by).rpartition('.')[0]}.{encode(forged)}"
        assert refusal(reader(by.alg), token) is not None


@half_as_many
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), VALUES, max_size=5))
def test_any_claims_come_back_as_they_were_signed(claims: dict[str, Any]) -> None:
    token = _writer("HS256").encode(claims)
    assert repr(reader("HS256").decode(token)) == repr(claims)
    assert token == HS256.ours(claims)


# What is signed


def _pem(key: Any, password: bytes | None = None) -> bytes:
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
    return pem


def _public_pem(key: Any) -> bytes:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


@functools.cache
def _material(alg: str) -> tuple[Material, Material]:
    """Return a private and a public key for any algorithm."""
    curves = {"ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
    if alg in curves:
        key = ec.generate_private_key(curves[alg]())
        return _pem(key), _public_pem(key)
    by = signer(alg)
    return by.jwk, by.public_jwk


@functools.cache
def _writer(alg: str) -> Codec:
    return codec(Key(algorithm=alg, material=_material(alg)[0]))


CHEAP = [alg for alg in ALGORITHMS if ALGORITHMS[alg] != "RSA"]  # importing a private one: 80 ms


def nested(depth: int) -> list[Any]:
    """Return lists inside each other."""
    return [nested(depth - 1)] if depth > 1 else []


class TestEncode:
    @pytest.mark.parametrize("alg", [*CHEAP, "PS256"])
    def test_it_signs_what_a_verifying_service_reads(self, alg: str) -> None:
        token = _writer(alg).encode(CLAIMS)
        verifier = codec(Key(algorithm=alg, material=_material(alg)[1]))
        assert verifier.decode(token) == CLAIMS
        assert _writer(alg).decode(token) == CLAIMS

    @pytest.mark.parametrize("alg", [*(a for a in ALGORITHMS if a not in CHEAP), "HS512", "EdDSA"])
    def test_what_is_forged_by_the_algorithm_is_read(self, alg: str) -> None:
        assert codec(signer(alg).key()).decode(signer(alg).ours(CLAIMS)) == CLAIMS

    @pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512", "EdDSA", "Ed25519"])
    def test_its_signature_is_the_forged_one_where_there_is_only_one(self, alg: str) -> None:
        assert _writer(alg).encode(CLAIMS) == signer(alg).ours(CLAIMS)

    def test_it_writes_the_header_of_the_tutorial(self) -> None:
        token = _writer("HS256").encode(CLAIMS)
        assert token.split(".")[0] == "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"

    def test_it_writes_the_kid_of_a_key_that_has_one(self) -> None:
        other = signer("HS256", "other").key(kid="2025")
        token = codec(HS256.key(kid="2026"), other).encode(CLAIMS)
        assert token == HS256.ours(CLAIMS, kid="2026")

    def test_it_writes_and_demands_another_type_where_one_is_set(self) -> None:
        special = codec(HS256.key(), typ="at+jwt")
        token = special.encode(CLAIMS)
        assert decode(token.split(".")[0]) == b'{"typ":"at+jwt","alg":"HS256"}'
        assert special.decode(token) == CLAIMS
        assert code(special, HS256.ours(CLAIMS)) == "malformed"
        assert code(reader("HS256"), token) == "malformed"

    def test_it_keeps_the_order_of_claims(self) -> None:
        token = _writer("HS256").encode({"b": 1, "a": 2})
        assert decode(token.split(".")[1]) == b'{"b":1,"a":2}'

    @pytest.mark.parametrize("value", [object(), b"bytes", {1}], ids=["object", "bytes", "set"])
    def test_it_refuses_claims_that_are_not_json(self, value: object) -> None:
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
        ids=["64 bits", "NaN", "infinity", "surrogate", "a name twice", "depth"],
    )
    def test_it_refuses_claims_that_nobody_would_read(self, claims: dict[Any, Any]) -> None:
        with pytest.raises(ValueError, match=r"."):
            _writer("HS256").encode(claims)

    def test_it_refuses_to_make_a_token_longer_than_is_read(self) -> None:
        lengths = [len(_writer("HS256").encode({"a": "a" * size})) for size in (6000, 6050)]
        assert max(lengths) < MAX_TOKEN_LENGTH
        with pytest.raises(ValueError, match="longer than 8192 characters"):
            _writer("HS256").encode({"a": "a" * 6200})

    @pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
    def test_it_refuses_to_sign_with_a_public_key(self, alg: str) -> None:
        verifier = reader(alg)
        assert not verifier.can_sign
        with pytest.raises(UnusableKey, match="only verifies"):
            verifier.encode(CLAIMS)

    def test_it_signs_with_the_first_key_alone(self) -> None:
        public, private = (
            signer("ES256").key(),
            Key(algorithm="ES256", material=signer("ES256").jwk),
        )
        assert codec(private, public).can_sign
        assert not codec(public, private).can_sign


# Which key


class TestRing:
    def test_any_key_without_kid_may_have_signed(self) -> None:
        other = signer("HS256", "other")
        ring = codec(HS256.key(), other.key())
        assert ring.decode(HS256.ours(CLAIMS)) == ring.decode(other.ours(CLAIMS)) == CLAIMS
        assert code(ring, signer("HS384").ours(CLAIMS)) == "wrong_algorithm"

    def test_a_token_without_kid_is_never_tried_with_a_key_that_has_one(self) -> None:
        other = signer("HS256", "other")
        ring = codec(HS256.key(kid="new"), other.key())
        assert ring.decode(other.ours(CLAIMS)) == CLAIMS
        assert ring.decode(HS256.ours(CLAIMS, kid="new")) == CLAIMS
        assert code(ring, HS256.ours(CLAIMS)) == "bad_signature"
        assert code(ring, other.ours(CLAIMS, kid="new")) == "bad_signature"

    def test_a_token_without_kid_is_tried_with_the_only_key(self) -> None:
        assert codec(HS256.key(kid="new")).decode(HS256.ours(CLAIMS)) == CLAIMS

    def test_keys_of_several_algorithms_stand_beside_each_other(self) -> None:
        ring = codec(*(by.key() for by in SIGNERS))
        for by in SIGNERS:
            assert ring.decode(by.ours(CLAIMS)) == CLAIMS
            assert code(ring, signer(by.alg, "other").ours(CLAIMS)) == "bad_signature"

    def test_a_kid_binds_the_algorithm_of_its_key(self) -> None:
        ring = codec(signer("EdDSA").key(kid="1"), signer("Ed25519").key(kid="2"))
        assert ring.decode(signer("EdDSA").ours(CLAIMS, kid="1")) == CLAIMS
        assert ring.decode(signer("Ed25519").ours(CLAIMS, kid="2")) == CLAIMS
        assert code(ring, signer("EdDSA").ours(CLAIMS, kid="2")) == "wrong_algorithm"
        assert code(ring, signer("Ed25519").ours(CLAIMS, kid="1")) == "wrong_algorithm"

    def test_the_two_names_of_ed25519_are_two_algorithms(self) -> None:
        assert code(reader("EdDSA"), signer("Ed25519").ours(CLAIMS)) == "wrong_algorithm"
        assert code(reader("Ed25519"), signer("EdDSA").ours(CLAIMS)) == "wrong_algorithm"

    def test_a_kid_may_be_any_text(self) -> None:
        for kid in ("ü", "\U0001f511", '"', "a b", "1"):
            ring = codec(HS256.key(kid=kid), signer("HS256", "other").key(kid="other"))
            assert ring.decode(ring.encode(CLAIMS)) == CLAIMS
            assert ring.decode(HS256.ours(CLAIMS, kid=kid)) == CLAIMS
            raw = f'{{"alg":"HS256","typ":"JWT","kid":{_quoted(kid)}}}'
            assert ring.decode(HS256.token(raw, compact(CLAIMS))) == CLAIMS


def _quoted(text: str) -> str:
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'


# Keys that cannot be used


def _armoured(der: str) -> str:
    body = base64.b64encode(bytes.fromhex(der)).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"


def _jwk(alg: str, /, **members: object) -> dict[str, object]:
    return {**signer(alg).jwk, **members}


UNUSABLE: list[tuple[str, str, Material]] = [
    ("no PEM at all", "RS256", "secret " * 8),
    ("a cut PEM", "RS256", _public_pem(private_key(signer("RS256").jwk))[:-60]),
    ("a PEM of RSA for EC", "ES256", _public_pem(private_key(signer("RS256").jwk))),
    ("a PEM of EC for RSA", "RS256", _public_pem(private_key(signer("ES256").jwk))),
    ("a PEM of EC for Ed25519", "EdDSA", _public_pem(private_key(signer("ES256").jwk))),
    ("an RSA key of 1024 bits", "RS256", _public_pem(rsa.generate_private_key(65537, 1024))),
    ("another curve", "ES256", _public_pem(ec.generate_private_key(ec.SECP384R1()))),
    ("the curve of Bitcoin", "ES256", _public_pem(ec.generate_private_key(ec.SECP256K1()))),
    ("Ed448 for EdDSA", "EdDSA", _public_pem(ed448.Ed448PrivateKey.generate())),
    ("Ed448 for Ed25519", "Ed25519", _public_pem(ed448.Ed448PrivateKey.generate())),
    ("X25519 for EdDSA", "EdDSA", _public_pem(x25519.X25519PrivateKey.generate())),
    ("a private X25519 for EdDSA", "EdDSA", _pem(x25519.X25519PrivateKey.generate())),
    ("an encrypted PEM", "ES256", _pem(private_key(signer("ES256").jwk), b"x")),
    ("a PEM of an unknown algorithm", "EdDSA", _armoured("300b300506032b653d03020000")),
    ("a JWK without kty", "HS256", {"k": signer("HS256").jwk["k"]}),
    ("a JWK of another kty", "HS256", signer("RS256").jwk),
    ("a JWK whose kty is a list", "HS256", {"kty": ["oct"], "k": "AA"}),
    ("a JWK without its value", "HS256", {"kty": "oct"}),
    ("a JWK whose value is a number", "HS256", {"kty": "oct", "k": 1}),
    ("a JWK with an empty secret", "HS256", {"kty": "oct", "k": ""}),
    ("a JWK with a short secret", "HS256", {"kty": "oct", "k": encode(b"k" * 31)}),
    ("a JWK without x", "ES256", {"kty": "EC", "crv": "P-256", "y": "AA"}),
    ("a JWK off its curve", "ES256", _jwk("ES256", x=encode(bytes(32)))),
    ("a JWK of another curve", "ES256", _jwk("ES256", crv="P-384")),
    ("a JWK of an unknown curve", "ES256", _jwk("ES256", crv="P-1")),
    ("a JWK for encryption", "HS256", _jwk("HS256", use="enc")),
    ("a JWK for another algorithm", "HS256", _jwk("HS256", alg="HS512")),
    ("a JWK that only signs", "ES256", _jwk("ES256", key_ops=["sign"])),
    ("a JWK that does nothing", "HS256", _jwk("HS256", key_ops=[])),
    ("a JWK whose use and key_ops differ", "HS256", _jwk("HS256", use="sig", key_ops=["encrypt"])),
]


@pytest.mark.parametrize(
    ("alg", "material"),
    [pytest.param(alg, material, id=name) for name, alg, material in UNUSABLE],
)
def test_a_key_that_does_not_fit_is_refused_at_once(alg: str, material: Material) -> None:
    with pytest.raises(UnusableKey) as caught:
        codec(Key(algorithm=alg, material=material))
    secret = material.get("k") if isinstance(material, Mapping) else None
    assert not isinstance(secret, str) or len(secret) < 8 or secret not in told(caught.value)


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
def test_a_public_key_as_the_secret_of_an_hmac_is_refused(alg: str, form: str) -> None:
    """Whoever reads the public key could sign (RFC 8725 §2.1)."""
    material = signer(alg).public_forms()[form]
    with pytest.raises(UnusableKey, match=r"not a key for HS256|not a private or public key"):
        codec(Key(algorithm="HS256", material=material))
    jwk = {"kty": "oct", "k": encode(material)}
    with pytest.raises(UnusableKey, match=r"not a key for HS256|not a private or public key"):
        codec(Key(algorithm="HS256", material=jwk))


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_private_key_as_the_secret_of_an_hmac_is_refused(alg: str) -> None:
    """Its owner has forgotten to set ALGORITHM."""
    material = _pem(private_key(signer(alg).jwk))
    with pytest.raises(UnusableKey, match="needs a secret, not a private or public key"):
        codec(Key(algorithm="HS256", material=material, allow_short=True))


def test_a_short_secret_is_taken_where_that_is_allowed() -> None:
    short = {"k": encode(b"short")}
    ring = codec(Key(algorithm="HS256", material="short", allow_short=True))
    signing_input = f"{encode(compact({'typ': 'JWT', 'alg': 'HS256'}))}.{encode(compact(CLAIMS))}"
    mac = encode(signature("HS256", short, signing_input.encode()))
    assert ring.decode(f"{signing_input}.{mac}") == CLAIMS


@pytest.mark.parametrize("form", ["pem", "pem_crlf", "pem_no_newline", "jwk"])
@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_public_key_is_taken_in_the_usual_forms(alg: str, form: str) -> None:
    by = signer(alg)
    material: Material = by.public_jwk if form == "jwk" else by.public_forms()[form]
    assert codec(Key(algorithm=alg, material=material)).decode(by.ours(CLAIMS)) == CLAIMS


def test_a_private_key_is_taken_as_a_pem_text() -> None:
    for alg, key in (
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ):
        writer = codec(Key(algorithm=alg, material=_pem(key).decode()))
        verifier = codec(Key(algorithm=alg, material=_public_pem(key).decode()))
        assert verifier.decode(writer.encode(CLAIMS)) == CLAIMS


def test_a_jwk_may_say_what_it_is_for() -> None:
    jwk = _jwk("ES256", alg="ES256", use="sig", key_ops=["sign", "verify"], kid="ignored")
    writer = codec(Key(algorithm="ES256", material=jwk))
    assert writer.can_sign
    assert reader("ES256").decode(writer.encode(CLAIMS)) == CLAIMS


def test_a_jwk_that_may_only_verify_signs_nothing() -> None:
    verifier = codec(Key(algorithm="ES256", material=_jwk("ES256", key_ops=["verify"])))
    assert not verifier.can_sign
    assert verifier.decode(signer("ES256").ours(CLAIMS)) == CLAIMS
    with pytest.raises(UnusableKey, match="not for signing"):
        verifier.encode(CLAIMS)


def test_the_jwk_that_was_given_is_left_as_it_was() -> None:
    jwk = dict(signer("ES256").jwk)
    before = dict(jwk)
    codec(Key(algorithm="ES256", material=jwk)).encode(CLAIMS)
    assert jwk == before


class Exploding(JWSAlgModel):
    """An algorithm of the JOSE library that fails as no documentation says it would."""

    name = "HS256"

    def check_key(self, key: Any) -> None:
        pass

    def sign(self, msg: bytes, key: Any) -> bytes:
        return b"s"

    def verify(self, msg: bytes, sig: bytes, key: Any) -> bool:
        raise ZeroDivisionError


def test_whatever_a_primitive_raises_is_a_bad_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(JWSRegistry.algorithms, "HS256", Exploding())
    broken = codec(HS256.key())
    error = refusal(broken, broken.encode(CLAIMS))
    assert isinstance(error, BadSignature)
    assert error.__context__ is None
