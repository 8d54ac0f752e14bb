"""Test the example's tokens by decoding and signing tokens by hand, as the tutorial does."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import pytest

from tests.e2e import jwt_by_hand
from tests.e2e.clients import Curl
from tests.e2e.example import SECRET_KEY, VITOR, Example, StartExample


@pytest.fixture
def pair(example: Example, curl: Curl) -> dict[str, str]:
    tokens: dict[str, str] = curl.post(example.url("api/token/"), **VITOR).json
    return tokens


def is_accepted(example: Example, access: str) -> bool:
    """Return whether the protected view accepts a token. Check the 401 response if it does not."""
    answer = Curl().get(example.url("hello/"), access=access)
    if answer.status == 200:
        return True
    assert (answer.status, answer.json["code"]) == (401, "token_not_valid")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    return False


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_token_has_the_header_and_claims_of_the_tutorial(pair: dict[str, str], kind: str) -> None:
    header, payload, _ = pair[kind].split(".")
    assert header == jwt_by_hand.HEADER
    assert jwt_by_hand.decode(header) == b'{"typ":"JWT","alg":"HS256"}'
    assert re.match(
        jwt_by_hand.FIRST_CLAIMS.format(kind=kind), jwt_by_hand.decode(payload).decode()
    )


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_token_signature_is_hmac_sha256_with_the_secret_key(
    pair: dict[str, str], kind: str
) -> None:
    signing_input, _, signature = pair[kind].rpartition(".")
    assert signature == jwt_by_hand.signature(signing_input, SECRET_KEY)


@pytest.mark.parametrize(("kind", "lifetime"), [("access", 300), ("refresh", 86400)])
def test_token_lives_five_minutes_or_a_day(pair: dict[str, str], kind: str, lifetime: int) -> None:
    claims = jwt_by_hand.claims(pair[kind])
    assert claims["exp"] - claims["iat"] == lifetime
    assert abs(claims["iat"] - time.time()) < 60


@pytest.mark.parametrize("segment", [0, 1, 2])
def test_token_with_a_changed_segment_is_rejected(
    example: Example, pair: dict[str, str], segment: int
) -> None:
    assert is_accepted(example, pair["access"])
    segments = pair["access"].split(".")
    for position in (0, len(segments[segment]) // 2, -2):
        text = list(segments[segment])
        text[position] = "A" if text[position] != "A" else "B"
        changed_segments = [*segments[:segment], "".join(text), *segments[segment + 1 :]]
        assert not is_accepted(example, ".".join(changed_segments))


def test_token_with_another_user_in_its_payload_is_rejected(
    example: Example, pair: dict[str, str]
) -> None:
    header, _, signature = pair["access"].split(".")
    forged_token = jwt_by_hand.mint(
        {**jwt_by_hand.claims(pair["access"]), "user_id": 2}, SECRET_KEY
    )
    assert not is_accepted(example, ".".join([header, forged_token.split(".")[1], signature]))


@pytest.mark.parametrize("header", ['{"typ":"JWT","alg":"none"}', '{"alg":"none"}'])
def test_unsigned_token_is_rejected(example: Example, pair: dict[str, str], header: str) -> None:
    payload = pair["access"].split(".")[1]
    for signature in ("", pair["access"].split(".")[2]):
        unsigned_token = f"{jwt_by_hand.encode(header.encode())}.{payload}.{signature}"
        assert not is_accepted(example, unsigned_token)


def test_token_signed_with_another_key_is_rejected(example: Example, pair: dict[str, str]) -> None:
    claims = jwt_by_hand.claims(pair["access"])
    assert is_accepted(example, jwt_by_hand.mint(claims, SECRET_KEY))
    assert not is_accepted(example, jwt_by_hand.mint(claims, SECRET_KEY[::-1]))


def test_project_with_another_secret_key_rejects_all_tokens(
    example: Example, pair: dict[str, str], curl: Curl, start_example: StartExample
) -> None:
    """Start a second server with the same database but another SECRET_KEY."""
    database = {k.lower(): v for k, v in example.variables.items() if k != "EXAMPLE_ADDRESS"}
    del database["example_signet"]
    other = start_example(**{**database, "django_secret_key": SECRET_KEY[::-1]})
    assert not is_accepted(other, pair["access"])
    for path, field in (("refresh", "refresh"), ("verify", "token"), ("logout", "refresh")):
        answer = curl.post(other.url(f"api/token/{path}/"), **{field: pair["refresh"]})
        assert (answer.status, answer.json["code"]) == (401, "token_not_valid"), path
    assert curl.post(example.url("api/token/refresh/"), refresh=pair["refresh"]).status == 200
    assert is_accepted(other, curl.post(other.url("api/token/"), **VITOR).json["access"])


class TestLegacyToken:
    """Test legacy tokens, which have the claims of simplejwt's tokens and therefore no `sid`."""

    def test_legacy_token_of_the_tutorial_is_rejected_as_expired(
        self, example: Example, curl: Curl
    ) -> None:
        answer = curl.get(
            example.url("hello/"), access=jwt_by_hand.mint(jwt_by_hand.LEGACY_CLAIMS, SECRET_KEY)
        )
        assert (answer.status, answer.json["code"]) == (401, "token_not_valid")
        assert answer.json["reason"] == "expired"

    def test_legacy_token_is_rejected_unless_adoption_is_on(self, example: Example) -> None:
        assert not is_accepted(example, jwt_by_hand.mint(legacy_claims(), SECRET_KEY))

    def test_legacy_token_is_accepted_while_adoption_is_on(self, adopting: Example) -> None:
        assert is_accepted(adopting, jwt_by_hand.mint(legacy_claims(), SECRET_KEY))
        assert is_accepted(adopting, jwt_by_hand.mint(legacy_claims(user_id="1"), SECRET_KEY))
        assert not is_accepted(adopting, jwt_by_hand.mint(jwt_by_hand.LEGACY_CLAIMS, SECRET_KEY))
        assert not is_accepted(adopting, jwt_by_hand.mint(legacy_claims(), SECRET_KEY[::-1]))

    def test_legacy_refresh_token_becomes_one_session(self, adopting: Example, curl: Curl) -> None:
        legacy_token = jwt_by_hand.mint(
            legacy_claims(token_type="refresh", jti=uuid.uuid4().hex), SECRET_KEY
        )
        sids = set()
        for _ in range(2):
            answer = curl.post(adopting.url("api/token/refresh/"), refresh=legacy_token)
            assert answer.status == 200
            assert is_accepted(adopting, answer.json["access"])
            sids.add(jwt_by_hand.claims(answer.json["access"])["sid"])
        assert len(sids) == 1
        assert curl.post(adopting.url("api/token/logout/"), refresh=legacy_token).status == 204
        assert curl.post(adopting.url("api/token/refresh/"), refresh=legacy_token).status == 401

    def test_legacy_token_is_rejected_after_adoption_ends(
        self, start_example: StartExample
    ) -> None:
        after_adoption = start_example(signet={"ADOPT_TOKENS_UNTIL": "2026-01-01T00:00:00+00:00"})
        assert not is_accepted(after_adoption, jwt_by_hand.mint(legacy_claims(), SECRET_KEY))


def legacy_claims(**claims: Any) -> dict[str, Any]:
    """Return the claims of the tutorial's legacy token, with `exp` in the future."""
    return {**jwt_by_hand.LEGACY_CLAIMS, "exp": int(time.time()) + 300, **claims}


@pytest.fixture
def adopting(start_example: StartExample) -> Example:
    return start_example(signet={"ADOPT_TOKENS_UNTIL": "2099-01-01T00:00:00+00:00"})
