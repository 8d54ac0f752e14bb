"""Tests of the cache of verified access tokens in `drf_signet.jose.verified`."""

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
from drf_signet.errors import InvalidClaim, TokenError, TokenExpired, UnknownKey, WrongTokenType
from drf_signet.jose.claims import Claims
from drf_signet.jose.verified import CAPACITY, VerifiedTokens

NOW = 1_000_000.0

Mint = Callable[..., str]


def make_claims(expires_at: int = 2_000_000) -> Claims:
    return Claims({"jti": uuid.uuid4().hex}, expires_at=expires_at, user_key=1, sid="s")


@pytest.fixture
def mint() -> Mint:
    """Return a function that signs tokens, which are access tokens by default."""

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
        present = {name: value for name, value in payload.items() if value is not None}
        return runtime.current().codec.encode(present)

    return make


def verify(token: str, *, now: float | None = None) -> Claims:
    return tokens.verify_access(token, now=runtime.now() if now is None else now)


# The cache itself


def test_get_returns_the_claims_of_a_cached_token() -> None:
    cache, claims = VerifiedTokens(), make_claims()
    cache.put("a.b.c", claims)
    assert cache.get("a.b.c", now=NOW) is claims
    assert len(cache) == 1


def test_get_returns_none_for_another_token() -> None:
    cache = VerifiedTokens()
    cache.put("a.b.c", make_claims())
    assert cache.get("a.b.d", now=NOW) is None


@pytest.mark.parametrize(("now", "cached"), [(NOW - 0.001, True), (NOW, False), (NOW + 1, False)])
def test_get_returns_none_from_the_moment_the_token_expires(now: float, cached: bool) -> None:
    cache = VerifiedTokens()
    cache.put("a.b.c", make_claims(int(NOW)))
    assert (cache.get("a.b.c", now=now) is not None) is cached


def test_the_cache_holds_no_more_tokens_than_its_capacity() -> None:
    cache = VerifiedTokens(capacity=10)
    for number in range(1000):
        cache.put(str(number), make_claims())
        assert len(cache) <= 10
    assert len(cache) >= 5


def test_used_tokens_stay_and_unused_tokens_are_evicted() -> None:
    cache, used = VerifiedTokens(capacity=10), make_claims()
    cache.put("used", used)
    cache.put("unused", make_claims())
    for number in range(100):
        cache.put(str(number), make_claims())
        assert cache.get("used", now=NOW) is used
    assert cache.get("unused", now=NOW) is None


def test_threads_never_get_the_claims_of_another_token_from_a_full_cache() -> None:
    cache = VerifiedTokens(capacity=64)
    known = {str(number): make_claims() for number in range(200)}

    def hammer(offset: int) -> int:
        hits = 0
        for token in itertools.islice(itertools.cycle(known), offset, offset + 4000):
            claims = cache.get(token, now=NOW)
            assert claims is None or claims is known[token]
            hits += claims is not None
            cache.put(token, known[token])
        return hits

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hammer, range(0, 200, 25)))
    assert len(cache) <= 64 + 8


# Verifying access tokens


def test_the_signature_of_a_token_is_verified_once(mint: Mint) -> None:
    token = mint()
    first = verify(token)
    assert verify(token) is first


def test_the_cache_of_the_process_has_a_capacity(mint: Mint) -> None:
    for number in range(CAPACITY + 100):
        runtime.current().verified.put(str(number), make_claims())
    assert len(runtime.current().verified) <= CAPACITY


def test_tokens_with_the_same_jti_and_sid_have_their_own_claims(mint: Mint) -> None:
    same: dict[str, Any] = {"jti": uuid.uuid4().hex, "sid": str(uuid.uuid4())}
    with_gen, without_gen = mint(**same), mint(**same, gen=None)
    assert verify(with_gen) is not verify(without_gen)
    assert verify(with_gen)["gen"] == 0
    assert "gen" not in verify(without_gen)


def test_a_cached_token_with_a_replaced_payload_is_refused(mint: Mint) -> None:
    token = mint(user_id=1)
    assert verify(token).user_key == 1
    header, payload, signature = token.split(".")
    claims = json.loads(urlsafe_b64decode(payload + "=="))
    forged = urlsafe_b64encode(json.dumps({**claims, "user_id": 2}).encode()).rstrip(b"=").decode()
    with pytest.raises(TokenError):
        verify(f"{header}.{forged}.{signature}")
    with pytest.raises(TokenError):
        verify(token[:-1])
    with pytest.raises(TokenError):
        verify(f"{token} ")
    assert verify(token).user_key == 1


def test_a_refused_token_is_not_cached(mint: Mint) -> None:
    refresh = mint("refresh")
    for _ in range(2):
        with pytest.raises(WrongTokenType):
            verify(refresh)


@pytest.mark.parametrize("raw", [None, 7, b"a.b.c", ["a.b.c"], {}])
def test_a_token_that_is_not_a_string_is_refused(raw: object) -> None:
    with pytest.raises(TokenError):
        tokens.verify_access(raw, now=NOW)


def test_a_cached_token_is_refused_when_it_expires(mint: Mint) -> None:
    now = time.time()
    token = mint(exp=int(now) + 60)
    assert verify(token, now=now + 59)
    with pytest.raises(TokenExpired):
        verify(token, now=now + 60)


def test_a_cached_token_is_accepted_during_the_leeway(mint: Mint, settings: Any) -> None:
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
    ids=["SECRET_KEY", "SIGNING_KEY", "audience", "issuer", "claim", "SIMPLE_JWT"],
)
def test_a_change_of_keys_or_settings_clears_the_cache(
    change: dict[str, Any], mint: Mint, settings: Any
) -> None:
    token = mint()
    assert verify(token)
    for name, value in change.items():
        setattr(settings, name, value)
    with pytest.raises(TokenError):
        verify(token)


def test_a_cached_token_is_refused_when_its_key_is_retired(mint: Mint, settings: Any) -> None:
    old, new = settings.SECRET_KEY, "the next key for tests, long enough too".ljust(80, "y")
    token = mint()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = new, [old]
    assert verify(token)
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(TokenError):
        verify(token)


def test_a_token_whose_key_expires_first_is_refused_from_then_on(mint: Mint, settings: Any) -> None:
    """The key expires in 60 seconds, and the tokens in 30 and in 300."""
    soon = timezone.now() + timedelta(seconds=60)
    settings.SIGNET = {"KEYS": [{"key": settings.SECRET_KEY, "not_after": soon}]}
    short, long = mint(exp=int(soon.timestamp()) - 30), mint()
    for token in (short, long):
        assert verify(token)
    cached = [runtime.current().verified.get(t, now=runtime.now()) for t in (short, long)]
    assert cached[0] is not None
    assert cached[1] is None
    assert verify(long, now=soon.timestamp() - 1)
    with pytest.raises(UnknownKey):
        verify(long, now=soon.timestamp())


def test_a_legacy_token_is_not_accepted_after_adopt_tokens_until(mint: Mint, settings: Any) -> None:
    until = timezone.now() + timedelta(minutes=2)
    settings.SIGNET = {"ADOPT_TOKENS_UNTIL": until}
    token = mint(sid=None, iat=None, gen=None)
    assert verify(token).sid is None
    assert verify(token).sid is None
    with pytest.raises(InvalidClaim):
        verify(token, now=until.timestamp())


def test_threads_get_the_claims_of_their_own_tokens(mint: Mint) -> None:
    subjects = {mint(user_id=number): number for number in range(50)}

    def hammer(offset: int) -> None:
        for token in [*subjects][offset:] + [*subjects][:offset]:
            assert verify(token).user_key == subjects[token]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hammer, range(0, 50, 3)))


# Requests with a cached token


def test_a_cached_token_is_refused_after_its_session_ends(user: Any, client: APIClient) -> None:
    pair = drf_signet.issue(user)
    header: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {pair.access}"}
    assert client.get("/hello/", **header).status_code == 200
    assert runtime.current().verified.get(pair.access, now=runtime.now())
    drf_signet.end(pair.session)
    assert client.get("/hello/", **header).json()["reason"] == "ended"


def test_claims_shared_by_requests_are_immutable(mint: Mint) -> None:
    claims: Any = verify(mint(roles=["reader"], app={"a": {"b": 1}}))
    with pytest.raises(TypeError):
        claims["roles"] = ()
    with pytest.raises(TypeError):
        claims["app"]["a"] = 2
    assert claims["roles"] == ("reader",)
