"""The cache of verified tokens: as a map, and between a token and its claims."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

import drf_signet
from drf_signet import runtime, tokens
from drf_signet.claims import Claims
from drf_signet.errors import InvalidClaim, TokenError, TokenExpired, WrongTokenType
from drf_signet.verified import CAPACITY, VerifiedTokens

NOW = 1_000_000.0

Mint = Callable[..., str]


def saying(expires_at: int = 2_000_000) -> Claims:
    return Claims({"jti": uuid.uuid4().hex}, expires_at=expires_at, user_key=1, sid="s")


@pytest.fixture
def mint() -> Mint:
    """Return a factory of access tokens, signed by the project's key."""

    def make(token_type: str = "access", **changed: Any) -> str:
        now = int(time.time())
        payload = {
            "token_type": token_type,
            "exp": now + 300,
            "jti": uuid.uuid4().hex,
            "user_id": 1,
            "iat": now,
            "sid": str(uuid.uuid4()),
            "gen": 0,
            **changed,
        }
        said = {name: value for name, value in payload.items() if value is not None}
        return runtime.current().codec.encode(said)

    return make


def verify(token: str, *, now: float | None = None) -> Claims:
    return tokens.verify_access(token, now=runtime.now() if now is None else now)


# The map


def test_a_token_is_found_again() -> None:
    cache, said = VerifiedTokens(), saying()
    cache.put("a.b.c", said)
    assert cache.get("a.b.c", now=NOW) is said
    assert len(cache) == 1


def test_another_token_is_not_found() -> None:
    cache = VerifiedTokens()
    cache.put("a.b.c", saying())
    assert cache.get("a.b.d", now=NOW) is None


@pytest.mark.parametrize(("now", "found"), [(NOW - 0.001, True), (NOW, False), (NOW + 1, False)])
def test_a_token_is_not_found_from_the_instant_it_expires(now: float, found: bool) -> None:
    cache = VerifiedTokens()
    cache.put("a.b.c", saying(int(NOW)))
    assert (cache.get("a.b.c", now=now) is not None) is found


def test_it_holds_no_more_than_its_capacity() -> None:
    cache = VerifiedTokens(capacity=10)
    for number in range(1000):
        cache.put(str(number), saying())
        assert len(cache) <= 10
    assert len(cache) >= 5


def test_what_is_asked_for_stays_and_what_is_not_goes() -> None:
    cache, kept = VerifiedTokens(capacity=10), saying()
    cache.put("kept", kept)
    cache.put("forgotten", saying())
    for number in range(100):
        cache.put(str(number), saying())
        assert cache.get("kept", now=NOW) is kept
    assert cache.get("forgotten", now=NOW) is None


def test_threads_that_crowd_it_out_never_get_the_claims_of_another_token() -> None:
    cache = VerifiedTokens(capacity=64)
    known = {str(number): saying() for number in range(200)}

    def hammer(offset: int) -> int:
        hits = 0
        for token in itertools.islice(itertools.cycle(known), offset, offset + 4000):
            found = cache.get(token, now=NOW)
            assert found is None or found is known[token]
            hits += found is not None
            cache.put(token, known[token])
        return hits

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hammer, range(0, 200, 25)))
    assert len(cache) <= 64 + 8


# Between a token and its claims


def test_the_signature_of_a_token_is_verified_once(mint: Mint) -> None:
    token = mint()
    first = verify(token)
    assert verify(token) is first


def test_the_cache_of_a_process_is_bounded(mint: Mint) -> None:
    for number in range(CAPACITY + 100):
        runtime.current().verified.put(str(number), saying())
    assert len(runtime.current().verified) <= CAPACITY


def test_two_tokens_that_say_the_same_are_two(mint: Mint) -> None:
    same: dict[str, Any] = {"jti": uuid.uuid4().hex, "sid": str(uuid.uuid4())}
    one, other = mint(**same), mint(**same, gen=None)
    assert verify(one) is not verify(other)
    assert verify(one)["gen"] == 0
    assert "gen" not in verify(other)


def test_a_token_whose_payload_was_exchanged_is_refused_though_its_signature_is_known(
    mint: Mint,
) -> None:
    token = mint(user_id=1)
    assert verify(token).user_key == 1
    header, payload, signature = token.split(".")
    said = json.loads(urlsafe_b64decode(payload + "=="))
    forged = urlsafe_b64encode(json.dumps({**said, "user_id": 2}).encode()).rstrip(b"=").decode()
    with pytest.raises(TokenError):
        verify(f"{header}.{forged}.{signature}")
    with pytest.raises(TokenError):
        verify(token[:-1])
    with pytest.raises(TokenError):
        verify(f"{token} ")
    assert verify(token).user_key == 1


def test_a_refused_token_is_refused_again(mint: Mint) -> None:
    refresh = mint("refresh")
    for _ in range(2):
        with pytest.raises(WrongTokenType):
            verify(refresh)


@pytest.mark.parametrize("raw", [None, 7, b"a.b.c", ["a.b.c"], {}])
def test_what_is_no_text_is_refused(raw: object) -> None:
    with pytest.raises(TokenError):
        tokens.verify_access(raw, now=NOW)


def test_a_hit_expires_like_a_token_never_seen(mint: Mint) -> None:
    now = time.time()
    token = mint(exp=int(now) + 60)
    assert verify(token, now=now + 59)
    with pytest.raises(TokenExpired):
        verify(token, now=now + 60)


def test_a_hit_lives_through_the_leeway(mint: Mint, settings: Any) -> None:
    settings.SIGNET = {"LEEWAY": 30}
    now = time.time()
    token = mint(exp=int(now) + 60)
    assert verify(token, now=now)
    assert verify(token, now=now + 89)
    with pytest.raises(TokenExpired):
        verify(token, now=now + 91)


@pytest.mark.parametrize(
    "change",
    [
        {"SECRET_KEY": "another key for tests, long enough for every algorithm".ljust(80, "x")},
        {"SIGNET": {"SIGNING_KEY": "a key of its own, of more than 32 bytes, in the settings"}},
        {"SIGNET": {"AUDIENCE": "https://api.example.com"}},
        {"SIGNET": {"ISSUER": "https://example.com"}},
        {"SIGNET": {"USER_ID_CLAIM": "sub"}},
        {"SIMPLE_JWT": {"ISSUER": "https://example.com"}},
    ],
    ids=["its secret", "a secret of its own", "audience", "issuer", "claim", "SIMPLE_JWT"],
)
def test_a_change_of_keys_or_settings_empties_it(
    change: dict[str, Any], mint: Mint, settings: Any
) -> None:
    token = mint()
    assert verify(token)
    for name, value in change.items():
        setattr(settings, name, value)
    with pytest.raises(TokenError):
        verify(token)


def test_a_token_of_a_retired_key_is_forgotten_with_the_key(mint: Mint, settings: Any) -> None:
    old, new = settings.SECRET_KEY, "the next key for tests, long enough too".ljust(80, "y")
    token = mint()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = new, [old]
    assert verify(token)
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(TokenError):
        verify(token)


def test_a_token_of_old_is_not_served_after_its_last_day(mint: Mint, settings: Any) -> None:
    until = timezone.now() + timedelta(minutes=2)
    settings.SIGNET = {"ADOPT_TOKENS_UNTIL": until}
    token = mint(sid=None, iat=None, gen=None)
    assert verify(token).sid is None
    assert verify(token).sid is None
    with pytest.raises(InvalidClaim):
        verify(token, now=until.timestamp())


def test_threads_get_the_claims_of_their_own_token(mint: Mint) -> None:
    subjects = {mint(user_id=number): number for number in range(50)}

    def hammer(offset: int) -> None:
        for token in [*subjects][offset:] + [*subjects][:offset]:
            assert verify(token).user_key == subjects[token]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hammer, range(0, 50, 3)))


# Through a request


def test_a_token_in_the_cache_is_refused_once_its_session_has_ended(
    user: Any, client: APIClient
) -> None:
    pair = drf_signet.issue(user)
    header: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {pair.access}"}
    assert client.get("/hello/", **header).status_code == 200
    assert runtime.current().verified.get(pair.access, now=runtime.now())
    drf_signet.end(pair.session)
    assert client.get("/hello/", **header).json()["reason"] == "ended"


def test_the_claims_that_requests_share_cannot_be_written_to(mint: Mint) -> None:
    said: Any = verify(mint(roles=["reader"], app={"a": {"b": 1}}))
    with pytest.raises(TypeError):
        said["roles"] = ()
    with pytest.raises(TypeError):
        said["app"]["a"] = 2
    assert said["roles"] == ("reader",)
