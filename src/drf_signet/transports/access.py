"""Read the access token of a protected request: from the header, or from the access cookie."""

from __future__ import annotations

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from .. import runtime, tokens
from ..errors import MalformedHeader, TokenError
from ..jose.claims import Claims
from . import bearer, cookie, csrf


def is_sent(request: HttpRequest) -> bool:
    """Return whether a request carries an access token, valid or not."""
    return bearer.read(request) is not None or cookie.read_access(request) is not None


def read(request: HttpRequest, *, now: float) -> Claims | None:
    """Return the verified claims of a request's access token, or None if there is no token.

    Only this function and the functions that it calls have the raw token in local variables, so
    that error reports about later failures do not contain the token.

    Raises:
        TokenError: the token is not valid.
        MalformedHeader: the header contains several tokens, or the tokens in the header and the
            cookie belong to different sessions.
        CsrfFailed: the token is in the cookie, and the request may come from another site.
    """
    current = runtime.current()
    settings = current.settings
    if current.reads_only_header:
        scheme, _, raw_token = request.META.get(settings.AUTH_HEADER_NAME, "").partition(" ")
        verified = current.verified.get(raw_token, now=now)
        if verified is not None and scheme in settings.AUTH_HEADER_TYPES:
            return verified  # a verified token has no comma or space, so the header is valid
        header_token = bearer.read(request)
        return None if header_token is None else tokens.verify_access(header_token, now=now)
    if current.tenant_of is not None:
        return _read_for_tenant(request, now)
    return _read_header_or_cookie(request, now)


def _read_header_or_cookie(request: HttpRequest, now: float) -> Claims | None:
    header_token, cookie_token = bearer.read(request), cookie.read_access(request)
    if header_token is not None:
        claims = tokens.verify_access(header_token, now=now, request=request)
        if cookie_token is not None and _is_of_another_session(cookie_token, claims, now, request):
            raise MalformedHeader
        return claims
    if cookie_token is None:
        return None
    if request.method not in csrf.SAFE_METHODS:
        csrf.check(request)
    return tokens.verify_access(cookie_token, now=now, request=request)


#: The same function for projects with tenants. It calls the `TENANT` function, which may raise an
#: error. Error reports must not show the local variables, because they contain the token.
_read_for_tenant = sensitive_variables()(_read_header_or_cookie)


def _is_of_another_session(
    cookie_token: str, claims: Claims, now: float, request: HttpRequest
) -> bool:
    try:
        return tokens.verify_access(cookie_token, now=now, request=request).sid != claims.sid
    except TokenError:
        return False  # an invalid cookie is ignored if the header has a valid token
