"""Decorators for the demo's views: require DEBUG, and set a Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

View = Callable[..., HttpResponseBase]

#: The Content-Security-Policy of the demo page. Other pages do not get this policy, because pages
#: of REST framework and of the admin contain inline scripts.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


def debug_only(view: View) -> View:
    """Wrap a view so that it returns 404 unless DEBUG is on."""

    @wraps(view)  # copies attributes of the view, such as `csrf_exempt`
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.DEBUG:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


def strict_csp(view: View) -> View:
    """Wrap a view so that its response has the header Content-Security-Policy.

    Django versions before 6.0 have no middleware for this header.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        response["Content-Security-Policy"] = POLICY
        return response

    return guarded
