"""Test the login endpoint: credentials, tokens, one response for all refusals, throttling."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.handlers.wsgi import WSGIRequest
from rest_framework import serializers

from drf_signet import Session, flows
from drf_signet.errors import CredentialsRefused
from drf_signet.serializers import TokenObtainPairSerializer
from drf_signet.testing import auth_client
from drf_signet.throttling import LoginThrottle
from drf_signet.views import TokenObtainPairView
from tests.conftest import PASSWORD
from tests.support.endpoint_table import OBTAIN

CREDENTIALS = {"username": "vitor", "password": PASSWORD}
#: Credentials that are refused: `vitor` is an active user, `ana` is inactive, and `eva` has no
#: password.
REFUSED = {
    "unknown": {"username": "nobody", "password": PASSWORD},
    "wrong": {"username": "vitor", "password": "wrong"},
    "inactive": {"username": "ana", "password": PASSWORD},
    "inactive and wrong": {"username": "ana", "password": "wrong"},
    "without a password": {"username": "eva", "password": PASSWORD},
}


class CountingHasher(MD5PasswordHasher):
    """Password hasher that counts the passwords that it hashes."""

    count = 0

    def encode(self, password: str, salt: str) -> str:
        type(self).count += 1
        return super().encode(password, salt)


class RecordingBackend(BaseBackend):
    """Authentication backend that records its calls and authenticates nobody."""

    calls: list[tuple[Any, dict[str, Any]]] = []  # noqa: RUF012 - emptied by a fixture

    def authenticate(self, request: Any, **credentials: Any) -> None:
        self.calls.append((request, credentials))


@pytest.fixture
def backend_calls(settings):
    """Install the recording backend; return its list of calls."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.RecordingBackend"]
    RecordingBackend.calls.clear()
    return RecordingBackend.calls


@pytest.fixture
def record():
    """Return a function that connects a receiver to a signal and returns the list of calls."""
    connected = []

    def record(signal):
        calls = []

        def receiver(**arguments):
            calls.append(arguments)

        signal.connect(receiver)
        connected.append((signal, receiver))
        return calls

    yield record
    for signal, receiver in connected:
        signal.disconnect(receiver)


@pytest.mark.parametrize("body_format", ["json", "form", "multipart"])
def test_login_returns_both_tokens(client, user, body_format) -> None:
    if body_format == "form":
        content_type = "application/x-www-form-urlencoded"
        response = client.post(
            OBTAIN.url, "username=vitor&password=correct+horse", content_type=content_type
        )
    else:
        response = client.post(OBTAIN.url, CREDENTIALS, format=body_format)
    assert response.status_code == 200
    assert response.json().keys() == {"refresh", "access"}
    assert response["Cache-Control"] == "no-store"
    session = Session.objects.get()
    assert (session.user, session.transport, session.generation) == (user, "token", 0)


def test_login_takes_three_statements(client, user, django_assert_num_queries) -> None:
    with django_assert_num_queries(3) as captured:
        assert client.post(OBTAIN.url, CREDENTIALS).status_code == 200
    verbs = {query["sql"].split()[0] for query in captured.captured_queries}
    assert verbs == {"SELECT", "INSERT", "UPDATE"}  # user, session, last_login


def test_access_token_of_a_login_opens_a_protected_view(client, user) -> None:
    pair = client.post(OBTAIN.url, CREDENTIALS).json()
    response = client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    assert (response.status_code, response.json()) == (200, {"message": "Hello, World!"})


def test_login_updates_last_login(client, user) -> None:
    assert user.last_login is None
    client.post(OBTAIN.url, CREDENTIALS)
    user.refresh_from_db()
    assert user.last_login is not None


def test_login_ignores_the_token_of_another_user(client, user, make_user) -> None:
    response = auth_client(make_user()).post(OBTAIN.url, CREDENTIALS)
    assert response.status_code == 200
    assert Session.objects.filter(user=user).count() == 1


def test_two_logins_open_two_sessions(client, user) -> None:
    for _ in range(2):
        client.post(OBTAIN.url, CREDENTIALS)
    assert Session.objects.filter(user=user).live().count() == 2


@pytest.mark.parametrize(
    "password", [" leading", "trailing ", "  both  ", "   ", "\ttab\n", "ß é 漢"]
)
def test_password_is_not_changed_before_authentication(client, make_user, password) -> None:
    make_user(username="eva", password=password)
    response = client.post(OBTAIN.url, {"username": "eva", "password": password}, format="json")
    assert response.status_code == 200


@pytest.mark.parametrize("password", [" correct horse", "correct horse ", "correct  horse"])
def test_password_with_different_spaces_is_refused(client, user, password) -> None:
    response = client.post(OBTAIN.url, CREDENTIALS | {"password": password}, format="json")
    assert response.status_code == 401


def test_numeric_username_and_password_are_converted_to_strings(client, make_user) -> None:
    make_user(username="123", password="456")
    body = {"username": 123, "password": 456}
    assert client.post(OBTAIN.url, body, format="json").status_code == 200


def test_password_beyond_the_maximum_length_is_refused_without_hashing(
    client, db, settings
) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    before = CountingHasher.count
    longest_password = {"username": "eva", "password": "x" * 4096}
    assert client.post(OBTAIN.url, longest_password).status_code == 401
    assert CountingHasher.count == before + 1
    longer_password = {"username": "eva", "password": "x" * 4097}
    assert client.post(OBTAIN.url, longer_password).status_code == 400
    assert CountingHasher.count == before + 1


@pytest.fixture
def refused_users(settings, make_user):
    """Create the users that `REFUSED` contains, with passwords hashed by the counting hasher."""
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    make_user(username="vitor")
    make_user(username="ana", is_active=False)
    make_user(username="eva", password=None)


@pytest.mark.usefixtures("refused_users")
def test_all_refusals_have_the_same_response_and_cost(client, django_assert_num_queries) -> None:
    outcomes = set()
    for credentials in REFUSED.values():
        before = CountingHasher.count
        with django_assert_num_queries(1):
            response = client.post(OBTAIN.url, credentials)
        hashed = CountingHasher.count - before
        headers = tuple(sorted(response.headers.items()))
        outcomes.add((response.status_code, response.content, headers, hashed))
    ((status, body, _, hashed),) = outcomes
    assert (status, hashed) == (401, 1)
    assert body == (
        b'{"detail":"No active account found with the given credentials",'
        b'"code":"no_active_account"}'
    )


@pytest.mark.usefixtures("refused_users")
@pytest.mark.parametrize("credentials", REFUSED.values(), ids=REFUSED)
def test_refused_login_opens_no_session_and_sends_user_login_failed(
    client, record, credentials
) -> None:
    failed, opened = record(user_login_failed), record(user_logged_in)
    client.post(OBTAIN.url, credentials)
    assert not Session.objects.exists()
    assert opened == []
    (sent,) = failed
    assert sent["credentials"]["username"] == credentials["username"]
    assert credentials["password"] not in str(sent["credentials"])
    assert type(sent["request"]) is WSGIRequest


def test_login_sends_user_logged_in_with_the_real_request(client, user, record) -> None:
    opened = record(user_logged_in)
    client.post(OBTAIN.url, CREDENTIALS)
    (sent,) = opened
    assert sent["user"] == user
    assert sent["sender"] is get_user_model()
    assert type(sent["request"]) is WSGIRequest


def test_user_refused_by_the_authentication_rule_is_401_like_an_unknown_user(
    client, user, settings
) -> None:
    settings.SIGNET = {"USER_AUTHENTICATION_RULE": lambda user: user.username != "vitor"}
    response = client.post(OBTAIN.url, CREDENTIALS)
    assert (response.status_code, response.json()["code"]) == (401, "no_active_account")
    assert not Session.objects.exists()


def test_inactive_user_accepted_by_a_backend_is_refused(client, make_user, settings) -> None:
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    make_user(username="vitor", is_active=False)
    assert client.post(OBTAIN.url, CREDENTIALS).json()["code"] == "no_active_account"


def test_backend_receives_the_real_request_and_only_the_credentials(
    client, db, backend_calls
) -> None:
    client.post(OBTAIN.url, {**CREDENTIALS, "read_without_database": "x"})
    ((request, credentials),) = backend_calls
    assert type(request) is WSGIRequest
    assert credentials == CREDENTIALS


class WithCode(TokenObtainPairSerializer):
    """Login serializer with an additional one-time code."""

    code = serializers.CharField(required=False)


def test_field_of_a_subclass_reaches_the_backend(db, rf, backend_calls) -> None:
    view = TokenObtainPairView.as_view(serializer_class=WithCode)
    view(rf.post("/", {**CREDENTIALS, "code": "123456"}))
    view(rf.post("/", CREDENTIALS))
    assert [credentials for _, credentials in backend_calls] == [
        {**CREDENTIALS, "code": "123456"},
        CREDENTIALS,
    ]


def test_djangos_model_backend_ignores_the_field_of_a_subclass(user, rf) -> None:
    view = TokenObtainPairView.as_view(serializer_class=WithCode)
    assert view(rf.post("/", {**CREDENTIALS, "code": "123456"})).status_code == 200


class ByCode(serializers.Serializer[Any]):
    """Login serializer with a code instead of a username and a password."""

    code = serializers.IntegerField()


def test_login_without_a_username_is_counted_per_address_and_throttled(
    db, rf, backend_calls
) -> None:
    view = TokenObtainPairView.as_view(serializer_class=ByCode)
    assert [view(rf.post("/", {"code": 7})).status_code for _ in range(11)] == [401] * 10 + [429]
    assert backend_calls[0][1] == {"code": 7}


class ByNumber(TokenObtainPairSerializer):
    """Login serializer whose username is a number."""

    username = serializers.IntegerField()


def test_username_that_is_not_a_string_is_throttled(db, rf, backend_calls) -> None:
    view = TokenObtainPairView.as_view(serializer_class=ByNumber)
    for _ in range(10):
        view(rf.post("/", {"username": 7, "password": "x"}))
    assert view(rf.post("/", {"username": 7, "password": "x"})).status_code == 429
    assert backend_calls[0][1] == {"username": 7, "password": "x"}


def test_subclass_of_the_view_may_extend_the_response(user, rf) -> None:
    class Own(TokenObtainPairView):
        def answer(self, request, data):
            response = super().answer(request, data)
            response.data["lifetime"] = 300
            return response

    response = Own.as_view()(rf.post("/", CREDENTIALS))
    assert response.data.keys() == {"refresh", "access", "lifetime"}


def test_claims_of_the_project_are_in_both_tokens(client, user, settings) -> None:
    settings.SIGNET = {"CLAIMS": lambda user, session: {"name": user.username}}
    pair = client.post(OBTAIN.url, CREDENTIALS).json()
    assert flows.verify(pair["access"])["name"] == "vitor"
    assert flows.verify(pair["refresh"])["name"] == "vitor"


def test_login_writes_nothing_if_the_claims_hook_fails(client, user, settings) -> None:
    def claims(user, session):
        raise RuntimeError("no claims today")

    settings.SIGNET = {"CLAIMS": claims}
    with pytest.raises(RuntimeError):
        client.post(OBTAIN.url, CREDENTIALS)
    assert not Session.objects.exists()
    user.refresh_from_db()
    assert user.last_login is None


def test_throttled_login_is_429_with_retry_after(client, user) -> None:
    wrong = CREDENTIALS | {"password": "wrong"}
    assert [client.post(OBTAIN.url, wrong).status_code for _ in range(10)] == [401] * 10
    response = client.post(OBTAIN.url, wrong)
    assert response.status_code == 429
    assert response.json()["code"] == "throttled"
    assert 1 <= int(response["Retry-After"]) <= 120
    assert response["Cache-Control"] == "no-store"


def test_throttled_login_calls_no_backend_and_takes_no_statement(
    client, db, backend_calls, django_assert_num_queries
) -> None:
    for _ in range(10):
        client.post(OBTAIN.url, CREDENTIALS)
    with django_assert_num_queries(0):
        assert client.post(OBTAIN.url, CREDENTIALS).status_code == 429
    assert len(backend_calls) == 10


def test_throttled_login_does_not_reveal_whether_the_user_exists(client, user) -> None:
    answers = []
    for username in ("vitor", "nobody"):
        attempts = [
            client.post(OBTAIN.url, {"username": username, "password": "wrong"}) for _ in range(11)
        ]
        answers.append([attempt.status_code for attempt in attempts])
        assert attempts[-1].json().keys() == {"detail", "code"}
    assert answers[0] == answers[1]


def test_right_password_for_a_throttled_username_is_429(client, user) -> None:
    for _ in range(10):
        client.post(OBTAIN.url, CREDENTIALS | {"password": "wrong"})
    assert client.post(OBTAIN.url, CREDENTIALS).status_code == 429
    assert not Session.objects.exists()


def test_successful_logins_are_not_counted(client, user) -> None:
    statuses = {client.post(OBTAIN.url, CREDENTIALS).status_code for _ in range(12)}
    assert statuses == {200}


def test_malformed_logins_are_not_counted(client, user) -> None:
    for _ in range(12):
        assert client.post(OBTAIN.url, {"username": "vitor"}).status_code == 400
    assert client.post(OBTAIN.url, CREDENTIALS).status_code == 200


def test_login_throttle_class_can_be_replaced(user, rf) -> None:
    class Closed(LoginThrottle):
        def attempt(self, request, username):
            assert type(request) is WSGIRequest
            raise CredentialsRefused

    view = TokenObtainPairView.as_view(login_throttle_class=Closed)
    assert view(rf.post("/", CREDENTIALS)).status_code == 401
