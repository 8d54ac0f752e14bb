"""What ends, and when: with lifetimes of seconds instead of five minutes and a day."""

from __future__ import annotations

import time

import pytest

from tests.e2e import byhand
from tests.e2e.clients import Answer, Client, Curl
from tests.e2e.example import SECRET_KEY, VITOR, Example, StartExample, wait_until

#: Seconds. What happens between two of them takes curl milliseconds.
ACCESS, REFRESH = 2, 5


@pytest.fixture
def hasty(start_example: StartExample) -> Example:
    return start_example(
        signet={"ACCESS_TOKEN_LIFETIME": ACCESS, "REFRESH_TOKEN_LIFETIME": REFRESH}
    )


def test_both_lifetimes_take_effect(hasty: Example, curl: Curl) -> None:
    pair = curl.post(hasty.url("api/token/"), **VITOR).json
    lifetimes = {kind: byhand.claims(token) for kind, token in pair.items()}
    assert {kind: c["exp"] - c["iat"] for kind, c in lifetimes.items()} == {
        "access": ACCESS,
        "refresh": REFRESH,
    }


def test_an_expired_access_token_is_renewed_and_an_expired_refresh_token_is_not(
    hasty: Example, curl: Curl
) -> None:
    """The tutorial's day, in seconds."""
    pair = curl.post(hasty.url("api/token/"), **VITOR).json
    assert curl.get(hasty.url("hello/"), access=pair["access"]).status == 200

    refused = refused_hello(hasty, curl, pair["access"])
    assert refused.json.keys() >= {"detail", "code", "messages"}
    assert refused.json["code"] == "token_not_valid"
    assert refused.json["messages"][0]["token_type"] == "access"
    assert time.time() >= byhand.claims(pair["access"])["exp"]

    renewed = curl.post(hasty.url("api/token/refresh/"), refresh=pair["refresh"])
    assert renewed.status == 200
    assert curl.get(hasty.url("hello/"), access=renewed.json["access"]).status == 200

    refused = refused_refresh(hasty, curl, pair["refresh"])
    assert (refused.json["code"], refused.json["reason"]) == ("token_not_valid", "expired")
    assert time.time() >= byhand.claims(pair["refresh"])["exp"]

    again = curl.post(hasty.url("api/token/"), **VITOR)
    assert again.status == 200
    assert curl.get(hasty.url("hello/"), access=again.json["access"]).status == 200


def test_five_minutes_and_a_day_end_as_well(example: Example, command: Client) -> None:
    """Signed by hand, as the same tokens would look a moment after their time."""
    pair = command.post(example.url("api/token/"), **VITOR).json
    past = {
        kind: byhand.mint(byhand.claims(token) | {"exp": int(time.time())}, SECRET_KEY)
        for kind, token in pair.items()
    }
    answer = command.get(example.url("hello/"), access=past["access"])
    assert (answer.status, answer.json["reason"]) == (401, "expired")
    answer = command.post(example.url("api/token/refresh/"), refresh=past["refresh"])
    assert (answer.status, answer.json["reason"]) == (401, "expired")


def test_rotation_hands_out_a_new_refresh_token(start_example: StartExample, curl: Curl) -> None:
    example = start_example(signet={"ROTATE_REFRESH_TOKENS": True, "ROTATION_GRACE_PERIOD": 0})
    url = example.url("api/token/refresh/")
    first = curl.post(example.url("api/token/"), **VITOR).json["refresh"]
    answer = curl.post(url, refresh=first)
    assert (answer.status, answer.json.keys()) == (200, {"access", "refresh"})
    second = answer.json["refresh"]
    generations = [byhand.claims(token)["gen"] for token in (first, second)]
    assert generations == [0, 1]

    replayed = curl.post(url, refresh=first)
    assert (replayed.status, replayed.json["reason"]) == (401, "reused")
    assert curl.post(url, refresh=second).status == 401, "reuse ends the session"


class TestAUserWhoseStateChanged:
    """The refresh sees it, even what a bulk update did behind the back of all signals."""

    def test_an_inactive_user_gets_no_new_token(self, example: Example, command: Client) -> None:
        refresh = logged_in(example, command, "maria")
        url = example.url("api/token/refresh/")
        assert command.post(url, refresh=refresh).status == 200
        example.run("User.objects.filter(username='maria').update(is_active=False)")
        answer = command.post(url, refresh=refresh)
        assert (answer.status, answer.json["code"]) == (401, "user_inactive")
        answer = command.post(example.url("api/token/"), username="maria", password="123")
        assert (answer.status, answer.json["code"]) == (401, "no_active_account")

    def test_a_changed_password_ends_the_session(self, example: Example, curl: Curl) -> None:
        refresh = logged_in(example, curl, "joana")
        example.run(
            """
user = User.objects.get(username='joana')
user.set_password('4')
user.save()
"""
        )
        answer = curl.post(example.url("api/token/refresh/"), refresh=refresh)
        assert (answer.status, answer.json["code"]) == (401, "token_not_valid")

    def test_a_deleted_user_gets_no_new_token(self, example: Example, curl: Curl) -> None:
        refresh = logged_in(example, curl, "paulo")
        example.run("User.objects.filter(username='paulo').delete()")
        answer = curl.post(example.url("api/token/refresh/"), refresh=refresh)
        assert (answer.status, answer.json["code"]) == (401, "token_not_valid")


def logged_in(example: Example, client: Client, username: str) -> str:
    """Make a user anew, log in, and return the refresh token."""
    example.make_user(username)
    answer = client.post(example.url("api/token/"), username=username, password="123")
    return str(answer.json["refresh"])


def refused_hello(example: Example, client: Client, access: str) -> Answer:
    """Call the protected view until it refuses the token."""

    def ask() -> Answer | None:
        answer = client.get(example.url("hello/"), access=access)
        return answer if answer.status == 401 else None

    answer: Answer = wait_until(ask, within=ACCESS + 15, what="the access token expires")
    return answer


def refused_refresh(example: Example, client: Client, refresh: str) -> Answer:
    """Refresh until the token is refused."""

    def ask() -> Answer | None:
        answer = client.post(example.url("api/token/refresh/"), refresh=refresh)
        return answer if answer.status == 401 else None

    answer: Answer = wait_until(ask, within=REFRESH + 15, what="the refresh token expires")
    return answer
