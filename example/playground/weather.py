"""A server in bad weather, where a request asks for it: under DEBUG alone."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, JsonResponse

#: The header by which the page says what weather it wants, and for how long "slow" is.
HEADER = "X-Weather"
SECONDS = 1.0

Handler = Callable[[HttpRequest], HttpResponse]


def bad_weather(get_response: Handler) -> Handler:
    """Answer late with `X-Weather: slow`; with `failing` let the endpoints for tokens be down."""
    if not settings.DEBUG:
        raise MiddlewareNotUsed

    def respond(request: HttpRequest) -> HttpResponse:
        weather = request.headers.get(HEADER)
        if weather == "slow":
            time.sleep(SECONDS)
        if weather == "failing" and request.path.startswith("/auth/"):
            down = {"detail": "Down, as you asked.", "code": "unavailable"}
            return JsonResponse(down, status=503)
        return get_response(request)

    return respond
