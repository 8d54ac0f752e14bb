"""`drf_signet.testing.deterministic`, and the fixtures that put every test inside of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import TestCase
from rest_framework.test import APIClient

import drf_signet
from drf_signet import revocation, runtime
from drf_signet.database import DbNow
from drf_signet.models import EndReason, Session
from drf_signet.testing import auth_client, deterministic
from drf_signet.throttling import LoginThrottle


@pytest.fixture
def _outside() -> Iterator[None]:
    """Undo, for this test, what the plugin does for every test."""
    before = revocation.own_endings.alone, LoginThrottle.namespace
    revocation.own_endings.alone, LoginThrottle.namespace = False, "signet:login"
    runtime.current.cache_clear()
    yield
    revocation.own_endings.alone, LoginThrottle.namespace = before


def alone() -> bool:
    return revocation.own_endings.alone


def greeted(client: APIClient) -> int:
    return client.get("/hello/").status_code


def fail_to_log_in() -> int:
    data = {"username": "vitor", "password": "wrong"}
    return APIClient().post("/api/token/", data).status_code


@pytest.mark.usefixtures("_outside")
def test_the_number_of_statements_does_not_depend_on_the_feed(
    user: Any, django_assert_num_queries: Any
) -> None:
    client = auth_client(user)
    with deterministic(), django_assert_num_queries(0):
        assert greeted(client) == 200
    with django_assert_num_queries(1):
        assert greeted(client) == 200


@pytest.mark.usefixtures("_outside")
def test_an_end_is_known_at_once_inside_the_transaction_of_a_test(user: Any) -> None:
    pair = drf_signet.issue(user)
    client = auth_client(user)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    with deterministic():
        assert greeted(client) == 200
        drf_signet.end(pair.session)
        assert greeted(client) == 401


@pytest.mark.usefixtures("_outside")
def test_an_end_waits_for_the_commit_without_it(user: Any, settings: Any) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": None}
    pair = drf_signet.issue(user)
    drf_signet.end(pair.session)
    assert not runtime.current().feed.has_ended(str(pair.session.pk))


def test_what_another_process_ended_is_not_known(user: Any, settings: Any) -> None:
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": 0}
    client = auth_client(user)
    Session.objects.update(end_reason=EndReason.LOGOUT, ended_at=DbNow())
    assert greeted(client) == 200


def test_failed_logins_are_counted_from_zero(user: Any, settings: Any) -> None:
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": "2/day"}}
    assert [fail_to_log_in() for _ in range(3)] == [401, 401, 429]
    with deterministic():
        assert [fail_to_log_in() for _ in range(3)] == [401, 401, 429]
    assert fail_to_log_in() == 429


@pytest.mark.usefixtures("_outside")
def test_it_leaves_everything_as_it_was_even_after_an_error() -> None:
    with deterministic():
        outer = LoginThrottle.namespace
        with pytest.raises(ZeroDivisionError), deterministic():
            print(1 / 0)
        assert alone()
        assert LoginThrottle.namespace == outer != "signet:login"
    assert not alone()
    assert LoginThrottle.namespace == "signet:login"


# The plugin: it is named in `tests/conftest.py`, as the documentation says.


def test_every_test_is_inside() -> None:
    assert alone()
    assert LoginThrottle.namespace != "signet:login"


class TestInsideOfUnittest(TestCase):
    """Tests of Django's own kind are inside too."""

    def setUp(self) -> None:
        self.user = User.objects.create_user("ada")

    def test_an_end_is_known_at_once(self) -> None:
        client = auth_client(self.user)
        assert greeted(client) == 200
        drf_signet.end_all(self.user)
        assert greeted(client) == 401

    def test_the_number_of_statements_is_stable(self) -> None:
        client = auth_client(self.user)
        for _ in range(2):
            with self.assertNumQueries(0):
                assert greeted(client) == 200


def test_the_fixture_auth_client_is_the_function(
    user: Any, auth_client: Callable[..., APIClient]
) -> None:
    assert greeted(auth_client(user)) == 200
    assert greeted(auth_client(user, claims={"role": "reader"})) == 200


def test_the_fixture_token_for_is_the_function(user: Any, token_for: Callable[..., str]) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_for(user, expired=True)}")
    answer = client.get("/hello/")
    assert (answer.status_code, answer.data["reason"]) == (401, "expired")
