"""Obtain, call, refresh, log out: with curl and HTTPie, under each of the three servers."""

from __future__ import annotations

import pytest

from tests.e2e import byhand
from tests.e2e.clients import Client, Curl
from tests.e2e.example import VITOR, Example

HELLO = {"message": "Hello, World!"}


def test_credentials_as_json_get_a_pair(served: Example, command: Client) -> None:
    answer = command.post(served.url("api/token/"), **VITOR)
    assert answer.status == 200
    assert answer.json.keys() == {"access", "refresh"}
    assert answer.headers["Cache-Control"] == "no-store"


def test_credentials_as_a_form_get_a_pair(served: Example, command: Client) -> None:
    answer = command.post_form(served.url("api/token/"), **VITOR)
    assert answer.status == 200
    assert answer.json.keys() == {"access", "refresh"}


def test_only_post_obtains(served: Example, command: Client) -> None:
    for path in ("api/token/", "api/token/refresh/", "api/token/verify/", "api/token/logout/"):
        answer = command.get(served.url(path))
        assert answer.status == 405, path
        assert "POST" in answer.headers["Allow"]


def test_a_wrong_password_gets_401(served: Example, command: Client) -> None:
    answer = command.post(served.url("api/token/"), username="vitor", password="124")
    assert answer.status == 401
    assert answer.json["code"] == "no_active_account"


def test_the_protected_view_answers_401_without_a_token(served: Example, command: Client) -> None:
    answer = command.get(served.url("hello/"))
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


def test_the_protected_view_greets_whoever_has_a_token(served: Example, command: Client) -> None:
    access = command.post(served.url("api/token/"), **VITOR).json["access"]
    answer = command.get(served.url("hello/"), access=access)
    assert (answer.status, answer.json) == (200, HELLO)


def test_a_refresh_token_opens_no_view(served: Example, command: Client) -> None:
    refresh = command.post(served.url("api/token/"), **VITOR).json["refresh"]
    assert command.get(served.url("hello/"), access=refresh).status == 401


def test_a_refresh_token_goes_on_working(served: Example, command: Client) -> None:
    pair = command.post(served.url("api/token/"), **VITOR).json
    seen = {pair["access"]}
    for post in (command.post, command.post_form, command.post):
        answer = post(served.url("api/token/refresh/"), refresh=pair["refresh"])
        assert (answer.status, set(answer.json)) == (200, {"access"})
        seen.add(answer.json["access"])
        assert command.get(served.url("hello/"), access=answer.json["access"]).json == HELLO
    assert len(seen) == 4, "each refresh gives a new access token"


def test_verify_tells_good_tokens_from_bad_ones(served: Example, command: Client) -> None:
    pair = command.post(served.url("api/token/"), **VITOR).json
    for token in (pair["access"], pair["refresh"]):
        answer = command.post(served.url("api/token/verify/"), token=token)
        assert (answer.status, answer.json) == (200, {})
    answer = command.post(served.url("api/token/verify/"), token=f"{pair['access']}x")
    assert (answer.status, answer.json["code"]) == (401, "token_not_valid")


def test_logout_ends_the_session(served: Example, command: Client) -> None:
    refresh = command.post(served.url("api/token/"), **VITOR).json["refresh"]
    for _ in range(2):
        answer = command.post(served.url("api/token/logout/"), refresh=refresh)
        assert (answer.status, answer.body) == (204, "")
    answer = command.post(served.url("api/token/refresh/"), refresh=refresh)
    assert (answer.status, answer.json["code"]) == (401, "token_not_valid")


def test_sessions_are_listed(served: Example, command: Client) -> None:
    access = command.post(served.url("api/token/"), **VITOR).json["access"]
    answer = command.get(served.url("api/token/sessions/"), access=access)
    current = [one["id"] for one in answer.json if one["current"]]
    assert current == [byhand.claims(access)["sid"]]


@pytest.mark.parametrize("origin", ["http://localhost:4200", "http://127.0.0.1:5173"])
def test_front_ends_of_this_computer_are_allowed(served: Example, origin: str) -> None:
    answer = Curl().run(
        "-X",
        "OPTIONS",
        "-H",
        f"Origin: {origin}",
        "-H",
        "Access-Control-Request-Method: GET",
        "-H",
        "Access-Control-Request-Headers: authorization",
        served.url("hello/"),
    )
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"]
