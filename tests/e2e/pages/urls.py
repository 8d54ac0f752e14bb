"""Pages, an API for them, and a hand on the server: what it does next, and what it has done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, cast

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.parsers import FileUploadParser, JSONParser, MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_signet import refresh_reused, session_refreshed
from drf_signet.authentication import JWTAuthentication
from drf_signet.problems import TokenNotValid

#: What the tests read: how often what has happened, and which requests to the endpoints came.
COUNTS: dict[str, int] = {}
#: What the tests set: seconds before an answer to a refresh, how many refreshes have to be asked
#: for before any is answered, how many get 503 instead, and the `jti` of access tokens that are
#: refused as if they had expired.
ORDERS: dict[str, Any] = {}

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,">
<p id="said"></p>
<script type="module">
  import { createAuth } from '/static/drf_signet/auth.js';
  const auth = (window.auth = createAuth());
  auth.subscribe(({ status, claims, reason }) => {
    said.textContent = [status, claims?.user_id ?? reason].join(' ').trim();
  });
</script>
"""


def disturb(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Be slow, or unwell, where a test says so."""

    def respond(request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/auth/refresh/") or request.method != "POST":
            return get_response(request)
        count("asked")
        if ORDERS.get("fail", 0) > 0:
            ORDERS["fail"] -= 1
            return JsonResponse({"code": "busy", "detail": "Busy."}, status=503)
        response = get_response(request)
        # The rotation is done, its answer still under way.
        time.sleep(ORDERS.get("delay", 0))
        deadline = time.monotonic() + 5
        while COUNTS.get("asked", 0) < ORDERS.get("together", 0) and time.monotonic() < deadline:
            time.sleep(0.01)
        return response

    return respond


def count(what: str) -> None:
    COUNTS[what] = COUNTS.get(what, 0) + 1


def on_refresh(**kwargs: Any) -> None:
    count("refreshed")


def on_reuse(**kwargs: Any) -> None:
    count("reused")


session_refreshed.connect(on_refresh)
refresh_reused.connect(on_reuse)


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


@csrf_exempt
def control(request: HttpRequest) -> HttpResponse:
    """Take orders, and tell what was counted since the last ones."""
    counted = dict(COUNTS)
    if request.method == "POST":
        COUNTS.clear()
        ORDERS.clear()
        ORDERS.update(json.loads(request.body))
        for name in ("vitor", "rita"):
            if not User.objects.filter(username=name).exists():
                User.objects.create_user(name, password="123")
    return JsonResponse(counted)


class Expiring(JWTAuthentication):
    """Refuses tokens that ORDERS names, as if they had expired."""

    def authenticate(self, request: Request) -> Any:
        found = super().authenticate(request)
        if found is not None and found[1]["jti"] in ORDERS.get("expired", []):
            raise TokenNotValid("Expired.", "token_not_valid", reason="expired")
        return found


class EchoView(APIView):
    """Says who asks, and how much came."""

    authentication_classes = (Expiring,)
    permission_classes = (IsAuthenticated,)
    parser_classes = (JSONParser, MultiPartParser, FileUploadParser)

    def get(self, request: Request) -> Response:
        return Response({"user": request.user.pk, "sid": cast("Any", request.auth)["sid"]})

    def post(self, request: Request) -> Response:
        sizes = {name: value.size for name, value in cast("Any", request.data).items()}
        return Response({"sizes": sizes})


def away(request: HttpRequest) -> HttpResponse:
    """Lead to another origin."""
    return HttpResponseRedirect(request.GET["to"])


urlpatterns = [
    path("", include("config.urls")),
    path("auth/", include("drf_signet.urls_browser")),
    path("page/", page),
    path("echo/", EchoView.as_view()),
    path("away/", away),
    path("control/", control),
]
