"""Simulate a thief who has copied the visitor's refresh cookie.

The server sends the thief's requests with a separate HTTP client, which has its own cookies. The
visitor's Django session stores the stolen tokens, so scripts on the page cannot read the tokens.
"""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from drf_signet import Session, runtime, tokens
from drf_signet.errors import TokenError
from drf_signet.testing import browser_client
from drf_signet.transports import cookie
from drf_signet.views_browser import CookieView

#: The key for the stolen tokens in the visitor's Django session.
STOLEN_TOKENS = "stolen_tokens"


def replay(stolen_tokens: dict[str, Any], host: str) -> dict[str, Any]:
    """Send a refresh request with the stolen token, and return the thief's tokens."""
    thief = browser_client()  # a client without the victim's cookies
    name = runtime.current().settings.COOKIE.refresh_name
    thief.cookies[name] = stolen_tokens["refresh"]
    answer = thief.post("/auth/refresh/", HTTP_HOST=host)
    last_refresh = {"status": answer.status_code, "reason": answer.json().get("reason")}
    if answer.status_code != 200:
        return {**stolen_tokens, "last_refresh": last_refresh}
    access_token = answer.json()["access"]
    return {
        **stolen_tokens,
        "refresh": thief.cookies[name].value,
        "access": access_token,
        "last_refresh": last_refresh,
    }


def call(stolen_tokens: dict[str, Any], host: str) -> int | None:
    """Call the API with the thief's access token. Return the status, or None without a token."""
    if "access" not in stolen_tokens:
        return None
    bearer_token = f"Bearer {stolen_tokens['access']}"
    return (
        browser_client().get("/hello/", HTTP_HOST=host, HTTP_AUTHORIZATION=bearer_token).status_code
    )


class TheftView(CookieView):
    """Copy the visitor's refresh token (POST), or return the state of the theft (GET)."""

    schema = None  # not part of the API

    def get(self, request: Request) -> Response:
        return Response(report(request._request))

    def post(self, request: Request) -> Response:
        raw_token = cookie.read(request._request)
        if raw_token is None:
            raise NotFound
        request._request.session[STOLEN_TOKENS] = {
            "refresh": raw_token,
            "sid": claim(raw_token, "sid"),
        }
        return Response(report(request._request))


class ThiefView(CookieView):
    """Refresh with the thief's current refresh token, and return the state of the theft."""

    schema = None  # not part of the API

    def post(self, request: Request) -> Response:
        session = request._request.session
        if STOLEN_TOKENS not in session:
            raise NotFound
        session[STOLEN_TOKENS] = replay(session[STOLEN_TOKENS], request.get_host())
        return Response(report(request._request))


def report(request: HttpRequest) -> dict[str, Any]:
    """Return the state of the theft: token generations and response statuses, but no tokens."""
    stolen_tokens = current_stolen_tokens(request)
    if stolen_tokens is None:
        return {"stolen": False}
    row = Session.objects.filter(pk=stolen_tokens["sid"]).first()
    return {
        "stolen": True,
        "yours": claim(cookie.read(request), "gen"),
        "thief": claim(stolen_tokens["refresh"], "gen"),
        "last_refresh": stolen_tokens.get("last_refresh"),
        "last_call": call(stolen_tokens, request.get_host()),
        "generation": row and row.generation,
        "ended": row.end_reason if row else "gone",
        "grace": grace_left(row) if row and row.generation else 0,
    }


def current_stolen_tokens(request: HttpRequest) -> dict[str, Any] | None:
    """Return the stolen tokens, or None if none were stolen or the visitor has a new session."""
    session: SessionBase = request.session
    stolen_tokens: dict[str, Any] | None = session.get(STOLEN_TOKENS)
    sid = claim(cookie.read(request), "sid")
    return (
        None if stolen_tokens is None or sid not in (None, stolen_tokens["sid"]) else stolen_tokens
    )


def grace_left(session: Session) -> float:
    """Return the remaining seconds of the grace period, in which the previous token is accepted."""
    grace = runtime.current().settings.ROTATION_GRACE_PERIOD.total_seconds()
    passed = (timezone.now() - session.refreshed_at).total_seconds()
    return round(max(0.0, grace - passed), 1)


def claim(raw_token: str | None, name: str) -> Any:
    """Return a claim of a refresh token, or None if the token is missing or invalid."""
    try:
        return tokens.verify(raw_token, "refresh", now=runtime.now()).get(name)
    except TokenError:
        return None
