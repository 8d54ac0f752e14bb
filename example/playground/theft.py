"""A thief who has copied the refresh cookie, and what becomes of victim and thief.

The thief sits in the server, with a client and a cookie jar of its own, so that no script of the
page ever sees what was stolen. What it has is kept in Django's session of the visitor.
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

LOOT = "loot"


def replay(loot: dict[str, Any], host: str) -> dict[str, Any]:
    """Refresh with what was stolen, as any client would; return what the thief has now."""
    thief = browser_client()  # its own cookies, and nothing of the victim's
    name = runtime.current().settings.COOKIE.refresh_name
    thief.cookies[name] = loot["refresh"]
    answer = thief.post("/auth/refresh/", HTTP_HOST=host)
    told = {"status": answer.status_code, "reason": answer.json().get("reason")}
    if answer.status_code != 200:
        return {**loot, "told": told}
    access = answer.json()["access"]
    return {**loot, "refresh": thief.cookies[name].value, "access": access, "told": told}


def call(loot: dict[str, Any], host: str) -> int | None:
    """Return the status of a call with the thief's access token; None if it never got one."""
    if "access" not in loot:
        return None
    bearer = f"Bearer {loot['access']}"
    return browser_client().get("/hello/", HTTP_HOST=host, HTTP_AUTHORIZATION=bearer).status_code


class TheftView(CookieView):
    """GET tells how things stand; POST steals the refresh cookie that the request carries."""

    def get(self, request: Request) -> Response:
        return Response(report(request._request))

    def post(self, request: Request) -> Response:
        raw = cookie.read(request._request)
        if raw is None:
            raise NotFound
        request._request.session[LOOT] = {"refresh": raw, "sid": claim(raw, "sid")}
        return Response(report(request._request))


class ThiefView(CookieView):
    """POST: the thief refreshes with the newest token that it has."""

    def post(self, request: Request) -> Response:
        session = request._request.session
        if LOOT not in session:
            raise NotFound
        session[LOOT] = replay(session[LOOT], request.get_host())
        return Response(report(request._request))


def report(request: HttpRequest) -> dict[str, Any]:
    """Return who holds which generation, and what each of them is worth. No token is in it."""
    loot = current_loot(request)
    if loot is None:
        return {"stolen": False}
    row = Session.objects.filter(pk=loot["sid"]).first()
    return {
        "stolen": True,
        "yours": claim(cookie.read(request), "gen"),
        "thief": claim(loot["refresh"], "gen"),
        "told": loot.get("told"),
        "call": call(loot, request.get_host()),
        "generation": row and row.generation,
        "ended": row.end_reason if row else "gone",
        "grace": grace_left(row) if row and row.generation else 0,
    }


def current_loot(request: HttpRequest) -> dict[str, Any] | None:
    """Return what was stolen, unless the visitor has logged in anew since."""
    session: SessionBase = request.session
    loot: dict[str, Any] | None = session.get(LOOT)
    mine = claim(cookie.read(request), "sid")
    return None if loot is None or mine not in (None, loot["sid"]) else loot


def grace_left(session: Session) -> float:
    """Return for how many seconds the generation before the session's still counts as a retry."""
    grace = runtime.current().settings.ROTATION_GRACE_PERIOD.total_seconds()
    passed = (timezone.now() - session.refreshed_at).total_seconds()
    return round(max(0.0, grace - passed), 1)


def claim(raw: str | None, name: str) -> Any:
    """Return a claim of a refresh token; None of one that is no good."""
    try:
        return tokens.verify_refresh(raw, now=runtime.now()).get(name)
    except TokenError:
        return None
