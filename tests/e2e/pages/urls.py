"""Pages that use the JavaScript client, an API for the pages, and a view to control the server."""

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

#: The number of times that each event has happened since a test last set BEHAVIOUR.
COUNTS: dict[str, int] = {}
#: The behaviour of the server, which tests set. The keys are:
#:
#: - `delay`: the seconds that the server waits before it responds to a refresh request.
#: - `together`: the number of refresh requests that must arrive before the server responds.
#: - `fail`: the number of refresh requests that the server rejects with status 503.
#: - `expired`: the `jti` claims of the access tokens that the API rejects as expired.
BEHAVIOUR: dict[str, Any] = {}

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,">
<p id="output"></p>
<script type="module">
  import { createAuth } from '/static/drf_signet/auth.js';
  const auth = (window.auth = createAuth());
  auth.subscribe(({ status, claims, reason }) => {
    output.textContent = [status, claims?.user_id ?? reason].join(' ').trim();
  });
</script>
"""


def disturb(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Delay refresh requests, or make them fail, as BEHAVIOUR specifies."""

    def respond(request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/auth/refresh/") or request.method != "POST":
            return get_response(request)
        count("requested")
        if BEHAVIOUR.get("fail", 0) > 0:
            BEHAVIOUR["fail"] -= 1
            return JsonResponse({"code": "busy", "detail": "Busy."}, status=503)
        response = get_response(request)
        # At this point the token has been rotated, but the client has not received a response.
        time.sleep(BEHAVIOUR.get("delay", 0))
        deadline = time.monotonic() + 5
        while (
            COUNTS.get("requested", 0) < BEHAVIOUR.get("together", 0)
            and time.monotonic() < deadline
        ):
            time.sleep(0.01)
        return response

    return respond


def count(event: str) -> None:
    COUNTS[event] = COUNTS.get(event, 0) + 1


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
    """Return the counts. For a POST request, also reset the counts and replace BEHAVIOUR."""
    counts = dict(COUNTS)
    if request.method == "POST":
        COUNTS.clear()
        BEHAVIOUR.clear()
        BEHAVIOUR.update(json.loads(request.body))
        for name in ("vitor", "rita"):
            if not User.objects.filter(username=name).exists():
                User.objects.create_user(name, password="123")
    return JsonResponse(counts)


class ExpiringAuthentication(JWTAuthentication):
    """Authentication that rejects the tokens in BEHAVIOUR["expired"] as expired."""

    def authenticate(self, request: Request) -> Any:
        result = super().authenticate(request)
        if result is not None and result[1]["jti"] in BEHAVIOUR.get("expired", []):
            raise TokenNotValid("Expired.", "token_not_valid", reason="expired")
        return result


class EchoView(APIView):
    """A view that returns the user and session (GET) or the sizes of the uploaded files (POST)."""

    authentication_classes = (ExpiringAuthentication,)
    permission_classes = (IsAuthenticated,)
    parser_classes = (JSONParser, MultiPartParser, FileUploadParser)

    def get(self, request: Request) -> Response:
        return Response({"user": request.user.pk, "sid": cast("Any", request.auth)["sid"]})

    def post(self, request: Request) -> Response:
        sizes = {name: value.size for name, value in cast("Any", request.data).items()}
        return Response({"sizes": sizes})


def redirect_away(request: HttpRequest) -> HttpResponse:
    """Redirect to the URL in the parameter `to`, which may be on another origin."""
    return HttpResponseRedirect(request.GET["to"])


urlpatterns = [
    path("", include("config.urls")),
    path("auth/", include("drf_signet.urls_browser")),
    path("page/", page),
    path("echo/", EchoView.as_view()),
    path("api/hello/", EchoView.as_view()),
    path("away/", redirect_away),
    path("control/", control),
]
