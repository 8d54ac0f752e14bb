"""Test the steps of the tutorial with the import paths of drf_signet and of simplejwt."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e import jwt_by_hand
from tests.e2e.clients import Client, Curl
from tests.e2e.example import IMPORT_PATHS, SECRET_KEY, VITOR, Example, StartExample

HELLO = {"message": "Hello, World!"}
Start = Callable[..., Example]


@pytest.fixture(params=IMPORT_PATHS)
def start(request: pytest.FixtureRequest, start_example: StartExample) -> Start:
    """Return a function that starts the example with the import paths of one of the packages."""

    def get(**signet: Any) -> Example:
        return start_example(signet=signet, **IMPORT_PATHS[request.param])

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


def is_rejected(response: tuple[int, Any]) -> bool:
    status, body = response
    return status == 401 and body.keys() >= {"detail", "code", "messages"}


def test_token_endpoint_accepts_json_and_form_data(site: Example, command: Client) -> None:
    for post in (command.post, command.post_form):
        answer = post(site.url("api/token/"), **VITOR)
        assert (answer.status, answer.json.keys()) == (200, {"access", "refresh"})
    assert command.get(site.url("api/token/")).status == 405


def test_web_interface_shows_forms_and_returns_tokens(site: Example, curl: Curl) -> None:
    for path, field in (("api/token/", "username"), ("api/token/refresh/", "refresh")):
        page = curl.run("-H", "Accept: text/html", site.url(path))
        assert f'name="{field}"' in page.body
    form = ["-H", "Accept: text/html", "-d", "username=vitor", "-d", "password=123"]
    page = curl.run(*form, site.url("api/token/"))
    assert page.status == 200
    assert "&quot;access&quot;" in page.body


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_token_has_the_header_claims_and_signature_of_the_tutorial(
    pair: dict[str, str], kind: str
) -> None:
    header, payload, signature = pair[kind].split(".")
    assert header == jwt_by_hand.HEADER
    assert re.match(
        jwt_by_hand.FIRST_CLAIMS.format(kind=kind), jwt_by_hand.decode(payload).decode()
    )
    assert signature == jwt_by_hand.signature(f"{header}.{payload}", SECRET_KEY)


def test_view_accepts_an_access_token_and_rejects_a_refresh_token(
    site: Example, pair: dict[str, str], command: Client
) -> None:
    answer = command.get(site.url("hello/"), access=pair["access"])
    assert (answer.status, answer.json) == (200, HELLO)
    assert command.get(site.url("hello/")).status == 401
    assert is_rejected(hello(site, pair["refresh"]))


def test_tampered_token_is_rejected(site: Example, pair: dict[str, str]) -> None:
    header, payload, signature = pair["access"].split(".")
    forged_payload = jwt_by_hand.mint(
        {**jwt_by_hand.claims(pair["access"]), "user_id": 2}, SECRET_KEY
    ).split(".")[1]
    for tampered_token in (
        f"{header}.{forged_payload}.{signature}",
        f"A{header[1:]}.{payload}.{signature}",
        f"{header}.{payload}.A{signature[1:]}",
        jwt_by_hand.mint(jwt_by_hand.claims(pair["access"]), SECRET_KEY[::-1]),
    ):
        assert is_rejected(hello(site, tampered_token))


def test_access_token_expires_after_five_minutes(site: Example, pair: dict[str, str]) -> None:
    claims = jwt_by_hand.claims(pair["access"])
    assert claims["exp"] - claims["iat"] == 300
    expired_token = jwt_by_hand.mint({**claims, "exp": int(time.time()) - 1}, SECRET_KEY)
    status, body = hello(site, expired_token)
    assert is_rejected((status, body))
    assert (body["code"], body["messages"][0]["message"]) == ("token_not_valid", "Token is expired")


def test_refresh_token_returns_a_new_access_token_each_time(
    site: Example, pair: dict[str, str], command: Client
) -> None:
    for post in (command.post, command.post_form, command.post):
        answer = post(site.url("api/token/refresh/"), refresh=pair["refresh"])
        assert (answer.status, answer.json.keys()) == (200, {"access"})
        assert answer.json["access"] != pair["access"]
        assert hello(site, answer.json["access"]) == (200, HELLO)


def test_refresh_token_expires_after_a_day_and_login_still_works(
    site: Example, pair: dict[str, str], curl: Curl
) -> None:
    claims = jwt_by_hand.claims(pair["refresh"])
    assert claims["exp"] - claims["iat"] == 86400
    expired_token = jwt_by_hand.mint({**claims, "exp": int(time.time()) - 1}, SECRET_KEY)
    answer = curl.post(site.url("api/token/refresh/"), refresh=expired_token)
    assert (answer.status, answer.json["code"]) == (401, "token_not_valid")
    assert curl.post(site.url("api/token/"), **VITOR).status == 200


def test_inactive_user_gets_no_new_token(site: Example, curl: Curl) -> None:
    name = f"user-{uuid.uuid4().hex[:8]}"
    site.run(f"User.objects.create_user({name!r}, password='123')")
    tokens = curl.post(site.url("api/token/"), username=name, password="123").json
    site.run(f"User.objects.filter(username={name!r}).update(is_active=False)")
    assert curl.post(site.url("api/token/refresh/"), refresh=tokens["refresh"]).status == 401
    assert curl.post(site.url("api/token/"), username=name, password="123").status == 401


def test_both_lifetime_settings_take_effect(start: Start, curl: Curl) -> None:
    site = start(ACCESS_TOKEN_LIFETIME=60, REFRESH_TOKEN_LIFETIME=600)
    tokens = curl.post(site.url("api/token/"), **VITOR).json
    lifetimes = [
        (c["exp"] - c["iat"]) for c in (jwt_by_hand.claims(tokens[k]) for k in sorted(tokens))
    ]
    assert lifetimes == [60, 600]


def test_legacy_token_is_rejected_unless_adoption_is_on(start: Start) -> None:
    legacy_token = jwt_by_hand.mint(
        {**jwt_by_hand.LEGACY_CLAIMS, "exp": int(time.time()) + 300}, SECRET_KEY
    )
    site, adopting = start(), start(ADOPT_TOKENS_UNTIL="2099-01-01T00:00:00+00:00")
    assert is_rejected(hello(site, jwt_by_hand.mint(jwt_by_hand.LEGACY_CLAIMS, SECRET_KEY)))
    assert is_rejected(hello(site, legacy_token))
    assert is_rejected(hello(adopting, jwt_by_hand.mint(jwt_by_hand.LEGACY_CLAIMS, SECRET_KEY)))
    assert hello(adopting, legacy_token) == (200, HELLO)


def test_page_of_another_origin_may_call_the_api(site: Example, pair: dict[str, str]) -> None:
    origin = ["-H", "Origin: http://localhost:5173"]
    method = ["-H", "Access-Control-Request-Method: GET"]
    headers = ["-H", "Access-Control-Request-Headers: authorization"]
    answer = Curl().run("-X", "OPTIONS", *origin, *method, *headers, site.url("hello/"))
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:5173"
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"]
    header = ["-H", f"Authorization: Bearer {pair['access']}"]
    assert Curl().run(*origin, *header, site.url("hello/")).json == HELLO
