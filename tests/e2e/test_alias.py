"""The tutorial, row by row: on the example, and in its own lines, with the name in them."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e import byhand
from tests.e2e.clients import Client, Curl
from tests.e2e.example import NAMES, SECRET_KEY, VITOR, Example, StartExample

HELLO = {"message": "Hello, World!"}
Start = Callable[..., Example]


@pytest.fixture(params=NAMES)
def start(request: pytest.FixtureRequest, start_example: StartExample) -> Start:
    """Return what starts the example under one of the names, with these settings."""

    def get(**signet: Any) -> Example:
        return start_example(signet=signet, **NAMES[request.param])

    return get


@pytest.fixture
def site(start: Start) -> Example:
    return start()


@pytest.fixture
def pair(site: Example, curl: Curl) -> dict[str, str]:
    tokens: dict[str, str] = curl.post(site.url("api/token/"), **VITOR).json
    return tokens


def hello(site: Example, access: str) -> tuple[int, Any]:
    answer = Curl().get(site.url("hello/"), access=access)
    return answer.status, answer.json


def refused(found: tuple[int, Any]) -> bool:
    status, body = found
    return status == 401 and body.keys() >= {"detail", "code", "messages"}


def test_obtain_as_json_and_as_a_form(site: Example, command: Client) -> None:
    for post in (command.post, command.post_form):
        answer = post(site.url("api/token/"), **VITOR)
        assert (answer.status, answer.json.keys()) == (200, {"access", "refresh"})
    assert command.get(site.url("api/token/")).status == 405


def test_obtain_and_refresh_in_the_web_interface(site: Example, curl: Curl) -> None:
    for path, field in (("api/token/", "username"), ("api/token/refresh/", "refresh")):
        page = curl.run("-H", "Accept: text/html", site.url(path))
        assert f'name="{field}"' in page.body
    form = ["-H", "Accept: text/html", "-d", "username=vitor", "-d", "password=123"]
    page = curl.run(*form, site.url("api/token/"))
    assert page.status == 200
    assert "&quot;access&quot;" in page.body


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_the_token_reads_and_is_signed_as_the_tutorial_says(
    pair: dict[str, str], kind: str
) -> None:
    header, payload, signature = pair[kind].split(".")
    assert header == byhand.HEADER
    assert re.match(byhand.FIRST_CLAIMS.format(kind=kind), byhand.decode(payload).decode())
    assert signature == byhand.signature(f"{header}.{payload}", SECRET_KEY)


def test_a_token_opens_the_view_and_nothing_else_does(
    site: Example, pair: dict[str, str], command: Client
) -> None:
    answer = command.get(site.url("hello/"), access=pair["access"])
    assert (answer.status, answer.json) == (200, HELLO)
    assert command.get(site.url("hello/")).status == 401
    assert refused(hello(site, pair["refresh"]))


def test_tampering_is_refused(site: Example, pair: dict[str, str]) -> None:
    header, payload, signature = pair["access"].split(".")
    other = byhand.mint({**byhand.claims(pair["access"]), "user_id": 2}, SECRET_KEY).split(".")[1]
    for changed in (
        f"{header}.{other}.{signature}",
        f"A{header[1:]}.{payload}.{signature}",
        f"{header}.{payload}.A{signature[1:]}",
        byhand.mint(byhand.claims(pair["access"]), SECRET_KEY[::-1]),
    ):
        assert refused(hello(site, changed))


def test_after_five_minutes_it_is_refused(site: Example, pair: dict[str, str]) -> None:
    claims = byhand.claims(pair["access"])
    assert claims["exp"] - claims["iat"] == 300
    late = byhand.mint({**claims, "exp": int(time.time()) - 1}, SECRET_KEY)
    status, body = hello(site, late)
    assert refused((status, body))
    assert (body["code"], body["messages"][0]["message"]) == ("token_not_valid", "Token is expired")


def test_refresh_gets_a_new_access_token_and_goes_on(
    site: Example, pair: dict[str, str], command: Client
) -> None:
    for post in (command.post, command.post_form, command.post):
        answer = post(site.url("api/token/refresh/"), refresh=pair["refresh"])
        assert (answer.status, answer.json.keys()) == (200, {"access"})
        assert answer.json["access"] != pair["access"]
        assert hello(site, answer.json["access"]) == (200, HELLO)


def test_after_a_day_only_a_new_login_helps(
    site: Example, pair: dict[str, str], curl: Curl
) -> None:
    claims = byhand.claims(pair["refresh"])
    assert claims["exp"] - claims["iat"] == 86400
    late = byhand.mint({**claims, "exp": int(time.time()) - 1}, SECRET_KEY)
    answer = curl.post(site.url("api/token/refresh/"), refresh=late)
    assert (answer.status, answer.json["code"]) == (401, "token_not_valid")
    assert curl.post(site.url("api/token/"), **VITOR).status == 200


def test_an_inactive_user_gets_no_new_token(site: Example, curl: Curl) -> None:
    name = f"user-{uuid.uuid4().hex[:8]}"
    site.run(f"User.objects.create_user({name!r}, password='123')")
    tokens = curl.post(site.url("api/token/"), username=name, password="123").json
    site.run(f"User.objects.filter(username={name!r}).update(is_active=False)")
    assert curl.post(site.url("api/token/refresh/"), refresh=tokens["refresh"]).status == 401
    assert curl.post(site.url("api/token/"), username=name, password="123").status == 401


def test_both_lifetimes_take_effect(start: Start, curl: Curl) -> None:
    site = start(ACCESS_TOKEN_LIFETIME=60, REFRESH_TOKEN_LIFETIME=600)
    tokens = curl.post(site.url("api/token/"), **VITOR).json
    lives = [(c["exp"] - c["iat"]) for c in (byhand.claims(tokens[k]) for k in sorted(tokens))]
    assert lives == [60, 600]


def test_a_token_of_old_is_refused_unless_it_is_adopted(start: Start) -> None:
    renewed = byhand.mint({**byhand.OF_OLD, "exp": int(time.time()) + 300}, SECRET_KEY)
    site, adopting = start(), start(ADOPT_TOKENS_UNTIL="2099-01-01T00:00:00+00:00")
    assert refused(hello(site, byhand.mint(byhand.OF_OLD, SECRET_KEY)))
    assert refused(hello(site, renewed))
    assert refused(hello(adopting, byhand.mint(byhand.OF_OLD, SECRET_KEY)))
    assert hello(adopting, renewed) == (200, HELLO)


def test_a_page_from_another_origin_may_call(site: Example, pair: dict[str, str]) -> None:
    origin = ["-H", "Origin: http://localhost:5173"]
    wanted = ["-H", "Access-Control-Request-Method: GET"]
    asked = ["-H", "Access-Control-Request-Headers: authorization"]
    answer = Curl().run("-X", "OPTIONS", *origin, *wanted, *asked, site.url("hello/"))
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:5173"
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"]
    header = ["-H", f"Authorization: Bearer {pair['access']}"]
    assert Curl().run(*origin, *header, site.url("hello/")).json == HELLO
