"""Test white space around a token in a header, a body or a cookie.

RFC 9110 allows only spaces and tabs around the value of a header. Python's `strip` and `split`
remove other characters, too.
"""

from __future__ import annotations

from typing import Any

import pytest

import drf_signet
from drf_signet.testing import browser_client
from tests.support.page_requests import ACCESS_COOKIE, REFRESH_COOKIE, cookie_of, log_in, send

#: Latin-1 characters that Python treats as white space, other than space and tab, such as NEL.
IN_HEADERS = [chr(code) for code in range(256) if chr(code).isspace() and chr(code) not in " \t"]
#: White space characters beyond Latin-1, which a body can contain, and a byte order mark.
BEYOND_LATIN_1 = ["\u1680", "\u2003", "\u2028", "\u2029", "\u202f", "\u3000", "\ufeff"]
#: NEL and BEYOND_LATIN_1, encoded in UTF-8 and then decoded as Latin-1, as WSGI decodes headers.
AS_BYTES = [space.encode().decode("latin-1") for space in ["\x85", *BEYOND_LATIN_1]]

AROUND = pytest.mark.parametrize("template", ["{space}{token}", "{token}{space}"])


@pytest.fixture
def pair(user: Any) -> drf_signet.TokenPair:
    """Open a session for the user; return its first pair of tokens."""
    return drf_signet.issue(user)


def hello(client: Any, header: str) -> tuple[int, Any]:
    answer = client.get("/hello/", HTTP_AUTHORIZATION=header)
    return answer.status_code, answer.get("WWW-Authenticate")


@AROUND
@pytest.mark.parametrize("space", [*IN_HEADERS, *AS_BYTES], ids=ascii)
def test_a_header_with_unusual_space_around_its_token_is_refused(
    client, pair, template, space
) -> None:
    assert hello(client, f"Bearer {pair.access}")[0] == 200  # caches the token
    header = f"Bearer {template.format(space=space, token=pair.access)}"
    assert hello(client, header) == (401, 'Bearer realm="api", error="invalid_token"')


@pytest.mark.parametrize("space", [*IN_HEADERS, *AS_BYTES], ids=ascii)
def test_a_header_with_unusual_space_around_its_scheme_is_not_read(client, pair, space) -> None:
    for header in (f"{space}Bearer {pair.access}", f"Bearer{space}{pair.access}"):
        assert hello(client, header) == (401, 'Bearer realm="api"')


@pytest.mark.parametrize("template", ["Bearer  {}", "Bearer \t{}", " Bearer {} ", "\tBearer {}\t"])
def test_spaces_and_tabs_may_stand_around_the_token_of_a_header(client, pair, template) -> None:
    for _ in range(2):  # before and after the token is cached
        assert hello(client, template.format(pair.access))[0] == 200


@AROUND
@pytest.mark.parametrize("space", [" ", "\t", *IN_HEADERS, *BEYOND_LATIN_1], ids=ascii)
def test_a_body_with_space_around_its_token_is_refused(client, pair, template, space) -> None:
    requests = [
        ("verify", "token", pair.access),
        ("verify", "token", pair.refresh),
        ("refresh", "refresh", pair.refresh),
        ("logout", "refresh", pair.refresh),
    ]
    for path, field, token in requests:
        text = template.format(space=space, token=token)
        for content_type in ("json", "multipart"):
            answer = client.post(f"/api/token/{path}/", {field: text}, format=content_type)
            assert (answer.status_code, answer.json()["reason"]) == (401, "invalid")
    assert client.post("/api/token/refresh/", {"refresh": pair.refresh}).status_code == 200


@AROUND
@pytest.mark.parametrize("space", [*IN_HEADERS, *AS_BYTES], ids=ascii)
def test_a_refresh_cookie_with_unusual_space_around_its_token_is_refused(
    user, template, space
) -> None:
    token = cookie_of(log_in())
    value = template.format(space=space, token=token)
    answer = send(browser_client(), "refresh", HTTP_COOKIE=f"{REFRESH_COOKIE}={value}")
    assert (answer.status_code, answer.json()["reason"]) == (401, "invalid")


@AROUND
@pytest.mark.parametrize("space", [*IN_HEADERS, *AS_BYTES], ids=ascii)
def test_an_access_cookie_with_unusual_space_around_its_token_is_refused(
    client, settings, pair, template, space
) -> None:
    settings.SIGNET = {"COOKIE": {"ACCESS_NAME": "signet-access-token"}}
    value = template.format(space=space, token=pair.access)
    answer = client.get("/hello/", HTTP_COOKIE=f"{ACCESS_COOKIE}={value}")
    assert (answer.status_code, answer.json()["reason"]) == (401, "invalid")
