"""The README's table: every figure is measured here again."""

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
from tests.docs.pages import ROOT, table

ROWS = table(ROOT / "README.md", "Measured")
FIGURES = {row["what"]: row["figure"] for row in ROWS}
STATEMENTS = "SQL statements: "

Act = Callable[[Any, APIClient, Any], Callable[[], Any]]


def post(client: APIClient, path: str, status: int, **data: str) -> Callable[[], Any]:
    """Return a call that posts, and insists on a status."""

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
    again = rotate(user, client, settings)
    again()
    return again


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
    """Answers with what only the user's row knows."""

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


def refused(user: Any, client: APIClient, settings: Any) -> Callable[[], Any]:
    token = token_for(user)
    bad = [token[:-2], "x", token_for(user, expired=True), token_for(user, token_type="refresh")]
    bad_refresh = [token, "x.y.z", token_for(user, token_type="refresh", expired=True)]

    def call() -> None:
        for one in bad:
            hello(client, one, 401)
        for one in bad_refresh:
            post(client, "refresh/", 401, refresh=one)()

    return call


ACTS: dict[str, Act] = {
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
    "request with an access token, whose view reads the user": request_that_reads,
    "request or refresh with a forged, malformed or expired token": refused,
}


def test_every_number_of_statements_has_its_measurement():
    named = [what for what in FIGURES if what.startswith(STATEMENTS)]
    assert named == [STATEMENTS + what for what in ACTS]


@pytest.mark.parametrize("what", ACTS)
def test_statements_are_as_many_as_the_readme_says(what, user, client, settings):
    act = ACTS[what](user, client, settings)
    with CaptureQueriesContext(connection) as captured:
        act()
    assert str(len(captured)) == FIGURES[STATEMENTS + what], captured.captured_queries


@pytest.mark.parametrize("shown_by", sorted({row["shown by"] for row in ROWS} - {"the same"}))
def test_the_tests_that_measure_are_there(shown_by):
    for one in shown_by.split(", "):
        file, _, name = one.strip("`").partition("::")
        assert f"def {name or 'test_'}" in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.django_db
def test_rows_after_a_thousand_refreshes_are_as_many_as_the_readme_says(user, settings):
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True}
    pair = issue(user)
    for _ in range(1000):
        outcome = flows.refresh(pair.refresh)
        assert isinstance(outcome, TokenPair)
        pair = outcome
    rows = FIGURES["rows after 1 000 rotating refreshes of one login"]
    assert (str(Session.objects.count()), pair.session.generation) == (rows, 1000)
