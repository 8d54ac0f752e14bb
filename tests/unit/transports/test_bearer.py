"""Tests of reading the `Authorization` header: a token, another scheme, more than one token."""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.http import HttpRequest
from hypothesis import given
from hypothesis import strategies as st

from drf_signet.errors import MalformedHeader
from drf_signet.transports import bearer
from tests.support.cpu_limit import completes_within_cpu_limit, needs_fork


def request(header: str | None, name: str = "HTTP_AUTHORIZATION") -> HttpRequest:
    built = HttpRequest()
    if header is not None:
        built.META[name] = header
    return built


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
def test_the_scheme_is_matched_without_regard_to_case(header) -> None:
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
def test_a_header_with_another_scheme_is_ignored(header) -> None:
    assert bearer.read(request(header)) is None


@pytest.mark.parametrize("header", ["Bearer", "bearer ", " Bearer  "])
def test_a_scheme_without_a_token_is_read_as_an_empty_token(header) -> None:
    assert bearer.read(request(header)) == ""


@pytest.mark.parametrize("token", ["\xff", "x" * 65_536, "Bearer", '"quoted"', "a=b", "%00"])
def test_an_unusual_token_is_read_unchanged(token) -> None:
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
def test_a_header_with_more_than_one_credential_is_malformed(header) -> None:
    with pytest.raises(MalformedHeader):
        bearer.read(request(header))


def test_schemes_come_from_the_settings(settings) -> None:
    settings.SIGNET = {"AUTH_HEADER_TYPES": ("JWT", "Bear.r")}
    assert bearer.read(request("JWT abc")) == "abc"
    assert bearer.read(request("jwt abc")) == "abc"
    assert bearer.read(request("bear.r abc")) == "abc"
    assert bearer.read(request("Bearer abc")) is None  # the dot in `Bear.r` is not a wildcard
    with pytest.raises(MalformedHeader):
        bearer.read(request("Basic a, JWT b"))
    with pytest.raises(MalformedHeader):
        bearer.read(request("JWT a, Bear.r b"))


def test_schemes_are_also_read_from_simple_jwt(settings) -> None:
    settings.SIMPLE_JWT = {"AUTH_HEADER_TYPES": "JWT"}
    assert bearer.read(request("JWT abc")) == "abc"


def test_the_header_name_comes_from_the_settings(settings) -> None:
    settings.SIGNET = {"AUTH_HEADER_NAME": "HTTP_X_ACCESS"}
    assert bearer.read(request("Bearer abc")) is None
    assert bearer.read(request("Bearer abc", "HTTP_X_ACCESS")) == "abc"


def test_a_challenge_contains_an_error_only_if_there_is_an_error() -> None:
    assert bearer.challenge() == 'Bearer realm="api"'
    assert bearer.challenge(error="invalid_token") == 'Bearer realm="api", error="invalid_token"'


def test_a_challenge_contains_the_first_scheme(settings) -> None:
    settings.SIGNET = {"AUTH_HEADER_TYPES": ("JWT", "Bearer")}
    assert bearer.challenge() == 'JWT realm="api"'


LATIN_1 = st.characters(max_codepoint=255, exclude_characters="\r\n\0")
PIECES = st.sampled_from(["Bearer", "bearer", "Basic", " ", "  ", "\t", ",", "a.b.c", "\xff", "="])


@given(st.text(LATIN_1) | st.lists(PIECES).map("".join))
def test_any_header_is_read_or_malformed(header) -> None:
    try:
        token = bearer.read(request(header))
    except MalformedHeader:
        return
    if token is not None:
        assert header.strip(" \t").lower().startswith("bearer")
        assert not set(token) & set(" \t,")


def read_repeated(unit: str) -> None:
    """Read two headers that repeat `unit` for two million characters, one of them with a scheme."""
    repeated = unit * (2_000_000 // len(unit))
    for header in (repeated, f"Bearer {repeated}x"):
        with suppress(MalformedHeader):
            bearer.read(request(header))


@needs_fork
@pytest.mark.parametrize("unit", [" ", ",", ", ", "\t", "Bearer ", "Bearer,", "Bearer, ", ", B"])
def test_long_headers_are_read_in_linear_time(unit) -> None:
    """Test the running time: a regular expression with quadratic time would take hours."""
    assert completes_within_cpu_limit(lambda: read_repeated(unit))
