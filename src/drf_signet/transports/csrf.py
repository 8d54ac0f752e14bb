"""Whether a request with cookies comes from a page that may send it; no token is needed for that.

A page of another origin can send the custom header only after a preflight, and browsers write
`Sec-Fetch-Site` and `Origin` themselves. Whose pages are trusted, Django's own settings say.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware

from ..errors import CsrfFailed

#: Methods that change nothing (RFC 9110 §9.2.1).
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def check(request: HttpRequest) -> None:
    """Refuse a request that a page of a foreign site may have caused.

    Raises:
        CsrfFailed: with the reason `header_missing`, `cross_site`, `origin_untrusted` or
            `origin_missing`.
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
        # Without it a request of another origin with that header is not sent by any browser, but
        # what changes something is not left to an argument.
        raise CsrfFailed("origin_missing", "Send the request from a page, or with its Origin")


_CROSS_SITE = (
    "No setting allows it: browsers send these cookies (COOKIE: SAMESITE) within one site alone. "
    "Serve page and API from one site, for example both from localhost or from one domain"
)


def _is_trusted(request: HttpRequest) -> bool:
    """Judge the Origin by Django's own rule, with CSRF_TRUSTED_ORIGINS as Django reads them."""
    rule: Any = CsrfViewMiddleware(_no_response)
    return bool(rule._origin_verified(request))


def _no_response(request: HttpRequest) -> Any:
    raise NotImplementedError


def _hint(request: HttpRequest) -> str:
    origin = request.META["HTTP_ORIGIN"]
    scheme, _, host = origin.partition("://")
    if host == request.META.get("HTTP_X_FORWARDED_HOST") and not settings.USE_X_FORWARDED_HOST:
        return "Behind a proxy that sets X-Forwarded-Host: USE_X_FORWARDED_HOST = True"
    if scheme == "https" and not request.is_secure() and host == request.META.get("HTTP_HOST"):
        return "Behind a proxy that speaks https: set SECURE_PROXY_SSL_HEADER"
    return f"To trust that page: CSRF_TRUSTED_ORIGINS = [{origin!r}]"
