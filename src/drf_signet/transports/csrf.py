"""CSRF protection for requests with cookies. It does not use a CSRF token.

The header X-Requested-With is required, because a page of another origin can send that header only
after a preflight request. The headers `Sec-Fetch-Site` and `Origin` tell where a request comes
from. Browsers set both headers, and scripts cannot change them. Django's CSRF_TRUSTED_ORIGINS lists
the other origins that the project trusts.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware

from ..errors import CsrfFailed

#: Methods that do not change data (RFC 9110 §9.2.1).
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def check(request: HttpRequest) -> None:
    """Check that a request comes from a page of this project or of a trusted origin.

    Raises:
        CsrfFailed: the request may come from an untrusted page. The reason is `header_missing`,
            `cross_site`, `origin_untrusted` or `origin_missing`.
    """
    if not request.META.get("HTTP_X_REQUESTED_WITH"):
        raise CsrfFailed("header_missing", "Send the header X-Requested-With: XMLHttpRequest")
    site = request.META.get("HTTP_SEC_FETCH_SITE", "")
    if site == "same-origin":
        return
    if site == "cross-site":
        raise CsrfFailed("cross_site", _CROSS_SITE)
    if "HTTP_ORIGIN" in request.META:
        if not _is_trusted(request):
            raise CsrfFailed("origin_untrusted", _hint(request))
    elif request.method not in SAFE_METHODS:
        # A request that changes data must have an Origin header. Browsers always send the header.
        raise CsrfFailed("origin_missing", "Send the request from a page, or with its Origin")


_CROSS_SITE = (
    "No setting allows this: browsers send these cookies within one site only (COOKIE: SAMESITE). "
    "Serve page and API from one site, for example both from localhost or from one domain"
)


def _is_trusted(request: HttpRequest) -> bool:
    """Return whether Django's CSRF middleware trusts the request's Origin header."""
    middleware: Any = CsrfViewMiddleware(_no_response)
    return bool(middleware._origin_verified(request))


def _no_response(request: HttpRequest) -> Any:
    """Serve as `get_response`, which the middleware requires but `_origin_verified` never calls."""
    raise NotImplementedError


def _hint(request: HttpRequest) -> str:
    origin = request.META["HTTP_ORIGIN"]
    scheme, _, host = origin.partition("://")
    if host == request.META.get("HTTP_X_FORWARDED_HOST") and not settings.USE_X_FORWARDED_HOST:
        return "Behind a proxy that sets X-Forwarded-Host, set USE_X_FORWARDED_HOST = True"
    if scheme == "https" and not request.is_secure() and host == request.META.get("HTTP_HOST"):
        return "Behind a proxy that terminates https, set SECURE_PROXY_SSL_HEADER"
    return f"To trust that page, set CSRF_TRUSTED_ORIGINS = [{origin!r}]"
