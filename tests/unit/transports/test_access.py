"""Tests of `drf_signet.transports.access`: reading the access token of a request.

If the token in the header is cached, the module returns its claims without parsing the header.
Therefore, most tests read a request before and after its tokens are cached, and assert that both
results are equal.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory, override_settings
from hypothesis import given
from hypothesis import strategies as st

from drf_signet import runtime
from drf_signet.errors import SignetError, UnknownKey
from drf_signet.transports import access
from tests.support.session_states import access_token
from tests.support.token_forge import signer

COOKIE: Mapping[str, Any] = {"COOKIE": {"ACCESS_NAME": "access-token"}}
#: Placeholders for two tokens that will be cached, and a string that is not a valid token.
TOKENS = ["{known}", "{other}", "a.b.c"]
SCHEMES = ["Bearer", "bearer", "JWT", "Basic", ""]
CREDENTIALS = st.tuples(
    st.sampled_from(SCHEMES),
    st.sampled_from([" ", "  ", "\t", "\xa0", "\x1c", ",", ""]),
    st.sampled_from(TOKENS),
).map("".join)
HEADERS = st.lists(
    CREDENTIALS | st.sampled_from([" ", ",", ", ", *TOKENS]), min_size=1, max_size=3
).map("".join)
PAIRS = st.lists(st.sampled_from([f"__Host-access-token={token}" for token in TOKENS]), max_size=2)


def read(request: HttpRequest, *, later: float = 0) -> Any:
    """Return the token's claims, None if there is no token, or the error's type and code."""
    try:
        claims = access.read(request, now=time.time() + later)
    except SignetError as error:
        return type(error), getattr(error, "code", None)
    return claims and dict(claims)


def request(header: str, *cookies: str, method: str = "GET") -> HttpRequest:
    headers: dict[str, Any] = {"HTTP_AUTHORIZATION": header} if header else {}
    if cookies:
        headers["HTTP_COOKIE"] = "; ".join(cookies)
    return RequestFactory().generic(method, "/", **headers)


def cache_tokens(*tokens: str) -> None:
    """Read a request with each token, so that this process caches the token."""
    for token in tokens:
        assert isinstance(read(request(f"Bearer {token}")), dict)
        assert runtime.current().verified.get(token, now=time.time())


def read_twice(header: str, cookies: list[str], method: str) -> Any:
    """Read a request before and after its tokens are cached; assert that the results are equal."""
    tokens = {"known": access_token(), "other": access_token()}
    filled_cookies = [cookie.format(**tokens) for cookie in cookies]
    sent = request(header.format(**tokens), *filled_cookies, method=method)
    runtime.current.cache_clear()  # empties the cache, as in a new process
    before = read(sent)
    cache_tokens(*tokens.values())
    assert read(sent) == before
    return before


@given(HEADERS)
def test_any_header_is_read_alike_before_and_after_its_tokens_are_cached(header: str) -> None:
    read_twice(header, [], "GET")


@given(HEADERS, PAIRS, st.sampled_from(["GET", "POST"]))
def test_any_header_and_cookie_are_read_alike_before_and_after_caching(
    header: str, cookies: list[str], method: str
) -> None:
    with override_settings(SIGNET=COOKIE):
        read_twice(header, cookies, method)


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("Bearer {known}", "claims"),
        ("bearer {known}", "claims"),
        ("  Bearer  {known} ", "claims"),
        ("Basic {known}", "nothing"),
        ("{known}", "nothing"),
        ("Bearer{known}", "nothing"),
        ("Bearer\t{known}", "nothing"),
        ("Bearer {known},Bearer {known}", "refused"),
        ("Bearer {known}, Basic {known}", "refused"),
        ("Basic {known}, Bearer {known}", "refused"),
        ("Bearer {known} {known}", "refused"),
        ("Bearer {known},", "refused"),
    ],
)
def test_a_header_gives_claims_or_nothing_or_is_refused(header: str, answer: str) -> None:
    result = read_twice(header, [], "GET")
    assert answer == {dict: "claims", type(None): "nothing"}.get(type(result), "refused")


def test_header_and_cookie_of_different_sessions_are_refused_even_if_cached() -> None:
    with override_settings(SIGNET=COOKIE):
        refusal = read_twice("Bearer {known}", ["__Host-access-token={other}"], "GET")
        assert refusal[0].__name__ == "MalformedHeader"
        assert isinstance(
            read_twice("Bearer {known}", ["__Host-access-token={known}"], "POST"), dict
        )


def test_a_cookie_is_not_read_without_access_name() -> None:
    assert read_twice("", ["__Host-access-token={known}"], "GET") is None


def test_a_cached_token_is_refused_when_it_expires() -> None:
    token = access_token(exp=int(time.time()) + 60)
    cache_tokens(token)
    assert isinstance(read(request(f"Bearer {token}"), later=58), dict)
    assert read(request(f"Bearer {token}"), later=61)[1] == "expired"


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ({"AUTH_HEADER_TYPES": ("JWT",)}, None),
        ({"AUTH_HEADER_NAME": "HTTP_X_TOKEN"}, None),
        ({"SIGNING_KEY": "another key, long enough for HS256"}, "bad_signature"),
        ({"ISSUER": "https://id.example"}, "invalid_claim"),
        ({"USER_ID_CLAIM": "sub"}, "invalid_claim"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_cached_token_is_verified_again_after_a_change_of_the_settings(
    setting: dict[str, Any], code: str | None
) -> None:
    token = access_token()
    cache_tokens(token)
    with override_settings(SIGNET=setting):
        result = read(request(f"Bearer {token}"))
        assert (result and result[1]) == code


@pytest.mark.parametrize("seconds", [100, 400])
@pytest.mark.parametrize("in_cookie", [False, True])
def test_token_that_was_verified_is_refused_when_its_key_has_expired(
    settings: Any, in_cookie: bool, seconds: int
) -> None:
    now = time.time()
    expires = datetime.fromtimestamp(now + seconds, tz=UTC)
    keys = [
        {"kid": "1", "alg": "EdDSA", "key": signer("EdDSA").jwk, "not_after": expires},
        {"kid": "2", "alg": "ES256", "key": signer("ES256").jwk},
    ]
    settings.SIGNET = {"KEYS": keys, **(COOKIE if in_cookie else {})}
    token = access_token()
    cookie = f"__Host-access-token={token}"
    sent = request("", cookie) if in_cookie else request(f"Bearer {token}")
    for _ in range(2):
        assert isinstance(read(sent), dict)
    # The token lasts for 300 seconds. It is cached only if its key lasts longer.
    assert (runtime.current().verified.get(token, now=now) is not None) == (seconds == 400)
    assert read(sent, later=seconds + 1)[0] is UnknownKey
