"""Test the project in docs/howto/tenants.md in which each tenant has its own database.

`test_variants` runs this module. In both databases, the user has the primary key 1.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import path
from rest_framework.response import Response

import drf_signet
from drf_signet import runtime, tenants, tokens
from drf_signet.authentication import JWTAuthentication
from drf_signet.models import Session
from drf_signet.sessions.ended import ended_sessions
from drf_signet.sessions.scopes import ScopedFeed, current_scope
from drf_signet.tokens import TokenPair
from tests.conftest import PASSWORD
from tests.support.endpoint_table import OBTAIN, REFRESH
from tests.support.tenant_hosts import GREETINGS, TOKEN_WAYS, Browser
from tests.urls import HelloView
from tests.urls import urlpatterns as base_urlpatterns

page: Any = importlib.import_module("mysite.tenants")

pytestmark = pytest.mark.django_db(databases=["default", "a", "b"])


class EmailView(HelloView):
    """Return the user's email address, which is not in the token."""

    def get(self, request: Any) -> Response:
        return Response({"email": request.user.email})


urlpatterns = [
    *(pattern for pattern in base_urlpatterns if getattr(pattern, "name", "") != "hello"),
    *GREETINGS,
    path("hello/", EmailView.as_view()),
]


@pytest.fixture(autouse=True)
def users(settings: Any) -> dict[str, Any]:
    """Create one user for each tenant, in the tenant's database."""
    settings.ROOT_URLCONF = __name__
    created = {}
    for name in ("a", "b"):
        with page.serving(name):
            manager: Any = get_user_model()._default_manager
            created[name] = manager.create_user("alice", f"alice@{name}", PASSWORD, pk=1)
    return created


@contextmanager
def captured() -> Iterator[list[CaptureQueriesContext]]:
    with ExitStack() as stack:
        yield [stack.enter_context(CaptureQueriesContext(c)) for c in connections.all()]


def log_in(name: str, user: Any) -> TokenPair:
    with page.serving(name):
        return drf_signet.issue(user)


@pytest.mark.parametrize("way", TOKEN_WAYS)
@pytest.mark.parametrize("warm", [False, True], ids=["new", "used"])
def test_token_is_refused_for_another_tenant_without_sql(
    users: dict[str, Any], way: str, warm: bool
) -> None:
    pair = log_in("a", users["a"])
    if warm:
        assert TOKEN_WAYS["view"](Browser("a"), pair).json() == {"email": "alice@a"}
    with captured() as queries:
        answer = TOKEN_WAYS[way](Browser("b"), pair)
    assert (answer.status_code, answer.json()["reason"]) == (401, "invalid")
    assert sum(map(len, queries)) == 0
    assert Session.objects.using("a").get().end_reason == ""


@pytest.mark.parametrize("way", TOKEN_WAYS)
def test_token_is_accepted_for_its_own_tenant(users: dict[str, Any], way: str) -> None:
    for name, user in users.items():
        answer = TOKEN_WAYS[way](Browser(name), log_in(name, user))
        assert answer.status_code in (200, 204)


def test_login_writes_the_session_to_the_database_of_the_tenant() -> None:
    body = {"username": "alice", "password": PASSWORD}
    pair = Browser("b").send("post", OBTAIN.url, body).json()
    assert not Session.objects.using("a").exists()
    assert Session.objects.using("b").count() == 1
    assert Browser("b").get("/hello/", pair["access"]).json() == {"email": "alice@b"}


def test_session_of_another_database_is_not_ended(users: dict[str, Any]) -> None:
    pair = log_in("a", users["a"])
    with page.serving("b"):
        assert drf_signet.end(pair.session.pk) is False
        assert drf_signet.end(pair.session) is False
    assert Session.objects.using("a").get().end_reason == ""


def test_refresh_token_from_before_the_setting_is_accepted_in_its_own_database_alone(
    users: dict[str, Any], settings: Any
) -> None:
    signet, settings.SIGNET = settings.SIGNET, {}
    old = log_in("a", users["a"])
    settings.SIGNET = signet
    with page.serving("a"):
        assert tenants.has_own_table("a")
    for way in ("refresh", "verification of a refresh token", "logout"):
        assert TOKEN_WAYS[way](Browser("b"), old).status_code in (204, 401)
        assert Session.objects.using("a").get().end_reason == ""
    refreshed = Browser("a").send("post", REFRESH.url, {"refresh": old.refresh})
    assert refreshed.status_code == 200
    with page.serving("a"):
        assert tokens.verify_access(refreshed.json()["access"], now=runtime.now()).tenant == "a"
    assert TOKEN_WAYS["view"](Browser("a"), old).status_code == 401


def test_token_without_a_tenant_is_not_issued(users: dict[str, Any]) -> None:
    with pytest.raises(LookupError):
        drf_signet.issue(users["a"])


def test_each_database_is_polled_for_itself(users: dict[str, Any]) -> None:
    ended_sessions.alone = False  # the fixture signet_deterministic restores this flag
    runtime.current.cache_clear()
    pairs = {name: log_in(name, user) for name, user in users.items()}
    for name, pair in pairs.items():
        with captured() as queries:
            assert TOKEN_WAYS["list of sessions"](Browser(name), pair).status_code == 200
        polled = [q.connection.alias for q in queries if any("ended_at >" in s["sql"] for s in q)]
        assert polled == [name]
    feed = runtime.current().feed
    assert isinstance(feed, ScopedFeed)
    assert len(feed) == 2


def test_lazy_user_is_not_loaded_from_another_database(users: dict[str, Any]) -> None:
    pair = log_in("a", users["a"])
    request: Any = RequestFactory().get("/", headers={"authorization": f"Bearer {pair.access}"})
    with page.serving("a"):
        assert current_scope() == ("a", None)
        authenticated = JWTAuthentication().authenticate(request)
        assert authenticated is not None
    with page.serving("b"), pytest.raises(RuntimeError, match="has switched"):
        assert authenticated[0].email
    with page.serving("a"):
        assert authenticated[0].email == "alice@a"
