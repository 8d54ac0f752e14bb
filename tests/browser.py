"""Requests as a page of the project's own origin sends them, for tests of the cookie transport."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework.test import APIClient

from drf_signet.testing import browser_client
from tests.conftest import PASSWORD

REFRESH_COOKIE = "__Host-signet-refresh-token"
ACCESS_COOKIE = "__Host-signet-access-token"


def send(client: APIClient, name: str, data: Any = None, **extra: Any) -> Any:
    """POST JSON to one of the endpoints for pages."""
    return client.post(reverse(f"signet_browser:{name}"), data or {}, format="json", **extra)


def log_in(client: APIClient | None = None, username: str = "vitor", **extra: Any) -> Any:
    """Log in; return the client, which has the cookie."""
    client = client or browser_client()
    answer = send(client, "login", {"username": username, "password": PASSWORD}, **extra)
    assert answer.status_code == 200, answer.content
    return client


def cookie_of(client: APIClient) -> str:
    """Return the refresh token that a client keeps."""
    return str(client.cookies[REFRESH_COOKIE].value)


def with_cookie(token: str | None) -> APIClient:
    """Return another client, with this refresh token in its cookie."""
    client = browser_client()
    client.cookies[REFRESH_COOKIE] = token or ""
    return client


def is_deleted(answer: Any, name: str = REFRESH_COOKIE) -> bool:
    """Whether an answer takes a cookie away."""
    morsel = answer.cookies.get(name)
    return morsel is not None and morsel.value == "" and morsel["max-age"] == 0
