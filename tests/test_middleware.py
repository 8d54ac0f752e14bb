"""`JWTMiddleware` under WSGI and ASGI: in front of plain views, and inside Django's whole stack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
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

import drf_signet
from drf_signet import revocation, runtime
from drf_signet.errors import Busy
from drf_signet.lazyuser import is_unfetched
from drf_signet.middleware import JWTMiddleware

CHALLENGE = 'Bearer realm="api", error="invalid_token"'
ENDED = (401, "token_not_valid", "ended")
INACTIVE = (401, "user_inactive", None)

#: What `Touching` saw after the view.
seen: list[Any] = []


# Views


def who(request: Any) -> HttpResponse:
    """Answer with what needs no row."""
    auth = getattr(request, "auth", None)
    return JsonResponse({"pk": request.user.pk, "sid": auth and auth["sid"]})


def name(request: Any) -> HttpResponse:
    return JsonResponse({"username": request.user.get_username()})


async def awho(request: Any) -> HttpResponse:
    return who(request)


async def aname(request: Any) -> HttpResponse:
    user = await request.auser()
    return JsonResponse({"username": user.get_username()})


def page(request: HttpRequest) -> HttpResponse:
    """Touch the user while the template is rendered."""
    return TemplateResponse(request, engines["django"].from_string("{{ request.user.email }}!"))


def stream(request: Any) -> StreamingHttpResponse:
    """Touch the user after the view."""
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
    path("page/", page),
    path("stream/", stream),
    path("busy/", busy),
    path("broken/", broken),
    path("members/", login_required(who)),
    path("api/token/", include("drf_signet.urls")),
]


class Touching:
    """Looks at the user of a request: before the view, and after."""

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

Answer = Callable[..., Any]


def _install(settings: Any, *, touching: str = "") -> None:
    """Add the middleware after Django's own; `Touching` outside or inside of it."""
    ours = ["drf_signet.middleware.JWTMiddleware"]
    if touching:
        ours.insert(0 if touching == "outside" else 1, f"{__name__}.Touching")
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, *ours]
    settings.ROOT_URLCONF = __name__


@pytest.fixture(autouse=True)
def _stack(settings: Any) -> Iterator[None]:
    _install(settings)
    seen.clear()
    yield
    seen.clear()


def _wsgi(url: str, access: str | None = None, **options: Any) -> Any:
    headers = {"authorization": f"Bearer {access}"} if access is not None else {}
    return Client(**options).get(url, headers=headers)


def _asgi(url: str, access: str | None = None, **options: Any) -> Any:
    headers = {"authorization": f"Bearer {access}"} if access is not None else {}
    return async_to_sync(AsyncClient(**options).get)(url, headers=headers)


@pytest.fixture(params=[_wsgi, _asgi], ids=["wsgi", "asgi"])
def get(request: pytest.FixtureRequest) -> Answer:
    """Return the function that sends a request through the whole stack, by each protocol."""
    found: Answer = request.param
    return found


@pytest.fixture
def access(user: Any) -> str:
    return drf_signet.issue(user).access


@pytest.fixture
def shared() -> None:
    """Let the feed ask, as in a process that has just started among others."""
    revocation.own_endings.alone = False
    runtime.current.cache_clear()


def refusal(answer: Any) -> tuple[int, str, str | None]:
    """Return status, code and reason; every 401 of a token has the same challenge."""
    said = answer.json()
    assert said["detail"]
    if answer.status_code == 401:
        assert answer["WWW-Authenticate"] == CHALLENGE
    return answer.status_code, said["code"], said.get("reason")


# Who is there


@pytest.mark.parametrize("url", ["/who/", "/awho/"])
def test_a_token_names_the_user_without_a_statement(
    url: str, get: Answer, user: Any, django_assert_num_queries: Any
) -> None:
    pair = drf_signet.issue(user)
    with django_assert_num_queries(0):
        answer = get(url, pair.access)
    assert answer.json() == {"pk": user.pk, "sid": str(pair.session.pk)}


@pytest.mark.parametrize("url", ["/name/", "/aname/"])
def test_a_view_that_asks_for_more_loads_the_row_once(
    url: str, get: Answer, user: Any, access: str, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        assert get(url, access).json() == {"username": user.username}


@pytest.mark.parametrize("url", ["/who/", "/awho/"])
def test_a_fresh_user_is_loaded_before_the_view(
    url: str, get: Answer, access: str, user: Any, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.SIGNET = {"USER_LOADING": "fresh"}
    with django_assert_num_queries(1):
        assert get(url, access).json()["pk"] == user.pk
    User.objects.update(is_active=False)
    assert refusal(get(url, access)) == INACTIVE


@pytest.mark.parametrize("url", ["/name/", "/aname/"])
@pytest.mark.parametrize("protocol", ["wsgi", "asgi"])
def test_a_request_without_a_token_keeps_the_user_of_its_session(
    protocol: str, url: str, user: Any
) -> None:
    browser: Any = Client() if protocol == "wsgi" else AsyncClient()
    browser.force_login(user)
    answer = browser.get(url) if protocol == "wsgi" else async_to_sync(browser.get)(url)
    assert answer.json() == {"username": user.username}


@pytest.mark.parametrize("scheme", ["Basic dXNlcjpwYXNz", "Token abc"])
def test_another_scheme_is_none_of_ours(scheme: str, db: None) -> None:
    answer = Client().get("/who/", headers={"authorization": scheme})
    assert answer.json() == {"pk": None, "sid": None}


def test_without_a_token_nobody_is_there(get: Answer, db: None) -> None:
    assert get("/who/").json() == {"pk": None, "sid": None}


def test_a_token_opens_what_asks_for_a_login(
    get: Answer, access: str, user: Any, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert get("/members/", access).json()["pk"] == user.pk
    assert get("/members/").status_code == 302


# Who is refused


@pytest.mark.parametrize("bad", ["", "a.b.c", "nonsense"])
def test_a_bad_token_is_401_before_the_view(
    bad: str, get: Answer, db: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        answer = get("/broken/", bad)
    assert refusal(answer) == (401, "token_not_valid", "invalid")
    assert answer["Content-Type"] == "application/json"
    assert answer.json()["messages"][0]["token_type"] == "access"


def test_two_tokens_are_400(get: Answer, access: str) -> None:
    answer = get("/who/", f"{access}, Bearer {access}")
    assert refusal(answer) == (400, "bad_authorization_header", None)
    assert answer["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_request"'


def test_an_ended_session_is_401(get: Answer, user: Any) -> None:
    pair = drf_signet.issue(user)
    assert get("/who/", pair.access).status_code == 200
    drf_signet.end(pair.session)
    assert refusal(get("/who/", pair.access)) == ENDED


def test_an_outage_is_503(get: Answer, access: str, shared: None) -> None:
    def fail(*call: Any) -> None:
        raise OperationalError

    with connection.execute_wrapper(fail):
        answer = get("/who/", access)
    assert refusal(answer) == (503, "service_unavailable", None)
    assert answer["Retry-After"] == "1"
    assert "WWW-Authenticate" not in answer


@pytest.mark.parametrize("url", ["/name/", "/aname/", "/page/"])
@pytest.mark.parametrize("gone", [True, False], ids=["gone", "inactive"])
def test_a_user_who_is_refused_in_the_view_is_401(
    gone: bool, url: str, get: Answer, access: str
) -> None:
    User.objects.all()._raw_delete("default") if gone else User.objects.update(is_active=False)
    assert refusal(get(url, access)) == (ENDED if gone else INACTIVE)


def test_a_template_shows_the_user(get: Answer, user: Any, access: str) -> None:
    User.objects.update(email="vitor@example.com")
    assert get("/page/", access).content == b"vitor@example.com!"


def test_what_else_the_package_raises_in_a_view_is_answered_too(get: Answer, access: str) -> None:
    answer = get("/busy/", access)
    assert refusal(answer) == (503, "busy", None)
    assert answer["Retry-After"] == "1"


def test_the_views_own_errors_are_its_own(get: Answer, access: str) -> None:
    with pytest.raises(ZeroDivisionError):
        get("/broken/", access)


# Before the view and after it


@pytest.mark.parametrize("gone", [True, False], ids=["gone", "inactive"])
def test_a_user_who_is_refused_after_the_view_is_anonymous(
    gone: bool, get: Answer, access: str, settings: Any
) -> None:
    _install(settings, touching="outside")
    User.objects.all()._raw_delete("default") if gone else User.objects.update(is_active=False)
    assert get("/who/?late", access).status_code == 200
    assert seen == ["", AnonymousUser]


def test_a_user_who_is_touched_after_the_view_is_loaded(
    get: Answer, user: Any, access: str, settings: Any
) -> None:
    _install(settings, touching="outside")
    assert get("/who/?late", access).status_code == 200
    assert seen == [user.username, User]


@pytest.mark.parametrize("url", ["/who/?early", "/awho/?early"])
def test_a_user_who_is_refused_before_the_view_is_no_server_error(
    url: str, get: Answer, access: str, settings: Any
) -> None:
    """Django answers for what a middleware raises; only of a view can ours hear."""
    _install(settings, touching="inside")
    User.objects.all()._raw_delete("default")
    answer = get(url, access)
    assert answer.status_code == 403
    assert seen == []


def test_a_stream_that_asks_for_a_user_who_is_refused_goes_on(user: Any, access: str) -> None:
    answer = _wsgi("/stream/", access)
    User.objects.all()._raw_delete("default")
    assert b"".join(answer.streaming_content) == b""


# Sync and async


def test_it_is_sync_in_front_of_a_sync_view(access: str, user: Any) -> None:
    middleware = JWTMiddleware(who)
    assert not iscoroutinefunction(middleware)
    request = RequestFactory().get("/", headers={"authorization": f"Bearer {access}"})
    assert middleware(request).status_code == 200
    assert is_unfetched(request.user)


def step(coroutine: Any) -> Any:
    """Run a coroutine that waits for nothing; fail at the first thing that it waits for."""
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    return stopped.value.value


def test_it_waits_for_nothing_on_the_event_loop(access: str, user: Any) -> None:
    """A thread for the signature would be something to wait for."""
    middleware = JWTMiddleware(awho)
    assert iscoroutinefunction(middleware)
    for url in ("/", "/again/"):
        request = AsyncRequestFactory().get(url, headers={"authorization": f"Bearer {access}"})
        assert step(middleware(request)).status_code == 200
        assert is_unfetched(request.user)
    bad: Any = AsyncRequestFactory().get("/", headers={"authorization": "Bearer a.b.c"})
    step(middleware(bad))
    assert isinstance(bad.user, AnonymousUser)
    refused: Any = middleware.process_view(bad, awho, (), {})
    assert refused.status_code == 401
    without: Any = AsyncRequestFactory().get("/")
    without.user = AnonymousUser()
    assert step(middleware(without)).status_code == 200


def test_it_waits_for_the_feed_once_per_interval(
    access: str, shared: None, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": 3599}
    middleware = JWTMiddleware(awho)

    def request() -> Any:
        return AsyncRequestFactory().get("/", headers={"authorization": f"Bearer {access}"})

    with django_assert_num_queries(1):
        assert async_to_sync(middleware)(request()).status_code == 200
    with django_assert_num_queries(0):
        assert step(middleware(request())).status_code == 200


def test_auser_is_the_user_with_its_row(access: str, user: Any) -> None:
    request: Any = AsyncRequestFactory().get("/", headers={"authorization": f"Bearer {access}"})
    step(JWTMiddleware(awho)(request))

    async def ask() -> Any:
        return await request.auser()

    found = async_to_sync(ask)()
    assert found is request.user
    assert found.username == user.username
    assert type(found) is User


def test_many_requests_at_once_keep_their_users_apart(make_user: Callable[..., Any]) -> None:
    users = [make_user() for _ in range(20)]
    tokens = [drf_signet.issue(user).access for user in users]

    async def ask() -> list[Any]:
        headers = [{"authorization": f"Bearer {access}"} for access in tokens]
        return await asyncio.gather(
            *(AsyncClient().get("/aname/", headers=each) for each in headers)
        )

    answers = async_to_sync(ask)()
    assert [answer.json()["username"] for answer in answers] == [user.username for user in users]


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_a_bad_token_beside_a_refresh_is_the_token_endpoint_s_to_ignore(
    client: Any, user: Any
) -> None:
    """As front ends send it, whose interceptor puts the expired token on every request."""
    post = client().post if client is Client else async_to_sync(client().post)
    answer = post(
        "/api/token/refresh/",
        {"refresh": drf_signet.issue(user).refresh},
        content_type="application/json",
        headers={"authorization": "Bearer a.b.c"},
    )
    assert (answer.status_code, list(answer.json())) == (200, ["access"])


def test_a_bad_token_to_nowhere_is_404(get: Answer) -> None:
    assert get("/nowhere/", "a.b.c").status_code == 404


# The access cookie


@pytest.fixture
def carried(settings: Any, user: Any) -> Callable[..., Any]:
    """Return a client of requests whose access token is in a cookie."""
    settings.SIGNET = {"COOKIE": {"ACCESS_NAME": "signet-access-token"}}
    access = drf_signet.issue(user, transport="cookie").access

    def send(method: str, url: str, token: str = access, **headers: str) -> Any:
        client = Client()
        client.force_login(user)
        client.cookies["__Host-signet-access-token"] = token
        return client.generic(method, url, headers=headers)

    return send


PAGE = {"x-requested-with": "XMLHttpRequest", "sec-fetch-site": "same-origin"}


def test_the_access_cookie_names_the_user(carried: Any) -> None:
    assert carried("GET", "/who/").json()["sid"]
    assert carried("POST", "/who/", **PAGE).json()["sid"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_bad_cookie_is_none(carried: Any, method: str, user: Any) -> None:
    answer = carried(method, "/who/", "nonsense", **PAGE)
    assert answer.json() == {"pk": user.pk, "sid": None}, "of the Django session"


def test_the_access_cookie_of_an_ended_session_is_none(carried: Any, user: Any) -> None:
    drf_signet.end_all(user)
    assert carried("GET", "/who/").json() == {"pk": user.pk, "sid": None}


def test_a_form_that_may_come_from_another_site_has_no_token(carried: Any, user: Any) -> None:
    assert carried("POST", "/who/").json() == {"pk": user.pk, "sid": None}
    assert (
        carried("POST", "/who/", **{**PAGE, "sec-fetch-site": "cross-site"}).json()["sid"] is None
    )


def test_a_cookie_beside_the_header_of_another_session_is_400(carried: Any, user: Any) -> None:
    header = f"Bearer {drf_signet.issue(user).access}"
    assert carried("GET", "/who/", authorization=header).status_code == 400
