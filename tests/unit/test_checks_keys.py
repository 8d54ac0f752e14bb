"""Test the system checks of the keys: each mistake has its own id."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from drf_signet.jose.published import _ELSEWHERE
from tests.support.token_forge import encode, signer
from tests.unit.test_checks import OWN_SECRET, SHORT, ids, only_message

ED = dict(signer("EdDSA").jwk)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def ring(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"KEYS": [{"alg": "EdDSA", "key": ED, **entry} for entry in entries]}


def at(delay: timedelta) -> datetime:
    return datetime.now(tz=UTC) + delay


def short_rsa_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


@pytest.mark.parametrize(
    ("number", "signet", "message"),
    [
        (
            "E010",
            ring({"kid": "1"}, {"kid": "1", "key": OWN_SECRET, "alg": "HS256"}),
            "share a kid",
        ),
        ("E010", ring({}, {"key": dict(signer("EdDSA").public_jwk)}), "share a kid"),
        ("E011", ring({"key": {**ED, "use": "enc"}}), "the use of a key for EdDSA must be 'sig'"),
        ("E011", ring({"key": {**ED, "key_ops": ["deriveKey"]}}), "must contain 'verify'"),
        ("E011", ring({"key": {**ED, "alg": "Ed25519"}}), "the alg of a key for EdDSA is another"),
        ("E012", ring({"alg": "ES384", "key": signer("ES256").jwk}), "ES384 needs .* P-384"),
        ("E013", ring({"alg": "RS256", "key": short_rsa_key()}), "at least 2048 bits"),
        ("E014", {"SIGNING_KEY": SHORT}, "at least 32 bytes"),
        ("E014", ring({"alg": "HS512", "key": OWN_SECRET}), "at least 64 bytes"),
        (
            "E014",
            ring({"alg": "HS256", "key": {"kty": "oct", "k": encode(SHORT)}}),
            "at least 32 bytes",
        ),
    ],
)
def test_a_key_that_cannot_be_used_is_an_error_with_its_own_id(
    number: str, signet: dict[str, Any], message: str, settings: Any
) -> None:
    settings.SIGNET = signet
    found = only_message(number)
    assert found.is_serious()
    assert re.search(message, found.msg)
    assert SHORT not in found.msg
    assert ids() == [f"signet.{number}"]


class TestE015:
    """Test signet.E015: everyone knows the secret."""

    @pytest.mark.parametrize("secret", _ELSEWHERE)
    def test_a_published_secret_is_an_error(self, secret: str, settings: Any) -> None:
        settings.SIGNET = {"SIGNING_KEY": secret}
        found = only_message("E015")
        assert found.is_serious()
        assert secret not in found.msg + str(found.hint)

    def test_a_published_secret_that_only_verifies_is_an_error(self, settings: Any) -> None:
        secret = signer("HS256").jwk  # the key of RFC 7515, A.1
        settings.SIGNET = ring({}, {"alg": "HS256", "key": secret})
        assert ids() == ["signet.E015"]

    def test_a_published_secret_key_is_an_error(self, settings: Any) -> None:
        settings.SECRET_KEY = _ELSEWHERE[0]
        assert ids() == ["signet.E015"]

    def test_a_published_secret_with_a_line_break_is_an_error(self, settings: Any) -> None:
        settings.SIGNET = {"SIGNING_KEY": _ELSEWHERE[0] + "\n"}
        assert ids() == ["signet.E015"]

    def test_other_keys_get_no_message(self, settings: Any) -> None:
        settings.SIGNET = ring({}, {"alg": "HS256", "key": OWN_SECRET})
        assert ids() == []


class TestTimes:
    """Test signet.E016, W021 and W022: the times of keys leave a gap."""

    @pytest.mark.parametrize("times", [{"not_before": at(DAY)}, {"not_after": at(-DAY)}])
    def test_a_ring_in_which_no_key_signs_now_is_an_error(self, times: Any, settings: Any) -> None:
        settings.SIGNET = ring({"kid": "1", **times})
        assert only_message("E016").is_serious()
        assert ids() == ["signet.E016"]

    def test_a_key_that_expires_without_a_successor_is_a_warning(self, settings: Any) -> None:
        expires = datetime(2999, 1, 1, tzinfo=UTC)
        settings.SIGNET = ring({"kid": "1", "not_after": expires})
        assert "2999-01-01T00:00:00+00:00" in only_message("W021").msg
        assert ids() == ["signet.W021"]

    def test_a_key_that_expires_at_the_last_possible_time_is_a_warning(self, settings: Any) -> None:
        settings.SIGNET = ring({"kid": "1", "not_after": datetime.max.replace(tzinfo=UTC)})
        assert "9999-12-31T23:59:59+00:00" in only_message("W021").msg

    def test_a_gap_after_the_next_key_is_a_warning(self, settings: Any) -> None:
        settings.SIGNET = ring(
            {"kid": "3", "not_before": at(101 * DAY), "key": signer("EdDSA", "other").jwk},
            {"kid": "2", "not_before": at(HOUR), "not_after": at(100 * DAY)},
            {"kid": "1", "not_after": at(90 * DAY)},
        )
        assert ids() == ["signet.W021"]

    def test_a_key_that_expires_before_its_last_tokens_is_a_warning(self, settings: Any) -> None:
        settings.SIGNET = ring(
            {"kid": "2", "not_before": at(HOUR)}, {"kid": "1", "not_after": at(HOUR + DAY)}
        )
        assert "not_after" in str(only_message("W022").hint)
        assert ids() == ["signet.W022"]

    def test_a_key_that_expires_after_its_last_tokens_gets_no_message(self, settings: Any) -> None:
        settings.SIGNET = ring(
            {"kid": "2", "not_before": at(HOUR)}, {"kid": "1", "not_after": at(HOUR + 15 * DAY)}
        )
        assert ids() == []

    def test_an_expired_key_that_no_longer_signs_gets_no_message(self, settings: Any) -> None:
        settings.SIGNET = ring({"kid": "2"}, {"kid": "1", "not_after": at(-DAY)})
        assert ids() == []

    def test_a_service_that_only_verifies_gets_no_message(self, settings: Any) -> None:
        settings.SIGNET = ring({"key": dict(signer("EdDSA").public_jwk), "kid": "1"})
        assert ids() == []
