"""The demo page, and its endpoints: the tour, the username, an expired token, a simulated phone."""

from __future__ import annotations

import inspect
import time
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.test import RequestFactory
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_signet import Session, issue, runtime, tokens
from playground import theft
from playground.guards import strict_csp

#: The cookie of a browser in which the tour has ended.
TOUR = "playground-tour"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)


@strict_csp
def page(request: HttpRequest) -> HttpResponse:
    """Show the demo page, which includes the source code of the simulated theft."""
    settings = runtime.current().settings
    context = {
        "toured": TOUR in request.COOKIES,
        "cookie": settings.COOKIE,
        "grace": int(settings.ROTATION_GRACE_PERIOD.total_seconds()),
        "theft_source": inspect.getsource(theft.replay),
    }
    return render(request, "playground/page.html", context)


@csrf_exempt  # changes nothing but whether a tour is shown
@require_POST
def end_tour(request: HttpRequest) -> HttpResponse:
    """Remember for a year that this browser has seen the tour, in a cookie hidden from scripts."""
    response = HttpResponse(status=204)
    response.set_cookie(TOUR, "seen", max_age=365 * 86_400, httponly=True, samesite="Strict")
    return response


class UserView(APIView):
    """Return the name of the user, which is not in the token."""

    schema = None  # not part of the API
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"username": request.user.get_username()})


class ExpiredView(APIView):
    """Issue an access token that expired one second ago, for the session of the request."""

    schema = None  # not part of the API
    permission_classes = (IsAuthenticated,)

    def post(self, request: Request) -> Response:
        settings = runtime.current().settings
        age = settings.ACCESS_TOKEN_LIFETIME.total_seconds() + settings.LEEWAY + 1
        session = Session.objects.select_related("user").get(pk=cast("Any", request.auth)["sid"])
        issued_at = time.time() - age
        pair = tokens.mint_pair(session, session.generation, now=issued_at, refresh=False)
        return Response({"access": pair.access})


class DeviceView(APIView):
    """Log the user in on a simulated phone."""

    schema = None  # not part of the API
    permission_classes = (IsAuthenticated,)

    def post(self, request: Request) -> Response:
        phone = RequestFactory().get("/", headers={"user-agent": PHONE}, REMOTE_ADDR="203.0.113.7")
        issue(request.user, phone)
        return Response(status=204)
