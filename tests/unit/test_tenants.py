"""Test that a token of one tenant is refused for every other tenant, however it is used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.db import connection
from django.http import HttpRequest
from django.test.utils import CaptureQueriesContext
from django.urls import path
from rest_framework.test import APIClient

import drf_signet
from drf_signet import runtime, tenants, testing, tokens
from drf_signet.authentication import JWTAuthentication
from drf_signet.errors import InvalidClaim, UnknownKey
from drf_signet.keys import Keys
from drf_signet.models import Session, Transport
from drf_signet.sessions import scopes
from drf_signet.sessions.revocation import Feed
from drf_signet.sessions.scopes import ScopedFeed
from drf_signet.throttling import LoginThrottle
from drf_signet.tokens import TokenPair
from drf_signet.users import usernames
from tests.conftest import PASSWORD
from tests.support.endpoint_table import LOGOUT, OBTAIN, REFRESH, VERIFY
from tests.support.session_states import ADOPTING, legacy_token
from tests.support.tenant_hosts import (
    ALLOWED_HOSTS,
    GREETINGS,
    PAGE,
    SETTINGS,
    TOKEN_WAYS,
    Browser,
    log_in,
    request_to,
    tenant_of_host,
)
from tests.support.token_forge import signer
from tests.unit.test_async_views import NameView
from tests.urls import urlpatterns as base_urlpatterns

pytestmark = pytest.mark.django_db

ACCESS_COOKIE = {"COOKIE": {"SECURE": False, "ACCESS_NAME": "access-token"}}


urlpatterns = [
    *base_urlpatterns,
    *GREETINGS,
    path("async/", NameView.as_view()),
]


@pytest.fixture(autouse=True)
def _hosts(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ALLOWED_HOSTS
    settings.USE_X_FORWARDED_HOST = True
    settings.ROOT_URLCONF = __name__
    settings.SIGNET = SETTINGS
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "drf_signet.middleware.JWTMiddleware"]


@pytest.fixture
def pair(user: Any) -> TokenPair:
    """Return the tokens of a session that was opened at the host of tenant a."""
    return log_in(user, "a")


#: All ways to use a token, including requests to an async API view.
WAYS = {
    **TOKEN_WAYS,
    "async view, WSGI": lambda browser, pair: browser.get("/async/", pair.access),
    "async view, ASGI": lambda browser, pair: browser.aget("/async/", pair.access),
}


def _is_accepted(answer: Any) -> bool:
    return bool(answer.status_code in (200, 204))


def _assert_refused(answer: Any) -> None:
    assert answer.status_code == 401
    assert answer.json()["code"] == "token_not_valid"
    assert answer.json()["reason"] == "invalid"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("other", ["b", "ab", None])
@pytest.mark.parametrize("warm", [False, True], ids=["new", "cached"])
def test_token_is_refused_for_another_tenant_without_sql(
    pair: TokenPair, way: str, other: str | None, warm: bool
) -> None:
    if warm:
        assert _is_accepted(WAYS["view"](Browser("a"), pair))
    with CaptureQueriesContext(connection) as queries:
        _assert_refused(WAYS[way](Browser(other), pair))
    assert len(queries) == 0
    assert Session.objects.get().end_reason == ""


@pytest.mark.parametrize("way", WAYS)
def test_token_is_accepted_for_its_own_tenant(pair: TokenPair, way: str) -> None:
    assert _is_accepted(WAYS[way](Browser("a"), pair))


@pytest.mark.parametrize("way", WAYS)
def test_token_without_tenant_is_refused_where_a_tenant_is_expected(user: Any, way: str) -> None:
    untagged = log_in(user, None)
    assert "tid" not in tokens.verify(untagged.access, now=runtime.now(), request=request_to(None))
    with CaptureQueriesContext(connection) as queries:
        _assert_refused(WAYS[way](Browser("a"), untagged))
    assert len(queries) == 0
    assert _is_accepted(WAYS[way](Browser(None), untagged))


@pytest.mark.parametrize("way", WAYS)
def test_token_of_a_tenant_is_refused_if_there_are_no_tenants(
    pair: TokenPair, settings: Any, way: str
) -> None:
    settings.SIGNET = {}
    _assert_refused(WAYS[way](Browser("a"), pair))


def test_access_cookie_is_refused_for_another_tenant(user: Any, settings: Any) -> None:
    settings.SIGNET = SETTINGS | ACCESS_COOKIE
    access = log_in(user, "a").access
    for _ in range(2):
        assert Browser("a").page("get", "/hello/", **{"access-token": access}).status_code == 200
        _assert_refused(Browser("b").page("get", "/hello/", **{"access-token": access}))
        assert Browser("a").page("get", "/greet/", **{"access-token": access}).status_code == 200
        assert Browser("b").page("get", "/greet/", **{"access-token": access}).status_code == 401


def test_access_cookie_of_another_tenant_is_ignored_beside_a_header(
    make_user: Any, settings: Any
) -> None:
    settings.SIGNET = SETTINGS | ACCESS_COOKIE
    cookie, header = log_in(make_user(), "b").access, log_in(make_user(), "a").access
    client = APIClient()
    client.cookies.load({"access-token": cookie})
    headers = {"host": "a.example.com", "authorization": f"Bearer {header}"}
    assert client.get("/hello/", headers=headers).status_code == 200


class TestPages:
    """The endpoints that read a refresh cookie."""

    @pytest.fixture(autouse=True)
    def _cookies(self, settings: Any) -> None:
        settings.SIGNET = SETTINGS | {"COOKIE": {"SECURE": False}}

    @pytest.fixture
    def cookie(self, user: Any) -> dict[str, str]:
        pair = log_in(user, "a", transport=Transport.COOKIE)
        return {"signet-refresh-token": str(pair.refresh)}

    def test_cookie_is_accepted_for_its_own_tenant(self, cookie: dict[str, str]) -> None:
        assert Browser("a").page("get", "/auth/sessions/", **cookie).status_code == 200
        assert Browser("a").page("post", "/auth/refresh/", **cookie).status_code == 200

    @pytest.mark.parametrize(
        ("method", "url"),
        [
            ("post", "/auth/refresh/"),
            ("get", "/auth/sessions/"),
            ("post", "/auth/logout/all/"),
            ("delete", "/auth/sessions/{}/"),
        ],
    )
    def test_cookie_is_refused_for_another_tenant(
        self, cookie: dict[str, str], method: str, url: str
    ) -> None:
        session = Session.objects.get()
        with CaptureQueriesContext(connection) as queries:
            _assert_refused(Browser("b").page(method, url.format(session.pk), **cookie))
        assert len(queries) == 0
        session.refresh_from_db()
        assert session.end_reason == ""

    def test_logout_of_another_tenant_does_not_end_the_session(
        self, cookie: dict[str, str]
    ) -> None:
        assert Browser("b").page("post", "/auth/logout/", **cookie).status_code == 204
        assert Session.objects.get().end_reason == ""

    def test_login_of_another_tenant_does_not_end_the_session(
        self, cookie: dict[str, str], make_user: Any
    ) -> None:
        first = Session.objects.get()
        client = APIClient()
        client.cookies.load(cookie)
        body = {"username": make_user().username, "password": PASSWORD}
        headers = {"host": "b.example.com", **PAGE}
        answer = client.post("/auth/login/", body, format="json", headers=headers)
        assert answer.status_code == 200
        first.refresh_from_db()
        assert first.end_reason == ""


def test_every_new_token_contains_the_tenant(user: Any, client: APIClient, settings: Any) -> None:
    settings.SIGNET = SETTINGS | {"ROTATE_REFRESH_TOKENS": True}
    body = {"username": user.username, "password": PASSWORD}
    host = {"host": "a.example.com"}
    first = client.post(OBTAIN.url, body, headers=host).json()
    second = client.post(REFRESH.url, {"refresh": first["refresh"]}, headers=host).json()
    for token in (*first.values(), *second.values()):
        claims = tokens.verify(token, now=runtime.now(), request=request_to("a"))
        assert (claims["tid"], claims.tenant) == ("a", "a")


def test_cookie_pair_contains_the_tenant(user: Any) -> None:
    pair = log_in(user, "a", transport=Transport.COOKIE)
    for token in (pair.access, pair.refresh):
        assert tokens.verify(token, now=runtime.now(), request=request_to("a")).tenant == "a"


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "without a request"),
        ("", "without a request"),
        (7, "without a request"),
    ],
)
def test_issue_without_a_request_is_refused_before_anything_is_written(
    user: Any, settings: Any, result: Any, message: str
) -> None:
    settings.SIGNET = {"TENANT": lambda request: result}
    for issue in (drf_signet.issue, testing.token_for):
        refused = pytest.raises(ImproperlyConfigured, match=rf"TENANT.*{message}")
        with CaptureQueriesContext(connection) as queries, refused:
            issue(user)
        assert len(queries) == 0


def test_error_of_the_hook_reaches_the_caller_of_issue(user: Any) -> None:
    with pytest.raises(LookupError):
        drf_signet.issue(user)
    assert not Session.objects.exists()


@pytest.mark.parametrize("result", [7, True])
def test_hook_that_returns_no_name_for_a_request_is_an_error(
    user: Any, settings: Any, result: Any
) -> None:
    settings.SIGNET = {"TENANT": lambda request: result}
    with pytest.raises(ImproperlyConfigured, match="TENANT"):
        drf_signet.issue(user, request_to("a"))


@pytest.mark.parametrize("host", ["a" * 256, ".example.com"], ids=["too long", "empty"])
def test_name_with_an_invalid_length_is_a_bad_request(host: str, user: Any, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.SIGNET = {"TENANT": lambda request: request.get_host().split(".")[0]}
    body = {"username": user.username, "password": PASSWORD}
    answer = APIClient().post(OBTAIN.url, body, headers={"host": host})
    assert answer.status_code == 400
    with pytest.raises(SuspiciousOperation):
        tenants.name_of(lambda request: host.partition(".")[0], request_to("a"))


def test_issue_without_a_request_takes_the_tenant_from_the_context(
    user: Any, settings: Any
) -> None:
    settings.SIGNET = {"TENANT": lambda request: "context"}
    pair = drf_signet.issue(user)
    assert tokens.verify_access(pair.access, now=runtime.now()).tenant == "context"


def test_clients_of_the_test_helpers_belong_to_the_tenant_that_is_served(user: Any) -> None:
    with testing.serving(request_to("a")):
        client, page = testing.auth_client(user), testing.browser_client(user)
    assert client.get("/hello/", headers={"host": "a.example.com"}).status_code == 200
    assert client.get("/hello/", headers={"host": "b.example.com"}).status_code == 401
    assert page.post("/auth/refresh/", headers={"host": "a.example.com"}).status_code == 200
    assert page.post("/auth/refresh/", headers={"host": "b.example.com"}).status_code == 401


def test_end_and_list_in_python_work_for_every_tenant(pair: TokenPair) -> None:
    assert drf_signet.end(pair.session.pk)
    assert WAYS["view"](Browser("a"), pair).json()["reason"] == "ended"


@pytest.mark.parametrize("tid", ["", None, 7, True, ["a"], {"a": 1}, "a" * 256, "a\0", "A", " a"])
def test_tenant_claim_of_another_form_is_refused(pair: TokenPair, tid: Any) -> None:
    payload = runtime.current().codec.decode(pair.access) | {"tid": tid}
    token = runtime.current().codec.encode(payload)
    _assert_refused(Browser("a").get("/hello/", token))


def test_custom_claim_cannot_be_the_tenant(user: Any) -> None:
    with pytest.raises(ValueError, match="tid"):
        drf_signet.issue(user, request_to("a"), claims={"tid": "b"})


def test_verify_access_in_python_compares_the_tenant_of_a_cached_token(pair: TokenPair) -> None:
    now = runtime.now()
    for _ in range(2):
        assert tokens.verify_access(pair.access, now=now, request=request_to("a")).tenant == "a"
        with pytest.raises(InvalidClaim, match="tid"):
            tokens.verify_access(pair.access, now=now, request=request_to("b"))


class TestThrottle:
    """Failed logins are counted separately for each tenant."""

    def test_failed_logins_of_one_tenant_do_not_lock_out_another(
        self, user: Any, settings: Any
    ) -> None:
        rates = {"username": "1/day", "address": "2/day"}
        settings.SIGNET = SETTINGS | {"LOGIN_THROTTLE": rates}

        def fail(host: str) -> int:
            body = {"username": user.username, "password": "no"}
            return int(APIClient().post(OBTAIN.url, body, headers={"host": host}).status_code)

        hosts = ["a.example.com", "b.example.com", "example.com"]
        assert [fail(host) for host in hosts] == [401] * 3
        assert [fail(host) for host in hosts] == [429] * 3

    def test_keys_without_tenants_do_not_change(self, settings: Any) -> None:
        throttle, request = LoginThrottle(), request_to("a")
        keys = []
        for signet in ({}, SETTINGS):
            settings.SIGNET = signet
            keys.append([counter.key for counter in throttle._counters(request, "vitor")])
        expected = [throttle._key("127.0.0.1"), throttle._key("127.0.0.1", usernames.fold("vitor"))]
        assert keys[0] == expected
        assert not set(keys[0]) & set(keys[1])


@pytest.fixture
def schema(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str | None], None]]:
    """Yield a function that sets the connection's `schema_name`, as django-tenants does."""
    monkeypatch.setattr(connection, "schema_name", None, raising=False)
    before = tenants.register(None)

    def select(name: str | None) -> None:
        connection.schema_name = name  # type: ignore[attr-defined]

    yield select
    tenants.register(before)


class TestTokensFromBeforeTheSetting:
    """A refresh token without `tid` is accepted if the tenant has its own table of sessions."""

    @pytest.fixture
    def old(self, user: Any, settings: Any) -> TokenPair:
        settings.SIGNET = {}
        pair = drf_signet.issue(user)
        settings.SIGNET = SETTINGS
        return pair

    @pytest.mark.parametrize("endpoint", [REFRESH, VERIFY, LOGOUT], ids=str)
    def test_refresh_token_is_refused_with_a_shared_table(
        self, old: TokenPair, endpoint: Any
    ) -> None:
        field = endpoint.fields[0]
        _assert_refused(Browser("a").send("post", endpoint.url, {field: old.refresh}))

    @pytest.mark.parametrize("endpoint", [REFRESH, VERIFY, LOGOUT], ids=str)
    def test_refresh_token_is_accepted_with_a_table_of_its_own(
        self, old: TokenPair, schema: Any, endpoint: Any
    ) -> None:
        schema("a")
        tenants.register(lambda request: "a")
        field = endpoint.fields[0]
        answer = Browser("a").send("post", endpoint.url, {field: old.refresh})
        assert _is_accepted(answer)
        if endpoint is REFRESH:
            assert Browser("a").get("/hello/", answer.json()["access"]).status_code == 200

    @pytest.mark.parametrize("way", ["view", "verification of an access token"])
    def test_access_token_is_refused_with_a_table_of_its_own(
        self, old: TokenPair, schema: Any, way: str
    ) -> None:
        schema("a")
        tenants.register(lambda request: "a")
        _assert_refused(WAYS[way](Browser("a"), old))

    @pytest.mark.parametrize("name", ["b", None])
    def test_refresh_token_is_refused_in_a_schema_of_another_name(
        self, old: TokenPair, schema: Any, name: str | None
    ) -> None:
        schema(name)
        tenants.register(lambda request: "a")
        _assert_refused(WAYS["refresh"](Browser("a"), old))

    def test_refresh_token_is_refused_if_no_package_says_that_schemas_have_tables(
        self, old: TokenPair, schema: Any
    ) -> None:
        schema("a")
        _assert_refused(WAYS["refresh"](Browser("a"), old))


def test_database_proves_a_table_of_its_own_unless_it_is_the_default() -> None:
    assert not tenants.has_own_table("default")
    assert not tenants.has_own_table("a")
    assert not tenants.has_own_table(None)


class TestRegisteredHook:
    """An adapter may register a function that is used if the setting `TENANT` is not set."""

    def test_registered_hook_applies_without_a_setting(
        self, user: Any, settings: Any, schema: Any
    ) -> None:
        settings.SIGNET = {}
        tenants.register(lambda request: "schema")
        pair = drf_signet.issue(user)
        assert tokens.verify_access(pair.access, now=runtime.now()).tenant == "schema"
        assert tenants.register(None) is not None
        assert runtime.current().tenant_of is None

    def test_setting_overrides_the_registered_hook(
        self, user: Any, settings: Any, schema: Any
    ) -> None:
        tenants.register(lambda request: "schema")
        settings.SIGNET = {"TENANT": "tests.support.tenant_hosts.tenant_of_host"}
        assert runtime.current().tenant_of(request_to("a")) == "a"  # type: ignore[misc]


class TestLazyUser:
    """A user is loaded only from the schema in which the request was authenticated."""

    def test_user_is_loaded_in_the_schema_of_the_authentication(
        self, pair: TokenPair, schema: Any
    ) -> None:
        schema("a")
        request: Any = request_to("a", authorization=f"Bearer {pair.access}")
        user, _ = JWTAuthentication().authenticate(request) or (None, None)
        assert user is not None
        schema("b")
        assert user.pk == pair.session.user_id
        with pytest.raises(RuntimeError, match="has switched to"):
            user.get_username()
        schema("a")
        assert user.get_username() == "vitor"

    def test_fresh_user_is_loaded_at_once(self, pair: TokenPair, settings: Any) -> None:
        settings.SIGNET = SETTINGS | {"USER_LOADING": "fresh"}
        assert Browser("a").get("/hello/", pair.access).status_code == 200


class TestFeed:
    """There is one feed for each combination of database and schema."""

    @pytest.fixture
    def clock(self) -> SimpleNamespace:
        return SimpleNamespace(now=100.0)

    @pytest.fixture
    def scope(self) -> list[Any]:
        """Return a list whose only item is the current scope."""
        return [("default", "a")]

    @pytest.fixture
    def feed(self, clock: Any, scope: list[Any]) -> ScopedFeed:
        def make() -> Any:
            return SimpleNamespace(
                has_ended=lambda key, ask: ("has_ended", key, ask),
                has_ended_for_long=lambda key, ask: ("for_long", key, ask),
                is_due=lambda key: ("is_due", key),
                number=object(),
            )

        now: Callable[[], float] = lambda: float(clock.now)  # noqa: E731
        return ScopedFeed(make, keep=360, clock=now, scope=lambda: scope[0])

    def test_calls_reach_the_feed_of_the_scope(self, feed: Any) -> None:
        assert feed.has_ended(b"1", ask=False) == ("has_ended", b"1", False)
        assert feed.has_ended_for_long(b"1") == ("for_long", b"1", True)
        assert feed.is_due() == ("is_due", None)

    def test_each_scope_keeps_one_feed(self, feed: Any, scope: list[Any]) -> None:
        first = feed._current()
        scope[0] = ("default", "b")
        assert feed._current() is not first
        scope[0] = ("other", "a")
        assert feed._current() is not first
        scope[0] = ("default", "a")
        assert feed._current() is first
        assert len(feed) == 3

    def test_feed_is_forgotten_after_its_reach_of_silence(
        self, feed: Any, scope: list[Any], clock: Any
    ) -> None:
        first = feed._current()
        clock.now += 360
        assert feed._current() is first
        clock.now += 361
        scope[0] = ("default", "b")
        feed._current()
        assert len(feed) == 1
        clock.now += 361
        scope[0] = ("default", "b")
        again = feed._current()
        assert again is not first
        assert len(feed) == 1

    def test_feed_of_a_scope_that_was_silent_begins_anew(self, feed: Any, clock: Any) -> None:
        first = feed._current()
        clock.now += 361
        assert feed._current() is not first

    def test_at_most_a_thousand_feeds_are_kept(
        self, feed: Any, scope: list[Any], clock: Any
    ) -> None:
        kept = feed._current()
        for number in range(scopes.CAPACITY + 50):
            clock.now += 0.1
            scope[0] = ("default", f"s{number}")
            feed._current()
            scope[0] = ("default", "a")
            assert feed._current() is kept
        assert len(feed) == scopes.CAPACITY

    def test_runtime_has_one_plain_feed_without_tenants(self, settings: Any) -> None:
        settings.SIGNET = {}
        assert type(runtime.current().feed) is Feed
        assert runtime.current().tenant_of is None
        assert runtime.current().reads_only_header
        settings.SIGNET = SETTINGS
        assert type(runtime.current().feed) is ScopedFeed
        assert not runtime.current().reads_only_header

    def test_each_scope_has_its_own_keys_and_all_share_the_verified_tokens(
        self, settings: Any, schema: Any
    ) -> None:
        ring = [signer("ES256").key(kid="a"), signer("EdDSA").key(kid="b")]

        class Provider:
            def __init__(self, configured: Any) -> None:
                self.key = ring.pop(0)

            def keys(self) -> Keys:
                return Keys(keys=(self.key,), fresh_for=3600)

            sign = keys

        settings.SIGNET = {**SETTINGS, "KEY_PROVIDER": Provider}
        keys = runtime.current().keys
        token = signer("ES256").sign_claims({}, kid="a")
        schema("a")
        assert keys.is_due()
        first = keys.verified
        assert not keys.is_due()
        assert runtime.current().codec.decode(token) == {}
        schema("b")
        with pytest.raises(UnknownKey):
            runtime.current().codec.decode(token)
        assert keys.verified is first

    def test_scope_is_the_database_and_the_schema(self, schema: Any) -> None:
        assert scopes.current_scope() == ("default", None)
        schema("a")
        assert scopes.current_scope() == ("default", "a")


@contextmanager
def called_modules() -> Iterator[set[str]]:
    """Yield a set that collects the modules whose functions are called in the `with` block."""
    modules: set[str] = set()

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            modules.add(str(frame.f_globals.get("__name__")))

    sys.setprofile(note)
    try:
        yield modules
    finally:
        sys.setprofile(None)


def test_nothing_is_called_for_tenants_if_there_are_none(
    user: Any, client: APIClient, settings: Any
) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True}
    host = {"host": "a.example.com"}

    def post(endpoint: Any, status: int, **data: str) -> Any:
        answer = client.post(endpoint.url, data, headers=host)
        assert answer.status_code == status
        return answer.data

    runtime.current()  # reading the settings calls `tenants` in any case
    with called_modules() as modules:
        pair = post(OBTAIN, 200, username=user.username, password=PASSWORD)
        for _ in range(2):
            assert Browser("a").get("/hello/", pair["access"]).status_code == 200
            assert Browser("a").aget("/greet/", pair["access"]).status_code == 200
        pair = post(REFRESH, 200, refresh=pair["refresh"])
        post(VERIFY, 200, token=pair["refresh"])
        post(LOGOUT, 204, refresh=pair["refresh"])
    assert "drf_signet.tokens" in modules
    assert not modules & {"drf_signet.tenants", "drf_signet.sessions.scopes"}


def test_legacy_tokens_are_refused_with_a_shared_table(user: Any, settings: Any) -> None:
    settings.SIGNET = {**SETTINGS, **ADOPTING}
    refresh, access = legacy_token(user), legacy_token(user, token_type="access")
    _assert_refused(Browser("a").send("post", REFRESH.url, {"refresh": refresh}))
    _assert_refused(Browser("a").get("/hello/", access))
    assert not Session.objects.exists()


def test_hook_receives_djangos_request_on_every_way_in(
    pair: TokenPair, settings: Any, user: Any
) -> None:
    seen: list[Any] = []

    def tenant(request: HttpRequest | None) -> str | None:
        seen.append(type(request).__mro__)
        return tenant_of_host(request)

    settings.SIGNET = {"TENANT": tenant}
    for way in WAYS.values():
        assert way(Browser("a"), pair) is not None
    assert seen
    assert all(HttpRequest in mro for mro in seen)
