"""Test `drf_signet.testing`: authenticated clients and tokens for a project's tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from drf_signet import runtime, testing, tokens
from drf_signet.errors import TokenExpired
from drf_signet.models import Session
from drf_signet.testing import auth_client, browser_client, token_for
from tests.conftest import PASSWORD
from tests.support.session_states import post

pytestmark = pytest.mark.django_db


def test_auth_client_is_authenticated_as_the_user(user: Any) -> None:
    answer = auth_client(user).get("/hello/")
    assert (answer.status_code, answer.wsgi_request.META["HTTP_AUTHORIZATION"][:7]) == (
        200,
        "Bearer ",
    )
    assert Session.objects.live().get().user == user


def test_auth_client_uses_the_header_and_scheme_of_the_settings(user: Any, settings: Any) -> None:
    settings.SIGNET = {"AUTH_HEADER_TYPES": ("JWT", "Bearer"), "AUTH_HEADER_NAME": "HTTP_X_TOKEN"}
    answer = auth_client(user).get("/hello/")
    assert answer.status_code == 200
    assert answer.wsgi_request.META["HTTP_X_TOKEN"].startswith("JWT ")


def test_auth_client_adds_the_given_claims_to_its_token(user: Any) -> None:
    answer = auth_client(user, claims={"tenant": "acme"}).get("/hello/")
    token = answer.wsgi_request.META["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    assert tokens.verify_access(token, now=runtime.now())["tenant"] == "acme"


@pytest.mark.parametrize("token_type", ["access", "refresh"])
def test_token_for_returns_a_token_of_a_live_session_in_one_statement(
    user: Any, token_type: str, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(1):
        token = token_for(user, token_type=token_type, claims={"tenant": "acme"})
    claims = tokens.verify(token, now=runtime.now())
    assert (claims.token_type, claims["tenant"]) == (token_type, "acme")
    assert claims.session_id == Session.objects.live().get().pk


@pytest.mark.parametrize("token_type", ["access", "refresh"])
def test_token_for_with_expired_returns_an_expired_token_of_a_live_session(
    user: Any, token_type: str, settings: Any
) -> None:
    settings.SIGNET = {"LEEWAY": 10, "REFRESH_TOKEN_LIFETIME": timedelta(hours=1)}
    token = token_for(user, token_type=token_type, expired=True)
    with pytest.raises(TokenExpired):
        tokens.verify(token, now=runtime.now())
    assert tokens.verify(token, now=runtime.now() - 2).token_type == token_type
    assert Session.objects.live().exists()


def test_token_for_with_an_unknown_type_raises_value_error(user: Any) -> None:
    with pytest.raises(ValueError, match="identity"):
        token_for(user, token_type="identity")
    assert not Session.objects.exists()


def test_fixtures_return_the_functions(
    auth_client: Callable[..., APIClient], token_for: Callable[..., str]
) -> None:
    assert (auth_client, token_for) == (testing.auth_client, testing.token_for)


def test_refresh_token_of_token_for_can_be_refreshed(
    client: APIClient, user: Any, token_for: Any
) -> None:
    token = token_for(user, token_type="refresh")
    assert post(client, "token_refresh", refresh=token).status_code == 200


def test_browser_client_without_a_user_can_log_in(user: Any) -> None:
    client = browser_client()
    assert client.post("/auth/refresh/").status_code == 204
    credentials = {"username": "vitor", "password": PASSWORD}
    assert client.post("/auth/login/", credentials).status_code == 200
    assert client.post("/auth/refresh/").status_code == 200


def test_browser_client_of_a_user_has_the_refresh_cookie(
    user: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(1):
        client = browser_client(user)
    assert client.post("/auth/refresh/").status_code == 200
    assert Session.objects.live().get().transport == "cookie"


def test_fixture_browser_client_returns_the_function(request: pytest.FixtureRequest) -> None:
    assert request.getfixturevalue("browser_client") is browser_client
