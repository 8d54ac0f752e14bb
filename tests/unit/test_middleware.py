"""Test `JWTMiddleware` under WSGI and ASGI, alone and inside Django's middleware stack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser, User
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.test import AsyncClient, AsyncRequestFactory, Client, RequestFactory
from django.urls import include, path
from django.views import View

import drf_signet
from drf_signet import runtime
from drf_signet.errors import Busy
from drf_signet.middleware import JWTMiddleware
from drf_signet.sessions.ended import ended_sessions
from drf_signet.users.lazyuser import is_unfetched

CHALLENGE = 'Bearer realm="api", error="invalid_token"'
ENDED = (401, "token_not_valid", "ended")
INACTIVE = (401, "user_inactive", None)

#: The usernames and user types that `UserReader` has recorded.
seen: list[Any] = []


# Views


def who(request: Any) -> HttpResponse:
    """Return the primary key and the session id; the token contains both."""
    auth = getattr(request, "auth", None)
    return JsonResponse({"pk": request.user.pk, "sid": auth and auth["sid"]})


def name(request: Any) -> HttpResponse:
    return JsonResponse({"username": request.user.get_username()})


async def awho(request: Any) -> HttpResponse:
    return who(request)


async def aname(request: Any) -> HttpResponse:
    user = await request.auser()
    return JsonResponse({"username": user.get_username()})


async def aread(request: Any) -> HttpResponse:
    """Read the username on the event loop, where Django refuses queries."""
    return name(request)


class AsyncPage(View):
    """Class-based async view that reads the username."""

    async def get(self, request: Any) -> HttpResponse:
        return name(request)


def page(request: HttpRequest) -> HttpResponse:
    """Read the user while Django renders the template, after the view has returned."""
    return TemplateResponse(request, engines["django"].from_string("{{ request.user.email }}!"))


def stream(request: Any) -> StreamingHttpResponse:
    """Read the user while the response is streamed, after the view has returned."""
    return StreamingHttpResponse(str(request.user.get_username()) for _ in range(1))


def busy(request: HttpRequest) -> HttpResponse:
    raise Busy


def broken(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


urlpatterns = [
    path("who/", who),
    path("name/", name),
    path("awho/", awho),
    path("aname/", aname),
    path("aread/", aread),
    path("aclass/", AsyncPage.as_view()),
    path("page/", page),
    path("stream/", stream),
    path("busy/", busy),
    path("broken/", broken),
    path("members/", login_required(who)),
    path("api/token/", include("drf_signet.urls")),
]


class UserReader:
    """Middleware that reads the user of a request before or after the view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        if "early" in request.GET:
            seen.append(request.user.get_username())
        response = self.get_response(request)
        if "late" in request.GET:
            seen.append(request.user.get_username())
            seen.append(type(request.user))
        return response


# Fixtures

Get = Callable[..., Any]


def _install(settings: Any, *, user_reader: str = "") -> None:
    """Append JWTMiddleware to MIDDLEWARE, optionally with `UserReader` before or after it."""
    added = ["drf_signet.middleware.JWTMiddleware"]
    if user_reader:
        added.insert(0 if user_reader == "outside" else 1, f"{__name__}.UserReader")
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, *added]
    settings.ROOT_URLCONF = __name__


@pytest.fixture(autouse=True)
def _stack(settings: Any) -> Iterator[None]:
    _install(settings)
    seen.clear()
    yield
    seen.clear()


def _wsgi(url: str, access_token: str | None = None, **options: Any) -> Any:
    headers = {"authorization": f"Bearer {access_token}"} if access_token is not None else {}
    return Client(**options).get(url, headers=headers)


def _asgi(url: str, access_token: str | None = None, **options: Any) -> Any:
    headers = {"authorization": f"Bearer {access_token}"} if access_token is not None else {}
    return async_to_sync(AsyncClient(**options).get)(url, headers=headers)


@pytest.fixture(params=[_wsgi, _asgi], ids=["wsgi", "asgi"])
def get(request: pytest.FixtureRequest) -> Get:
    """Return a function that sends a GET request through all middleware, under WSGI or ASGI."""
    send: Get = request.param
    return send


@pytest.fixture
def access_token(user: Any) -> str:
    return drf_signet.issue(user).access


@pytest.fixture
def new_process() -> None:
    """Let the revocation feed query the database, as in a process that has just started."""
    ended_sessions.alone = False
    runtime.current.cache_clear()


def refusal(answer: Any) -> tuple[int, str, str | None]:
    """Return the status, code and reason; check the WWW-Authenticate header of a 401."""
    body = answer.json()
    assert body["detail"]
    if answer.status_code == 401:
        assert answer["WWW-Authenticate"] == CHALLENGE
    return answer.status_code, body["code"], body.get("reason")


# Accepted requests


@pytest.mark.parametrize(("url", "statements"), [("/who/", 0), ("/awho/", 1)])
def test_access_token_identifies_the_user_and_loads_the_row_only_for_async_views(
    url: str, statements: int, get: Get, user: Any, django_assert_num_queries: Any
) -> None:
    pair = drf_signet.issue(user)
    with django_assert_num_queries(statements):
        answer = get(url, pair.access)
    assert answer.json() == {"pk": user.pk, "sid": str(pair.session.pk)}


@pytest.mark.parametrize("url", ["/name/", "/aname/", "/aread/", "/aclass/"])
def test_view_that_reads_the_user_loads_the_row_once(
    url: str, get: Get, user: Any, access_token: str, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        assert get(url, access_token).json() == {"username": user.username}


@pytest.mark.parametrize("url", ["/who/", "/awho/"])
def test_fresh_user_is_loaded_and_checked_before_the_view(
    url: str, get: Get, access_token: str, user: Any, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.SIGNET = {"USER_LOADING": "fresh"}
    with django_assert_num_queries(1):
        assert get(url, access_token).json()["pk"] == user.pk
    User.objects.update(is_active=False)
    assert refusal(get(url, access_token)) == INACTIVE


@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "inactive"])
def test_deleted_or_inactive_user_is_401_before_an_async_view(
    deleted: bool, get: Get, access_token: str
) -> None:
    User.objects.all()._raw_delete("default") if deleted else User.objects.update(is_active=False)
    assert refusal(get("/awho/", access_token)) == (ENDED if deleted else INACTIVE)


def test_async_view_takes_no_statement_without_a_token(
    get: Get, db: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert get("/awho/").json() == {"pk": None, "sid": None}


@pytest.mark.parametrize("url", ["/name/", "/aname/"])
@pytest.mark.parametrize("protocol", ["wsgi", "asgi"])
def test_request_without_a_token_keeps_the_user_of_the_django_session(
    protocol: str, url: str, user: Any
) -> None:
    browser: Any = Client() if protocol == "wsgi" else AsyncClient()
    browser.force_login(user)
    answer = browser.get(url) if protocol == "wsgi" else async_to_sync(browser.get)(url)
    assert answer.json() == {"username": user.username}


@pytest.mark.parametrize("scheme", ["Basic dXNlcjpwYXNz", "Token abc"])
def test_header_with_another_scheme_is_ignored(scheme: str, db: None) -> None:
    answer = Client().get("/who/", headers={"authorization": scheme})
    assert answer.json() == {"pk": None, "sid": None}


def test_request_without_a_token_is_anonymous(get: Get, db: None) -> None:
    assert get("/who/").json() == {"pk": None, "sid": None}


def test_access_token_opens_a_login_required_view(
    get: Get, access_token: str, user: Any, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert get("/members/", access_token).json()["pk"] == user.pk
    assert get("/members/").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_session_of_a_long_lived_token_is_looked_up_for_each_kind_of_view(
    get: Get, user: Any, new_process: None, settings: Any
) -> None:
    """For an async view, the query runs in a thread, but only once per interval."""
    settings.SIGNET = {"ACCESS_TOKEN_LIFETIME": timedelta(days=1)}
    pair = drf_signet.issue(user)
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": 3599}
    for url in ("/who/", "/awho/") * 2:
        assert get(url, pair.access).status_code == 200
    drf_signet.end(pair.session)
    for url in ("/who/", "/awho/"):
        assert refusal(get(url, pair.access)) == ENDED


# Refused requests


@pytest.mark.parametrize("token", ["", "a.b.c", "nonsense"])
def test_invalid_token_is_401_before_the_view(
    token: str, get: Get, db: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        answer = get("/broken/", token)
    assert refusal(answer) == (401, "token_not_valid", "invalid")
    assert answer["Content-Type"] == "application/json"
    assert answer.json()["messages"][0]["token_type"] == "access"


@pytest.mark.parametrize("space", ["\x85", "\xa0", "\x0b", "\x1c"], ids=ascii)
def test_header_with_unusual_space_around_its_token_is_401(
    get: Get, access_token: str, space: str
) -> None:
    for token in (f"{space}{access_token}", f"{access_token}{space}"):
        assert refusal(get("/who/", token)) == (401, "token_not_valid", "invalid")


def test_header_with_two_tokens_is_400(get: Get, access_token: str) -> None:
    answer = get("/who/", f"{access_token}, Bearer {access_token}")
    assert refusal(answer) == (400, "bad_authorization_header", None)
    assert answer["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_request"'


def test_token_of_an_ended_session_is_401(get: Get, user: Any) -> None:
    pair = drf_signet.issue(user)
    assert get("/who/", pair.access).status_code == 200
    drf_signet.end(pair.session)
    assert refusal(get("/who/", pair.access)) == ENDED


def test_database_outage_is_503(get: Get, access_token: str, new_process: None) -> None:
    def fail(*call: Any) -> None:
        raise OperationalError

    with connection.execute_wrapper(fail):
        answer = get("/who/", access_token)
    assert refusal(answer) == (503, "service_unavailable", None)
    assert answer["Retry-After"] == "1"
    assert "WWW-Authenticate" not in answer


@pytest.mark.parametrize("url", ["/name/", "/aname/", "/aread/", "/aclass/", "/page/"])
@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "inactive"])
def test_deleted_or_inactive_user_is_401_when_the_view_reads_the_user(
    deleted: bool, url: str, get: Get, access_token: str
) -> None:
    User.objects.all()._raw_delete("default") if deleted else User.objects.update(is_active=False)
    assert refusal(get(url, access_token)) == (ENDED if deleted else INACTIVE)


def test_template_can_read_the_lazy_user(get: Get, user: Any, access_token: str) -> None:
    User.objects.update(email="vitor@example.com")
    assert get("/page/", access_token).content == b"vitor@example.com!"


def test_busy_raised_in_a_view_is_503(get: Get, access_token: str) -> None:
    answer = get("/busy/", access_token)
    assert refusal(answer) == (503, "busy", None)
    assert answer["Retry-After"] == "1"


def test_error_of_the_view_is_not_caught(get: Get, access_token: str) -> None:
    with pytest.raises(ZeroDivisionError):
        get("/broken/", access_token)


# Reading the user before or after the view


@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "inactive"])
def test_deleted_or_inactive_user_is_anonymous_when_read_after_the_view(
    deleted: bool, get: Get, access_token: str, settings: Any
) -> None:
    _install(settings, user_reader="outside")
    User.objects.all()._raw_delete("default") if deleted else User.objects.update(is_active=False)
    assert get("/who/?late", access_token).status_code == 200
    assert seen == ["", AnonymousUser]


def test_user_is_loaded_when_read_after_the_view(
    get: Get, user: Any, access_token: str, settings: Any
) -> None:
    _install(settings, user_reader="outside")
    assert get("/who/?late", access_token).status_code == 200
    assert seen == [user.username, User]


@pytest.mark.parametrize("url", ["/who/?early", "/awho/?early"])
def test_deleted_user_read_by_an_inner_middleware_is_403_and_no_server_error(
    url: str, get: Get, access_token: str, settings: Any
) -> None:
    """Django handles the exceptions of other middleware; JWTMiddleware handles those of views."""
    _install(settings, user_reader="inside")
    User.objects.all()._raw_delete("default")
    answer = get(url, access_token)
    assert answer.status_code == 403
    assert seen == []


def test_streaming_response_continues_if_its_user_was_deleted(user: Any, access_token: str) -> None:
    answer = _wsgi("/stream/", access_token)
    User.objects.all()._raw_delete("default")
    assert b"".join(answer.streaming_content) == b""


# Sync and async views


def test_middleware_is_sync_in_front_of_a_sync_view(access_token: str, user: Any) -> None:
    middleware = JWTMiddleware(who)
    assert not iscoroutinefunction(middleware)
    request = RequestFactory().get("/", headers={"authorization": f"Bearer {access_token}"})
    assert middleware(request).status_code == 200
    assert is_unfetched(request.user)


def run_without_suspending(coroutine: Any) -> Any:
    """Run a coroutine to completion; fail if it suspends."""
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    return stopped.value.value


def test_middleware_never_suspends_in_front_of_an_async_view(access_token: str, user: Any) -> None:
    """Verify the signature in this thread: awaiting another thread would suspend the coroutine."""
    middleware = JWTMiddleware(awho)
    assert iscoroutinefunction(middleware)
    for url in ("/", "/again/"):
        request = AsyncRequestFactory().get(
            url, headers={"authorization": f"Bearer {access_token}"}
        )
        assert run_without_suspending(middleware(request)).status_code == 200
        assert is_unfetched(request.user)
    invalid: Any = AsyncRequestFactory().get("/", headers={"authorization": "Bearer a.b.c"})
    run_without_suspending(middleware(invalid))
    assert isinstance(invalid.user, AnonymousUser)
    refused: Any = middleware.process_view(invalid, awho, (), {})
    assert refused.status_code == 401
    anonymous: Any = AsyncRequestFactory().get("/")
    anonymous.user = AnonymousUser()
    assert run_without_suspending(middleware(anonymous)).status_code == 200


def test_middleware_awaits_the_feed_once_per_interval(
    access_token: str, new_process: None, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": 3599}
    middleware = JWTMiddleware(awho)

    def request() -> Any:
        return AsyncRequestFactory().get("/", headers={"authorization": f"Bearer {access_token}"})

    with django_assert_num_queries(1):
        assert async_to_sync(middleware)(request()).status_code == 200
    with django_assert_num_queries(0):
        assert run_without_suspending(middleware(request())).status_code == 200


def test_auser_returns_the_user_with_the_row_loaded(access_token: str, user: Any) -> None:
    request: Any = AsyncRequestFactory().get(
        "/", headers={"authorization": f"Bearer {access_token}"}
    )
    run_without_suspending(JWTMiddleware(awho)(request))

    async def ask() -> Any:
        return await request.auser()

    loaded = async_to_sync(ask)()
    assert loaded is request.user
    assert loaded.username == user.username
    assert type(loaded) is User


def test_concurrent_requests_keep_their_users_apart(make_user: Callable[..., Any]) -> None:
    users = [make_user() for _ in range(20)]
    tokens = [drf_signet.issue(user).access for user in users]

    async def ask() -> list[Any]:
        headers = [{"authorization": f"Bearer {access_token}"} for access_token in tokens]
        return await asyncio.gather(
            *(AsyncClient().get("/aname/", headers=each) for each in headers)
        )

    answers = async_to_sync(ask)()
    assert [answer.json()["username"] for answer in answers] == [user.username for user in users]


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_invalid_header_is_ignored_at_the_refresh_endpoint(client: Any, user: Any) -> None:
    """Support front ends that add an expired access token to every request."""
    post = client().post if client is Client else async_to_sync(client().post)
    answer = post(
        "/api/token/refresh/",
        {"refresh": drf_signet.issue(user).refresh},
        content_type="application/json",
        headers={"authorization": "Bearer a.b.c"},
    )
    assert (answer.status_code, list(answer.json())) == (200, ["access"])


def test_invalid_token_at_an_unknown_url_is_404(get: Get) -> None:
    assert get("/nowhere/", "a.b.c").status_code == 404


# The access cookie


@pytest.fixture
def send_with_cookie(settings: Any, user: Any) -> Callable[..., Any]:
    """Return a function that sends a request with an access cookie and a Django session."""
    settings.SIGNET = {"COOKIE": {"ACCESS_NAME": "signet-access-token"}}
    access_token = drf_signet.issue(user, transport="cookie").access

    def send(method: str, url: str, token: str = access_token, **headers: str) -> Any:
        client = Client()
        client.force_login(user)
        client.cookies["__Host-signet-access-token"] = token
        return client.generic(method, url, headers=headers)

    return send


PAGE = {"x-requested-with": "XMLHttpRequest", "sec-fetch-site": "same-origin"}


def test_access_cookie_identifies_the_user(send_with_cookie: Any) -> None:
    assert send_with_cookie("GET", "/who/").json()["sid"]
    assert send_with_cookie("POST", "/who/", **PAGE).json()["sid"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_invalid_access_cookie_is_ignored(send_with_cookie: Any, method: str, user: Any) -> None:
    answer = send_with_cookie(method, "/who/", "nonsense", **PAGE)
    assert answer.json() == {"pk": user.pk, "sid": None}, "the user is that of the Django session"


def test_access_cookie_of_an_ended_session_is_ignored(send_with_cookie: Any, user: Any) -> None:
    drf_signet.end_all(user)
    assert send_with_cookie("GET", "/who/").json() == {"pk": user.pk, "sid": None}


def test_access_cookie_is_ignored_if_the_request_may_come_from_another_site(
    send_with_cookie: Any, user: Any
) -> None:
    assert send_with_cookie("POST", "/who/").json() == {"pk": user.pk, "sid": None}
    assert (
        send_with_cookie("POST", "/who/", **{**PAGE, "sec-fetch-site": "cross-site"}).json()["sid"]
        is None
    )


def test_header_and_access_cookie_of_different_sessions_are_400(
    send_with_cookie: Any, user: Any
) -> None:
    header = f"Bearer {drf_signet.issue(user).access}"
    assert send_with_cookie("GET", "/who/", authorization=header).status_code == 400
