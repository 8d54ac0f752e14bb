"""Test that a user whom the default manager hides is treated as deleted everywhere.

`test_variants` runs this module.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import user_logged_out
from django.core.management import call_command
from django.http import HttpRequest, JsonResponse
from django.test import AsyncClient, Client
from django.urls import include, path
from django.utils import timezone
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

import drf_signet
from drf_signet import EndReason, Session
from drf_signet.compat.simplejwt import alias
from drf_signet.compat.simplejwt.exceptions import LoginRefused
from drf_signet.compat.simplejwt.tokens import RefreshToken, SlidingToken
from drf_signet.errors import UserChanged
from drf_signet.testing import browser_client
from tests.accounts.models import Customer
from tests.support.endpoint_table import LOGOUT, LOGOUT_ALL, OBTAIN, REFRESH, SESSIONS, VERIFY
from tests.support.page_requests import cookie_of, deletes_cookie, log_in, send, with_cookie
from tests.support.session_states import ADOPTING, ROTATING, backdate_rotation, legacy_token
from tests.support.simplejwt_tables import (
    adopted_session,
    blacklist_tables,
    empty_tables,
    outstanding_token,
)

__all__ = ["blacklist_tables", "empty_tables"]

PASSWORD = "correct horse"
ENDED = (401, "token_not_valid", "ended")

alias.install()
simplejwt = importlib.import_module("rest_framework_simplejwt.views")
authentication = importlib.import_module("rest_framework_simplejwt.authentication")


class NameView(APIView):
    """A view that returns the username, for which the view has to load the user's row."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"username": request.user.get_username()})


class AliasNameView(NameView):
    authentication_classes = (authentication.JWTAuthentication,)


def name(request: Any) -> JsonResponse:
    return JsonResponse({"username": request.user.get_username()})


async def aname(request: HttpRequest) -> JsonResponse:
    return name(request)


urlpatterns = [
    path("api/token/", include("drf_signet.urls")),
    path("auth/", include("drf_signet.urls_browser")),
    path("rest/", NameView.as_view()),
    path("plain/", name),
    path("async/", aname),
    path("old/", AliasNameView.as_view()),
    path("old/refresh/", simplejwt.TokenRefreshView.as_view()),
    path("old/verify/", simplejwt.TokenVerifyView.as_view()),
    path("old/sliding/", simplejwt.TokenRefreshSlidingView.as_view()),
]


@pytest.fixture(autouse=True)
def _project(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "drf_signet.middleware.JWTMiddleware"]


@pytest.fixture
def user(db: None) -> Any:
    """Create a user."""
    return Customer.objects.create_user(username="vitor", password=PASSWORD)


@pytest.fixture
def pair(user: Any) -> Any:
    """Open a session for the user; return the session's first tokens."""
    return drf_signet.issue(user)


def hide(user: Any) -> None:
    """Soft-delete a user without sending signals."""
    Customer.everybody.filter(pk=user.pk).update(deleted_at=timezone.now())


def bearer(token: object) -> Any:
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def refusal(answer: Any) -> tuple[int, str, str | None]:
    body = answer.json()
    return answer.status_code, body["code"], body.get("reason")


def test_login_of_a_hidden_user_is_rejected(client: Any, user: Any) -> None:
    credentials = {"username": "vitor", "password": PASSWORD}
    assert client.post(OBTAIN.url, credentials).status_code == 200
    hide(user)
    assert client.post(OBTAIN.url, credentials).json()["code"] == "no_active_account"


def test_user_hidden_during_the_login_gets_no_session(user: Any) -> None:
    """Hide the user and end all sessions before the session of the login is written."""
    token = RefreshToken.for_user(user)
    hide(user)
    assert drf_signet.end_all(user) == 0
    with pytest.raises(LoginRefused):
        str(token)
    with pytest.raises(UserChanged):
        drf_signet.issue(user)
    assert not Session.objects.exists()


@pytest.mark.parametrize("url", ["/rest/", "/plain/", "/async/"])
@pytest.mark.parametrize("client_class", [Client, AsyncClient])
def test_hidden_user_is_rejected_by_views_that_read_the_user(
    client_class: Any, url: str, user: Any, pair: Any
) -> None:
    client = client_class()
    get = client.get if client_class is Client else async_to_sync(client.get)
    headers = {"authorization": f"Bearer {pair.access}"}
    assert get(url, headers=headers).json() == {"username": "vitor"}
    hide(user)
    assert refusal(get(url, headers=headers)) == ENDED


@pytest.mark.parametrize("signet", [{}, ROTATING], ids=["kept", "rotating"])
def test_refresh_of_a_hidden_user_is_rejected_and_ends_the_session(
    client: Any, user: Any, pair: Any, settings: Any, signet: Any
) -> None:
    settings.SIGNET = signet
    hide(user)
    assert refusal(client.post(REFRESH.url, {"refresh": pair.refresh})) == ENDED
    session = Session.objects.get()
    assert (session.end_reason, session.user_id) == (EndReason.USER_DELETED, user.pk)
    assert session.ended_at is not None
    assert refusal(client.get("/rest/", **bearer(pair.access))) == ENDED


def test_session_of_a_restored_user_stays_ended(client: Any, user: Any, pair: Any) -> None:
    hide(user)
    client.post(REFRESH.url, {"refresh": pair.refresh})
    Customer.everybody.update(deleted_at=None)
    assert refusal(client.post(REFRESH.url, {"refresh": pair.refresh})) == ENDED
    assert client.post(REFRESH.url, {"refresh": drf_signet.issue(user).refresh}).status_code == 200


def test_reused_token_of_a_hidden_user_is_reported_as_user_deleted(
    client: Any, user: Any, pair: Any, settings: Any
) -> None:
    settings.SIGNET = ROTATING
    client.post(REFRESH.url, {"refresh": pair.refresh})
    backdate_rotation(pair.session, seconds=3600)
    hide(user)
    assert refusal(client.post(REFRESH.url, {"refresh": pair.refresh})) == ENDED
    assert Session.objects.get().end_reason == EndReason.USER_DELETED


def test_verify_of_a_hidden_user_is_rejected_and_writes_nothing(
    client: Any, user: Any, pair: Any
) -> None:
    assert client.post(VERIFY.url, {"token": pair.refresh}).status_code == 200
    hide(user)
    assert refusal(client.post(VERIFY.url, {"token": pair.refresh})) == ENDED
    assert Session.objects.get().end_reason == ""


def test_logout_of_a_hidden_user_ends_the_session_and_sends_no_user(
    client: Any, user: Any, pair: Any
) -> None:
    users: list[Any] = []

    def receive(**sent: Any) -> None:
        users.append(sent["user"])

    user_logged_out.connect(receive)
    hide(user)
    answer = client.post(LOGOUT.url, {"refresh": pair.refresh})
    user_logged_out.disconnect(receive)
    assert (answer.status_code, users) == (204, [None])
    assert Session.objects.get().end_reason == EndReason.LOGOUT


@pytest.mark.parametrize("endpoint", [LOGOUT_ALL, SESSIONS], ids=str)
def test_session_endpoints_reject_a_hidden_user_if_users_are_loaded_fresh(
    client: Any, user: Any, pair: Any, settings: Any, endpoint: Any
) -> None:
    settings.SIGNET = {"USER_LOADING": "fresh"}
    hide(user)
    answer = client.generic(endpoint.method, endpoint.url, **bearer(pair.access))
    assert refusal(answer) == ENDED


def test_refresh_cookie_of_a_hidden_user_is_refused(user: Any) -> None:
    page = log_in()
    hide(user)
    identified = with_cookie(cookie_of(page)).get("/auth/sessions/")
    assert (identified.status_code, Session.objects.get().end_reason) == (401, "")
    answer = send(page, "refresh")
    assert refusal(answer) == ENDED
    assert deletes_cookie(answer)
    assert Session.objects.get().end_reason == EndReason.USER_DELETED


def test_logout_with_the_cookie_of_a_hidden_user_ends_the_session(user: Any) -> None:
    page = log_in(browser_client())
    hide(user)
    assert send(page, "logout").status_code == 204
    assert Session.objects.get().end_reason == EndReason.LOGOUT


@pytest.mark.parametrize(("signet", "statements"), [({}, 1), (ROTATING, 2)])
def test_refresh_of_a_visible_user_runs_no_extra_query(
    client: Any,
    user: Any,
    settings: Any,
    django_assert_num_queries: Any,
    signet: Any,
    statements: int,
) -> None:
    settings.SIGNET = signet
    for _ in range(2):
        pair = drf_signet.issue(user)
        with django_assert_num_queries(statements):
            answer = client.post(REFRESH.url, {"refresh": pair.refresh})
        assert answer.status_code == 200


def test_legacy_token_of_a_hidden_user_is_neither_adopted_nor_imported(
    client: Any, user: Any, empty_tables: Any, settings: Any
) -> None:
    settings.SIGNET = ADOPTING
    row = outstanding_token(user)
    hide(user)
    assert refusal(client.post(REFRESH.url, {"refresh": legacy_token(user)})) == ENDED
    call_command("signet_migrate_from_simplejwt")
    assert adopted_session(row) is None


# Tests of simplejwt's API


def test_view_with_simplejwts_authentication_rejects_a_hidden_user(client: Any, user: Any) -> None:
    header = bearer(RefreshToken.for_user(user).access_token)
    assert client.get("/old/", **header).json() == {"username": "vitor"}
    hide(user)
    answer = client.get("/old/", **header)
    assert (answer.status_code, answer.json()["code"]) == (401, "user_not_found")


def refresh(client: Any, token: Any) -> Any:
    return client.post("/old/refresh/", {"refresh": str(token)})


def verify(client: Any, token: Any) -> Any:
    return client.post("/old/verify/", {"token": str(token)})


def slide(client: Any, token: Any) -> Any:
    return client.post("/old/sliding/", {"token": str(token)})


@pytest.mark.parametrize(
    ("send_token", "token_class", "status"),
    [(refresh, RefreshToken, 401), (verify, RefreshToken, 400), (slide, SlidingToken, 401)],
)
def test_endpoints_of_simplejwt_refuse_the_token_of_a_hidden_user(
    client: Any, user: Any, send_token: Callable[..., Any], token_class: Any, status: int
) -> None:
    token = str(token_class.for_user(user))
    assert send_token(client, token).status_code == 200
    hide(user)
    assert send_token(client, token).status_code == status
    Customer.everybody.update(deleted_at=None)
    ended = send_token is refresh
    assert send_token(client, token).status_code == (status if ended else 200)
