"""If DEBUG is on, simulate a slow or failing server for requests with the header `X-Weather`."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, JsonResponse

#: The header with which the demo page asks for a slow or failing server.
HEADER = "X-Weather"
#: The delay of a slow server, in seconds.
SECONDS = 1.0

Handler = Callable[[HttpRequest], HttpResponse]


def bad_weather(get_response: Handler) -> Handler:
    """Delay requests with `X-Weather: slow`. Return 503 from `/auth/` for `X-Weather: failing`."""
    if not settings.DEBUG:
        raise MiddlewareNotUsed

    def respond(request: HttpRequest) -> HttpResponse:
        weather = request.headers.get(HEADER)
        if weather == "slow":
            time.sleep(SECONDS)
        if weather == "failing" and request.path.startswith("/auth/"):
            failure = {
                "detail": "This endpoint fails because the request asked for it.",
                "code": "unavailable",
            }
            return JsonResponse(failure, status=503)
        return get_response(request)

    return respond
