"""The `Authorization` header: what is a token, what is none of ours, what is one too many."""

from __future__ import annotations

import pytest
from django.http import HttpRequest
from hypothesis import given
from hypothesis import strategies as st

from drf_signet.errors import MalformedHeader
from drf_signet.transports import bearer


def request(header: str | None, name: str = "HTTP_AUTHORIZATION") -> HttpRequest:
    made = HttpRequest()
    if header is not None:
        made.META[name] = header
    return made


@pytest.mark.parametrize(
    "header",
    [
        "Bearer a.b.c",
        "bearer a.b.c",
        "BEARER a.b.c",
        "bEaReR a.b.c",
        "Bearer   a.b.c",
        "  Bearer a.b.c  ",
        "Bearer \t a.b.c",
    ],
)
def test_token_is_read_whatever_the_case_of_the_scheme(header) -> None:
    assert bearer.read(request(header)) == "a.b.c"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "   ",
        "\t",
        "Basic dml0b3I6MTIz",
        "Token abc",
        "Bearers abc",
        "Bear abc",
        "Bearerabc",
        "Bearer\tabc",
        "Bearer:abc",
        "a.b.c",
        ",",
        "Digest username=bearer, realm=api",
        "Basic a, Basic b",
        "\xff\xfe",
    ],
)
def test_header_without_our_scheme_is_none_of_ours(header) -> None:
    assert bearer.read(request(header)) is None


@pytest.mark.parametrize("header", ["Bearer", "bearer ", " Bearer  "])
def test_scheme_without_a_token_is_an_empty_token(header) -> None:
    assert bearer.read(request(header)) == ""


@pytest.mark.parametrize("token", ["\xff", "x" * 65_536, "Bearer", '"quoted"', "a=b", "%00"])
def test_token_is_read_as_it_is_however_odd(token) -> None:
    assert bearer.read(request(f"Bearer {token}")) == token


@pytest.mark.parametrize(
    "header",
    [
        "Bearer a b",
        "Bearer a\tb",
        "Bearer Bearer a",
        "Bearer a, Bearer b",
        "Bearer a,Bearer b",
        "Bearer a, bearer",
        "Bearer a,",
        "Bearer a,b",
        "Bearer ,",
        "Bearer a, Basic b",
        "Basic a, Bearer b",
        "Basic a,bearer",
        "Basic a, Bearer, Basic b",
        "Bearer a" + " " * 65_536 + "b",
        "Bearer " + "a," * 30_000,
        "Basic a" + ", " * 30_000 + "Bearer b",
    ],
    ids=lambda header: header[:30],
)
def test_more_than_one_credential_is_malformed(header) -> None:
    with pytest.raises(MalformedHeader):
        bearer.read(request(header))


def test_schemes_are_those_of_the_settings(settings) -> None:
    settings.SIGNET = {"AUTH_HEADER_TYPES": ("JWT", "Bear.r")}
    assert bearer.read(request("JWT abc")) == "abc"
    assert bearer.read(request("jwt abc")) == "abc"
    assert bearer.read(request("bear.r abc")) == "abc"
    assert bearer.read(request("Bearer abc")) is None  # a scheme is no pattern
    with pytest.raises(MalformedHeader):
        bearer.read(request("Basic a, JWT b"))
    with pytest.raises(MalformedHeader):
        bearer.read(request("JWT a, Bear.r b"))


def test_schemes_are_read_from_simple_jwt_too(settings) -> None:
    settings.SIMPLE_JWT = {"AUTH_HEADER_TYPES": "JWT"}
    assert bearer.read(request("JWT abc")) == "abc"


def test_header_is_that_of_the_settings(settings) -> None:
    settings.SIGNET = {"AUTH_HEADER_NAME": "HTTP_X_ACCESS"}
    assert bearer.read(request("Bearer abc")) is None
    assert bearer.read(request("Bearer abc", "HTTP_X_ACCESS")) == "abc"


def test_challenge_names_no_error_unless_there_is_one() -> None:
    assert bearer.challenge() == 'Bearer realm="api"'
    assert bearer.challenge(error="invalid_token") == 'Bearer realm="api", error="invalid_token"'


def test_challenge_names_the_first_scheme(settings) -> None:
    settings.SIGNET = {"AUTH_HEADER_TYPES": ("JWT", "Bearer")}
    assert bearer.challenge() == 'JWT realm="api"'


LATIN_1 = st.characters(max_codepoint=255, exclude_characters="\r\n\0")
PIECES = st.sampled_from(["Bearer", "bearer", "Basic", " ", "  ", "\t", ",", "a.b.c", "\xff", "="])


@given(st.text(LATIN_1) | st.lists(PIECES).map("".join))
def test_any_header_is_read_or_refused(header) -> None:
    try:
        token = bearer.read(request(header))
    except MalformedHeader:
        return
    if token is not None:
        assert header.strip().lower().startswith("bearer")
        assert len(token.split()) <= 1
        assert "," not in token


@pytest.mark.parametrize("unit", [" ", ",", ", ", "\t", "Bearer ", "Bearer,", "Bearer, ", ", B"])
def test_long_headers_are_read_in_linear_time(unit) -> None:
    # At 64 kB anything worse than linear would not come to an end.
    for header in (unit * (65_536 // len(unit)), f"Bearer {unit * (65_528 // len(unit))}x"):
        try:
            bearer.read(request(header))
        except MalformedHeader:
            continue
