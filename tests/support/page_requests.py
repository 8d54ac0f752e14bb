"""Send requests to the endpoints in `drf_signet.urls_browser`, as a project's web page does."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework.test import APIClient

from drf_signet.testing import browser_client
from tests.conftest import PASSWORD

REFRESH_COOKIE = "__Host-signet-refresh-token"
ACCESS_COOKIE = "__Host-signet-access-token"


def send(client: APIClient, name: str, data: Any = None, **extra: Any) -> Any:
    """Send a POST request with JSON to an endpoint for browsers, and return the response."""
    return client.post(reverse(f"signet_browser:{name}"), data or {}, format="json", **extra)


def log_in(client: APIClient | None = None, username: str = "vitor", **extra: Any) -> Any:
    """Log in, and return the client, whose cookies then contain the refresh token."""
    client = client or browser_client()
    answer = send(client, "login", {"username": username, "password": PASSWORD}, **extra)
    assert answer.status_code == 200, answer.content
    return client


def cookie_of(client: APIClient) -> str:
    """Return the refresh token in the cookies of a client."""
    return str(client.cookies[REFRESH_COOKIE].value)


def with_cookie(token: str | None) -> APIClient:
    """Return a new client whose refresh cookie contains this token."""
    client = browser_client()
    client.cookies[REFRESH_COOKIE] = token or ""
    return client


def deletes_cookie(answer: Any, name: str = REFRESH_COOKIE) -> bool:
    """Return whether a response deletes the cookie with this name."""
    morsel = answer.cookies.get(name)
    return morsel is not None and morsel.value == "" and morsel["max-age"] == 0
