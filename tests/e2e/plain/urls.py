"""Views outside REST framework, sync and async, that ask for a user's key or for more."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def name_process(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Say in the header `X-Process` which process has answered, whatever it has answered."""

    def name(response: HttpResponse) -> HttpResponse:
        response["X-Process"] = str(os.getpid())
        return response

    if iscoroutinefunction(get_response):

        async def answer(request: HttpRequest) -> HttpResponse:
            return name(await get_response(request))

        return answer
    return lambda request: name(get_response(request))


def who(request: HttpRequest) -> HttpResponse:
    """Answer with what the token says."""
    auth: Any = getattr(request, "auth", None)
    return JsonResponse({"pk": request.user.pk if auth else None, "sid": auth and auth["sid"]})


async def awho(request: HttpRequest) -> HttpResponse:
    return who(request)


def name(request: HttpRequest) -> HttpResponse:
    """Answer with what the row says."""
    return JsonResponse({"username": request.user.get_username()})


async def aname(request: Any) -> HttpResponse:
    user = await request.auser()
    return JsonResponse({"username": user.get_username()})


urlpatterns = [
    path("", include("config.urls")),
    path("plain/who/", who),
    path("plain/awho/", awho),
    path("plain/name/", name),
    path("plain/aname/", aname),
]
