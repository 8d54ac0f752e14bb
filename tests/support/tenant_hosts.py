"""Helpers for tests in which each tenant has its own host: a `TENANT` hook, clients and views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path
from rest_framework.test import APIClient

from drf_signet import flows
from drf_signet.models import Transport
from drf_signet.tokens import TokenPair
from tests.support.endpoint_table import LOGOUT, REFRESH, VERIFY


def tenant_of_host(request: HttpRequest | None) -> str | None:
    """Return the first label of the host: "a" for a.example.com, and None for example.com."""
    if request is None:
        raise LookupError("a tenant is known only in a request")
    label, _, rest = request.get_host().partition(".")
    return label if rest == "example.com" else None


def acme(request: HttpRequest | None) -> str:
    """Return the name of the only tenant, even without a request."""
    return "acme"


#: Headers of a same-origin request that a script in a page sends.
PAGE = {"x-requested-with": "XMLHttpRequest", "sec-fetch-site": "same-origin"}
#: Settings for a project whose tenants share one database.
SETTINGS: dict[str, Any] = {"TENANT": tenant_of_host}
ALLOWED_HOSTS = [".example.com"]


def request_to(tenant: str | None, **headers: str) -> HttpRequest:
    """Return a request to the host of a tenant; to example.com if `tenant` is None."""
    host = "example.com" if tenant is None else f"{tenant}.example.com"
    return RequestFactory().post("/", headers={"host": host, **headers})


def log_in(user: Any, tenant: str | None, *, transport: str = Transport.TOKEN) -> TokenPair:
    """Open a session at the host of a tenant, and return its tokens."""
    return flows.issue(user, request_to(tenant), transport=transport)


def greet(request: Any) -> HttpResponse:
    """Return the username. This is a plain Django view, so it needs `JWTMiddleware`."""
    return HttpResponse(request.user.get_username(), status=200 if request.auth else 401)


async def agreet(request: Any) -> HttpResponse:
    return HttpResponse((await request.auser()).get_username(), status=200 if request.auth else 401)


#: URL patterns of the views that need `JWTMiddleware`.
GREETINGS = [path("greet/", greet), path("agreet/", agreet)]


class Browser:
    """A client that sends requests to the host of one tenant."""

    def __init__(self, tenant: str | None) -> None:
        host = "example.com" if tenant is None else f"{tenant}.example.com"
        self.headers = {"host": host}

    def send(self, method: str, url: str, data: Any = None, **headers: str) -> Any:
        sent = {**self.headers, **headers}
        return getattr(APIClient(), method)(url, data, format="json", headers=sent)

    def get(self, url: str, token: str) -> Any:
        return Client().get(url, headers={**self.headers, "authorization": f"Bearer {token}"})

    def aget(self, url: str, token: str) -> Any:
        # Django's `AsyncClient` always sends the header `Host: testserver`.
        sent = {"x-forwarded-host": self.headers["host"], "authorization": f"Bearer {token}"}
        return async_to_sync(AsyncClient().get)(url, headers=sent)

    def page(self, method: str, url: str, **cookies: str) -> Any:
        client = APIClient()
        client.cookies.load(cookies)
        return getattr(client, method)(url, {}, format="json", headers={**self.headers, **PAGE})


def protected(url: str, method: str = "get") -> Callable[[Browser, Any], Any]:
    def send(browser: Browser, pair: Any) -> Any:
        return browser.send(method, url, authorization=f"Bearer {pair.access}")

    return send


def body(endpoint: Any, field: str, token: str) -> Callable[[Browser, Any], Any]:
    def send(browser: Browser, pair: Any) -> Any:
        return browser.send("post", endpoint.url, {field: getattr(pair, token)})

    return send


#: The ways to use a token, keyed by name. Each function sends one of the tokens of a `TokenPair` to
#: the tenant's host.
TOKEN_WAYS: dict[str, Callable[[Browser, Any], Any]] = {
    "view": protected("/hello/"),
    "list of sessions": protected("/api/token/sessions/"),
    "end of a session": lambda browser, pair: protected(
        f"/api/token/sessions/{pair.session.pk}/", "delete"
    )(browser, pair),
    "logout everywhere": protected("/api/token/logout/all/", "post"),
    "refresh": body(REFRESH, "refresh", "refresh"),
    "logout": body(LOGOUT, "refresh", "refresh"),
    "verification of an access token": body(VERIFY, "token", "access"),
    "verification of a refresh token": body(VERIFY, "token", "refresh"),
    "middleware, WSGI": lambda browser, pair: browser.get("/greet/", pair.access),
    "middleware, WSGI, async view": lambda browser, pair: browser.get("/agreet/", pair.access),
    "middleware, ASGI": lambda browser, pair: browser.aget("/greet/", pair.access),
    "middleware, ASGI, async view": lambda browser, pair: browser.aget("/agreet/", pair.access),
}
