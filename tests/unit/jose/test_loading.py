"""Tests of `drf_signet.jose.loading`: the `kid` of a key, and its public members."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from drf_signet.errors import UnusableKey
from drf_signet.jose.keys import ALGORITHMS, Key
from drf_signet.jose.loading import LoadedKey
from tests.support.token_forge import SIGNERS, Signer, decode, signer
from tests.support.vector_files import entries

ASYMMETRIC = [by for by in SIGNERS if by.jwk["kty"] != "oct"]

each_asymmetric = pytest.mark.parametrize("by", ASYMMETRIC, ids=str)


def load(key: Key, **changes: Any) -> LoadedKey:
    return LoadedKey.load(dataclasses.replace(key, derives_kid=True, **changes))


@pytest.mark.parametrize("vector", entries("thumbprints"), ids=lambda vector: vector["name"])
def test_a_thumbprint_is_that_of_the_rfc(vector: dict[str, Any]) -> None:
    loaded = load(Key(algorithm=vector["alg"], material=vector["key"]))
    assert loaded.thumbprint() == vector["thumbprint"]


@pytest.mark.parametrize("vector", entries("signatures"), ids=lambda vector: vector["name"])
def test_a_signature_with_the_key_of_its_rfc_is_verified(vector: dict[str, Any]) -> None:
    loaded = LoadedKey.load(Key(algorithm=vector["alg"], material=vector["key"]))
    signing_input, published = vector["signing_input"].encode(), decode(vector["signature"])
    assert loaded.verifies(signing_input, published)
    assert not loaded.verifies(signing_input + b"A", published)
    if vector["alg"] in {"RS256", "HS256"}:  # the others are random
        assert loaded.algorithm.sign(signing_input, loaded.key) == published


@pytest.mark.parametrize("vector", entries("known_answers"), ids=lambda vector: vector["name"])
def test_a_signature_of_rfc_7515_or_rfc_8037_is_verified(vector: dict[str, Any]) -> None:
    loaded = LoadedKey.load(signer(vector["alg"]).key())
    assert loaded.verifies(vector["signing_input"].encode(), decode(vector["signature"]))


@each_asymmetric
def test_a_key_without_kid_gets_its_thumbprint(by: Signer) -> None:
    private, public = load(by.signing_key()), load(by.key())
    assert private.kid == private.thumbprint() == public.kid
    assert len(str(private.kid)) == 43


@each_asymmetric
def test_the_kid_of_a_key_precedes_the_kid_of_its_jwk_and_the_thumbprint(by: Signer) -> None:
    jwk = {**by.jwk, "kid": "of the JWK"}
    assert load(by.signing_key(), material=jwk).kid == "of the JWK"
    assert load(by.signing_key(kid="own"), material=jwk).kid == "own"
    empty = load(by.signing_key(), material={**by.jwk, "kid": ""})
    assert empty.kid == empty.thumbprint()


@pytest.mark.parametrize("alg", [alg for alg, kty in ALGORITHMS.items() if kty == "oct"])
def test_a_secret_never_gets_a_thumbprint(alg: str) -> None:
    loaded = load(Key(algorithm=alg, material="s" * 64))
    assert (loaded.kid, loaded.thumbprint(), loaded.public_jwk()) == (None, None, None)
    assert loaded.secret() == b"s" * 64


def test_a_key_that_does_not_derive_its_kid_has_none() -> None:
    assert LoadedKey.load(signer("EdDSA").signing_key()).kid is None


@each_asymmetric
def test_a_public_jwk_has_only_the_public_members_of_its_type(by: Signer) -> None:
    loaded = load(by.signing_key(), material={**by.jwk, "x-own": "text", "kid": "1"})
    expected = {n: v for n, v in by.public_jwk.items() if n in {"kty", "n", "e", "crv", "x", "y"}}
    assert loaded.public_jwk() == expected
    assert loaded.secret() is None


@each_asymmetric
def test_escaped_line_breaks_in_a_pem_are_read_as_line_breaks(by: Signer) -> None:
    pem = by.public_forms()["pem"]
    for escaped in (pem.replace(b"\n", b"\\n"), pem.replace(b"\n", b"\\r\\n")):
        loaded = load(Key(algorithm=by.alg, material=escaped.decode()))
        assert loaded.thumbprint() == load(by.key()).thumbprint()


@pytest.mark.parametrize("x", ["d", "other", "padded", "!"])
def test_a_jwk_whose_x_is_not_the_public_key_of_its_d_is_refused(x: str) -> None:
    jwk = signer("EdDSA").jwk
    wrong = {"d": jwk["d"], "other": signer("EdDSA", "other").jwk["x"], "padded": f"{jwk['x']}="}
    with pytest.raises(UnusableKey, match="the x of a key for EdDSA") as caught:
        load(Key(algorithm="EdDSA", material={**jwk, "x": wrong.get(x, x)}))
    assert jwk["d"] not in str(caught.value)
