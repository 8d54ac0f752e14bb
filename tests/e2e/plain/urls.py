"""Sync and async Django views that read the user's primary key or load the user."""

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
    """Add the process id of the server to every response, in the header `X-Process`."""

    def name(response: HttpResponse) -> HttpResponse:
        response["X-Process"] = str(os.getpid())
        return response

    if iscoroutinefunction(get_response):

        async def answer(request: HttpRequest) -> HttpResponse:
            return name(await get_response(request))

        return answer
    return lambda request: name(get_response(request))


def who(request: HttpRequest) -> HttpResponse:
    """Return the user's primary key and the session id in the token, without a database query."""
    auth: Any = getattr(request, "auth", None)
    return JsonResponse({"pk": request.user.pk if auth else None, "sid": auth and auth["sid"]})


async def awho(request: HttpRequest) -> HttpResponse:
    return who(request)


def name(request: HttpRequest) -> HttpResponse:
    """Return the username, for which Django must load the user from the database."""
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
