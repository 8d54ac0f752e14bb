"""Test `drf_signet.testing.deterministic` and the pytest plugin that applies it to every test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import TestCase
from rest_framework.test import APIClient

import drf_signet
from drf_signet import runtime
from drf_signet.db.database import DbNow
from drf_signet.models import EndReason, Session
from drf_signet.sessions.ended import ended_sessions
from drf_signet.testing import auth_client, deterministic
from drf_signet.throttling import LoginThrottle


@pytest.fixture
def _without_plugin() -> Iterator[None]:
    """Undo, for one test, what the pytest plugin does before every test."""
    before = ended_sessions.alone, LoginThrottle.namespace
    ended_sessions.alone, LoginThrottle.namespace = False, "signet:login"
    runtime.current.cache_clear()
    yield
    ended_sessions.alone, LoginThrottle.namespace = before


def is_deterministic() -> bool:
    return ended_sessions.alone


def hello_status(client: APIClient) -> int:
    return client.get("/hello/").status_code


def status_of_failed_login() -> int:
    data = {"username": "vitor", "password": "wrong"}
    return APIClient().post("/api/token/", data).status_code


@pytest.mark.usefixtures("_without_plugin")
def test_protected_request_takes_no_statement_inside_deterministic(
    user: Any, django_assert_num_queries: Any
) -> None:
    client = auth_client(user)
    with deterministic(), django_assert_num_queries(0):
        assert hello_status(client) == 200
    with django_assert_num_queries(1):
        assert hello_status(client) == 200


@pytest.mark.usefixtures("_without_plugin")
def test_ended_session_is_refused_at_once_inside_the_transaction_of_a_test(user: Any) -> None:
    pair = drf_signet.issue(user)
    client = auth_client(user)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    with deterministic():
        assert hello_status(client) == 200
        drf_signet.end(pair.session)
        assert hello_status(client) == 401


@pytest.mark.usefixtures("_without_plugin")
def test_ended_session_stays_unknown_before_the_commit_outside_deterministic(
    user: Any, settings: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": None}
    pair = drf_signet.issue(user)
    drf_signet.end(pair.session)
    assert not runtime.current().feed.has_ended(pair.session.pk.int)


def test_session_ended_by_another_process_is_accepted_inside_deterministic(
    user: Any, settings: Any
) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": 0}
    client = auth_client(user)
    Session.objects.update(end_reason=EndReason.LOGOUT, ended_at=DbNow())
    assert hello_status(client) == 200


def test_deterministic_counts_failed_logins_from_zero(user: Any, settings: Any) -> None:
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": "2/day"}}
    assert [status_of_failed_login() for _ in range(3)] == [401, 401, 429]
    with deterministic():
        assert [status_of_failed_login() for _ in range(3)] == [401, 401, 429]
    assert status_of_failed_login() == 429


@pytest.mark.usefixtures("_without_plugin")
def test_deterministic_restores_the_previous_state_after_an_error() -> None:
    with deterministic():
        outer = LoginThrottle.namespace
        with pytest.raises(ZeroDivisionError), deterministic():
            print(1 / 0)
        assert is_deterministic()
        assert LoginThrottle.namespace == outer != "signet:login"
    assert not is_deterministic()
    assert LoginThrottle.namespace == "signet:login"


# The pytest plugin, which `tests/conftest.py` loads as the documentation describes


def test_plugin_applies_deterministic_to_every_test() -> None:
    assert is_deterministic()
    assert LoginThrottle.namespace != "signet:login"


class TestDjangoTestCase(TestCase):
    """Test that the pytest plugin also applies to tests that use Django's TestCase."""

    def setUp(self) -> None:
        self.user = User.objects.create_user("ada")

    def test_ended_session_is_refused_at_once(self) -> None:
        client = auth_client(self.user)
        assert hello_status(client) == 200
        drf_signet.end_all(self.user)
        assert hello_status(client) == 401

    def test_protected_request_takes_no_statement(self) -> None:
        client = auth_client(self.user)
        for _ in range(2):
            with self.assertNumQueries(0):
                assert hello_status(client) == 200


def test_fixture_auth_client_returns_an_authenticated_client(
    user: Any, auth_client: Callable[..., APIClient]
) -> None:
    assert hello_status(auth_client(user)) == 200
    assert hello_status(auth_client(user, claims={"role": "reader"})) == 200


def test_fixture_token_for_returns_an_expired_token_on_request(
    user: Any, token_for: Callable[..., str]
) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_for(user, expired=True)}")
    answer = client.get("/hello/")
    assert (answer.status_code, answer.data["reason"]) == (401, "expired")
