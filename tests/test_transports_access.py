"""Where a protected view finds its access token; and that a token seen before opens no other door.

A header that carries a known token is not looked at closely. So everything is asked twice: of a
process that has never seen the tokens, and of one that has.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory, override_settings
from hypothesis import given
from hypothesis import strategies as st

from drf_signet import runtime
from drf_signet.errors import SignetError
from drf_signet.transports import access
from tests.situations import access_token

COOKIE: Mapping[str, Any] = {"COOKIE": {"ACCESS_NAME": "access-token"}}
#: The token that is known, another one that is known too, and one that is none.
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
PAIRS = st.lists(st.sampled_from([f"__Host-access-token={one}" for one in TOKENS]), max_size=2)


def found(request: HttpRequest, *, later: float = 0) -> Any:
    """Return the claims that a request's token makes, None, or the code of the refusal."""
    try:
        claims = access.read(request, now=time.time() + later)
    except SignetError as error:
        return type(error), getattr(error, "code", None)
    return claims and dict(claims)


def request(header: str, *cookies: str, method: str = "GET") -> HttpRequest:
    sent: dict[str, Any] = {"HTTP_AUTHORIZATION": header} if header else {}
    if cookies:
        sent["HTTP_COOKIE"] = "; ".join(cookies)
    return RequestFactory().generic(method, "/", **sent)


def meet(*known: str) -> None:
    """Let this process see tokens, as requests bring them."""
    for token in known:
        assert isinstance(found(request(f"Bearer {token}")), dict)
        assert runtime.current().verified.get(token, now=time.time())


def same_answers(header: str, cookies: list[str], method: str) -> Any:
    """Return the answer to a request, which is the same before its tokens are known and after."""
    tokens = {"known": access_token(), "other": access_token()}
    sent = request(
        header.format(**tokens), *(one.format(**tokens) for one in cookies), method=method
    )
    runtime.current.cache_clear()  # as in a new process
    before = found(sent)
    meet(*tokens.values())
    assert found(sent) == before
    return before


@given(HEADERS)
def test_a_known_token_is_found_in_no_header_in_which_an_unknown_one_is_not(header: str) -> None:
    same_answers(header, [], "GET")


@given(HEADERS, PAIRS, st.sampled_from(["GET", "POST"]))
def test_nor_beside_a_cookie(header: str, cookies: list[str], method: str) -> None:
    with override_settings(SIGNET=COOKIE):
        same_answers(header, cookies, method)


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("Bearer {known}", "found"),
        ("bearer {known}", "found"),
        ("  Bearer  {known} ", "found"),
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
def test_what_is_found_in_a_header(header: str, answer: str) -> None:
    got = same_answers(header, [], "GET")
    assert answer == {dict: "found", type(None): "nothing"}.get(type(got), "refused")


def test_a_cookie_of_another_session_is_refused_though_the_header_is_known() -> None:
    with override_settings(SIGNET=COOKIE):
        answer = same_answers("Bearer {known}", ["__Host-access-token={other}"], "GET")
        assert answer[0].__name__ == "MalformedHeader"
        assert isinstance(
            same_answers("Bearer {known}", ["__Host-access-token={known}"], "POST"), dict
        )


def test_a_cookie_is_not_read_where_it_is_switched_off() -> None:
    assert same_answers("", ["__Host-access-token={known}"], "GET") is None


def test_a_known_token_is_not_found_from_the_instant_it_expires() -> None:
    token = access_token(exp=int(time.time()) + 60)
    meet(token)
    assert isinstance(found(request(f"Bearer {token}"), later=58), dict)
    assert found(request(f"Bearer {token}"), later=61)[1] == "expired"


@pytest.mark.parametrize(
    ("setting", "answer"),
    [
        ({"AUTH_HEADER_TYPES": ("JWT",)}, None),
        ({"AUTH_HEADER_NAME": "HTTP_X_TOKEN"}, None),
        ({"SIGNING_KEY": "another key, long enough for HS256"}, "bad_signature"),
        ({"ISSUER": "https://id.example"}, "invalid_claim"),
        ({"USER_ID_CLAIM": "sub"}, "invalid_claim"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_known_token_is_looked_at_again_after_a_change_of_the_settings(
    setting: dict[str, Any], answer: str | None
) -> None:
    token = access_token()
    meet(token)
    with override_settings(SIGNET=setting):
        got = found(request(f"Bearer {token}"))
        assert (got and got[1]) == answer
