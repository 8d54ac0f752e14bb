"""Tests of `drf_signet.jose.keys`: validating the keys and the key ring of a project."""

from __future__ import annotations

import dataclasses
import math

import pytest

from drf_signet.errors import UnusableKey
from drf_signet.jose.keys import ALGORITHMS, MIN_SECRET_BYTES, Key, KeyRing, Material, as_bytes

SECRET = "0123456789abcdef0123456789abcdef"


class TestKey:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_a_key_accepts_any_known_algorithm(self, algorithm: str) -> None:
        assert Key(algorithm=algorithm, material=SECRET * 2).algorithm == algorithm

    @pytest.mark.parametrize(
        "algorithm", ["none", "None", "", "hs256", "HS256 ", "ES256K", "A256GCM"]
    )
    def test_a_key_refuses_an_unknown_algorithm(self, algorithm: str) -> None:
        with pytest.raises(UnusableKey, match="unknown algorithm"):
            Key(algorithm=algorithm, material=SECRET)

    @pytest.mark.parametrize("algorithm", ["HS256", "RS256", "EdDSA"])
    @pytest.mark.parametrize("material", ["", b"", {}], ids=["string", "bytes", "mapping"])
    def test_a_key_refuses_empty_material(self, algorithm: str, material: Material) -> None:
        with pytest.raises(UnusableKey, match=f"the key for {algorithm} is empty"):
            Key(algorithm=algorithm, material=material)
        with pytest.raises(UnusableKey, match="empty"):
            Key(algorithm=algorithm, material=material, allow_short=True)

    @pytest.mark.parametrize("algorithm", MIN_SECRET_BYTES)
    def test_a_key_refuses_a_secret_shorter_than_the_hash(self, algorithm: str) -> None:
        needed = MIN_SECRET_BYTES[algorithm]
        assert not Key(algorithm=algorithm, material="k" * needed).is_short
        with pytest.raises(
            UnusableKey, match=f"{algorithm} needs a secret of at least {needed} bytes"
        ):
            Key(algorithm=algorithm, material="k" * (needed - 1))

    @pytest.mark.parametrize("algorithm", MIN_SECRET_BYTES)
    def test_a_key_with_allow_short_accepts_a_short_secret_and_is_short(
        self, algorithm: str
    ) -> None:
        assert Key(algorithm=algorithm, material="k", allow_short=True).is_short

    def test_the_length_of_a_secret_is_measured_in_bytes(self) -> None:
        assert not Key(algorithm="HS256", material="é" * 16).is_short
        assert Key(algorithm="HS256", material=b"k" * 31, allow_short=True).is_short

    def test_material_that_is_not_a_plain_secret_is_never_short(self) -> None:
        assert not Key(algorithm="RS256", material="PEM").is_short
        assert not Key(algorithm="HS256", material={"kty": "oct", "k": "AA"}).is_short

    def test_repr_does_not_contain_the_material(self) -> None:
        for material in (SECRET, SECRET.encode(), {"kty": "oct", "k": SECRET}):
            key = Key(algorithm="HS256", material=material, kid="1")
            assert SECRET not in repr(KeyRing(keys=(key,)))

    def test_an_error_does_not_contain_the_material(self) -> None:
        with pytest.raises(UnusableKey) as caught:
            Key(algorithm="HS512", material=SECRET)
        assert SECRET not in str(caught.value)

    def test_a_string_that_utf_8_cannot_encode_is_refused(self) -> None:
        with pytest.raises(UnusableKey, match="UTF-8") as caught:
            Key(algorithm="HS256", material=f"\udc80{SECRET}")
        assert caught.value.__suppress_context__  # the UnicodeEncodeError contains the string

    def test_a_key_that_expires_before_it_signs_is_refused(self) -> None:
        assert Key(algorithm="HS256", material=SECRET, not_before=1, not_after=2).not_after == 2
        for not_after in (1, 0, math.nan):
            with pytest.raises(UnusableKey, match="not_after must be later than not_before"):
                Key(algorithm="HS256", material=SECRET, not_before=1, not_after=not_after)

    def test_a_key_is_frozen(self) -> None:
        key = Key(algorithm="HS256", material=SECRET)
        with pytest.raises(dataclasses.FrozenInstanceError):
            key.algorithm = "none"  # type: ignore[misc]


class TestKeyRing:
    def test_a_ring_without_keys_is_refused(self) -> None:
        with pytest.raises(UnusableKey, match="there is no key"):
            KeyRing(keys=())

    def test_a_ring_with_two_keys_of_the_same_kid_is_refused(self) -> None:
        key = Key(algorithm="HS256", material=SECRET, kid="1")
        other = Key(algorithm="EdDSA", material="PEM", kid="1")
        with pytest.raises(UnusableKey, match="two keys share a kid"):
            KeyRing(keys=(key, other))

    def test_a_ring_accepts_keys_without_kid_and_keys_with_different_kids(self) -> None:
        kids = [None, "1", None, "2"]
        ring = KeyRing(keys=tuple(Key(algorithm="HS256", material=SECRET, kid=kid) for kid in kids))
        assert [key.kid for key in ring.keys] == kids


class TestTimesOfKeys:
    """Test which keys of a ring sign and verify at a time."""

    #: The next key, the current key, and a key without times.
    RING = KeyRing(
        keys=(
            Key(algorithm="HS256", material=SECRET, kid="next", not_before=200),
            Key(algorithm="HS256", material=SECRET, kid="now", not_before=100, not_after=300),
            Key(algorithm="HS256", material=SECRET, kid="any"),
        )
    )

    @pytest.mark.parametrize(
        ("now", "kid"), [(99, "any"), (100, "now"), (199, "now"), (200, "next"), (10**9, "next")]
    )
    def test_the_first_key_whose_time_has_begun_signs(self, now: float, kid: str) -> None:
        signing = self.RING.signing_key(now)
        assert signing is not None
        assert signing.kid == kid

    def test_no_key_signs_if_all_have_expired_or_have_not_begun(self) -> None:
        ring = KeyRing(keys=self.RING.keys[:2])
        assert ring.signing_key(99.9) is None
        expired = KeyRing(keys=self.RING.keys[1:2])
        assert expired.signing_key(299.9) is not None
        assert expired.signing_key(300) is None

    @pytest.mark.parametrize(
        ("now", "kids"), [(0, "next now any"), (299.9, "next now any"), (300, "next any")]
    )
    def test_a_key_verifies_before_it_signs_and_until_it_expires(
        self, now: float, kids: str
    ) -> None:
        assert [key.kid for key in self.RING.verifying_keys(now)] == kids.split()

    @pytest.mark.parametrize(
        ("now", "period"),
        [
            (0, (-math.inf, 100)),
            (100, (100, 200)),
            (199.9, (100, 200)),
            (200, (200, 300)),
            (300, (300, math.inf)),
        ],
    )
    def test_a_period_ends_when_the_next_key_begins_or_expires(
        self, now: float, period: tuple[float, float]
    ) -> None:
        assert self.RING.period(now) == period

    def test_keys_without_times_have_one_period(self) -> None:
        ring = KeyRing(keys=self.RING.keys[2:])
        assert ring.period(0) == ring.period(10**12) == (-math.inf, math.inf)


def test_every_hmac_algorithm_has_a_minimum_secret_length() -> None:
    assert MIN_SECRET_BYTES.keys() == {name for name, kind in ALGORITHMS.items() if kind == "oct"}
    assert all(MIN_SECRET_BYTES[name] == int(name[2:]) // 8 for name in MIN_SECRET_BYTES)


def test_as_bytes_encodes_strings_as_utf_8_and_keeps_bytes() -> None:
    assert as_bytes("é") == b"\xc3\xa9"
    assert as_bytes(b"\xff") == b"\xff"
