"""Read and write the refresh cookie and the optional access cookie, both HttpOnly.

The `COOKIE` setting determines the names and attributes of the cookies; the request does not.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase

from .. import runtime
from ..conf.cookies import Cookies
from ..jose.codec import MAX_TOKEN_LENGTH
from ..models import Transport
from ..tokens import TokenPair

#: Maximum size of a cookie that browsers store, including its name, in bytes (RFC 6265 §6.1).
MAX_COOKIE_LENGTH = 4096


def read(request: HttpRequest) -> str | None:
    """Return the refresh token from a request's cookie, or None if the cookie is missing."""
    return _find(request, _options().refresh_name)


def read_access(request: HttpRequest) -> str | None:
    """Return the access token from a request's cookie, or None if the cookie is missing."""
    name = _options().access_name
    return None if name is None else _find(request, name)


def write(response: HttpResponseBase, pair: TokenPair) -> None:
    """Set the refresh cookie and, if configured, the access cookie on a response.

    Raises:
        ValueError: the pair was not issued for the cookie transport, or a token is too long.
    """
    if pair.session.transport != Transport.COOKIE or pair.refresh is None:
        raise ValueError('only a pair issued with transport="cookie" can be set as a cookie')
    options = _options()
    # A cookie without an age ends with the browser. The access cookie must not outlive it.
    ends_with_browser = pair.session.ends_with_browser
    max_age = None if ends_with_browser else pair.refresh_expires_in
    _set(response, options.refresh_name, pair.refresh, options.PATH, max_age)
    if options.access_name is not None:
        max_age = None if ends_with_browser else pair.expires_in
        _set(response, options.access_name, pair.access, "/", max_age)


def delete(response: HttpResponseBase) -> None:
    """Delete the refresh cookie and, if configured, the access cookie from the browser."""
    options = _options()
    _set(response, options.refresh_name, "", options.PATH, 0)
    if options.access_name is not None:
        _set(response, options.access_name, "", "/", 0)


def _options() -> Cookies:
    return runtime.current().settings.COOKIE


def _find(request: HttpRequest, name: str) -> str | None:
    """Return the value of a cookie, or None if no cookie or several cookies have this name.

    Read the raw header, because `request.COOKIES` contains only one of several cookies with the
    same name, and a subdomain may have set that cookie. Strip only spaces and tabs from names, as
    browsers do. Python's `strip` also removes other characters. If such a character stood before
    `__Host-`, the browser would not check the prefix, but this function would accept the cookie.
    """
    pairs = (part.partition("=") for part in request.META.get("HTTP_COOKIE", "").split(";"))
    # A value may be quoted (RFC 6265 §4.1.1); a token contains no quotes.
    cookie_tokens = [value.strip(' \t"') for key, _, value in pairs if key.strip(" \t") == name]
    if len(cookie_tokens) != 1 or not 0 < len(cookie_tokens[0]) < MAX_TOKEN_LENGTH:
        return None
    return str(cookie_tokens[0])


def _set(response: HttpResponseBase, name: str, token: str, path: str, max_age: int | None) -> None:
    options = _options()
    if len(name) + len(token) > MAX_COOKIE_LENGTH:
        raise ValueError(f"a token of {len(token)} bytes is too long for the cookie {name}")
    response.set_cookie(
        name,
        token,
        max_age=max_age,
        path=path,
        secure=options.SECURE,
        httponly=True,
        samesite=options.SAMESITE,
    )
