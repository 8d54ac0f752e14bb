"""Keys as they are configured, before anything is made of them."""

from __future__ import annotations

import dataclasses

import pytest

from drf_signet.errors import UnusableKey
from drf_signet.keys import ALGORITHMS, MIN_SECRET_BYTES, Key, KeyRing, Material, as_bytes

SECRET = "0123456789abcdef0123456789abcdef"


class TestKey:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_it_takes_any_known_algorithm(self, algorithm: str) -> None:
        assert Key(algorithm=algorithm, material=SECRET * 2).algorithm == algorithm

    @pytest.mark.parametrize(
        "algorithm", ["none", "None", "", "hs256", "HS256 ", "ES256K", "A256GCM"]
    )
    def test_it_refuses_an_unknown_algorithm(self, algorithm: str) -> None:
        with pytest.raises(UnusableKey, match="unknown algorithm"):
            Key(algorithm=algorithm, material=SECRET)

    @pytest.mark.parametrize("algorithm", ["HS256", "RS256", "EdDSA"])
    @pytest.mark.parametrize("material", ["", b"", {}], ids=["text", "bytes", "mapping"])
    def test_it_refuses_empty_material(self, algorithm: str, material: Material) -> None:
        with pytest.raises(UnusableKey, match=f"the key for {algorithm} is empty"):
            Key(algorithm=algorithm, material=material)
        with pytest.raises(UnusableKey, match="empty"):
            Key(algorithm=algorithm, material=material, allow_short=True)

    @pytest.mark.parametrize("algorithm", MIN_SECRET_BYTES)
    def test_it_refuses_a_secret_shorter_than_the_hash(self, algorithm: str) -> None:
        needed = MIN_SECRET_BYTES[algorithm]
        assert not Key(algorithm=algorithm, material="k" * needed).is_short
        with pytest.raises(
            UnusableKey, match=f"{algorithm} needs a secret of at least {needed} bytes"
        ):
            Key(algorithm=algorithm, material="k" * (needed - 1))

    @pytest.mark.parametrize("algorithm", MIN_SECRET_BYTES)
    def test_it_takes_a_short_secret_when_told_to_and_says_so(self, algorithm: str) -> None:
        assert Key(algorithm=algorithm, material="k", allow_short=True).is_short

    def test_it_measures_a_secret_in_bytes(self) -> None:
        assert not Key(algorithm="HS256", material="é" * 16).is_short
        assert Key(algorithm="HS256", material=b"k" * 31, allow_short=True).is_short

    def test_it_leaves_the_length_of_other_material_to_the_import(self) -> None:
        assert not Key(algorithm="RS256", material="PEM").is_short
        assert not Key(algorithm="HS256", material={"kty": "oct", "k": "AA"}).is_short

    def test_its_representation_hides_the_material(self) -> None:
        for material in (SECRET, SECRET.encode(), {"kty": "oct", "k": SECRET}):
            key = Key(algorithm="HS256", material=material, kid="1")
            assert SECRET not in repr(KeyRing(keys=(key,)))

    def test_an_error_hides_the_material(self) -> None:
        with pytest.raises(UnusableKey) as caught:
            Key(algorithm="HS512", material=SECRET)
        assert SECRET not in str(caught.value)

    def test_it_is_frozen(self) -> None:
        key = Key(algorithm="HS256", material=SECRET)
        with pytest.raises(dataclasses.FrozenInstanceError):
            key.algorithm = "none"  # type: ignore[misc]


class TestKeyRing:
    def test_it_refuses_to_be_empty(self) -> None:
        with pytest.raises(UnusableKey, match="there is no key"):
            KeyRing(keys=())

    def test_it_refuses_two_keys_of_one_kid(self) -> None:
        key = Key(algorithm="HS256", material=SECRET, kid="1")
        other = Key(algorithm="EdDSA", material="PEM", kid="1")
        with pytest.raises(UnusableKey, match="two keys share a kid"):
            KeyRing(keys=(key, other))

    def test_it_takes_several_keys_without_kid_and_with_different_ones(self) -> None:
        kids = [None, "1", None, "2"]
        ring = KeyRing(keys=tuple(Key(algorithm="HS256", material=SECRET, kid=kid) for kid in kids))
        assert [key.kid for key in ring.keys] == kids


def test_the_shortest_secret_is_known_for_every_algorithm_with_a_secret() -> None:
    assert MIN_SECRET_BYTES.keys() == {name for name, kind in ALGORITHMS.items() if kind == "oct"}
    assert all(MIN_SECRET_BYTES[name] == int(name[2:]) // 8 for name in MIN_SECRET_BYTES)


def test_text_becomes_bytes_as_utf_8_and_bytes_stay_as_they_are() -> None:
    assert as_bytes("é") == b"\xc3\xa9"
    assert as_bytes(b"\xff") == b"\xff"
