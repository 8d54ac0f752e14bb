"""The token as the tutorial takes it apart: by hand, with the project's SECRET_KEY."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import pytest

from tests.e2e import byhand
from tests.e2e.clients import Curl
from tests.e2e.example import SECRET_KEY, VITOR, Example, StartExample


@pytest.fixture
def pair(example: Example, curl: Curl) -> dict[str, str]:
    tokens: dict[str, str] = curl.post(example.url("api/token/"), **VITOR).json
    return tokens


def greeted(example: Example, access: str) -> bool:
    """Ask the protected view; a refusal has to be the right one."""
    answer = Curl().get(example.url("hello/"), access=access)
    if answer.status == 200:
        return True
    assert (answer.status, answer.json["code"]) == (401, "token_not_valid")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    return False


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_it_has_three_segments_that_read_as_the_tutorial_says(
    pair: dict[str, str], kind: str
) -> None:
    header, payload, _ = pair[kind].split(".")
    assert header == byhand.HEADER
    assert byhand.decode(header) == b'{"typ":"JWT","alg":"HS256"}'
    assert re.match(byhand.FIRST_CLAIMS.format(kind=kind), byhand.decode(payload).decode())


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_its_signature_is_hmac_sha256_under_the_secret_key(pair: dict[str, str], kind: str) -> None:
    signing_input, _, signature = pair[kind].rpartition(".")
    assert signature == byhand.signature(signing_input, SECRET_KEY)


@pytest.mark.parametrize(("kind", "lifetime"), [("access", 300), ("refresh", 86400)])
def test_it_lives_five_minutes_or_a_day(pair: dict[str, str], kind: str, lifetime: int) -> None:
    claims = byhand.claims(pair[kind])
    assert claims["exp"] - claims["iat"] == lifetime
    assert abs(claims["iat"] - time.time()) < 60


@pytest.mark.parametrize("segment", [0, 1, 2])
def test_any_change_to_a_segment_is_refused(
    example: Example, pair: dict[str, str], segment: int
) -> None:
    assert greeted(example, pair["access"])
    segments = pair["access"].split(".")
    for position in (0, len(segments[segment]) // 2, -2):
        text = list(segments[segment])
        text[position] = "A" if text[position] != "A" else "B"
        changed = [*segments[:segment], "".join(text), *segments[segment + 1 :]]
        assert not greeted(example, ".".join(changed))


def test_another_user_in_the_payload_is_refused(example: Example, pair: dict[str, str]) -> None:
    header, _, signature = pair["access"].split(".")
    other = byhand.mint({**byhand.claims(pair["access"]), "user_id": 2}, SECRET_KEY)
    assert not greeted(example, ".".join([header, other.split(".")[1], signature]))


@pytest.mark.parametrize("header", ['{"typ":"JWT","alg":"none"}', '{"alg":"none"}'])
def test_an_unsigned_token_is_refused(example: Example, pair: dict[str, str], header: str) -> None:
    payload = pair["access"].split(".")[1]
    for signature in ("", pair["access"].split(".")[2]):
        unsigned = f"{byhand.encode(header.encode())}.{payload}.{signature}"
        assert not greeted(example, unsigned)


def test_the_same_claims_under_another_key_are_refused(
    example: Example, pair: dict[str, str]
) -> None:
    claims = byhand.claims(pair["access"])
    assert greeted(example, byhand.mint(claims, SECRET_KEY))
    assert not greeted(example, byhand.mint(claims, SECRET_KEY[::-1]))


def test_another_secret_key_refuses_all(
    example: Example, pair: dict[str, str], curl: Curl, start_example: StartExample
) -> None:
    """The same database, the same sessions in it, served under another key."""
    database = {k.lower(): v for k, v in example.variables.items() if k != "EXAMPLE_ADDRESS"}
    del database["example_signet"]
    other = start_example(**{**database, "django_secret_key": SECRET_KEY[::-1]})
    assert not greeted(other, pair["access"])
    for path, field in (("refresh", "refresh"), ("verify", "token"), ("logout", "refresh")):
        answer = curl.post(other.url(f"api/token/{path}/"), **{field: pair["refresh"]})
        assert (answer.status, answer.json["code"]) == (401, "token_not_valid"), path
    assert curl.post(example.url("api/token/refresh/"), refresh=pair["refresh"]).status == 200
    assert greeted(other, curl.post(other.url("api/token/"), **VITOR).json["access"])


class TestATokenOfOld:
    """`{"token_type","exp","jti","user_id"}` and no more."""

    def test_it_is_refused_as_expired(self, example: Example, curl: Curl) -> None:
        answer = curl.get(example.url("hello/"), access=byhand.mint(byhand.OF_OLD, SECRET_KEY))
        assert (answer.status, answer.json["code"]) == (401, "token_not_valid")
        assert answer.json["reason"] == "expired"

    def test_it_is_refused_unless_adoption_is_on(self, example: Example) -> None:
        assert not greeted(example, byhand.mint(renewed(), SECRET_KEY))

    def test_it_is_accepted_while_adoption_is_on(self, adopting: Example) -> None:
        assert greeted(adopting, byhand.mint(renewed(), SECRET_KEY))
        assert greeted(adopting, byhand.mint(renewed(user_id="1"), SECRET_KEY))
        assert not greeted(adopting, byhand.mint(byhand.OF_OLD, SECRET_KEY))
        assert not greeted(adopting, byhand.mint(renewed(), SECRET_KEY[::-1]))

    def test_its_refresh_token_becomes_one_session(self, adopting: Example, curl: Curl) -> None:
        old = byhand.mint(renewed(token_type="refresh", jti=uuid.uuid4().hex), SECRET_KEY)
        sids = set()
        for _ in range(2):
            answer = curl.post(adopting.url("api/token/refresh/"), refresh=old)
            assert answer.status == 200
            assert greeted(adopting, answer.json["access"])
            sids.add(byhand.claims(answer.json["access"])["sid"])
        assert len(sids) == 1
        assert curl.post(adopting.url("api/token/logout/"), refresh=old).status == 204
        assert curl.post(adopting.url("api/token/refresh/"), refresh=old).status == 401

    def test_it_is_refused_once_adoption_is_over(self, start_example: StartExample) -> None:
        over = start_example(signet={"ADOPT_TOKENS_UNTIL": "2026-01-01T00:00:00+00:00"})
        assert not greeted(over, byhand.mint(renewed(), SECRET_KEY))


def renewed(**claims: Any) -> dict[str, Any]:
    """Return the tutorial's payload with an `exp` that is still to come."""
    return {**byhand.OF_OLD, "exp": int(time.time()) + 300, **claims}


@pytest.fixture
def adopting(start_example: StartExample) -> Example:
    return start_example(signet={"ADOPT_TOKENS_UNTIL": "2099-01-01T00:00:00+00:00"})
