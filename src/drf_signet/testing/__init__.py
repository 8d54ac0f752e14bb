"""Helpers for tests of projects that use drf-signet: clients and tokens without a login."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.http import HttpResponse
from rest_framework.test import APIClient

from drf_signet import flows, runtime, tokens
from drf_signet.keys.database import DatabaseKeys
from drf_signet.models import Transport
from drf_signet.sessions import lifetimes, store
from drf_signet.sessions.ended import ended_sessions
from drf_signet.tenants import serving
from drf_signet.throttling import LoginThrottle
from drf_signet.transports import bearer, cookie

__all__ = ["auth_client", "browser_client", "deterministic", "serving", "token_for"]


@contextmanager
def deterministic() -> Iterator[None]:
    """Make a test independent of the clock, of other tests and of other processes.

    Inside this context, the revocation feed does not poll, and the keys of the settings sign,
    even if the key provider is "database". So the number of SQL statements does not depend on the
    time. If the test ends a session, its tokens are refused immediately, even inside the
    transaction of a `TestCase`. Failed logins are counted from zero. `drf_signet.testing.pytest`
    enters this context for every test.
    """
    before = ended_sessions.alone, DatabaseKeys.alone, LoginThrottle.namespace
    ended_sessions.alone = DatabaseKeys.alone = True
    LoginThrottle.namespace = f"signet:{uuid.uuid4().hex}"
    try:
        yield
    finally:
        ended_sessions.alone, DatabaseKeys.alone, LoginThrottle.namespace = before


def auth_client(user: Any, *, claims: Mapping[str, Any] | None = None) -> APIClient:
    """Return an `APIClient` with an access token for a new session of `user`. Runs one INSERT."""
    client = APIClient()
    scheme = bearer.challenge().split()[0]
    header = runtime.current().settings.AUTH_HEADER_NAME
    client.credentials(**{header: f"{scheme} {token_for(user, claims=claims)}"})
    return client


class _PageClient(APIClient):
    """An `APIClient` that sends JSON, as the pages of a browser front end do."""

    default_format = "json"

    def post(self, path: Any, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Send a POST request with a JSON body, by default an empty object."""
        return super().post(path, {} if data is None else data, *args, **kwargs)


def browser_client(user: Any = None) -> APIClient:
    """Return an `APIClient` that sends requests like a page of the project's own origin.

    It sends JSON and the headers that the endpoints of `drf_signet.urls_browser` require, and keeps
    cookies.

    Args:
        user: if given, the client has the refresh cookie of a new session of this user. Opening
            the session runs one INSERT. If None, the client has no cookie.
    """
    client = _PageClient()
    headers = {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest", "HTTP_SEC_FETCH_SITE": "same-origin"}
    client.credentials(**headers)
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
    """Return a token for a new session of `user`, as a login does. Runs one INSERT.

    Args:
        token_type: "access" or "refresh".
        expired: return a token that has just expired. Its session has not ended.
        claims: custom claims; they override the claims of the `CLAIMS` hook.

    Raises:
        ValueError: the token type is unknown, or a claim has a reserved name.
    """
    if token_type not in ("access", "refresh"):
        raise ValueError(f'token_type must be "access" or "refresh", not {token_type!r}')
    settings, now = runtime.current().settings, runtime.now()
    chosen = lifetimes.of_login(user, None, Transport.TOKEN)
    session = store.draft(
        id=store.new_id(now),
        user=user,
        now=now,
        lifetime=chosen.lifetime,
        idle_seconds=chosen.idle_seconds,
    )
    valid_for = {
        "access": settings.ACCESS_TOKEN_LIFETIME,
        "refresh": settings.idle_lifetime(Transport.TOKEN, chosen.idle_seconds),
    }
    age = valid_for[token_type].total_seconds() + settings.LEEWAY + 1 if expired else 0
    pair = tokens.mint_pair(session, 0, now=now - age, extra=claims)
    store.open(session)
    return str(getattr(pair, token_type))
