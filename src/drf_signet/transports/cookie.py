"""Cookies that no script can read: the refresh token's and, where switched on, the access token's.

What they are called and which attributes they have is decided by the setting `COOKIE`, never by
the request.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase

from .. import runtime
from ..codec import MAX_TOKEN_LENGTH
from ..cookies import Cookies
from ..models import Transport
from ..tokens import TokenPair

#: What browsers keep of one cookie, its name included, in bytes (RFC 6265 §6.1).
MAX_COOKIE_LENGTH = 4096


def read(request: HttpRequest) -> str | None:
    """Return the refresh token of a request's cookie; None if it carries none for us."""
    return _find(request, _options().refresh_name)


def read_access(request: HttpRequest) -> str | None:
    """Return the access token of a request's cookie; None without one, or if switched off."""
    name = _options().access_name
    return None if name is None else _find(request, name)


def write(response: HttpResponseBase, pair: TokenPair) -> None:
    """Put the refresh token of a pair into its cookie, and the access token where switched on.

    Raises:
        ValueError: the pair was not issued for the cookie transport, or a token is too long.
    """
    if pair.session.transport != Transport.COOKIE or pair.refresh is None:
        raise ValueError('a pair for cookies is issued with transport="cookie"')
    options = _options()
    _set(response, options.refresh_name, pair.refresh, options.PATH, pair.refresh_expires_in)
    if options.access_name is not None:
        _set(response, options.access_name, pair.access, "/", pair.expires_in)


def delete(response: HttpResponseBase) -> None:
    """Let the browser forget the cookies."""
    options = _options()
    _set(response, options.refresh_name, "", options.PATH, 0)
    if options.access_name is not None:
        _set(response, options.access_name, "", "/", 0)


def _options() -> Cookies:
    return runtime.current().settings.COOKIE


def _find(request: HttpRequest, name: str) -> str | None:
    """Return the value of a cookie that is there once.

    From the raw header: of two cookies of one name, one is somebody else's (a subdomain may have
    set it), and Django's dict does not tell. Nothing is stripped off a name but what browsers
    strip: a space of another kind before `__Host-` hides the prefix from them, not from Python.
    """
    pairs = (part.partition("=") for part in request.META.get("HTTP_COOKIE", "").split(";"))
    # Quotes may stand around a value (RFC 6265 §4.1.1); a token has none.
    found = [value.strip(' \t"') for key, _, value in pairs if key.strip(" \t") == name]
    if len(found) != 1 or not 0 < len(found[0]) < MAX_TOKEN_LENGTH:
        return None
    return str(found[0])


def _set(response: HttpResponseBase, name: str, value: str, path: str, max_age: int) -> None:
    options = _options()
    if len(name) + len(value) > MAX_COOKIE_LENGTH:
        raise ValueError(f"a token of {len(value)} bytes is too long for the cookie {name}")
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        path=path,
        secure=options.SECURE,
        httponly=True,
        samesite=options.SAMESITE,
    )
