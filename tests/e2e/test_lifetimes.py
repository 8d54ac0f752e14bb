"""Test that tokens expire. Most tests use lifetimes of a few seconds, to keep the tests short."""

from __future__ import annotations

import time

import pytest

from tests.e2e import jwt_by_hand
from tests.e2e.clients import Answer, Client, Curl
from tests.e2e.example import SECRET_KEY, VITOR, Example, StartExample, wait_until

#: Token lifetimes in seconds. A request with curl takes much less time.
ACCESS, REFRESH = 2, 5


@pytest.fixture
def short_lived(start_example: StartExample) -> Example:
    return start_example(
        signet={"ACCESS_TOKEN_LIFETIME": ACCESS, "REFRESH_TOKEN_LIFETIME": REFRESH}
    )


def test_both_lifetime_settings_take_effect(short_lived: Example, curl: Curl) -> None:
    pair = curl.post(short_lived.url("api/token/"), **VITOR).json
    claims = {kind: jwt_by_hand.claims(token) for kind, token in pair.items()}
    assert {kind: c["exp"] - c["iat"] for kind, c in claims.items()} == {
        "access": ACCESS,
        "refresh": REFRESH,
    }


def test_expired_access_token_can_be_refreshed_until_the_refresh_token_expires(
    short_lived: Example, curl: Curl
) -> None:
    """Use short lifetimes, because this test would take a day with the tutorial's lifetimes."""
    pair = curl.post(short_lived.url("api/token/"), **VITOR).json
    assert curl.get(short_lived.url("hello/"), access=pair["access"]).status == 200

    rejected = wait_for_expired_access(short_lived, curl, pair["access"])
    assert rejected.json.keys() >= {"detail", "code", "messages"}
    assert rejected.json["code"] == "token_not_valid"
    assert rejected.json["messages"][0]["token_type"] == "access"
    assert time.time() >= jwt_by_hand.claims(pair["access"])["exp"]

    renewed = curl.post(short_lived.url("api/token/refresh/"), refresh=pair["refresh"])
    assert renewed.status == 200
    assert curl.get(short_lived.url("hello/"), access=renewed.json["access"]).status == 200

    rejected = wait_for_expired_refresh(short_lived, curl, pair["refresh"])
    assert (rejected.json["code"], rejected.json["reason"]) == ("token_not_valid", "expired")
    assert time.time() >= jwt_by_hand.claims(pair["refresh"])["exp"]

    again = curl.post(short_lived.url("api/token/"), **VITOR)
    assert again.status == 200
    assert curl.get(short_lived.url("hello/"), access=again.json["access"]).status == 200


def test_tokens_with_default_lifetimes_are_rejected_when_expired(
    example: Example, command: Client
) -> None:
    """Sign the claims of real tokens again, with the current time as `exp`."""
    pair = command.post(example.url("api/token/"), **VITOR).json
    expired_tokens = {
        kind: jwt_by_hand.mint(jwt_by_hand.claims(token) | {"exp": int(time.time())}, SECRET_KEY)
        for kind, token in pair.items()
    }
    answer = command.get(example.url("hello/"), access=expired_tokens["access"])
    assert (answer.status, answer.json["reason"]) == (401, "expired")
    answer = command.post(example.url("api/token/refresh/"), refresh=expired_tokens["refresh"])
    assert (answer.status, answer.json["reason"]) == (401, "expired")


def test_rotation_returns_a_new_refresh_token_and_detects_reuse(
    start_example: StartExample, curl: Curl
) -> None:
    example = start_example(signet={"ROTATE_REFRESH_TOKENS": True, "ROTATION_GRACE_PERIOD": 0})
    url = example.url("api/token/refresh/")
    first_token = curl.post(example.url("api/token/"), **VITOR).json["refresh"]
    answer = curl.post(url, refresh=first_token)
    assert (answer.status, answer.json.keys()) == (200, {"access", "refresh"})
    second_token = answer.json["refresh"]
    generations = [jwt_by_hand.claims(token)["gen"] for token in (first_token, second_token)]
    assert generations == [0, 1]

    replayed = curl.post(url, refresh=first_token)
    assert (replayed.status, replayed.json["reason"]) == (401, "reused")
    assert curl.post(url, refresh=second_token).status == 401, "the reuse did not end the session"


class TestUserWhoseStateChanged:
    """Test that a refresh checks the current state of the user in the database."""

    def test_inactive_user_gets_no_new_token(self, example: Example, command: Client) -> None:
        refresh_token = log_in_as_new_user(example, command, "maria")
        url = example.url("api/token/refresh/")
        assert command.post(url, refresh=refresh_token).status == 200
        example.run("User.objects.filter(username='maria').update(is_active=False)")
        answer = command.post(url, refresh=refresh_token)
        assert (answer.status, answer.json["code"]) == (401, "user_inactive")
        answer = command.post(example.url("api/token/"), username="maria", password="123")
        assert (answer.status, answer.json["code"]) == (401, "no_active_account")

    def test_changed_password_ends_the_session(self, example: Example, curl: Curl) -> None:
        refresh_token = log_in_as_new_user(example, curl, "joana")
        example.run(
            """
user = User.objects.get(username='joana')
user.set_password('4')
user.save()
"""
        )
        answer = curl.post(example.url("api/token/refresh/"), refresh=refresh_token)
        assert (answer.status, answer.json["code"]) == (401, "token_not_valid")

    def test_deleted_user_gets_no_new_token(self, example: Example, curl: Curl) -> None:
        refresh_token = log_in_as_new_user(example, curl, "paulo")
        example.run("User.objects.filter(username='paulo').delete()")
        answer = curl.post(example.url("api/token/refresh/"), refresh=refresh_token)
        assert (answer.status, answer.json["code"]) == (401, "token_not_valid")


def log_in_as_new_user(example: Example, client: Client, username: str) -> str:
    """Create a user, log in as this user, and return the refresh token."""
    example.make_user(username)
    answer = client.post(example.url("api/token/"), username=username, password="123")
    return str(answer.json["refresh"])


def wait_for_expired_access(example: Example, client: Client, access: str) -> Answer:
    """Call the protected view until it rejects the access token, and return that response."""

    def ask() -> Answer | None:
        answer = client.get(example.url("hello/"), access=access)
        return answer if answer.status == 401 else None

    answer: Answer = wait_until(ask, within=ACCESS + 15, what="the access token expires")
    return answer


def wait_for_expired_refresh(example: Example, client: Client, refresh: str) -> Answer:
    """Refresh until the server rejects the refresh token, and return that response."""

    def ask() -> Answer | None:
        answer = client.post(example.url("api/token/refresh/"), refresh=refresh)
        return answer if answer.status == 401 else None

    answer: Answer = wait_until(ask, within=REFRESH + 15, what="the refresh token expires")
    return answer
