"""Test hostile requests: the vectors in `tests/vectors/requests.toml`, and random requests.

Tests without the `db` fixture also assert that no SQL statement runs: pytest-django refuses
database access in these tests. If a view raises an exception, the test client raises the exception
again, and the test fails.
"""

from __future__ import annotations

import json
import tomllib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

import drf_signet
from drf_signet import Session
from tests.support.endpoint_table import (
    ALL,
    LOGOUT_ALL,
    OBTAIN,
    OPEN,
    PROTECTED,
    REFRESH,
    SESSIONS,
    Endpoint,
)

FILE = Path(__file__).parents[1] / "vectors" / "requests.toml"
VECTORS: dict[str, Any] = tomllib.loads(FILE.read_text(encoding="utf-8"))

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"

Text = str | list[tuple[str, int]]


@dataclass(frozen=True, kw_only=True)
class Body:
    """A hostile request body: one entry of `[[body]]` in the vector file."""

    name: str
    status: int | list[int]
    body: Text = ""
    encoding: str = "utf-8"
    type: str = JSON
    meta: Mapping[str, str] = field(default_factory=dict)
    repeat: Mapping[str, int] = field(default_factory=dict)
    unread: bool = False
    page: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def statuses(self) -> list[int]:
        """Return the accepted status codes."""
        return self.status if isinstance(self.status, list) else [self.status]

    def send(self, client: Any, endpoint: Endpoint, **extra: Any) -> Any:
        """Send the body to an endpoint."""
        meta = {name: value * self.repeat.get(name, 1) for name, value in self.meta.items()}
        body = filled(self.body, endpoint)
        sent = bytes.fromhex(body) if self.encoding == "hex" else body.encode(self.encoding)
        return client.generic(endpoint.method, endpoint.url, sent, self.type, **meta, **extra)


@dataclass(frozen=True, kw_only=True)
class Member:
    """A hostile member of a JSON body: one entry of `[[member]]` in the vector file."""

    name: str
    json: Text
    status: int = 400
    login: int | list[int] = 400
    page: bool = False

    def __str__(self) -> str:
        return self.name

    def body(self, endpoint: Endpoint, name: str) -> str:
        """Return a JSON body in which the member `name` has this hostile value."""
        others = json.dumps(endpoint.body())
        return others.replace(f'"{name}": "nothing"', f'"{name}": {filled(self.json, endpoint)}')


@dataclass(frozen=True, kw_only=True)
class Header:
    """A hostile Authorization header: one entry of `[[header]]` in the vector file."""

    name: str
    value: Text
    status: int = 401

    def __str__(self) -> str:
        return self.name


def filled(text: Text, endpoint: Endpoint) -> str:
    """Return the string of a vector with its placeholders replaced by valid bodies."""
    whole = text if isinstance(text, str) else "".join(part * times for part, times in text)
    valid = endpoint.body()
    return Template(whole).safe_substitute(
        json=json.dumps(valid), form=urlencode(valid), multipart=multipart(valid)
    )


def multipart(fields: Mapping[str, object]) -> str:
    part = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    return "".join(part.format(*field) for field in fields.items()) + "--b--\r\n"


BODIES = [Body(**entry) for entry in VECTORS["body"]]
MEMBERS = [Member(**entry) for entry in VECTORS["member"]]
HEADERS = [Header(**entry) for entry in VECTORS["header"]]


def assert_refused(response: Any, *statuses: int, why: object = "") -> None:
    """Assert that a response is an error, as JSON or as an HTML page, and must not be cached."""
    assert response.status_code in statuses, why
    assert response["Cache-Control"] == "no-store", why
    if response["Content-Type"] == JSON:
        body = response.json()
        assert isinstance(body["detail"], str), why
        assert isinstance(body["code"], str), why
    else:
        assert response["Content-Type"] == "text/html; charset=utf-8", why
        assert b"</html>" in response.content, why


def state() -> list[Any]:
    return list(Session.objects.order_by("pk").values())


@pytest.mark.parametrize("vector", BODIES, ids=str)
def test_hostile_body_is_refused_before_the_database(client, vector) -> None:
    # No endpoint reads the body of an `unread` vector, so one endpoint is enough.
    for endpoint in OPEN[:1] if vector.unread else OPEN:
        assert_refused(vector.send(client, endpoint), *vector.statuses, why=endpoint)


@pytest.mark.parametrize("vector", [body for body in BODIES if body.page], ids=str)
def test_hostile_body_is_refused_by_the_web_interface_too(client, vector) -> None:
    response = vector.send(client, OBTAIN, HTTP_ACCEPT="text/html")
    assert_refused(response, *vector.statuses)


def test_unreadable_body_is_refused_before_the_token_is_verified(
    user, auth_client, django_assert_num_queries
) -> None:
    client = auth_client(user)
    before = state()
    with django_assert_num_queries(0):
        for vector in BODIES:
            if vector.unread and "$" not in str(vector.body):
                assert_refused(vector.send(client, LOGOUT_ALL), *vector.statuses, why=vector)
    assert state() == before


def test_unsupported_charset_is_415(client) -> None:
    bodies = {JSON: json.dumps(REFRESH.body()), FORM: "refresh=%41", MULTIPART: multipart({})}
    for charset in VECTORS["charsets"]["refused"]:
        for media_type, body in bodies.items():
            content_type = f"{media_type}; charset={charset}"
            response = client.generic("POST", REFRESH.url, body, content_type)
            assert_refused(response, 415, why=content_type)
        response = client.generic("GET", SESSIONS.url, "", f"{JSON}; charset={charset}")
        assert_refused(response, 415, why=charset)


def test_supported_charset_is_decoded(client) -> None:
    for charset in VECTORS["charsets"]["taken"]:
        body = json.dumps(REFRESH.body())
        response = client.generic("POST", REFRESH.url, body, f"{JSON}; charset={charset}")
        assert_refused(response, 401, why=charset)


@pytest.mark.parametrize("vector", MEMBERS, ids=str)
def test_hostile_member_of_a_token_endpoint_is_refused_before_the_database(client, vector) -> None:
    # A vector with a status other than 400 is long, so send it to only one endpoint.
    for endpoint in OPEN[1:] if vector.status == 400 else OPEN[1:2]:
        (name,) = endpoint.fields
        body = vector.body(endpoint, name)
        assert_refused(client.generic("POST", endpoint.url, body, JSON), vector.status)


@pytest.mark.parametrize("vector", MEMBERS, ids=str)
def test_hostile_member_of_a_login_is_refused(request, client, vector) -> None:
    statuses = vector.login if isinstance(vector.login, list) else [vector.login]
    if 401 in statuses:
        request.getfixturevalue("db")
    for name in OBTAIN.fields:
        response = client.generic("POST", OBTAIN.url, vector.body(OBTAIN, name), JSON)
        assert_refused(response, *statuses, why=name)


@pytest.mark.parametrize("vector", [member for member in MEMBERS if member.page], ids=str)
def test_hostile_member_is_not_echoed_by_the_web_interface(client, vector) -> None:
    body = vector.body(REFRESH, "refresh")
    response = client.generic("POST", REFRESH.url, body, JSON, HTTP_ACCEPT="text/html")
    assert_refused(response, vector.status)
    assert len(response.content) < 50_000  # a page that repeats the body would be larger


@pytest.mark.parametrize("vector", HEADERS, ids=str)
def test_hostile_header_is_refused_before_the_database(client, vector) -> None:
    for endpoint in PROTECTED:
        response = client.generic(
            endpoint.method, endpoint.url, HTTP_AUTHORIZATION=filled(vector.value, endpoint)
        )
        assert_refused(response, vector.status, why=endpoint)
        assert response["WWW-Authenticate"].startswith('Bearer realm="api"')


def test_any_accept_header_gets_an_error_response(client) -> None:
    for accept in VECTORS["accept"]["values"]:
        for endpoint in (REFRESH, SESSIONS):
            response = client.generic(endpoint.method, endpoint.url, HTTP_ACCEPT=accept)
            assert_refused(response, 400, 401, 406, why=accept)


@pytest.mark.parametrize("times", [100, 20_000])
def test_accept_header_of_any_length_gets_an_error_response(client, times) -> None:
    response = client.post(REFRESH.url, HTTP_ACCEPT="a/b," * times)
    assert_refused(response, 400, 406)


def test_any_query_string_gets_an_error_response(client) -> None:
    for query in VECTORS["query"]["values"]:
        for endpoint, accept in ((REFRESH, "text/html"), (REFRESH, JSON), (SESSIONS, JSON)):
            response = client.generic(
                endpoint.method, endpoint.url, QUERY_STRING=query, HTTP_ACCEPT=accept
            )
            assert_refused(response, 400, 401, 404, 406, why=query)


@pytest.mark.parametrize("meta", VECTORS["meta"]["values"], ids=str)
def test_other_hostile_headers_do_not_change_the_response(client, meta) -> None:
    for endpoint in (REFRESH, SESSIONS):
        plain = client.generic(endpoint.method, endpoint.url)
        response = client.generic(endpoint.method, endpoint.url, **meta)
        if "REQUEST_METHOD" not in meta:
            assert (response.status_code, response.content) == (plain.status_code, plain.content)
        assert_refused(response, 400, 401, 405)


def test_charset_zlib_does_not_decompress_the_body(client) -> None:
    body = zlib.compress(json.dumps(REFRESH.body()).encode())
    response = client.generic("POST", REFRESH.url, body, f"{JSON}; charset=zlib")
    assert_refused(response, 415)


# Random requests

LATIN_1 = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"))
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "LIST"]
NAMES = sorted({name for endpoint in OPEN for name in endpoint.fields})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES) | VALUES
BYTES = st.one_of(
    st.binary(),
    OBJECTS.map(lambda value: json.dumps(value).encode()),
    OBJECTS.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-16", "replace")),
    st.dictionaries(st.sampled_from(NAMES), st.binary()).map(lambda v: urlencode(v).encode()),
    st.dictionaries(st.sampled_from(NAMES), LATIN_1).map(lambda v: multipart(v).encode("latin-1")),
)
# Do not combine a charset with a query string: before the view runs, Django decodes the query
# string with the charset of the body, and fails if the charset is not a text encoding.
TYPES = st.sampled_from(["", JSON, FORM, MULTIPART, "multipart/form-data", "text/plain", "*/*"])
CHARSETS = st.sampled_from(
    [charset for charsets in VECTORS["charsets"].values() for charset in charsets]
)
ACCEPTS = st.sampled_from([JSON, "text/html", "*/*", "image/png"]) | LATIN_1
AUTHORIZATIONS = st.sampled_from(["", "Bearer $token", "Bearer x", "Bearer a, Bearer b"]) | LATIN_1
META = ["HTTP_USER_AGENT", "HTTP_COOKIE", "HTTP_X_FORWARDED_FOR", "HTTP_ORIGIN", "REMOTE_ADDR"]
IDS = st.text(st.characters(exclude_characters="/?#", exclude_categories=["C"]))


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the arguments of `APIClient.generic`, except the path and the Authorization header."""
    drawn: dict[str, Any] = {
        "method": draw(st.sampled_from(METHODS)),
        "data": draw(BYTES),
        "content_type": draw(TYPES),
        "HTTP_ACCEPT": draw(ACCEPTS),
        **draw(st.dictionaries(st.sampled_from(META), LATIN_1, max_size=2)),
    }
    if draw(st.booleans()):
        drawn["QUERY_STRING"] = draw(LATIN_1)
    elif draw(st.booleans()):
        drawn["content_type"] += f"; charset={draw(CHARSETS)}"
    return drawn


@given(
    endpoint=st.sampled_from(list(ALL)),
    authorization=AUTHORIZATIONS,
    session_id=st.none() | IDS,
    sent=requests(),
)
@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_request_is_never_a_server_error(
    user, endpoint, authorization, session_id, sent
) -> None:
    cache.clear()
    Session.objects.all().delete()
    token = drf_signet.issue(user).access
    url = f"{SESSIONS.url}{session_id}/" if session_id else endpoint.url
    sent["HTTP_AUTHORIZATION"] = authorization.replace("$token", token)
    before = state()
    client: Any = APIClient()
    response = client.generic(path=url, **sent)
    assert response.status_code < 500
    if response.status_code >= 400:
        assert state() == before
        if sent["method"] != "HEAD" and hasattr(response, "accepted_renderer"):
            assert_refused(response, response.status_code)
