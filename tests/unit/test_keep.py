"""Test `drf_signet.keep`, which keeps the session of the request that changes the password.

Each test sends real requests, because the session of a request that does not call `keep` ends when
the request is finished.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.asgi import get_asgi_application
from django.db import DatabaseError, IntegrityError, connection, connections
from django.test import AsyncClient, RequestFactory
from rest_framework.test import APIClient

import drf_signet
from drf_signet import Session, flows
from drf_signet.compat.simplejwt import alias as _alias
from drf_signet.compat.simplejwt.tokens import RefreshToken
from drf_signet.models import EndReason
from drf_signet.sessions.ended import ended_sessions
from drf_signet.testing import browser_client
from drf_signet.tokens import TokenPair
from drf_signet.users import own_session
from tests.conftest import PASSWORD
from tests.support.password_views import (
    KEEPS,
    NEW,
    SAVES,
    do_not_keep,
    end_all_instead,
    keep_after,
    keep_before,
    keep_without_a_change,
    set_password,
)
from tests.support.session_states import ADOPTING, legacy_token

pytestmark = pytest.mark.django_db
_alias.install()  # so that the default of AUTH_TOKEN_CLASSES can be imported


@pytest.fixture(autouse=True)
def _project(settings: Any) -> Iterator[None]:
    settings.ROOT_URLCONF = "tests.support.password_views"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "drf_signet.middleware.JWTMiddleware"]
    yield
    own_session.forget()


@pytest.fixture(params=["token", "token with rotation", "cookie"])
def pair(request: pytest.FixtureRequest, user: Any, settings: Any) -> TokenPair:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": request.param == "token with rotation"}
    return drf_signet.issue(user, transport=request.param.split()[0])


def bearer(pair: TokenPair) -> dict[str, str]:
    return {"authorization": f"Bearer {pair.access}"}


def send(url: str, pair: TokenPair, *, order: Any = keep_before, save: Any = set_password) -> Any:
    query = f"?order={order.__name__}&save={save.__name__}"
    answer = APIClient().post(f"/{url}/{query}", headers=bearer(pair))
    assert answer.status_code == 200, answer.content
    return answer.json()["kept"]


def is_valid(pair: TokenPair) -> bool:
    """Return whether the access token and the refresh token of a session both work."""
    hello = APIClient().get("/hello/", headers=bearer(pair)).status_code
    refreshed = flows.refresh(pair.refresh, transport=pair.session.transport)
    assert (hello == 200) is isinstance(refreshed, TokenPair)
    return hello == 200


def reasons() -> list[str]:
    return list(Session.objects.order_by("created_at", "id").values_list("end_reason", flat=True))


@pytest.mark.parametrize("url", ["drf", "alias", "plain", "async"])
@pytest.mark.parametrize("order", KEEPS)
def test_session_that_is_kept_stays_valid_and_all_others_end(
    url: str, order: Any, user: Any, pair: TokenPair
) -> None:
    others = [drf_signet.issue(user), drf_signet.issue(user, transport="cookie")]
    assert send(url, pair, order=order)
    assert is_valid(pair)
    assert [is_valid(other) for other in others] == [False, False]
    assert sorted(reasons()) == ["", "password_changed", "password_changed"]


@pytest.mark.parametrize("save", SAVES)
@pytest.mark.parametrize("order", KEEPS)
def test_session_is_kept_by_every_way_to_save_the_password(
    save: Any, order: Any, user: Any, pair: TokenPair
) -> None:
    assert send("drf", pair, order=order, save=save)
    assert is_valid(pair)
    user.refresh_from_db()
    assert user.check_password(NEW)


@pytest.mark.parametrize("url", ["drf", "alias", "plain", "async"])
@pytest.mark.parametrize("save", SAVES)
def test_session_that_is_not_kept_ends_with_its_request(
    url: str, save: Any, pair: TokenPair
) -> None:
    assert not send(url, pair, order=do_not_keep, save=save)
    assert reasons() == ["password_changed"]
    assert not is_valid(pair)


def test_session_that_the_view_ends_keeps_its_reason(pair: TokenPair) -> None:
    send("drf", pair, order=end_all_instead)
    assert reasons() == ["logout_all"]


def test_keep_without_a_new_password_changes_nothing(user: Any, pair: TokenPair) -> None:
    other = drf_signet.issue(user)
    assert send("drf", pair, order=keep_without_a_change)
    assert is_valid(pair)
    assert is_valid(other)


def test_session_is_kept_if_the_password_cannot_be_written_before_the_save(
    pair: TokenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compare encrypted columns, for example: no row has the value that was read."""
    monkeypatch.setattr("drf_signet.users.changes.stamps.save_password", lambda *a, **kw: False)
    assert send("drf", pair)
    assert is_valid(pair)


@pytest.mark.django_db(transaction=True)
def test_save_that_fails_outside_of_a_transaction_changes_no_password(
    user: Any, make_user: Any
) -> None:
    taken, request = make_user().username, RequestFactory().get("/")
    own_session.attach(request, str(drf_signet.issue(user).session.pk))
    assert drf_signet.keep(request)
    user.username = taken
    with pytest.raises(IntegrityError):
        set_password(user)
    assert type(user).objects.get(pk=user.pk).check_password(PASSWORD)


def test_session_is_kept_for_one_request_only(user: Any, pair: TokenPair) -> None:
    assert send("drf", pair)
    set_password(user)
    assert reasons() == ["password_changed"]


def test_keep_on_the_event_loop_before_the_save_runs_no_query(pair: TokenPair) -> None:
    answer = async_to_sync(AsyncClient().post)("/loop/", headers=bearer(pair))
    assert json.loads(answer.content) == {"kept": True}
    assert is_valid(pair)


@pytest.mark.django_db(transaction=True)  # Django's test client closes requests in other threads
@pytest.mark.parametrize("order", ["keep_before", "keep_after", "do_not_keep"])
@pytest.mark.parametrize("url", ["drf", "alias", "plain", "async"])
def test_keep_works_under_asgi(url: str, order: str, pair: TokenPair) -> None:
    sent = async_to_sync(AsyncClient().post)
    answer = sent(f"/{url}/?order={order}&save=set_password", headers=bearer(pair))
    kept = order != "do_not_keep"
    assert json.loads(answer.content) == {"kept": kept}
    assert is_valid(pair) is kept


def test_session_of_an_access_cookie_is_kept(user: Any, settings: Any) -> None:
    settings.SIGNET = {"COOKIE": {"ACCESS_NAME": "access-token"}}
    client = browser_client(user)
    assert client.post("/drf/?order=keep_after&save=set_password").json() == {"kept": True}
    assert client.get("/hello/").status_code == 200
    assert client.post("/auth/refresh/").status_code == 200


def test_session_of_a_token_object_of_simplejwts_api_is_kept(user: Any) -> None:
    refresh = RefreshToken.for_user(user)
    headers = {"authorization": f"Bearer {refresh.access_token}"}
    answer = APIClient().post("/alias/?order=keep_after&save=set_password", headers=headers)
    assert answer.json() == {"kept": True}
    RefreshToken(str(refresh)).check_blacklist()


def test_keep_without_a_session_returns_false(user: Any) -> None:
    client = APIClient()
    assert client.post("/open/").json() == {"kept": False}
    client.force_login(user)
    assert client.post("/open/").json() == {"kept": False}
    client.force_authenticate(user)
    assert client.post("/open/").json() == {"kept": False}
    assert not drf_signet.keep(RequestFactory().get("/"))


@pytest.mark.parametrize("url", ["drf", "alias", "plain"])
def test_keep_with_a_legacy_access_token_returns_false(url: str, user: Any, settings: Any) -> None:
    settings.SIGNET = ADOPTING
    headers = {"authorization": f"Bearer {legacy_token(user, token_type='access')}"}
    answer = APIClient().post(f"/{url}/?order=keep_after&save=set_password", headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"kept": False})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("order", ["keep_after", "do_not_keep"])
@pytest.mark.parametrize("url", ["drf", "plain", "async"])
def test_asgi_application_ends_the_session_that_is_not_kept(
    url: str, order: str, user: Any
) -> None:
    pair = drf_signet.issue(user)
    query = f"order={order}&save=set_password"
    sent = async_to_sync(request_asgi_application)(f"/{url}/", query, pair.access)
    kept = order != "do_not_keep"
    assert (sent[0]["status"], json.loads(sent[1]["body"])) == (200, {"kept": kept})
    assert is_valid(pair) is kept


async def request_asgi_application(path: str, query: str, access: str) -> list[Any]:
    """Send a POST request to Django's ASGI application; return the messages that it sends."""
    headers = [(b"authorization", f"Bearer {access}".encode()), (b"host", b"testserver")]
    scope: Any = {"type": "http", "method": "POST", "path": path, "headers": headers}
    scope |= {"query_string": query.encode()}
    received: list[Any] = [{"type": "http.request", "body": b""}]
    sent: list[Any] = []

    async def receive() -> Any:
        if received:
            return received.pop()
        return await asyncio.Event().wait()  # the client does not disconnect

    async def send(message: Any) -> None:
        sent.append(message)

    await get_asgi_application()(scope, receive, send)
    await sync_to_async(connections.close_all)()
    return sent


def test_change_that_is_rolled_back_ends_no_session(pair: TokenPair) -> None:
    APIClient().post("/failing/", headers=bearer(pair))
    assert is_valid(pair)


def test_new_password_of_another_user_ends_that_users_sessions_at_once(
    make_user: Callable[..., Any], pair: TokenPair
) -> None:
    other = drf_signet.issue(make_user(username="other"))
    APIClient().post("/others/?username=other", headers=bearer(pair))
    assert is_valid(pair)
    assert not is_valid(other)


def test_deactivation_ends_the_session_although_it_is_kept(pair: TokenPair) -> None:
    APIClient().post("/deactivate/", headers=bearer(pair))
    assert reasons() == ["user_inactive"]


@pytest.mark.parametrize("order", [keep_before, keep_after])
def test_failing_database_is_reported_and_the_password_stays(
    order: Any, user: Any, pair: TokenPair
) -> None:
    def fail(execute: Any, sql: str, *rest: Any) -> Any:
        if "password_stamp" in sql and sql.startswith("UPDATE"):
            raise DatabaseError
        return execute(sql, *rest)

    with connection.execute_wrapper(fail), pytest.raises(DatabaseError):
        send("drf", pair, order=order)


def test_failed_end_after_the_request_is_logged_and_the_next_refresh_ends_the_session(
    pair: TokenPair, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*call: Any, **more: Any) -> None:
        raise DatabaseError

    with monkeypatch.context() as patched:
        patched.setattr("drf_signet.users.changes.store.end", fail)
        send("drf", pair, order=do_not_keep)
    assert "could not be ended after a new password" in caplog.text
    assert reasons() == [""]
    assert not isinstance(flows.refresh(pair.refresh, transport=pair.session.transport), TokenPair)
    assert reasons() == ["password_changed"]


def delete_all_sessions() -> None:
    Session.objects.all().delete()


def end_all_sessions() -> None:
    Session.objects.update(end_reason=EndReason.LOGOUT)


@pytest.mark.parametrize("gone", [delete_all_sessions, end_all_sessions])
def test_session_that_ended_before_keep_is_reported(gone: Any, user: Any, pair: TokenPair) -> None:
    request = RequestFactory().get("/")
    own_session.attach(request, str(pair.session.pk))
    set_password(user)
    assert reasons() == [""]
    gone()
    assert not drf_signet.keep(request)


def test_with_many_sessions_only_the_kept_session_stays_valid(
    user: Any, pair: TokenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drf_signet.sessions.endings.BATCH", 2)
    for _ in range(4):
        drf_signet.issue(user)
    assert send("drf", pair, order=keep_after)
    assert is_valid(pair)
    assert sorted(reasons()) == ["", *["password_changed"] * 4]
    assert len(ended_sessions.ended.keys() & {row.pk.int for row in Session.objects.all()}) == 4


@pytest.mark.parametrize("tenants", [False, True])
@pytest.mark.usefixtures("user")
def test_own_session_stays_valid_if_another_user_with_many_sessions_gets_a_password(
    pair: TokenPair, make_user: Any, monkeypatch: pytest.MonkeyPatch, settings: Any, tenants: bool
) -> None:
    monkeypatch.setattr("drf_signet.sessions.endings.BATCH", 2)
    other, request = make_user(username="service"), RequestFactory().get("/")
    for _ in range(4):
        drf_signet.issue(other)
    own_session.attach(request, str(pair.session.pk))
    if tenants:
        settings.SIGNET = {"TENANT": lambda request: None}
    assert drf_signet.keep(request)
    set_password(other)
    settings.SIGNET = {}
    assert is_valid(pair)
    assert sorted(reasons()) == ["", *["password_changed"] * 4]


@pytest.mark.parametrize(("order", "kept"), [(keep_before, True), (keep_after, False)])
def test_authentication_class_of_another_package_needs_keep_before_the_save(
    order: Any, kept: bool, user: Any, pair: TokenPair, settings: Any
) -> None:
    settings.MIDDLEWARE = settings.MIDDLEWARE[:-1]
    assert send("own-class", pair, order=order) is kept
    assert is_valid(pair) is kept


def test_legacy_token_with_an_authentication_class_of_another_package_is_not_kept(
    user: Any, settings: Any
) -> None:
    settings.SIGNET = ADOPTING
    headers = {"authorization": f"Bearer {legacy_token(user, token_type='access')}"}
    answer = APIClient().post("/own-class/?order=keep_before&save=set_password", headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"kept": False})


@pytest.mark.parametrize("order", [keep_before, keep_after, do_not_keep])
def test_with_tenants_the_session_ends_at_once_unless_it_was_kept_before_the_save(
    order: Any, user: Any, settings: Any
) -> None:
    settings.SIGNET = {"TENANT": lambda request: "acme"}
    pair, kept = drf_signet.issue(user), order is keep_before
    assert send("drf", pair, order=order) is kept
    assert is_valid(pair) is kept
