"""Where a protected view finds its access token: in the header, else in the access cookie."""

from __future__ import annotations

from django.http import HttpRequest

from .. import runtime, tokens
from ..claims import Claims
from ..errors import MalformedHeader, TokenError
from . import bearer, cookie, csrf


def is_sent(request: HttpRequest) -> bool:
    """Whether a request carries an access token for us, good or bad."""
    return bearer.read(request) is not None or cookie.read_access(request) is not None


def read(request: HttpRequest, *, now: float) -> Claims | None:
    """Return the verified claims of a request's access token; None if it carries none.

    The token's text is a local of this frame alone: what fails later does not report it.

    Raises:
        TokenError: it is not a valid access token.
        MalformedHeader: the request carries more than one, or a cookie of another session.
        CsrfFailed: the token is in the cookie, and the request may come from another site.
    """
    current = runtime.current()
    settings = current.settings
    if settings.COOKIE.ACCESS_NAME is None:
        scheme, _, token = request.META.get(settings.AUTH_HEADER_NAME, "").partition(" ")
        known = current.verified.get(token, now=now)
        if known is not None and scheme in settings.AUTH_HEADER_TYPES:
            return known  # such a header was looked at closely before
        raw = bearer.read(request)
        return None if raw is None else tokens.verify_access(raw, now=now)
    return _read_either(request, now)


def _read_either(request: HttpRequest, now: float) -> Claims | None:
    raw, carried = bearer.read(request), cookie.read_access(request)
    if raw is not None:
        found = tokens.verify_access(raw, now=now)
        if carried is not None and _is_of_another_session(carried, found, now):
            raise MalformedHeader
        return found
    if carried is None:
        return None
    if request.method not in csrf.SAFE_METHODS:
        csrf.check(request)
    return tokens.verify_access(carried, now=now)


def _is_of_another_session(carried: str, found: Claims, now: float) -> bool:
    try:
        return tokens.verify_access(carried, now=now).sid != found.sid
    except TokenError:
        return False  # no session's at all: like any other cookie
