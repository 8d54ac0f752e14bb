"""Test login, API requests, refresh and logout with curl and HTTPie, on each of three servers."""

from __future__ import annotations

import pytest

from tests.e2e import jwt_by_hand
from tests.e2e.clients import Client, Curl
from tests.e2e.example import VITOR, Example

HELLO = {"message": "Hello, World!"}


def test_login_as_json_returns_two_tokens(served: Example, command: Client) -> None:
    answer = command.post(served.url("api/token/"), **VITOR)
    assert answer.status == 200
    assert answer.json.keys() == {"access", "refresh"}
    assert answer.headers["Cache-Control"] == "no-store"


def test_login_as_form_data_returns_two_tokens(served: Example, command: Client) -> None:
    answer = command.post_form(served.url("api/token/"), **VITOR)
    assert answer.status == 200
    assert answer.json.keys() == {"access", "refresh"}


def test_token_endpoints_allow_only_post(served: Example, command: Client) -> None:
    for path in ("api/token/", "api/token/refresh/", "api/token/verify/", "api/token/logout/"):
        answer = command.get(served.url(path))
        assert answer.status == 405, path
        assert "POST" in answer.headers["Allow"]


def test_login_with_a_wrong_password_returns_401(served: Example, command: Client) -> None:
    answer = command.post(served.url("api/token/"), username="vitor", password="124")
    assert answer.status == 401
    assert answer.json["code"] == "no_active_account"


def test_protected_view_without_a_token_returns_401(served: Example, command: Client) -> None:
    answer = command.get(served.url("hello/"))
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


def test_protected_view_with_an_access_token_returns_200(served: Example, command: Client) -> None:
    access_token = command.post(served.url("api/token/"), **VITOR).json["access"]
    answer = command.get(served.url("hello/"), access=access_token)
    assert (answer.status, answer.json) == (200, HELLO)


def test_protected_view_with_a_refresh_token_returns_401(served: Example, command: Client) -> None:
    refresh_token = command.post(served.url("api/token/"), **VITOR).json["refresh"]
    assert command.get(served.url("hello/"), access=refresh_token).status == 401


def test_refresh_token_can_be_used_again_without_rotation(served: Example, command: Client) -> None:
    pair = command.post(served.url("api/token/"), **VITOR).json
    access_tokens = {pair["access"]}
    for post in (command.post, command.post_form, command.post):
        answer = post(served.url("api/token/refresh/"), refresh=pair["refresh"])
        assert (answer.status, set(answer.json)) == (200, {"access"})
        access_tokens.add(answer.json["access"])
        assert command.get(served.url("hello/"), access=answer.json["access"]).json == HELLO
    assert len(access_tokens) == 4, "a refresh returned an access token that was used before"


def test_verify_accepts_valid_tokens_and_rejects_a_tampered_token(
    served: Example, command: Client
) -> None:
    pair = command.post(served.url("api/token/"), **VITOR).json
    for token in (pair["access"], pair["refresh"]):
        answer = command.post(served.url("api/token/verify/"), token=token)
        assert (answer.status, answer.json) == (200, {})
    answer = command.post(served.url("api/token/verify/"), token=f"{pair['access']}x")
    assert (answer.status, answer.json["code"]) == (401, "token_not_valid")


def test_logout_ends_the_session_and_can_be_repeated(served: Example, command: Client) -> None:
    refresh_token = command.post(served.url("api/token/"), **VITOR).json["refresh"]
    for _ in range(2):
        answer = command.post(served.url("api/token/logout/"), refresh=refresh_token)
        assert (answer.status, answer.body) == (204, "")
    answer = command.post(served.url("api/token/refresh/"), refresh=refresh_token)
    assert (answer.status, answer.json["code"]) == (401, "token_not_valid")


def test_session_list_contains_the_current_session(served: Example, command: Client) -> None:
    access_token = command.post(served.url("api/token/"), **VITOR).json["access"]
    answer = command.get(served.url("api/token/sessions/"), access=access_token)
    current = [session["id"] for session in answer.json if session["current"]]
    assert current == [jwt_by_hand.claims(access_token)["sid"]]


@pytest.mark.parametrize("origin", ["http://localhost:4200", "http://127.0.0.1:5173"])
def test_cors_allows_front_ends_on_localhost(served: Example, origin: str) -> None:
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
