"""Test all endpoints and views while the database cannot be used: 503 with Retry-After, never 401.

Most tests make the connection fail for real: the server cannot be reached, closes the connection,
or accepts no writes. The other reasons, which a test cannot provoke, are in `db/test_database.py`.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import Error, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import include, path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

import drf_signet
from drf_signet import Session, runtime
from drf_signet.authentication import JWTAuthentication
from drf_signet.compat.simplejwt import authentication as alias_authentication
from drf_signet.compat.simplejwt import views as alias_views
from drf_signet.compat.simplejwt.tokens import RefreshToken
from drf_signet.db.outages import REPORT_EVERY, reports
from drf_signet.sessions.ended import ended_sessions
from drf_signet.testing import browser_client
from tests.conftest import PASSWORD
from tests.support.endpoint_table import UNKNOWN_SESSION_ID
from tests.support.simplejwt_alias import alias, alias_tables, committing

__all__ = ["alias", "alias_tables"]  # pytest finds these fixtures because they are imported

pytestmark = committing  # the tests close the connection, which ends a transaction


class EmailView(APIView):
    """A view of a project that reads the lazy user, or runs a failing query of its own."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        if "own" in request.GET:
            raise OperationalError("a query of the project")
        return Response({"email": request.user.email})  # type: ignore[union-attr]


class AliasView(EmailView):
    """The same view with simplejwt's authentication class, which always loads the user."""

    authentication_classes = (alias_authentication.JWTAuthentication,)


class CachedUserAuthentication(JWTAuthentication):
    """An authentication class that reads the database before it returns its queryset."""

    def get_user_queryset(self) -> Any:
        hidden = list(User.objects.filter(username="hidden"))
        return super().get_user_queryset().exclude(pk__in=hidden)


class QuerysetView(EmailView):
    """The same view with a queryset of the project."""

    authentication_classes = (CachedUserAuthentication,)


def plain(request: HttpRequest) -> HttpResponse:
    if "own" in request.GET:
        raise OperationalError("a query of the project")
    return HttpResponse(request.user.email)  # type: ignore[union-attr]


async def plain_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.user.email)  # type: ignore[union-attr]


urlpatterns = [
    path("token/", include("drf_signet.urls")),
    path("auth/", include("drf_signet.urls_browser")),
    path("alias/obtain/", alias_views.TokenObtainPairView.as_view()),
    path("alias/refresh/", alias_views.TokenRefreshView.as_view()),
    path("alias/verify/", alias_views.TokenVerifyView.as_view()),
    path("alias/blacklist/", alias_views.TokenBlacklistView.as_view()),
    path("alias/sliding/", alias_views.TokenObtainSlidingView.as_view()),
    path("email/", EmailView.as_view()),
    path("alias/email/", AliasView.as_view()),
    path("queryset/", QuerysetView.as_view()),
    path("plain/", plain),
    path("plain-async/", plain_async),
]

CREDENTIALS = {"username": "vitor", "password": PASSWORD}
#: Requests without an access token: the path, and the body. A body of a string contains a token of
#: this kind in the field of that name.
BODIES: list[tuple[str, Any]] = [
    ("/token/", CREDENTIALS),
    ("/token/refresh/", "refresh"),
    ("/token/verify/", "token"),
    ("/token/logout/", "refresh"),
    ("/alias/obtain/", CREDENTIALS),
    ("/alias/refresh/", "refresh"),
    ("/alias/verify/", "token"),
    ("/alias/blacklist/", "refresh"),
    ("/alias/sliding/", CREDENTIALS),
]
SESSION_PATH = f"sessions/{UNKNOWN_SESSION_ID}/"
#: Requests to the browser endpoints: the method, and the path.
COOKIE_REQUESTS = [
    ("POST", "login/"),
    ("POST", "refresh/"),
    ("POST", "logout/"),
    ("POST", "logout/all/"),
    ("GET", "sessions/"),
    ("DELETE", SESSION_PATH),
]
#: Requests with an access token: the method, and the path.
PROTECTED_REQUESTS = [
    ("POST", "/token/logout/all/"),
    ("GET", "/token/sessions/"),
    ("DELETE", f"/token/{SESSION_PATH}"),
    ("GET", "/email/"),
    ("GET", "/alias/email/"),
    ("GET", "/queryset/"),
    ("GET", "/plain/"),
    ("GET", "/plain-async/"),
]


@pytest.fixture(autouse=True)
def _project(alias: Any, settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "drf_signet.middleware.JWTMiddleware"]


@pytest.fixture
def pair(user: Any) -> Any:
    """Return the tokens of a session."""
    return drf_signet.issue(user)


@contextmanager
def unreachable() -> Iterator[None]:
    """Make new connections fail: no server listens at the port, or SQLite finds no file."""
    connection.close()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        where: dict[str, Any] = {"HOST": "127.0.0.1", "PORT": unused.getsockname()[1]}
        if connection.vendor == "sqlite":
            where = {"NAME": "/no/such/folder/database.sqlite3"}
        with patch.dict(connection.settings_dict, where):
            yield
            connection.close()


def terminate() -> None:
    """Let the database server close the connection, as a restart of the server does."""
    other: Any = connection.copy()
    with connection.cursor() as cursor, other.cursor() as killer:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_backend_pid()")
            killer.execute("SELECT pg_terminate_backend(%s, 5000)", cursor.fetchone())
        else:
            cursor.execute("SELECT connection_id()")
            killer.execute(f"KILL {cursor.fetchone()[0]}")
    other.close()


@contextmanager
def read_only() -> Iterator[None]:
    """Make the database refuse all writes, as a server does that became a standby server."""
    on, off = {
        "postgresql": ("SET default_transaction_read_only = on", "RESET ALL"),
        "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ WRITE"),
        "sqlite": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(on)
        yield
        cursor.execute(off)


def assert_unavailable(answer: Any, code: str = "service_unavailable") -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, code)
    assert answer["Retry-After"] == "1"
    assert answer.json()["detail"]
    assert "WWW-Authenticate" not in answer
    assert not answer.cookies


def log_records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "drf_signet"]


# The database server cannot be reached


@pytest.mark.parametrize(("url", "body"), BODIES, ids=[url for url, _ in BODIES])
def test_token_endpoint_is_503_while_the_database_is_unreachable(
    url: str, body: Any, user: Any
) -> None:
    refresh_token = str(RefreshToken.for_user(user))
    sent = {body: refresh_token} if isinstance(body, str) else body
    with unreachable():
        assert_unavailable(APIClient().post(url, sent))
    assert APIClient().post(url, sent).status_code in (200, 204)


@pytest.mark.parametrize(("method", "url"), COOKIE_REQUESTS)
def test_browser_endpoint_is_503_and_keeps_the_cookie_while_the_database_is_unreachable(
    method: str, url: str, user: Any
) -> None:
    client = browser_client(user)
    with unreachable():
        answer = client.generic(method, f"/auth/{url}", CREDENTIALS_JSON, "application/json")
        assert_unavailable(answer)
    assert client.post("/auth/refresh/").status_code == 200


CREDENTIALS_JSON = f'{{"username": "vitor", "password": "{PASSWORD}"}}'


@pytest.mark.parametrize(("method", "url"), PROTECTED_REQUESTS)
@pytest.mark.parametrize("loading", ["lazy", "fresh"])
def test_protected_request_is_503_while_the_database_is_unreachable(
    method: str, url: str, loading: str, pair: Any, settings: Any
) -> None:
    settings.SIGNET = {"USER_LOADING": loading}
    client = Client(headers={"authorization": f"Bearer {pair.access}"})
    with unreachable():
        assert_unavailable(client.generic(method, url))
    assert client.generic(method, url).status_code in (200, 204, 404)


@pytest.mark.parametrize("url", ["/email/", "/plain/", "/plain-async/"])
def test_protected_request_is_503_under_asgi_while_the_user_cannot_be_read(
    url: str, pair: Any
) -> None:
    def fail(*call: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    async def get() -> Any:
        headers = {"authorization": f"Bearer {pair.access}"}
        return await AsyncClient().get(url, headers=headers)

    # `async_to_sync` runs queries in this thread, and so on this connection.
    with connection.execute_wrapper(fail):
        assert_unavailable(async_to_sync(get)())


def test_web_interface_shows_the_503_of_an_unreachable_database(pair: Any) -> None:
    client = Client(headers={"authorization": f"Bearer {pair.access}", "accept": "text/html"})
    with unreachable():
        answer = client.get("/email/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert b"service_unavailable" in answer.content


def test_view_that_needs_only_the_key_of_the_user_works_while_the_database_is_unreachable(
    pair: Any, settings: Any
) -> None:
    settings.ROOT_URLCONF = "tests.urls"
    client = Client(headers={"authorization": f"Bearer {pair.access}"})
    with unreachable():
        assert client.get("/hello/").status_code == 200


@pytest.mark.parametrize("url", ["/email/?own", "/plain/?own"])
def test_database_error_of_a_view_stays_the_error_of_the_view(url: str, pair: Any) -> None:
    client = Client(headers={"authorization": f"Bearer {pair.access}"})
    with pytest.raises(OperationalError, match="a query of the project"):
        client.get(url)


def test_outage_after_the_view_does_not_make_the_user_anonymous(pair: Any, settings: Any) -> None:
    settings.MIDDLEWARE = [f"{__name__}.late_reader", *settings.MIDDLEWARE]
    settings.ROOT_URLCONF = "tests.urls"
    client = Client(headers={"authorization": f"Bearer {pair.access}"})
    with unreachable(), pytest.raises(Exception) as caught:  # noqa: PT011 - the class is below
        client.get("/hello/")
    assert type(caught.value).__name__ in ("DatabaseUnavailable", "ServiceUnavailable")


def late_reader(get_response: Any) -> Any:
    """Middleware that reads the user after the view has returned."""

    def handle(request: HttpRequest) -> HttpResponse:
        response: HttpResponse = get_response(request)
        str(request.user.email)  # type: ignore[union-attr]
        return response

    return handle


# The connection is lost, and the database accepts no writes


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no server")
def test_request_succeeds_again_after_the_server_has_closed_the_connection(pair: Any) -> None:
    client = APIClient()
    assert client.post("/token/refresh/", {"refresh": pair.refresh}).status_code == 200
    terminate()
    assert_unavailable(client.post("/token/refresh/", {"refresh": pair.refresh}))
    connection.close_if_unusable_or_obsolete()  # Django does this at the end of each request
    assert client.post("/token/refresh/", {"refresh": pair.refresh}).status_code == 200


@pytest.mark.parametrize("url", ["/token/", "/auth/login/", "/alias/obtain/"])
def test_login_is_503_while_the_database_is_read_only(url: str, user: Any) -> None:
    with read_only():
        assert_unavailable(browser_client().post(url, CREDENTIALS, format="json"))
    assert Session.objects.count() == 0
    assert browser_client().post(url, CREDENTIALS, format="json").status_code == 200


def test_refresh_is_503_while_the_database_is_read_only_and_works_again_afterwards(
    pair: Any, settings: Any
) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True}
    body = {"refresh": pair.refresh}
    with read_only():
        assert_unavailable(APIClient().post("/token/refresh/", body))
    assert APIClient().post("/token/refresh/", body).status_code == 200


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite locks the whole file")
@pytest.mark.parametrize(("url", "body"), [("/token/", CREDENTIALS), ("/token/logout/", "refresh")])
def test_locked_sqlite_file_is_503_busy(url: str, body: Any, pair: Any) -> None:
    other: Any = connection.copy()
    with other.cursor() as cursor, connection.cursor() as own:
        own.execute("PRAGMA busy_timeout = 0")
        cursor.execute("BEGIN IMMEDIATE")
        sent = {body: pair.refresh} if isinstance(body, str) else body
        assert_unavailable(APIClient().post(url, sent), "busy")
        cursor.execute("ROLLBACK")
    other.close()
    connection.close()


# Errors that repeating the request cannot fix


def test_missing_table_stays_an_error(user: Any) -> None:
    with patch.object(get_user_model()._meta, "db_table", "no_such_table"):
        with pytest.raises(Error, match="no_such_table"):
            APIClient().post("/token/", CREDENTIALS)
        with pytest.raises(Error, match="no_such_table"):
            browser_client().post("/auth/login/", CREDENTIALS, format="json")


def test_missing_column_stays_an_error_when_a_view_reads_the_user(pair: Any) -> None:
    client = Client(headers={"authorization": f"Bearer {pair.access}"})
    with patch.object(get_user_model()._meta.get_field("email"), "column", "no_such_column"):
        for url in ("/email/", "/alias/email/", "/plain/"):
            with pytest.raises(Error, match="no_such_column"):
                client.get(url)


# The log


def test_outage_is_logged_once_per_interval_with_the_message_of_the_driver(
    pair: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(headers={"authorization": f"Bearer {pair.access}"})

    def send_all() -> None:
        for _ in range(2):
            assert_unavailable(client.post("/token/refresh/", {"refresh": pair.refresh}))
            assert_unavailable(client.get("/email/"))
            assert_unavailable(client.get("/plain/"))

    with unreachable():
        send_all()
        (record,) = log_records(caplog)
        assert record.levelname == "ERROR"
        assert record.getMessage().startswith("the database cannot be used, requests get a 503: ")
        assert "OperationalError" in record.getMessage()
        assert pair.refresh not in caplog.text
        assert pair.access not in caplog.text
        reports.reported["database"] -= REPORT_EVERY
        send_all()
    assert len(log_records(caplog)) == 2


@pytest.mark.parametrize("interval", [0, 0.000_001])
def test_outage_of_the_feed_is_logged_once_per_interval(
    interval: float, pair: Any, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": interval}
    ended_sessions.alone = False  # so that the feed queries the database
    runtime.current.cache_clear()
    client = Client(headers={"authorization": f"Bearer {pair.access}"})
    with unreachable():
        for _ in range(3):
            assert_unavailable(client.get("/email/"))
    (record,) = log_records(caplog)
    assert record.exc_info
