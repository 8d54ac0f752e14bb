"""Middleware that tells clients which process handled their request."""

from __future__ import annotations

import os
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpResponse
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def worker_header(get_response: Any) -> Any:
    """Add the header X-Worker with the process id to every response."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: Any) -> HttpResponse:
            return _marked(await get_response(request))

        return answer_async

    def answer(request: Any) -> HttpResponse:
        return _marked(get_response(request))

    return answer


def _marked(response: HttpResponse) -> HttpResponse:
    response["X-Worker"] = str(os.getpid())
    return response
