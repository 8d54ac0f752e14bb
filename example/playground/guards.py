"""What keeps the page to itself: off unless DEBUG, and nothing runs in it but its own files."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

View = Callable[..., HttpResponseBase]

#: By header, on the one page that can live with it: the pages of DRF and the admin have scripts in
#: their HTML.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


def debug_only(view: View) -> View:
    """Let a view answer 404 unless DEBUG."""

    @wraps(view)  # with what Django has noted on it, such as `csrf_exempt`
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.DEBUG:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


def strict_csp(view: View) -> View:
    """Add the Content-Security-Policy. Django brings a middleware for it from 6.0 on only."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        response["Content-Security-Policy"] = POLICY
        return response

    return guarded
