"""For tests of projects that use drf-signet: authenticated clients and tokens, without a login."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.http import HttpResponse
from rest_framework.test import APIClient

from drf_signet import flows, revocation, runtime, sessions, tokens
from drf_signet.models import Transport
from drf_signet.throttling import LoginThrottle
from drf_signet.transports import bearer, cookie


@contextmanager
def deterministic() -> Iterator[None]:
    """Let neither other processes nor the clock into a test.

    Inside, the revocation feed asks nothing (so the number of SQL statements does not depend on
    when the last question was), a session that this process ends is refused at once, also inside
    the transaction of a `TestCase`, and failed logins are counted from zero. The fixtures of
    `drf_signet.testing.pytest` do this for every test.
    """
    before = revocation.own_endings.alone, LoginThrottle.namespace
    revocation.own_endings.alone, LoginThrottle.namespace = True, f"signet:{uuid.uuid4().hex}"
    try:
        yield
    finally:
        revocation.own_endings.alone, LoginThrottle.namespace = before


def auth_client(user: Any, *, claims: Mapping[str, Any] | None = None) -> APIClient:
    """Return an `APIClient` that sends an access token of a new session of `user`. One INSERT."""
    client = APIClient()
    scheme = bearer.challenge().split()[0]
    header = runtime.current().settings.AUTH_HEADER_NAME
    client.credentials(**{header: f"{scheme} {token_for(user, claims=claims)}"})
    return client


class _Page(APIClient):
    default_format = "json"

    def post(self, path: Any, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        """POST JSON, also where there is nothing to say."""
        return super().post(path, {} if data is None else data, *args, **kwargs)


def browser_client(user: Any = None) -> APIClient:
    """Return an `APIClient` that sends what a page of the project's own origin sends.

    JSON, and the headers by which the endpoints of `drf_signet.urls_browser` know their own pages.
    It keeps the cookies that are set. With a user, it has the refresh cookie of a new session of
    theirs. One INSERT.
    """
    client = _Page()
    page = {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest", "HTTP_SEC_FETCH_SITE": "same-origin"}
    client.credentials(**page)
    if user is not None:
        response = HttpResponse()
        cookie.write(response, flows.issue(user, transport=Transport.COOKIE))
        client.cookies.update(response.cookies)
    return client


def token_for(
    user: Any,
    *,
    token_type: str = "access",  # noqa: S107
    expired: bool = False,
    claims: Mapping[str, Any] | None = None,
) -> str:
    """Return a token of a new session of `user`, as a login would have issued it. One INSERT.

    Args:
        token_type: "access" or "refresh".
        expired: issue it so long ago that it has just expired. The session is alive all the same.
        claims: own claims, over those of the `CLAIMS` hook.

    Raises:
        ValueError: another token type, or a claim takes a reserved name.
    """
    if token_type not in ("access", "refresh"):
        raise ValueError(f"no such token type: {token_type!r}")
    settings, now = runtime.current().settings, runtime.now()
    lifetime = settings.login_lifetime(Transport.TOKEN)
    session = sessions.draft(id=sessions.new_id(now), user=user, now=now, lifetime=lifetime)
    sessions.open(session)
    lifetimes = {
        "access": settings.ACCESS_TOKEN_LIFETIME,
        "refresh": settings.REFRESH_TOKEN_LIFETIME,
    }
    age = lifetimes[token_type].total_seconds() + settings.LEEWAY + 1 if expired else 0
    pair = tokens.mint_pair(session, 0, now=now - age, extra=claims)
    return str(getattr(pair, token_type))
