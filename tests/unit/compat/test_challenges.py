"""Test that 401 responses of the simplejwt alias contain the same `error` as drf-signet's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from drf_signet import Session, end
from drf_signet.compat.simplejwt import views
from drf_signet.compat.simplejwt.authentication import (
    JWTAuthentication,
    JWTStatelessUserAuthentication,
)
from drf_signet.compat.simplejwt.tokens import AccessToken, RefreshToken, SlidingToken
from tests.support.simplejwt_alias import alias, alias_tables

__all__ = ["alias", "alias_tables"]  # imported so that pytest finds these fixtures

pytestmark = pytest.mark.usefixtures("alias")

PLAIN = 'Bearer realm="api"'
INVALID = 'Bearer realm="api", error="invalid_token"'

HEADERS = [
    None,
    "",
    " ",
    "Bearer",
    "bearer",
    "Bearer ",
    "\tBearer ",
    "Bearer x",
    "BEARER x",
    "Bearer  x ",
    "Bearer a b",
    "Bearer a, Bearer b",
    "Bearer,x",
    "Token x",
    "Basic eDp5",
    "Bearerx",
    "x Bearer y",
    "Bearer \u20ac",
    "Bearer {access}",
    "Bearer {expired}",
    "Bearer {refresh}",
]


@pytest.fixture
def tokens(user: Any) -> dict[str, str]:
    """Return tokens of the user, keyed by the names of the placeholders in `HEADERS`."""
    refresh = RefreshToken.for_user(user)
    access = refresh.access_token
    expired = AccessToken.for_user(user)
    expired.set_exp(lifetime=-timedelta(seconds=1))
    return {"access": str(access), "refresh": str(refresh), "expired": str(expired)}


def ask(client: Any, path: str, header: str | None) -> Any:
    return client.get(path, **({} if header is None else {"HTTP_AUTHORIZATION": header}))


def error_of(answer: Any) -> str | None:
    """Return the error in the challenge of a 401 response.

    Return None if the challenge contains no error, or if the status is not 401.
    """
    if answer.status_code != 401:
        return None
    challenge: str = answer["WWW-Authenticate"]
    assert challenge.startswith(PLAIN)
    return challenge.removeprefix(PLAIN) or None


@pytest.mark.parametrize("ended", [False, True], ids=["alive", "ended"])
@pytest.mark.parametrize("header", HEADERS, ids=ascii)
def test_header_gets_the_error_of_the_core(client, tokens, header, ended) -> None:
    if ended:
        for session in Session.objects.all():
            end(session)
    sent = header and header.format(**tokens)
    core, simplejwt = ask(client, "/native/sessions/", sent), ask(client, "/hello/", sent)
    if core.status_code == 400:  # several tokens in the header: the alias responds with 401
        assert error_of(simplejwt) == ', error="invalid_request"'
    else:
        assert simplejwt.status_code == core.status_code
        assert error_of(simplejwt) == error_of(core)


@pytest.mark.parametrize("change", ["inactive", "deleted", "password"])
def test_token_of_a_user_who_may_not_authenticate_gets_the_error(
    client, tokens, user, change, settings
) -> None:
    settings.SIMPLE_JWT = {"CHECK_REVOKE_TOKEN": True}
    if change == "inactive":
        user.is_active = False
        user.save()
    elif change == "deleted":
        user.delete()
    else:
        user.set_password("another")
        user.save()
    answer = ask(client, "/hello/", f"Bearer {tokens['access']}")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, INVALID)
    answer = client.post("/api/token/refresh/", {"refresh": tokens["refresh"]})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, INVALID)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/token/refresh/", "refresh"),
        ("/api/token/verify/", "token"),
        ("/api/token/blacklist/", "refresh"),
        ("/api/sliding/refresh/", "token"),
    ],
)
def test_endpoint_that_refuses_a_token_sends_the_error(client, path, field) -> None:
    answer = client.post(path, {field: "x"})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, INVALID)
    assert "WWW-Authenticate" not in client.post(path)


@pytest.mark.parametrize("path", ["/api/token/", "/api/sliding/"])
def test_refused_login_sends_no_error(client, user, path) -> None:
    answer = client.post(path, {"username": "vitor", "password": "wrong"})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, PLAIN)


def test_scheme_and_realm_of_the_project_are_sent_with_the_error(settings, user) -> None:
    class Refresh(views.TokenRefreshView):
        www_authenticate_realm = "shop"

    class Authentication(JWTAuthentication):
        www_authenticate_realm = "shop"

    settings.SIMPLE_JWT = {"AUTH_HEADER_TYPES": ("JWT",)}
    expected = 'JWT realm="shop", error="invalid_token"'
    answer = Refresh.as_view()(APIRequestFactory().post("/", {"refresh": "x"}))
    assert answer["WWW-Authenticate"] == expected
    request: Any = APIRequestFactory().get("/", HTTP_AUTHORIZATION="JWT x")
    assert Authentication().authenticate_header(request) == expected


def test_exception_handler_without_a_challenge_gets_none(settings, user) -> None:
    class Refresh(views.TokenRefreshView):
        def get_exception_handler(self) -> Any:
            return lambda error, context: Response({}, status=418)

    answer = Refresh.as_view()(APIRequestFactory().post("/", {"refresh": "x"}))
    assert (answer.status_code, "WWW-Authenticate" in answer) == (418, False)


@pytest.mark.parametrize("base", [JWTAuthentication, JWTStatelessUserAuthentication])
def test_credential_of_a_subclass_counts_as_sent(user, base) -> None:
    class FromCookie(base):  # type: ignore[misc]
        def get_header(self, request: Any) -> bytes | None:
            cookie = request.COOKIES.get("access")
            return cookie and f"Bearer {cookie}".encode()

    class Refusing(base):  # type: ignore[misc]
        def get_header(self, request: Any) -> bytes | None:
            raise AuthenticationFailed("not from here")

    for cls, cookies, expected in (
        (FromCookie, {}, PLAIN),
        (FromCookie, {"access": "x"}, INVALID),
        (FromCookie, {"access": str(SlidingToken.for_user(user))}, INVALID),
        (Refusing, {}, INVALID),
    ):

        class View(APIView):
            authentication_classes = (cls,)
            permission_classes = (IsAuthenticated,)

        request = APIRequestFactory().get("/")
        request.COOKIES.update(cookies)
        answer = View.as_view()(request)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, expected)
