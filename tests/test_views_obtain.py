"""Login: what it takes, what it gives, and that a refusal tells nothing."""

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
from tests.endpoints import OBTAIN

CREDENTIALS = {"username": "vitor", "password": PASSWORD}
#: Of these each is refused: the user is `vitor`, and there is an inactive `ana` too.
REFUSED = {
    "unknown": {"username": "nobody", "password": PASSWORD},
    "wrong": {"username": "vitor", "password": "wrong"},
    "inactive": {"username": "ana", "password": PASSWORD},
    "inactive and wrong": {"username": "ana", "password": "wrong"},
    "without a password": {"username": "eva", "password": PASSWORD},
}


class CountingHasher(MD5PasswordHasher):
    """Counts how often a password is hashed."""

    count = 0

    def encode(self, password: str, salt: str) -> str:
        type(self).count += 1
        return super().encode(password, salt)


class RecordingBackend(BaseBackend):
    """Keeps what it is asked, and knows nobody."""

    asked: list[tuple[Any, dict[str, Any]]] = []  # noqa: RUF012 - emptied by a fixture

    def authenticate(self, request: Any, **credentials: Any) -> None:
        self.asked.append((request, credentials))


@pytest.fixture
def asked(settings):
    """Switch the recording backend on, and return its list."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.RecordingBackend"]
    RecordingBackend.asked.clear()
    return RecordingBackend.asked


@pytest.fixture
def heard():
    """Return a factory of lists, to which a signal adds its arguments."""
    connected = []

    def hear(signal):
        found = []

        def receiver(**arguments):
            found.append(arguments)

        signal.connect(receiver)
        connected.append((signal, receiver))
        return found

    yield hear
    for signal, receiver in connected:
        signal.disconnect(receiver)


@pytest.mark.parametrize("body_format", ["json", "form", "multipart"])
def test_login_answers_with_both_tokens(client, user, body_format) -> None:
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


def test_login_ignores_who_asks(client, user, make_user) -> None:
    response = auth_client(make_user()).post(OBTAIN.url, CREDENTIALS)
    assert response.status_code == 200
    assert Session.objects.filter(user=user).count() == 1


def test_two_logins_are_two_sessions(client, user) -> None:
    for _ in range(2):
        client.post(OBTAIN.url, CREDENTIALS)
    assert Session.objects.filter(user=user).live().count() == 2


@pytest.mark.parametrize(
    "password", [" leading", "trailing ", "  both  ", "   ", "\ttab\n", "ß é 漢"]
)
def test_password_reaches_django_as_it_is(client, make_user, password) -> None:
    make_user(username="eva", password=password)
    response = client.post(OBTAIN.url, {"username": "eva", "password": password}, format="json")
    assert response.status_code == 200


@pytest.mark.parametrize("password", [" correct horse", "correct horse ", "correct  horse"])
def test_password_with_other_spaces_is_another_password(client, user, password) -> None:
    response = client.post(OBTAIN.url, CREDENTIALS | {"password": password}, format="json")
    assert response.status_code == 401


def test_password_as_a_number_is_read_as_its_digits(client, make_user) -> None:
    make_user(username="123", password="456")
    body = {"username": 123, "password": 456}
    assert client.post(OBTAIN.url, body, format="json").status_code == 200


def test_longest_password_is_hashed_and_a_longer_one_is_not(client, db, settings) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    before = CountingHasher.count
    longest = {"username": "eva", "password": "x" * 4096}
    assert client.post(OBTAIN.url, longest).status_code == 401
    assert CountingHasher.count == before + 1
    longer = {"username": "eva", "password": "x" * 4097}
    assert client.post(OBTAIN.url, longer).status_code == 400
    assert CountingHasher.count == before + 1


@pytest.fixture
def crowd(settings, make_user):
    """Make the users that `REFUSED` is about; their passwords are hashed by the counting hasher."""
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    make_user(username="vitor")
    make_user(username="ana", is_active=False)
    make_user(username="eva", password=None)


@pytest.mark.usefixtures("crowd")
def test_refusals_look_the_same(client, django_assert_num_queries) -> None:
    seen = set()
    for credentials in REFUSED.values():
        before = CountingHasher.count
        with django_assert_num_queries(1):
            response = client.post(OBTAIN.url, credentials)
        hashed = CountingHasher.count - before
        headers = tuple(sorted(response.headers.items()))
        seen.add((response.status_code, response.content, headers, hashed))
    ((status, body, _, hashed),) = seen
    assert (status, hashed) == (401, 1)
    assert body == (
        b'{"detail":"No active account found with the given credentials",'
        b'"code":"no_active_account"}'
    )


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("credentials", REFUSED.values(), ids=REFUSED)
def test_refusal_opens_no_session_and_sends_djangos_signal(client, heard, credentials) -> None:
    failed, opened = heard(user_login_failed), heard(user_logged_in)
    client.post(OBTAIN.url, credentials)
    assert not Session.objects.exists()
    assert opened == []
    (sent,) = failed
    assert sent["credentials"]["username"] == credentials["username"]
    assert credentials["password"] not in str(sent["credentials"])
    assert type(sent["request"]) is WSGIRequest


def test_login_sends_djangos_signal_with_the_real_request(client, user, heard) -> None:
    opened = heard(user_logged_in)
    client.post(OBTAIN.url, CREDENTIALS)
    (sent,) = opened
    assert sent["user"] == user
    assert sent["sender"] is get_user_model()
    assert type(sent["request"]) is WSGIRequest


def test_user_whom_the_projects_rule_refuses_looks_like_a_stranger(client, user, settings) -> None:
    settings.SIGNET = {"USER_AUTHENTICATION_RULE": lambda user: user.username != "vitor"}
    response = client.post(OBTAIN.url, CREDENTIALS)
    assert (response.status_code, response.json()["code"]) == (401, "no_active_account")
    assert not Session.objects.exists()


def test_inactive_user_whom_a_backend_lets_in_is_refused(client, make_user, settings) -> None:
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    make_user(username="vitor", is_active=False)
    assert client.post(OBTAIN.url, CREDENTIALS).json()["code"] == "no_active_account"


def test_backend_gets_the_real_request_and_the_credentials(client, db, asked) -> None:
    client.post(OBTAIN.url, {**CREDENTIALS, "unasked": "x"})
    ((request, credentials),) = asked
    assert type(request) is WSGIRequest
    assert credentials == CREDENTIALS


class WithCode(TokenObtainPairSerializer):
    """Asks for a one-time code too."""

    code = serializers.CharField(required=False)


def test_field_of_a_subclass_reaches_the_backend(db, rf, asked) -> None:
    view = TokenObtainPairView.as_view(serializer_class=WithCode)
    view(rf.post("/", {**CREDENTIALS, "code": "123456"}))
    view(rf.post("/", CREDENTIALS))
    assert [credentials for _, credentials in asked] == [
        {**CREDENTIALS, "code": "123456"},
        CREDENTIALS,
    ]


def test_djangos_own_backend_does_not_mind_such_a_field(user, rf) -> None:
    view = TokenObtainPairView.as_view(serializer_class=WithCode)
    assert view(rf.post("/", {**CREDENTIALS, "code": "123456"})).status_code == 200


class ByCode(serializers.Serializer[Any]):
    """Knows no user name at all."""

    code = serializers.IntegerField()


def test_serializer_without_a_username_is_the_projects_choice(db, rf, asked) -> None:
    view = TokenObtainPairView.as_view(serializer_class=ByCode)
    assert [view(rf.post("/", {"code": 7})).status_code for _ in range(11)] == [401] * 10 + [429]
    assert asked[0][1] == {"code": 7}


class ByNumber(TokenObtainPairSerializer):
    """Takes a number for the user name."""

    username = serializers.IntegerField()


def test_username_that_is_no_text_is_counted_too(db, rf, asked) -> None:
    view = TokenObtainPairView.as_view(serializer_class=ByNumber)
    for _ in range(10):
        view(rf.post("/", {"username": 7, "password": "x"}))
    assert view(rf.post("/", {"username": 7, "password": "x"})).status_code == 429
    assert asked[0][1] == {"username": 7, "password": "x"}


def test_subclass_may_add_to_the_answer(user, rf) -> None:
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


def test_login_whose_claims_fail_writes_nothing(client, user, settings) -> None:
    def claims(user, session):
        raise RuntimeError("no claims today")

    settings.SIGNET = {"CLAIMS": claims}
    with pytest.raises(RuntimeError):
        client.post(OBTAIN.url, CREDENTIALS)
    assert not Session.objects.exists()
    user.refresh_from_db()
    assert user.last_login is None


def test_throttled_login_is_429_with_the_seconds_to_wait(client, user) -> None:
    wrong = CREDENTIALS | {"password": "wrong"}
    assert [client.post(OBTAIN.url, wrong).status_code for _ in range(10)] == [401] * 10
    response = client.post(OBTAIN.url, wrong)
    assert response.status_code == 429
    assert response.json()["code"] == "throttled"
    assert 1 <= int(response["Retry-After"]) <= 120
    assert response["Cache-Control"] == "no-store"


def test_throttled_login_asks_no_backend_and_no_database(
    client, db, asked, django_assert_num_queries
) -> None:
    for _ in range(10):
        client.post(OBTAIN.url, CREDENTIALS)
    with django_assert_num_queries(0):
        assert client.post(OBTAIN.url, CREDENTIALS).status_code == 429
    assert len(asked) == 10


def test_throttled_login_tells_nothing_of_the_user(client, user) -> None:
    answers = []
    for username in ("vitor", "nobody"):
        attempts = [
            client.post(OBTAIN.url, {"username": username, "password": "wrong"}) for _ in range(11)
        ]
        answers.append([attempt.status_code for attempt in attempts])
        assert attempts[-1].json().keys() == {"detail", "code"}
    assert answers[0] == answers[1]


def test_right_password_of_a_throttled_name_is_429_too(client, user) -> None:
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


def test_throttle_of_a_subclass_is_asked(user, rf) -> None:
    class Closed(LoginThrottle):
        def attempt(self, request, username):
            assert type(request) is WSGIRequest
            raise CredentialsRefused

    view = TokenObtainPairView.as_view(login_throttle_class=Closed)
    assert view(rf.post("/", CREDENTIALS)).status_code == 401
