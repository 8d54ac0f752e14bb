"""Test requests to protected views: SQL statements, revocation, outages and the lazy user."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model, user_logged_in, user_logged_out
from django.contrib.auth.models import AnonymousUser, User
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from rest_framework import permissions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

import drf_signet
from drf_signet import runtime, tokens
from drf_signet.authentication import JWTAuthentication
from drf_signet.db.database import DbNow
from drf_signet.models import EndReason, Session
from drf_signet.sessions.ended import ended_sessions
from drf_signet.users.lazyuser import is_unfetched
from tests import usermodels
from tests.support.session_states import access_token
from tests.usermodels.models import KeyedByText, KeyedByUUID, Member

CHALLENGE = 'Bearer realm="api", error="invalid_token"'

View = type[APIView]


@pytest.fixture(scope="module", autouse=True)
def _installed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), usermodels.installed():
        yield


@pytest.fixture
def new_process() -> None:
    """Let the revocation feed query the database, as in a process that has just started."""
    ended_sessions.alone = False
    runtime.current.cache_clear()


class NameView(APIView):
    """View that returns the username, for which the user's row must be loaded."""

    permission_classes = (permissions.IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"username": request.user.get_username()})


class PkView(APIView):
    """View that returns the primary key, which the token already contains."""

    permission_classes: tuple[Any, ...] = (permissions.IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"pk": str(request.user.pk)})


class AdminView(PkView):
    permission_classes = (permissions.IsAdminUser,)


class ModelPermissionsView(PkView):
    permission_classes = (permissions.DjangoModelPermissions,)
    queryset = User.objects.none()
    http_method_names = ("get", "delete")

    def delete(self, request: Request) -> Response:
        return Response(status=204)


class ThrottledView(PkView):
    class Throttle(UserRateThrottle):
        rate = "1000/min"

    throttle_classes = (Throttle,)


class SerializerView(APIView):
    """View that reads the user's fields in a serializer."""

    permission_classes = (permissions.IsAuthenticated,)

    def get(self, request: Request) -> Response:
        class UserSerializer(serializers.ModelSerializer[Any]):
            class Meta:
                model = User
                fields = ("username", "email")

        return Response(UserSerializer(request.user).data)


class SavingView(APIView):
    permission_classes = (permissions.IsAuthenticated,)

    def get(self, request: Request) -> Response:
        user: Any = request.user
        user.first_name = "Ada"
        user.save()
        return Response()


class DeletingView(APIView):
    permission_classes = (permissions.IsAuthenticated,)

    def get(self, request: Request) -> Response:
        request.user.delete()
        return Response()


def header(token: str) -> dict[str, Any]:
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def call(view: View, token: str, **extra: Any) -> Any:
    response = view.as_view()(APIRequestFactory().get("/", **header(token), **extra))
    return response.render()


def hello(token: str) -> Any:
    return APIClient().get("/hello/", **header(token))


def refusal(answer: Any) -> tuple[int, str, str | None]:
    """Return the status, code and reason; check the WWW-Authenticate header of a 401."""
    if answer.status_code == 401:
        assert answer["WWW-Authenticate"] == CHALLENGE
    return answer.status_code, answer.data["code"], answer.data.get("reason")


ENDED = (401, "token_not_valid", "ended")
INACTIVE = (401, "user_inactive", None)
INVALID = (401, "token_not_valid", "invalid")


@contextmanager
def outage() -> Iterator[None]:
    """Make every statement that reads or writes sessions fail."""

    def fail(execute: Any, sql: str, *args: Any) -> Any:
        if Session._meta.db_table in sql:
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, *args)

    with connection.execute_wrapper(fail):
        yield


# SQL statements


def test_thousand_requests_within_one_interval_take_one_statement(
    user: Any, client: APIClient, new_process: None, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": 3599}
    client.credentials(**header(drf_signet.issue(user).access))
    with django_assert_num_queries(1):
        assert client.get("/hello/").status_code == 200
    with django_assert_num_queries(0):
        assert {client.get("/hello/").status_code for _ in range(1000)} == {200}


@pytest.mark.parametrize(
    ("view", "statements"),
    [
        (PkView, 0),
        (ThrottledView, 0),
        (NameView, 1),
        (SerializerView, 1),
        (AdminView, 1),
        (ModelPermissionsView, 0),
    ],
)
def test_request_takes_one_statement_if_the_view_reads_the_user_and_none_otherwise(
    view: View, statements: int, make_user: Callable[..., Any], django_assert_num_queries: Any
) -> None:
    token = drf_signet.issue(make_user(is_staff=True)).access
    for _ in range(2):
        with django_assert_num_queries(statements):
            assert call(view, token).status_code == 200


def test_fresh_user_takes_one_statement(
    user: Any, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.SIGNET = {"USER_LOADING": "fresh"}
    token = drf_signet.issue(user).access
    for view in (PkView, NameView):
        with django_assert_num_queries(1):
            assert call(view, token).status_code == 200


@pytest.mark.parametrize("token", ["", "a.b.c", "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.e30.AAAA"])
def test_malformed_or_forged_token_is_refused_without_a_statement(
    token: str, db: None, new_process: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert refusal(hello(token)) == INVALID


def test_expired_token_is_refused_without_a_statement(
    db: None, new_process: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        answer = hello(access_token(exp=int(time.time())))
    assert refusal(answer) == (401, "token_not_valid", "expired")


def test_request_without_a_token_is_401_without_error_and_without_a_statement(
    db: None, client: APIClient, new_process: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/hello/")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


def test_poll_interval_of_zero_takes_one_statement_per_request(
    user: Any, new_process: None, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": 0}
    token = drf_signet.issue(user).access
    with django_assert_num_queries(3):
        assert {hello(token).status_code for _ in range(3)} == {200}


def test_request_takes_no_statement_if_the_poll_interval_is_none(
    user: Any, new_process: None, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": None}
    token = drf_signet.issue(user).access
    with django_assert_num_queries(0):
        assert hello(token).status_code == 200


# Revocation


def end_elsewhere(session: Session, *, seconds_ago: float = 0) -> None:
    """End a session in the database only, as if another process had ended it."""
    at = DbNow() - timedelta(seconds=seconds_ago)
    Session.objects.filter(pk=session.pk).update(ended_at=at, end_reason=EndReason.LOGOUT)


ENDINGS: Mapping[str, Callable[[Any, Session], object]] = {
    "another process": lambda user, session: end_elsewhere(session),
    "user deleted": lambda user, session: get_user_model().objects.get().delete(),
    "queryset of users deleted": lambda user, session: get_user_model().objects.all().delete(),
    "session row deleted": lambda user, session: session.delete(),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
def test_ended_session_is_refused_at_once_with_a_poll_interval_of_zero(
    end: Callable[[Any, Session], object], user: Any, new_process: None, settings: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": 0}
    pair = drf_signet.issue(user)
    assert hello(pair.access).status_code == 200
    end(user, pair.session)
    assert refusal(hello(pair.access)) == ENDED


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", [name for name in ENDINGS if name != "session row deleted"])
def test_ended_session_is_refused_after_the_next_poll(
    name: str, user: Any, new_process: None, settings: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": timedelta(microseconds=1)}
    pair = drf_signet.issue(user)
    assert hello(pair.access).status_code == 200
    ENDINGS[name](user, pair.session)
    assert refusal(hello(pair.access)) == ENDED


def test_session_ended_by_another_process_is_accepted_until_the_next_poll(
    user: Any, new_process: None, settings: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": 3599}
    pair = drf_signet.issue(user)
    assert hello(pair.access).status_code == 200
    end_elsewhere(pair.session)
    assert hello(pair.access).status_code == 200


def test_other_sessions_of_the_user_stay_valid_after_one_ends(user: Any) -> None:
    ended, other = drf_signet.issue(user), drf_signet.issue(user)
    drf_signet.end(ended.session)
    assert refusal(hello(ended.access)) == ENDED
    assert hello(other.access).status_code == 200


def test_every_access_token_of_an_ended_session_is_refused(user: Any, client: APIClient) -> None:
    pair = drf_signet.issue(user)
    refreshed_token = client.post("/api/token/refresh/", {"refresh": pair.refresh}).data["access"]
    client.post("/api/token/logout/", {"refresh": pair.refresh})
    assert refusal(hello(pair.access)) == refusal(hello(refreshed_token)) == ENDED


def test_request_inside_a_broken_transaction_is_served(
    user: Any, settings: Any, new_process: None
) -> None:
    token = drf_signet.issue(user).access
    with transaction.atomic():
        transaction.set_rollback(True)
        answer = call(PkView, token)
        transaction.set_rollback(False)
    assert answer.status_code == 200


@pytest.mark.parametrize(("beyond", "queries"), [(0, 0), (1, 1)])
def test_session_of_a_token_that_outlives_the_memory_of_the_feed_is_looked_up_once_per_interval(
    beyond: int,
    queries: int,
    user: Any,
    settings: Any,
    new_process: None,
    django_assert_num_queries: Any,
) -> None:
    """Such tokens exist if, for example, ACCESS_TOKEN_LIFETIME was longer in the past."""
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": 3599}
    pair, now = drf_signet.issue(user), int(time.time())
    assert hello(pair.access).status_code == 200
    lifetime = runtime.current().rules.remembered_lifetime + beyond
    token = access_token(user_id=user.pk, sid=str(pair.session.pk), iat=now, exp=now + lifetime)
    with django_assert_num_queries(queries):
        assert {hello(token).status_code for _ in range(3)} == {200}


@pytest.mark.parametrize("seconds_ago", [1, 2 * 3600])
def test_long_lived_token_stays_refused_after_the_feed_forgot_the_end_of_its_session(
    seconds_ago: float, user: Any, new_process: None
) -> None:
    session, now = drf_signet.issue(user).session, int(time.time())
    end_elsewhere(session, seconds_ago=seconds_ago)
    token = access_token(user_id=user.pk, sid=str(session.pk), iat=now - 3 * 3600, exp=now + 1800)
    assert refusal(hello(token)) == ENDED


def test_outage_is_503_for_a_long_lived_token(user: Any, new_process: None) -> None:
    session, now = drf_signet.issue(user).session, int(time.time())
    token = access_token(user_id=user.pk, sid=str(session.pk), iat=now, exp=now + 86400)
    with outage():
        assert unavailable(hello(token))
    assert hello(token).status_code == 200


def test_end_of_a_session_is_remembered_for_the_leeway_too(
    user: Any, settings: Any, new_process: None
) -> None:
    """Test an issuer whose clock is ahead by the leeway, so that its tokens stay valid longer."""
    settings.SIGNET = {"LEEWAY": 600, "ACCESS_TOKEN_LIFETIME": timedelta(hours=1)}
    session, now = drf_signet.issue(user).session, int(time.time())
    end_elsewhere(session, seconds_ago=4700)
    iat = now - 4700 + 600
    token = access_token(user_id=user.pk, sid=str(session.pk), iat=iat, exp=iat + 3600)
    assert refusal(hello(token)) == ENDED


def test_leeway_does_not_extend_the_remembered_lifetime_of_a_token(settings: Any) -> None:
    """The leeway allows for clocks that differ, not for longer lifetimes."""
    before = runtime.current().rules.remembered_lifetime
    settings.SIGNET = {"LEEWAY": 600}
    assert runtime.current().rules.remembered_lifetime == before == 360


def test_lifetime_with_a_fraction_of_a_second_is_accepted_at_every_instant(
    user: Any, settings: Any
) -> None:
    settings.SIGNET = {"ACCESS_TOKEN_LIFETIME": timedelta(hours=2, milliseconds=500)}
    session, now = drf_signet.issue(user).session, int(time.time()) - 1
    for fraction in (0.0, 0.25, 0.5, 0.75):  # rounding may extend a lifetime by 0.5 s
        token = tokens.mint_pair(session, 0, now=now + fraction).access
        assert hello(token).status_code == 200


def test_legacy_access_token_is_accepted_until_adopt_tokens_until(
    user: Any, settings: Any, new_process: None, django_assert_num_queries: Any
) -> None:
    payload = {"token_type": "access", "exp": int(time.time()) + 300, "jti": uuid.uuid4().hex}
    token = runtime.current().codec.encode({**payload, "user_id": user.pk})
    assert refusal(hello(token)) == INVALID
    settings.SIGNET = {"ADOPT_TOKENS_UNTIL": timezone.now() + timedelta(days=1)}
    with django_assert_num_queries(0):
        assert hello(token).status_code == 200
    settings.SIGNET = {"ADOPT_TOKENS_UNTIL": timezone.now()}
    assert refusal(hello(token)) == INVALID


def test_end_of_a_session_is_remembered_for_the_whole_access_token_lifetime(
    user: Any, settings: Any, new_process: None
) -> None:
    settings.SIGNET = {"ACCESS_TOKEN_LIFETIME": timedelta(hours=5)}
    pair = drf_signet.issue(user)
    assert hello(pair.access).status_code == 200
    end_elsewhere(pair.session, seconds_ago=4 * 3600)
    runtime.current.cache_clear()
    assert refusal(hello(pair.access)) == ENDED


# Outages


def unavailable(answer: Any) -> bool:
    """Return whether the response is the 503 that reports an outage; check the response headers."""
    assert "WWW-Authenticate" not in answer
    assert int(answer["Retry-After"]) > 0
    return refusal(answer) == (503, "service_unavailable", None)


@pytest.mark.parametrize("interval", [0, 1])
def test_outage_is_503_and_never_401(
    interval: float, user: Any, new_process: None, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": interval}
    token = drf_signet.issue(user).access
    with outage():
        assert all(unavailable(hello(token)) for _ in range(3))
        assert unavailable(APIClient().post("/api/token/verify/", {"token": token}))
    assert token not in caplog.text


def test_request_succeeds_again_after_an_outage(
    user: Any, new_process: None, settings: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": timedelta(microseconds=1)}
    token = drf_signet.issue(user).access
    with outage():
        assert unavailable(hello(token))
    assert hello(token).status_code == 200


def test_last_poll_is_used_during_an_outage(user: Any, new_process: None, settings: Any) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": timedelta(microseconds=1)}
    local, remote, live = (drf_signet.issue(user) for _ in range(3))
    end_elsewhere(remote.session)
    assert hello(live.access).status_code == 200
    with outage():
        assert hello(live.access).status_code == 200
        assert refusal(hello(remote.access)) == ENDED
        ended_sessions.mark([local.session.pk], keep=3600)
        assert refusal(hello(local.access)) == ENDED


def test_invalid_token_is_401_during_an_outage(db: None, new_process: None) -> None:
    with outage():
        assert refusal(hello("a.b.c")) == INVALID


# The lazy user


VIEWS_THAT_READ_THE_USER = [NameView, AdminView, SerializerView, SavingView, DeletingView]


@pytest.mark.parametrize("view", VIEWS_THAT_READ_THE_USER)
def test_deleted_user_is_401_when_the_view_reads_the_user(view: View, user: Any) -> None:
    token = drf_signet.issue(user).access
    type(user).objects.filter(pk=user.pk)._raw_delete("default")
    assert refusal(call(view, token)) == ENDED
    assert not User.objects.exists()


@pytest.mark.parametrize("view", VIEWS_THAT_READ_THE_USER)
def test_inactive_user_is_401_when_the_view_reads_the_user(view: View, user: Any) -> None:
    token = drf_signet.issue(user).access
    User.objects.update(is_active=False)
    assert refusal(call(view, token)) == INACTIVE
    assert User.objects.filter(first_name="").exists()


def test_deleted_user_is_401_when_model_permissions_read_the_user(user: Any) -> None:
    token = drf_signet.issue(user).access
    type(user).objects.filter(pk=user.pk)._raw_delete("default")
    request = APIRequestFactory().delete("/", **header(token))
    assert refusal(ModelPermissionsView.as_view()(request)) == ENDED


def test_inactive_user_is_accepted_if_the_view_does_not_read_the_user(user: Any) -> None:
    token = drf_signet.issue(user).access
    User.objects.update(is_active=False)
    assert call(PkView, token).data == {"pk": str(user.pk)}


@pytest.mark.parametrize("view", [PkView, NameView])
def test_fresh_user_is_refused_before_the_view_if_deleted_or_inactive(
    view: View, user: Any, settings: Any
) -> None:
    settings.SIGNET = {"USER_LOADING": "fresh"}
    token = drf_signet.issue(user).access
    User.objects.update(is_active=False)
    assert refusal(call(view, token)) == INACTIVE
    type(user).objects.filter(pk=user.pk)._raw_delete("default")
    assert refusal(call(view, token)) == ENDED


def test_lazy_user_can_be_saved_and_deleted(user: Any) -> None:
    pair = drf_signet.issue(user)
    assert call(SavingView, pair.access).status_code == 200
    user.refresh_from_db()
    assert user.first_name == "Ada"
    assert call(DeletingView, pair.access).status_code == 200
    assert not User.objects.exists()
    assert Session.objects.get().end_reason == EndReason.USER_DELETED
    assert refusal(call(PkView, pair.access)) == ENDED


class Captured(PkView):
    """View that keeps its request, so that a test can read the request later."""

    requests: list[Request]

    def get(self, request: Request) -> Response:
        self.requests.append(request)
        return super().get(request)


@pytest.fixture
def captured() -> list[Request]:
    Captured.requests = []
    return Captured.requests


def test_request_user_and_auth_come_from_the_token(user: Any, captured: list[Request]) -> None:
    pair = drf_signet.issue(user, claims={"role": "reader"})
    call(Captured, pair.access)
    [request] = captured
    assert is_unfetched(request.user)
    assert request.user == user
    assert request._request.user is request.user
    assert isinstance(request.successful_authenticator, JWTAuthentication)
    claims: Any = request.auth
    assert claims["user_id"] == user.pk
    assert claims["sid"] == str(pair.session.pk)
    assert claims["role"] == "reader"
    assert dict(claims) == {name: claims[name] for name in claims}
    with pytest.raises(TypeError):
        claims["role"] = "writer"


@pytest.mark.parametrize("deleted", [True, False])
def test_deleted_or_inactive_user_is_anonymous_when_read_after_the_view(
    deleted: bool, user: Any, captured: list[Request]
) -> None:
    call(Captured, drf_signet.issue(user).access)
    User.objects.all()._raw_delete("default") if deleted else User.objects.update(is_active=False)
    [request] = captured
    assert request._request.user.username == ""
    assert isinstance(request._request.user, AnonymousUser)
    assert not request.user.is_authenticated


def test_user_is_loaded_when_read_after_the_view(
    user: Any, captured: list[Request], django_assert_num_queries: Any
) -> None:
    call(Captured, drf_signet.issue(user).access)
    with django_assert_num_queries(1):
        assert captured[0]._request.user.username == user.username


# Views with an attribute named `response`


class AttributeView(NameView):
    """View whose class attribute `response` is the response to an earlier request."""

    response: Any = Response({"static": True})


class MethodView(NameView):
    def response(self) -> Response:  # type: ignore[override]
        return Response()


class PropertyView(NameView):
    """View with a property `response`, which replaces the attribute that DRF sets."""

    answer: Any = None

    @property
    def response(self) -> Any:
        return self.answer or Response({"username": self.request.user.get_username()})

    @response.setter
    def response(self, answer: Any) -> None:
        self.answer = answer


class PreparedView(NameView):
    """View that sets its response before it reads the user."""

    response: Any
    prepared: Callable[[Any], Any]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.response = type(self).prepared(self)
        super().initial(request, *args, **kwargs)


#: Description of a response → a function that takes a view and returns the response.
PREPARED: Mapping[str, Callable[[Any], Any]] = {
    "a new response": lambda view: Response({"username": ""}),
    "a response of an earlier request": lambda view: AttributeView.response,
    "a plain response": lambda view: HttpResponse(),
    "a plain response with the view's headers": lambda view: HttpResponse(
        headers={name: value[:1] + value[1:] for name, value in view.headers.items()}
    ),
    "a string": lambda view: "prepared",
}


def _with_response(name: str) -> View:
    return type("Prepared", (PreparedView,), {"prepared": staticmethod(PREPARED[name])})


VIEWS_WITH_A_RESPONSE = {
    "attribute": AttributeView,
    "method": MethodView,
    "property": PropertyView,
    **{name: _with_response(name) for name in PREPARED},
}
with_a_response = pytest.mark.parametrize(
    "view", VIEWS_WITH_A_RESPONSE.values(), ids=VIEWS_WITH_A_RESPONSE.keys()
)


@with_a_response
@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "inactive"])
def test_deleted_or_inactive_user_is_401_if_the_view_has_an_attribute_named_response(
    deleted: bool, view: View, user: Any
) -> None:
    token = drf_signet.issue(user).access
    request = APIRequestFactory().get("/", **header(token))
    AttributeView.response.renderer_context = {"request": request}  # as after an earlier request
    assert call(view, token).status_code == 200
    User.objects.all()._raw_delete("default") if deleted else User.objects.update(is_active=False)
    assert refusal(call(view, token)) == (ENDED if deleted else INACTIVE)


@with_a_response
def test_permission_of_a_view_with_a_response_refuses_an_inactive_user(
    view: View, make_user: Callable[..., Any]
) -> None:
    class ForAdministrators(view):  # type: ignore[misc,valid-type]
        permission_classes = (permissions.IsAdminUser,)

    token = drf_signet.issue(make_user(is_staff=True)).access
    assert call(ForAdministrators, token).status_code == 200
    User.objects.update(is_active=False)
    assert refusal(call(ForAdministrators, token)) == INACTIVE


class CapturedFile(Captured):
    """View that returns Django's HttpResponse instead of DRF's Response."""

    def get(self, request: Request) -> Any:
        self.requests.append(request)
        return HttpResponse("file")


class CapturedPrepared(Captured, PreparedView):
    prepared = staticmethod(PREPARED["a plain response"])


@pytest.mark.parametrize("view", [CapturedFile, CapturedPrepared])
def test_inactive_user_is_anonymous_after_a_view_with_any_kind_of_response(
    view: View, user: Any, captured: list[Request]
) -> None:
    request = APIRequestFactory().get("/", **header(drf_signet.issue(user).access))
    assert view.as_view()(request).status_code == 200
    User.objects.update(is_active=False)
    assert captured[0].user.username == ""
    assert isinstance(captured[0].user, AnonymousUser)


class Tenants(JWTAuthentication):
    def get_user_queryset(self) -> QuerySet[Any]:
        return super().get_user_queryset().filter(username__startswith="tenant-")


def test_get_user_queryset_can_exclude_users(make_user: Callable[..., Any]) -> None:
    class TenantView(NameView):
        authentication_classes = (Tenants,)

    inside, outside = make_user(username="tenant-1"), make_user(username="somebody")
    answer = call(TenantView, drf_signet.issue(inside).access)
    assert answer.data == {"username": "tenant-1"}
    assert refusal(call(TenantView, drf_signet.issue(outside).access)) == ENDED


# DRF's browsable API


def page(token: str) -> Any:
    return APIClient().get("/hello/", HTTP_ACCEPT="text/html", **header(token))


def test_web_interface_loads_the_user_before_the_view_and_shows_the_username(
    user: Any, django_assert_num_queries: Any
) -> None:
    token = drf_signet.issue(user).access
    with django_assert_num_queries(1):
        answer = page(token)
    assert answer.status_code == 200
    assert user.username in answer.content.decode()


@pytest.mark.parametrize("deleted", [True, False])
def test_web_interface_is_401_for_a_deleted_or_inactive_user(deleted: bool, user: Any) -> None:
    token = drf_signet.issue(user).access
    User.objects.all()._raw_delete("default") if deleted else User.objects.update(is_active=False)
    answer = page(token)
    assert refusal(answer) == (ENDED if deleted else INACTIVE)
    assert answer["Content-Type"].startswith("text/html")


def test_web_interface_is_401_without_a_token(db: None, client: APIClient) -> None:
    assert client.get("/hello/", HTTP_ACCEPT="text/html").status_code == 401


# Other user models


@pytest.mark.parametrize("model", [KeyedByUUID, KeyedByText, Member])
def test_user_of_another_model_is_identified_loaded_and_refused(
    model: type[Any], db: None, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.AUTH_USER_MODEL = model._meta.label
    key = {"code": "ada-1"} if model is KeyedByText else {}
    model(username="ada", is_staff=True, **key).save()
    user = model.objects.get()
    token = access_token(user_id=user.pk if model is Member else str(user.pk))
    with django_assert_num_queries(0):
        assert call(PkView, token).data == {"pk": str(user.pk)}
    with django_assert_num_queries(2):
        assert call(NameView, token).data == {"username": "ada"}
        assert call(AdminView, token).status_code == 200
    model.objects.update(is_active=False)
    assert refusal(call(NameView, token)) == INACTIVE
    model.objects.all().delete()
    assert refusal(call(NameView, token)) == ENDED


def test_user_is_identified_by_the_field_of_user_id_field(
    db: None, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.SIGNET = {"USER_ID_FIELD": "username"}
    user = User.objects.create_user("ada")
    token = access_token(user_id=user.username)
    with django_assert_num_queries(1):
        assert call(PkView, token).data == {"pk": str(user.pk)}


# Signals


@pytest.fixture
def senders() -> Iterator[list[Any]]:
    """Return a list of the senders of login and logout signals.

    Signals from senders other than `User` are not recorded.
    """
    received: list[Any] = []

    def receive(*, sender: Any, user: Any, **sent: Any) -> None:
        received.append(sender)

    for signal in (user_logged_in, user_logged_out):
        signal.connect(receive, sender=User)
    yield received
    for signal in (user_logged_in, user_logged_out):
        signal.disconnect(receive, sender=User)


def test_logout_everywhere_sends_the_signal_with_the_user_model_as_sender(
    user: Any, client: APIClient, senders: list[Any]
) -> None:
    answer = client.post("/api/token/logout/all/", **header(drf_signet.issue(user).access))
    assert answer.status_code == 204
    assert senders == [User]


def test_logout_of_a_deleted_user_sends_no_signal_with_the_user_model_as_sender(
    user: Any, client: APIClient, senders: list[Any]
) -> None:
    pair = drf_signet.issue(user)
    User.objects.all()._raw_delete("default")
    assert client.post("/api/token/logout/", {"refresh": pair.refresh}).status_code == 204
    assert senders == []
    assert refusal(hello(pair.access)) == ENDED


def test_login_of_a_lazy_user_sends_the_signal_with_the_user_model_as_sender(
    user: Any, senders: list[Any]
) -> None:
    class StepUpView(APIView):
        def get(self, request: Request) -> Response:
            return Response(drf_signet.issue(request.user, request._request).access)

    answer = call(StepUpView, drf_signet.issue(user).access)
    assert hello(answer.data).status_code == 200
    assert senders == [User]
    user.refresh_from_db()
    assert user.last_login is not None
