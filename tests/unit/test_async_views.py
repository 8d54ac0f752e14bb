"""Test `JWTAuthentication` in async views like those of the package adrf."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.contrib.auth.models import User
from django.http import HttpResponseBase
from django.test import AsyncClient, Client
from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

import drf_signet
from drf_signet.authentication import JWTAuthentication
from drf_signet.keys import Keys


class AsyncAPIView(APIView):
    """A view that runs `initial` in a thread and the handler on the event loop, as adrf does."""

    permission_classes: Any = (IsAuthenticated,)

    async def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            await sync_to_async(self.initial)(self.request, *args, **kwargs)
            handler = getattr(self, str(request.method).lower(), self.http_method_not_allowed)
            if not iscoroutinefunction(handler):
                handler = sync_to_async(handler)
            response = await handler(self.request, *args, **kwargs)
        except Exception as error:
            response = self.handle_exception(error)
        self.response = self.finalize_response(self.request, response, *args, **kwargs)
        return self.response


class NameView(AsyncAPIView):
    """A view that reads the username on the event loop, where Django refuses queries."""

    async def get(self, request: Any) -> Response:
        return Response({"username": request.user.get_username()})


class PkView(AsyncAPIView):
    async def get(self, request: Any) -> Response:
        return Response({"pk": request.user.pk})


class LateView(PkView):
    """A view that authenticates at the first use of `request.user`, on the event loop."""

    permission_classes = ()

    def perform_authentication(self, request: Any) -> None:
        """Do not authenticate the user before the handler runs."""


class OwnQuerysetView(NameView):
    class Authentication(JWTAuthentication):
        def get_user_queryset(self) -> Any:
            return super().get_user_queryset().exclude(username="nobody")

    authentication_classes = (Authentication,)


urlpatterns = [
    path("name/", NameView.as_view()),
    path("pk/", PkView.as_view()),
    path("late/", LateView.as_view()),
    path("own/", OwnQuerysetView.as_view()),
]


@pytest.fixture(autouse=True)
def _urls(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__


@pytest.fixture(params=["wsgi", "asgi"])
def get(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return a function that sends a GET request with a token through WSGI or ASGI."""

    def send(url: str, token: str, **headers: str) -> Any:
        headers["authorization"] = f"Bearer {token}"
        if request.param == "wsgi":
            return Client().get(url, headers=headers)
        return async_to_sync(AsyncClient().get)(url, headers=headers)

    return send


@pytest.mark.parametrize("middleware", [False, True], ids=["alone", "middleware"])
@pytest.mark.parametrize("url", ["/name/", "/own/"])
def test_async_view_reads_the_user_that_was_loaded_before_it_ran(
    url: str,
    middleware: bool,
    get: Callable[..., Any],
    user: Any,
    settings: Any,
    django_assert_num_queries: Any,
) -> None:
    if middleware:
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, "drf_signet.middleware.JWTMiddleware"]
    token = drf_signet.issue(user).access
    with django_assert_num_queries(1):
        answer = get(url, token)
    assert answer.json() == {"username": user.username}


def test_async_view_that_authenticates_late_can_read_the_key(
    get: Callable[..., Any], user: Any
) -> None:
    assert get("/late/", drf_signet.issue(user).access).json() == {"pk": user.pk}


def test_async_view_renders_the_web_interface(get: Callable[..., Any], user: Any) -> None:
    answer = get("/name/", drf_signet.issue(user).access, accept="text/html")
    assert answer.status_code == 200
    assert user.username in answer.content.decode()


def test_key_provider_is_asked_in_a_thread(
    get: Callable[..., Any], user: Any, settings: Any
) -> None:
    loops = []

    class Provider:
        def __init__(self, configured: Any) -> None:
            self.configured = configured

        def keys(self) -> Keys:
            loops.append(asyncio._get_running_loop())
            return Keys(keys=self.configured, fresh_for=3600)

    token = drf_signet.issue(user).access
    Provider.sign = Provider.keys  # type: ignore[attr-defined]
    settings.SIGNET = {"KEY_PROVIDER": Provider}
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "drf_signet.middleware.JWTMiddleware"]
    assert get("/pk/", token).json() == {"pk": user.pk}
    assert loops == [None]


@pytest.mark.parametrize("url", ["/name/", "/pk/", "/own/"])
@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "inactive"])
def test_deleted_or_inactive_user_is_401_before_the_async_view(
    deleted: bool, url: str, get: Callable[..., Any], user: Any
) -> None:
    token = drf_signet.issue(user).access
    User.objects.all()._raw_delete("default") if deleted else User.objects.update(is_active=False)
    answer = get(url, token)
    assert answer.status_code == 401
    assert answer.json()["code"] == ("token_not_valid" if deleted else "user_inactive")


@pytest.mark.parametrize("url", ["/name/", "/pk/"])
def test_async_view_refuses_an_invalid_token_without_a_statement(
    url: str, get: Callable[..., Any], db: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert get(url, "a.b.c").status_code == 401
