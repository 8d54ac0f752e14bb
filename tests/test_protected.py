"""A protected request, from the header to the answer: statements, revocation, users, errors."""

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
from django.utils import timezone
from rest_framework import permissions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

import drf_signet
from drf_signet import revocation, runtime, tokens
from drf_signet.authentication import JWTAuthentication
from drf_signet.database import DbNow
from drf_signet.lazyuser import is_unfetched
from drf_signet.models import EndReason, Session

from . import usermodels
from .situations import access_token
from .usermodels.models import KeyedByText, KeyedByUUID, Member

CHALLENGE = 'Bearer realm="api", error="invalid_token"'

View = type[APIView]


@pytest.fixture(scope="module", autouse=True)
def _installed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), usermodels.installed():
        yield


@pytest.fixture
def shared() -> None:
    """Let the feed ask, as in a process that has just started among others."""
    revocation.own_endings.alone = False
    runtime.current.cache_clear()


class NameView(APIView):
    """Answers with what only the row knows."""

    permission_classes = (permissions.IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"username": request.user.get_username()})


class PkView(APIView):
    """Answers with what the token knows."""

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
    """Touches the user in the depth of a serializer."""

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


def header(access: str) -> dict[str, Any]:
    return {"HTTP_AUTHORIZATION": f"Bearer {access}"}


def call(view: View, access: str, **extra: Any) -> Any:
    response = view.as_view()(APIRequestFactory().get("/", **header(access), **extra))
    return response.render()


def hello(access: str) -> Any:
    return APIClient().get("/hello/", **header(access))


def refusal(answer: Any) -> tuple[int, str, str | None]:
    """Return status, code and reason; every 401 of a token has the same challenge."""
    if answer.status_code == 401:
        assert answer["WWW-Authenticate"] == CHALLENGE
    return answer.status_code, answer.data["code"], answer.data.get("reason")


ENDED = (401, "token_not_valid", "ended")
INACTIVE = (401, "user_inactive", None)
INVALID = (401, "token_not_valid", "invalid")


@contextmanager
def outage() -> Iterator[None]:
    """Let every statement about sessions fail."""

    def fail(execute: Any, sql: str, *args: Any) -> Any:
        if Session._meta.db_table in sql:
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, *args)

    with connection.execute_wrapper(fail):
        yield


# Statements


def test_a_thousand_requests_within_an_interval_are_one_statement(
    user: Any, client: APIClient, shared: None, settings: Any, django_assert_num_queries: Any
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
def test_a_request_costs_the_statements_that_its_view_needs(
    view: View, statements: int, make_user: Callable[..., Any], django_assert_num_queries: Any
) -> None:
    access = drf_signet.issue(make_user(is_staff=True)).access
    for _ in range(2):
        with django_assert_num_queries(statements):
            assert call(view, access).status_code == 200


def test_a_fresh_user_costs_one_statement(
    user: Any, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.SIGNET = {"USER_LOADING": "fresh"}
    access = drf_signet.issue(user).access
    for view in (PkView, NameView):
        with django_assert_num_queries(1):
            assert call(view, access).status_code == 200


@pytest.mark.parametrize("access", ["", "a.b.c", "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.e30.AAAA"])
def test_a_token_that_is_not_ours_costs_no_statement_and_no_question(
    access: str, db: None, shared: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert refusal(hello(access)) == INVALID


def test_an_expired_token_costs_no_statement(
    db: None, shared: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        answer = hello(access_token(exp=int(time.time())))
    assert refusal(answer) == (401, "token_not_valid", "expired")


def test_a_request_without_a_token_costs_no_statement_and_says_of_no_error(
    db: None, client: APIClient, shared: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/hello/")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


def test_an_interval_of_zero_costs_a_statement_per_request(
    user: Any, shared: None, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": 0}
    access = drf_signet.issue(user).access
    with django_assert_num_queries(3):
        assert {hello(access).status_code for _ in range(3)} == {200}


def test_without_an_interval_a_request_costs_nothing(
    user: Any, shared: None, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": None}
    access = drf_signet.issue(user).access
    with django_assert_num_queries(0):
        assert hello(access).status_code == 200


# Revocation


def elsewhere(session: Session, *, seconds_ago: float = 0) -> None:
    """End a session as another process does: this one is told by the table alone."""
    at = DbNow() - timedelta(seconds=seconds_ago)
    Session.objects.filter(pk=session.pk).update(ended_at=at, end_reason=EndReason.LOGOUT)


ENDINGS: Mapping[str, Callable[[Any, Session], object]] = {
    "elsewhere": lambda user, session: elsewhere(session),
    "the user deleted": lambda user, session: get_user_model().objects.get().delete(),
    "a queryset deleted": lambda user, session: get_user_model().objects.all().delete(),
    "the row deleted": lambda user, session: session.delete(),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
def test_an_ended_session_is_refused_when_every_request_asks(
    end: Callable[[Any, Session], object], user: Any, shared: None, settings: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": 0}
    pair = drf_signet.issue(user)
    assert hello(pair.access).status_code == 200
    end(user, pair.session)
    assert refusal(hello(pair.access)) == ENDED


@pytest.mark.parametrize("name", [name for name in ENDINGS if name != "the row deleted"])
def test_an_ended_session_is_refused_at_the_next_question(
    name: str, user: Any, shared: None, settings: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": timedelta(microseconds=1)}
    pair = drf_signet.issue(user)
    assert hello(pair.access).status_code == 200
    ENDINGS[name](user, pair.session)
    assert refusal(hello(pair.access)) == ENDED


def test_an_end_elsewhere_is_not_known_before_the_next_question(
    user: Any, shared: None, settings: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": 3599}
    pair = drf_signet.issue(user)
    assert hello(pair.access).status_code == 200
    elsewhere(pair.session)
    assert hello(pair.access).status_code == 200


def test_other_sessions_of_the_user_go_on(user: Any) -> None:
    ended, other = drf_signet.issue(user), drf_signet.issue(user)
    drf_signet.end(ended.session)
    assert refusal(hello(ended.access)) == ENDED
    assert hello(other.access).status_code == 200


def test_every_access_token_of_a_session_ends_with_it(user: Any, client: APIClient) -> None:
    pair = drf_signet.issue(user)
    refreshed = client.post("/api/token/refresh/", {"refresh": pair.refresh}).data["access"]
    client.post("/api/token/logout/", {"refresh": pair.refresh})
    assert refusal(hello(pair.access)) == refusal(hello(refreshed)) == ENDED


def test_a_broken_transaction_breaks_no_request(user: Any, settings: Any, shared: None) -> None:
    access = drf_signet.issue(user).access
    with transaction.atomic():
        transaction.set_rollback(True)
        answer = call(PkView, access)
        transaction.set_rollback(False)
    assert answer.status_code == 200


@pytest.mark.parametrize(("beyond", "status"), [(-5, 200), (5, 401)])
def test_a_token_that_outlives_the_feeds_memory_is_refused(
    beyond: float, status: int, user: Any
) -> None:
    longest = runtime.current().rules.access_span
    access = access_token(user_id=user.pk, exp=int(time.time() + longest + beyond))
    answer = hello(access)
    assert answer.status_code == status
    if status == 401:
        assert refusal(answer) == INVALID


def test_a_long_lived_token_does_not_come_back_to_life_when_its_end_is_forgotten(
    user: Any, shared: None
) -> None:
    """Once lifetimes were shortened: its session ended before what the feed remembers."""
    session, now = drf_signet.issue(user).session, int(time.time())
    elsewhere(session, seconds_ago=2 * 3600)
    access = access_token(user_id=user.pk, sid=str(session.pk), iat=now - 3 * 3600, exp=now + 1800)
    assert hello(access).status_code == 401


def test_an_end_is_remembered_for_as_long_as_clocks_may_differ(
    user: Any, settings: Any, shared: None
) -> None:
    """The issuer's clock was ahead by the leeway, and the reader accepts until it is over."""
    settings.SIGNET = {"LEEWAY": 600, "ACCESS_TOKEN_LIFETIME": timedelta(hours=1)}
    session, now = drf_signet.issue(user).session, int(time.time())
    elsewhere(session, seconds_ago=4700)
    iat = now - 4700 + 600
    access = access_token(user_id=user.pk, sid=str(session.pk), iat=iat, exp=iat + 3600)
    assert refusal(hello(access)) == ENDED


@pytest.mark.parametrize(("span", "status"), [(3600, 200), (3601, 401)])
def test_the_leeway_makes_no_token_longer(
    span: int, status: int, user: Any, settings: Any, shared: None
) -> None:
    settings.SIGNET = {"LEEWAY": 600}
    now = int(time.time())
    session = drf_signet.issue(user).session
    access = access_token(user_id=user.pk, sid=str(session.pk), iat=now, exp=now + span)
    assert hello(access).status_code == status


def test_a_lifetime_in_fractions_of_a_second_is_that_of_whole_seconds(
    user: Any, settings: Any
) -> None:
    settings.SIGNET = {"ACCESS_TOKEN_LIFETIME": timedelta(hours=2, milliseconds=500)}
    session, now = drf_signet.issue(user).session, int(time.time()) - 1
    for fraction in (0.0, 0.25, 0.5, 0.75):  # instants are cut, so that half of them live longer
        access = tokens.mint_pair(session, 0, now=now + fraction).access
        assert hello(access).status_code == 200


def test_a_token_of_old_is_accepted_for_as_long_as_the_settings_say(
    user: Any, settings: Any, shared: None, django_assert_num_queries: Any
) -> None:
    old = {"token_type": "access", "exp": int(time.time()) + 300, "jti": uuid.uuid4().hex}
    access = runtime.current().codec.encode({**old, "user_id": user.pk})
    assert refusal(hello(access)) == INVALID
    settings.SIGNET = {"ADOPT_TOKENS_UNTIL": timezone.now() + timedelta(days=1)}
    with django_assert_num_queries(0):
        assert hello(access).status_code == 200
    settings.SIGNET = {"ADOPT_TOKENS_UNTIL": timezone.now()}
    assert refusal(hello(access)) == INVALID


def test_a_longer_lifetime_is_remembered_for_longer(user: Any, settings: Any, shared: None) -> None:
    settings.SIGNET = {"ACCESS_TOKEN_LIFETIME": timedelta(hours=5)}
    pair = drf_signet.issue(user)
    assert hello(pair.access).status_code == 200
    elsewhere(pair.session, seconds_ago=4 * 3600)
    runtime.current.cache_clear()
    assert refusal(hello(pair.access)) == ENDED


# An outage


def unavailable(answer: Any) -> bool:
    """Tell whether this is the answer to an outage, and to nothing else."""
    assert "WWW-Authenticate" not in answer
    assert int(answer["Retry-After"]) > 0
    return refusal(answer) == (503, "service_unavailable", None)


@pytest.mark.parametrize("interval", [0, 1])
def test_an_outage_is_503_and_never_401(
    interval: float, user: Any, shared: None, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": interval}
    access = drf_signet.issue(user).access
    with outage():
        assert all(unavailable(hello(access)) for _ in range(3))
        assert unavailable(APIClient().post("/api/token/verify/", {"token": access}))
    assert access not in caplog.text


def test_an_outage_is_over_when_the_database_answers(
    user: Any, shared: None, settings: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": timedelta(microseconds=1)}
    access = drf_signet.issue(user).access
    with outage():
        assert unavailable(hello(access))
    assert hello(access).status_code == 200


def test_an_outage_after_an_answer_is_bridged(user: Any, shared: None, settings: Any) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": timedelta(microseconds=1)}
    here, there, open_ = (drf_signet.issue(user) for _ in range(3))
    elsewhere(there.session)
    assert hello(open_.access).status_code == 200
    with outage():
        assert hello(open_.access).status_code == 200
        assert refusal(hello(there.access)) == ENDED
        revocation.own_endings.mark([here.session.pk], keep=3600)
        assert refusal(hello(here.access)) == ENDED


def test_a_bad_token_is_bad_in_an_outage_too(db: None, shared: None) -> None:
    with outage():
        assert refusal(hello("a.b.c")) == INVALID


# The user


@contextmanager
def loading(settings: Any, how: str) -> Iterator[None]:
    settings.SIGNET = {"USER_LOADING": how}
    yield


TOUCHING = [NameView, AdminView, SerializerView, SavingView, DeletingView]


@pytest.mark.parametrize("view", TOUCHING)
def test_a_user_who_vanished_is_401_at_the_first_touch(view: View, user: Any) -> None:
    access = drf_signet.issue(user).access
    type(user).objects.filter(pk=user.pk)._raw_delete("default")
    assert refusal(call(view, access)) == ENDED
    assert not User.objects.exists()


@pytest.mark.parametrize("view", TOUCHING)
def test_a_user_who_was_deactivated_is_401_at_the_first_touch(view: View, user: Any) -> None:
    access = drf_signet.issue(user).access
    User.objects.update(is_active=False)
    assert refusal(call(view, access)) == INACTIVE
    assert User.objects.filter(first_name="").exists()


def test_model_permissions_touch_the_user_who_vanished(user: Any) -> None:
    access = drf_signet.issue(user).access
    type(user).objects.filter(pk=user.pk)._raw_delete("default")
    request = APIRequestFactory().delete("/", **header(access))
    assert refusal(ModelPermissionsView.as_view()(request)) == ENDED


def test_a_view_that_touches_nothing_answers_whoever_is_named(user: Any) -> None:
    access = drf_signet.issue(user).access
    User.objects.update(is_active=False)
    assert call(PkView, access).data == {"pk": str(user.pk)}


@pytest.mark.parametrize("view", [PkView, NameView])
def test_a_fresh_user_is_refused_before_the_view(view: View, user: Any, settings: Any) -> None:
    settings.SIGNET = {"USER_LOADING": "fresh"}
    access = drf_signet.issue(user).access
    User.objects.update(is_active=False)
    assert refusal(call(view, access)) == INACTIVE
    type(user).objects.filter(pk=user.pk)._raw_delete("default")
    assert refusal(call(view, access)) == ENDED


def test_a_lazy_user_can_be_saved_and_deleted(user: Any) -> None:
    pair = drf_signet.issue(user)
    assert call(SavingView, pair.access).status_code == 200
    user.refresh_from_db()
    assert user.first_name == "Ada"
    assert call(DeletingView, pair.access).status_code == 200
    assert not User.objects.exists()
    assert Session.objects.get().end_reason == EndReason.USER_DELETED
    assert refusal(call(PkView, pair.access)) == ENDED


class Captured(PkView):
    """Leaves its request behind, as a middleware outside of it sees it."""

    requests: list[Request]

    def get(self, request: Request) -> Response:
        self.requests.append(request)
        return super().get(request)


@pytest.fixture
def captured() -> list[Request]:
    Captured.requests = []
    return Captured.requests


def test_request_user_and_auth_are_those_of_the_token(user: Any, captured: list[Request]) -> None:
    pair = drf_signet.issue(user, claims={"role": "reader"})
    call(Captured, pair.access)
    [request] = captured
    assert is_unfetched(request.user)
    assert request.user == user
    assert request._request.user is request.user
    assert isinstance(request.successful_authenticator, JWTAuthentication)
    said: Any = request.auth
    assert said["user_id"] == user.pk
    assert said["sid"] == str(pair.session.pk)
    assert said["role"] == "reader"
    assert dict(said) == {name: said[name] for name in said}
    with pytest.raises(TypeError):
        said["role"] = "writer"


@pytest.mark.parametrize("gone", [True, False])
def test_a_user_who_is_refused_after_the_view_is_anonymous(
    gone: bool, user: Any, captured: list[Request]
) -> None:
    call(Captured, drf_signet.issue(user).access)
    User.objects.all()._raw_delete("default") if gone else User.objects.update(is_active=False)
    [request] = captured
    assert request._request.user.username == ""
    assert isinstance(request._request.user, AnonymousUser)
    assert not request.user.is_authenticated


def test_a_user_who_is_touched_after_the_view_is_loaded(
    user: Any, captured: list[Request], django_assert_num_queries: Any
) -> None:
    call(Captured, drf_signet.issue(user).access)
    with django_assert_num_queries(1):
        assert captured[0]._request.user.username == user.username


class Tenants(JWTAuthentication):
    def get_user_queryset(self) -> QuerySet[Any]:
        return super().get_user_queryset().filter(username__startswith="tenant-")


def test_the_queryset_of_users_can_be_narrowed(make_user: Callable[..., Any]) -> None:
    class TenantView(NameView):
        authentication_classes = (Tenants,)

    inside, outside = make_user(username="tenant-1"), make_user(username="somebody")
    answer = call(TenantView, drf_signet.issue(inside).access)
    assert answer.data == {"username": "tenant-1"}
    assert refusal(call(TenantView, drf_signet.issue(outside).access)) == ENDED


# The web interface


def page(access: str) -> Any:
    return APIClient().get("/hello/", HTTP_ACCEPT="text/html", **header(access))


def test_a_page_shows_the_user_who_is_loaded_before_the_view(
    user: Any, django_assert_num_queries: Any
) -> None:
    access = drf_signet.issue(user).access
    with django_assert_num_queries(1):
        answer = page(access)
    assert answer.status_code == 200
    assert user.username in answer.content.decode()


@pytest.mark.parametrize("gone", [True, False])
def test_a_page_for_a_user_who_is_refused_is_401(gone: bool, user: Any) -> None:
    access = drf_signet.issue(user).access
    User.objects.all()._raw_delete("default") if gone else User.objects.update(is_active=False)
    answer = page(access)
    assert refusal(answer) == (ENDED if gone else INACTIVE)
    assert answer["Content-Type"].startswith("text/html")


def test_a_page_without_a_token_is_401(db: None, client: APIClient) -> None:
    assert client.get("/hello/", HTTP_ACCEPT="text/html").status_code == 401


# Other user models


@pytest.mark.parametrize("model", [KeyedByUUID, KeyedByText, Member])
def test_users_of_other_models_are_named_touched_and_refused(
    model: type[Any], db: None, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.AUTH_USER_MODEL = model._meta.label
    key = {"code": "ada-1"} if model is KeyedByText else {}
    model(username="ada", is_staff=True, **key).save()
    user = model.objects.get()
    access = access_token(user_id=user.pk if model is Member else str(user.pk))
    with django_assert_num_queries(0):
        assert call(PkView, access).data == {"pk": str(user.pk)}
    with django_assert_num_queries(2):
        assert call(NameView, access).data == {"username": "ada"}
        assert call(AdminView, access).status_code == 200
    model.objects.update(is_active=False)
    assert refusal(call(NameView, access)) == INACTIVE
    model.objects.all().delete()
    assert refusal(call(NameView, access)) == ENDED


@pytest.mark.parametrize("name", ["username", "email"])
def test_users_may_be_named_by_another_unique_field(
    name: str, db: None, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.SIGNET = {"USER_ID_FIELD": "username"}
    user = User.objects.create_user("ada")
    access = access_token(user_id=user.username)
    with django_assert_num_queries(1):
        assert call(PkView, access).data == {"pk": str(user.pk)}


# Signals


@pytest.fixture
def senders() -> Iterator[list[Any]]:
    """Return who Django's signals said the sender was; only users are listened to."""
    heard: list[Any] = []

    def hear(*, sender: Any, user: Any, **sent: Any) -> None:
        heard.append(sender)

    for signal in (user_logged_in, user_logged_out):
        signal.connect(hear, sender=User)
    yield heard
    for signal in (user_logged_in, user_logged_out):
        signal.disconnect(hear, sender=User)


def test_a_logout_everywhere_is_signalled_as_one_of_the_user_model(
    user: Any, client: APIClient, senders: list[Any]
) -> None:
    answer = client.post("/api/token/logout/all/", **header(drf_signet.issue(user).access))
    assert answer.status_code == 204
    assert senders == [User]


def test_a_logout_of_a_user_who_is_gone_is_none_of_the_user_models(
    user: Any, client: APIClient, senders: list[Any]
) -> None:
    pair = drf_signet.issue(user)
    User.objects.all()._raw_delete("default")
    assert client.post("/api/token/logout/", {"refresh": pair.refresh}).status_code == 204
    assert senders == []
    assert refusal(hello(pair.access)) == ENDED


def test_a_login_of_a_lazy_user_is_signalled_as_one_of_the_user_model(
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
