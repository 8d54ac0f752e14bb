"""Measure the figures of docs/reference/costs.md again, and compare them with the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView

from drf_signet import Session, TokenPair, flows, issue
from drf_signet.authentication import JWTAuthentication
from drf_signet.testing import browser_client, token_for
from tests.conftest import PASSWORD
from tests.docs.pages import DOCS, ROOT, table

ROWS = table(DOCS / "reference/costs.md", "Measured")
FIGURES = {row["what"]: row["figure"] for row in ROWS}
STATEMENTS = "SQL statements: "

# The type of the functions in ACTIONS. Each function prepares data, and returns a second function
# that sends the requests to measure.
Prepare = Callable[[Any, APIClient, Any], Callable[[], Any]]


def post(client: APIClient, path: str, status: int, **data: str) -> Callable[[], Any]:
    """Return a function that sends a POST request and checks the status of the response."""

    def call() -> None:
        assert client.post(f"/api/token/{path}", data).status_code == status

    return call


def login(user: Any, client: APIClient, settings: Any) -> Callable[[], Any]:
    return post(client, "", 200, username=user.username, password=PASSWORD)


def refresh(user: Any, client: APIClient, settings: Any) -> Callable[[], Any]:
    return post(client, "refresh/", 200, refresh=token_for(user, token_type="refresh"))


def rotate(user: Any, client: APIClient, settings: Any) -> Callable[[], Any]:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True}
    return refresh(user, client, settings)


def retry(user: Any, client: APIClient, settings: Any) -> Callable[[], Any]:
    call = rotate(user, client, settings)
    call()
    return call


def logout(user: Any, client: APIClient, settings: Any) -> Callable[[], Any]:
    return post(client, "logout/", 204, refresh=token_for(user, token_type="refresh"))


def page(name: str, status: int, client: APIClient) -> Callable[[], Any]:
    def call() -> None:
        assert client.post(f"/auth/{name}/").status_code == status

    return call


def refresh_in_a_cookie(user: Any, client: APIClient, settings: Any) -> Callable[[], Any]:
    return page("refresh", 200, browser_client(user))


def logout_in_a_cookie(user: Any, client: APIClient, settings: Any) -> Callable[[], Any]:
    return page("logout", 204, browser_client(user))


def verify_access(user: Any, client: APIClient, settings: Any) -> Callable[[], Any]:
    return post(client, "verify/", 200, token=token_for(user))


def verify_refresh(user: Any, client: APIClient, settings: Any) -> Callable[[], Any]:
    return post(client, "verify/", 200, token=token_for(user, token_type="refresh"))


def hello(client: APIClient, token: str, status: int) -> None:
    assert client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {token}").status_code == status


def request(user: Any, client: APIClient, settings: Any) -> Callable[[], Any]:
    token = token_for(user)
    return lambda: hello(client, token, 200)


class NameView(APIView):
    """A view that returns the username, for which Django must load the user from the database."""

    authentication_classes = (JWTAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"name": request.user.get_username()})


def request_that_reads(user: Any, client: APIClient, settings: Any) -> Callable[[], Any]:
    headers = {"authorization": f"Bearer {token_for(user)}"}
    request = APIRequestFactory().get("/", headers=headers)

    def call() -> None:
        assert NameView.as_view()(request).data == {"name": user.username}

    return call


def invalid_tokens(user: Any, client: APIClient, settings: Any) -> Callable[[], Any]:
    token = token_for(user)
    access_tokens = [
        token[:-2],
        "x",
        token_for(user, expired=True),
        token_for(user, token_type="refresh"),
    ]
    refresh_tokens = [token, "x.y.z", token_for(user, token_type="refresh", expired=True)]

    def call() -> None:
        for access_token in access_tokens:
            hello(client, access_token, 401)
        for refresh_token in refresh_tokens:
            post(client, "refresh/", 401, refresh=refresh_token)()

    return call


ACTIONS: dict[str, Prepare] = {
    "login": login,
    "refresh": refresh,
    "refresh with rotation": rotate,
    "retry of a rotation": retry,
    "logout": logout,
    "refresh in a cookie": refresh_in_a_cookie,
    "logout in a cookie": logout_in_a_cookie,
    "verify an access token": verify_access,
    "verify a refresh token": verify_refresh,
    "request with an access token": request,
    "request with an access token to a view that reads the user": request_that_reads,
    "request or refresh with a forged, malformed or expired token": invalid_tokens,
}


def test_every_number_of_statements_on_the_page_is_measured():
    rows = [what for what in FIGURES if what.startswith(STATEMENTS)]
    assert rows == [STATEMENTS + what for what in ACTIONS]


@pytest.mark.parametrize("what", ACTIONS)
def test_number_of_statements_agrees_with_the_page(what, user, client, settings):
    call = ACTIONS[what](user, client, settings)
    with CaptureQueriesContext(connection) as captured:
        call()
    assert str(len(captured)) == FIGURES[STATEMENTS + what], captured.captured_queries


@pytest.mark.parametrize("shown_by", sorted({row["shown by"] for row in ROWS} - {"the same"}))
def test_tests_named_on_the_page_exist(shown_by):
    for test in shown_by.split(", "):
        file, _, name = test.strip("`").partition("::")
        assert f"def {name or 'test_'}" in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.django_db
def test_number_of_rows_after_a_thousand_refreshes_agrees_with_the_page(user, settings):
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True}
    pair = issue(user)
    for _ in range(1000):
        outcome = flows.refresh(pair.refresh)
        assert isinstance(outcome, TokenPair)
        pair = outcome
    rows = FIGURES["rows after 1 000 rotating refreshes of one login"]
    assert (str(Session.objects.count()), pair.session.generation) == (rows, 1000)
