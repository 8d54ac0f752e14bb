"""Test that hostile input to the simplejwt endpoints costs little and causes no server error."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from rest_framework.test import APIClient

from drf_signet import Session
from drf_signet.compat.simplejwt.exceptions import TokenError
from drf_signet.compat.simplejwt.tokens import RefreshToken, UntypedToken
from drf_signet.jose.codec import MAX_TOKEN_LENGTH
from drf_signet.serializers import MAX_PASSWORD_LENGTH, MAX_USERNAME_LENGTH
from tests.conftest import PASSWORD
from tests.support.endpoint_table import Endpoint
from tests.support.simplejwt_alias import alias, alias_tables
from tests.unit.test_requests_hostile import JSON, MEMBERS

__all__ = ["alias", "alias_tables"]  # imported so that pytest finds these fixtures

pytestmark = pytest.mark.usefixtures("alias")

LOGINS = ("/api/token/", "/api/sliding/")
ALIAS_FIELDS = [
    *((path, field) for path in LOGINS for field in ("username", "password")),
    ("/api/token/refresh/", "refresh"),
    ("/api/token/verify/", "token"),
    ("/api/token/blacklist/", "refresh"),
    ("/api/sliding/refresh/", "token"),
]
NATIVE_FIELDS = [
    ("/native/", "username"),
    ("/native/", "password"),
    ("/native/refresh/", "refresh"),
    ("/native/verify/", "token"),
    ("/native/logout/", "refresh"),
]
#: A character that becomes 18 characters when a username is normalized.
LIGATURE = "\ufdfa"
#: Almost as many ligatures as fit into the largest request body that Django accepts.
MANY = 800_000
TOO_LONG = [("username", MAX_USERNAME_LENGTH + 1), ("password", MAX_PASSWORD_LENGTH + 1)]


@pytest.fixture(autouse=True)
def _throttled(settings: Any) -> None:
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": "3/day", "address": "10000/day"}}


def body_of(path: str, field: str, value: object) -> dict[str, object]:
    names = ("username", "password") if field in ("username", "password") else (field,)
    return {**dict.fromkeys(names, "nothing"), field: value}


def post(path: str, body: Mapping[str, object]) -> Any:
    return APIClient().post(path, json.dumps(body, ensure_ascii=False), content_type=JSON)


def status(path: str, field: str, value: object) -> int:
    return int(post(path, body_of(path, field, value)).status_code)


@pytest.mark.parametrize("vector", MEMBERS, ids=str)
def test_hostile_member_is_a_client_error(client, settings, vector) -> None:
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": "10000/day", "address": "10000/day"}}
    for path, field in ALIAS_FIELDS:
        endpoint = Endpoint(name="", fields=tuple(body_of(path, field, "")))
        answer = client.generic("POST", path, vector.body(endpoint, field), JSON)
        assert answer.status_code in (400, 401), (path, field)


@pytest.mark.parametrize("path", LOGINS)
@pytest.mark.parametrize("username", ["\ud800", ["\ud800"], {"\ud800": "\udfff"}, "x\udfff"])
def test_surrogate_in_a_username_is_refused_with_400(client, path, username) -> None:
    body = json.dumps({"username": username, "password": "x"})  # `dumps` escapes surrogates
    assert client.post(path, body, content_type=JSON).status_code == 400


def calls_of_a_request(path: str, field: str, length: int) -> int:
    """Return the number of function calls that a request with a value of this length causes.

    Garbage of other tests is not collected meanwhile, because finalizers would be counted.
    """
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    body = json.dumps(body_of(path, field, LIGATURE * length), ensure_ascii=False)
    client = APIClient()
    gc.disable()
    sys.setprofile(count)
    try:
        client.post(path, body, content_type=JSON)
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


@pytest.mark.parametrize(("path", "field"), [*ALIAS_FIELDS, *NATIVE_FIELDS])
def test_characters_beyond_the_maximum_length_are_not_read(settings, path, field) -> None:
    settings.SIGNET = {"LOGIN_THROTTLE": None}
    limit = dict(TOO_LONG).get(field, MAX_TOKEN_LENGTH + 1)
    calls_of_a_request(path, field, limit)  # the first call also imports modules
    assert calls_of_a_request(path, field, MANY) < calls_of_a_request(path, field, limit) + 1000


@pytest.mark.parametrize(
    ("path", "field"), [pair for pair in ALIAS_FIELDS if pair[0] not in LOGINS]
)
def test_token_that_is_too_long_is_an_invalid_token(path, field) -> None:
    for length in (MAX_TOKEN_LENGTH + 1, MANY):
        answer = post(path, body_of(path, field, LIGATURE * length))
        assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")


@pytest.mark.parametrize(
    ("path", "field"), [pair for pair in ALIAS_FIELDS if pair[0] not in LOGINS]
)
def test_number_is_an_invalid_token(path, field) -> None:
    for number in (5, 1.5, -1):
        assert status(path, field, number) == 401
    assert status(path, field, True) == 400


def test_unverified_token_that_is_too_long_is_not_decoded() -> None:
    raw_token = str(RefreshToken())
    longer = raw_token.replace(".", "." + "A" * MAX_TOKEN_LENGTH, 1)
    for token in (longer, longer.encode()):
        with pytest.raises(TokenError, match="invalid"):
            UntypedToken(token, verify=False)


@pytest.mark.parametrize("path", LOGINS)
@pytest.mark.parametrize(("field", "length"), TOO_LONG)
def test_login_that_is_too_long_is_refused_and_counted(path, field, length) -> None:
    assert [status(path, field, LIGATURE * length) for _ in range(4)] == [400, 400, 400, 429]


def test_password_that_is_too_long_counts_for_its_username(user) -> None:
    path, (field, length) = LOGINS[0], TOO_LONG[1]
    for password in ("x" * length, "wrong", LIGATURE * MANY):
        post(path, {"username": "vitor", field: password})
    answer = post(path, {"username": "vitor", "password": PASSWORD})
    assert answer.status_code == 429


@pytest.mark.parametrize("body", [{}, {"username": "vitor"}, {"username": "vitor", "password": ""}])
def test_other_malformed_logins_are_not_counted(user, body) -> None:
    assert [post(LOGINS[0], body).status_code for _ in range(5)] == [400] * 5
    credentials = {"username": "vitor", "password": PASSWORD}
    assert post(LOGINS[0], credentials).status_code == 200


@pytest.mark.parametrize("path", [*LOGINS, "/native/"])
def test_username_with_many_spaces_around_it_is_not_logged_in(user, path) -> None:
    """If it were accepted, its failed logins would be counted separately from those of `vitor`."""
    username = "vitor" + " " * MAX_USERNAME_LENGTH
    assert post(path, {"username": username, "password": PASSWORD}).status_code == 400
    assert not Session.objects.exists()
    assert post(path, {"username": " vitor ", "password": PASSWORD}).status_code == 200
