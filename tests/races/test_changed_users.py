"""Test logins while the user's password is changed, or while the user is deactivated or deleted.

When the change has been committed, no session that one of these logins has opened may be alive.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, transaction
from rest_framework.test import APIClient

from drf_signet import flows, runtime, tokens
from drf_signet.compat.simplejwt.utils import get_md5_hash_password
from drf_signet.errors import Busy, CredentialsRefused
from drf_signet.models import Session
from drf_signet.sessions.ended import EndedSessions
from drf_signet.sessions.revocation import Feed
from drf_signet.sessions.sources import DatabaseSource
from drf_signet.tokens import TokenPair
from tests.conftest import PASSWORD
from tests.support.page_requests import send
from tests.support.session_states import (
    ADOPTING,
    ROTATING,
    legacy_token,
    post,
    user_with_outdated_hash,
)

from .crew import ISOLATION_LEVELS, SNAPSHOT, VENDOR, Act, Crew

pytestmark = pytest.mark.django_db(transaction=True)

#: The number of logins that run at the same time as each change.
CLIENTS = 3
#: The number of changes per isolation level.
ROUNDS = int(os.environ.get("SIGNET_TEST_RACES", "200"))
#: The isolation levels to test. READ UNCOMMITTED is added on databases other than SQLite.
LEVELS = [*([] if VENDOR == "sqlite3" else ["READ UNCOMMITTED"]), *ISOLATION_LEVELS]

Login = Callable[[Any], Act[str | None]]
Change = Callable[[Any], None]


def access_token_in(answer: Any) -> str | None:
    """Return the access token of a response; None if the login was refused."""
    assert answer.status_code in (200, 401, 503), answer.content
    return answer.data["access"] if answer.status_code == 200 else None


def at_the_token_endpoint(user: Any) -> Act[str | None]:
    credentials = {"username": user.username, "password": PASSWORD}
    return lambda client: access_token_in(post(client, "token_obtain_pair", **credentials))


def at_the_endpoint_for_pages(user: Any) -> Act[str | None]:
    credentials = {"username": user.username, "password": PASSWORD}
    headers = {"x-requested-with": "XMLHttpRequest", "sec-fetch-site": "same-origin"}
    return lambda client: access_token_in(send(client, "login", credentials, headers=headers))


def at_the_endpoint_of_the_alias(user: Any) -> Act[str | None]:
    credentials = {"username": user.username, "password": PASSWORD}
    return lambda client: access_token_in(client.post("/alias/", credentials, format="json"))


def by_issue(user: Any) -> Act[str | None]:
    def act(client: APIClient) -> str | None:
        try:
            return flows.issue(user).access
        except (CredentialsRefused, Busy):
            return None

    return act


def by_issue_in_a_transaction(user: Any) -> Act[str | None]:
    def act(client: APIClient) -> str | None:
        try:
            with transaction.atomic():
                # At some isolation levels, the first query takes the transaction's snapshot.
                get_user_model().objects.filter(pk=user.pk).exists()
                return flows.issue(user).access
        except (CredentialsRefused, Busy, OperationalError):
            return None

    return act


def by_adoption(user: Any) -> Act[str | None]:
    token = legacy_token(user, hash_password=get_md5_hash_password(user.password))
    return lambda client: access_token_in(post(client, "token_refresh", refresh=token))


LOGINS: list[Login] = [
    at_the_token_endpoint,
    at_the_endpoint_for_pages,
    at_the_endpoint_of_the_alias,
    by_issue,
    by_issue_in_a_transaction,
    by_adoption,
]


def new_password(user: Any) -> None:
    user.set_password("another")
    user.save()


def deactivation(user: Any) -> None:
    user.is_active = False
    user.save(update_fields=["is_active"])


def deletion(user: Any) -> None:
    user.delete()


def deletion_by_a_queryset(user: Any) -> None:
    type(user).objects.filter(pk=user.pk).delete()


CHANGES: list[Change] = [new_password, deactivation, deletion, deletion_by_a_queryset]


def changing(change: Change, user: Any, *, atomic: bool, reads: int) -> Act[str | None]:
    """Return a function that changes the user. It retries the change after a conflict with a login.

    Args:
        reads: how many times the user is read before the change. Each read delays the change, so
            that the change coincides with a later step of the logins. At some isolation levels, the
            transaction sees only what was committed before its first read.
    """

    def act(client: APIClient) -> None:
        while True:
            try:
                with transaction.atomic() if atomic else nullcontext():
                    row, *_ = [get_user_model().objects.get(pk=user.pk) for _ in range(reads)]
                    change(row)
            except (OperationalError, Busy):
                continue
            return

    return act


def upgrade_of_the_hash(user: Any) -> None:
    assert user.check_password(PASSWORD)


@pytest.fixture(autouse=True)
def _project(settings: Any, _rotating: None) -> None:
    settings.ROOT_URLCONF = "tests.support.every_login"
    settings.SIGNET = {**ROTATING, **ADOPTING, "LOGIN_THROTTLE": None}


def feed_of_another_process() -> Feed:
    return Feed(DatabaseSource(), interval=1, max_staleness=60, reach=3600, ended=EndedSessions())


def session_key_in(token: str) -> int:
    key = tokens.verify(token, now=runtime.now()).session_key
    assert key is not None
    return key


@pytest.mark.parametrize("isolation", LEVELS, indirect=True)
def test_no_session_of_a_login_with_the_old_password_is_alive_after_the_change(
    isolation: str, make_user: Callable[..., Any], assemble: Callable[[int], Crew]
) -> None:
    crew = assemble(CLIENTS + 1)
    opened = 0
    choose = random.Random(isolation)
    for _ in range(ROUNDS):
        user, change, atomic = make_user(), choose.choice(CHANGES), choose.random() < 0.5
        acts = [login(user) for login in choose.sample(LOGINS, CLIENTS)]
        acts.append(changing(change, user, atomic=atomic, reads=choose.randint(1, 6)))
        issued = [token for token in crew.act(acts) if token]
        opened += len(issued)
        alive = Session.objects.filter(end_reason="")
        assert not alive.exists(), (change, atomic, alive)
        feed = feed_of_another_process()
        assert all(feed.has_ended(session_key_in(token)) for token in issued)
    assert 0 < opened < CLIENTS * ROUNDS


class Step:
    """A step that one thread completes and another thread waits for."""

    def __init__(self) -> None:
        self._done = threading.Event()

    def done(self) -> None:
        self._done.set()

    def wait(self) -> None:
        assert self._done.wait(timeout=60)


@pytest.fixture
def change_during_a_login(
    assemble: Callable[[int], Crew],
) -> Callable[[Any, Change], TokenPair | None]:
    """Return a function that opens a session while another transaction is about to change the user.

    First, the transaction reads the user and the user's sessions. Then the session is opened.
    Finally, the transaction changes the user. The function returns the tokens of the session.
    """

    def run(user: Any, change: Change) -> TokenPair | None:
        has_read, has_opened = Step(), Step()

        def act(client: APIClient) -> None:
            with transaction.atomic():
                row = get_user_model().objects.get(pk=user.pk)
                assert not Session.objects.filter(user=user).exists()
                has_read.done()
                has_opened.wait()
                change(row)

        def log_in(client: APIClient) -> TokenPair:
            has_read.wait()
            try:
                return flows.issue(user)
            finally:
                has_opened.done()

        _, pair = assemble(2).act([act, log_in])
        return pair

    return run


#: Isolation levels at which `change_during_a_login` can commit its change. At the other levels, the
#: database refuses the change, or the login waits for the transaction.
WEAKER_LEVELS = [level for level in LEVELS if level not in ("SERIALIZABLE", SNAPSHOT)] or LEVELS

weaker_levels = pytest.mark.parametrize("isolation", WEAKER_LEVELS, indirect=True)
not_on_sqlite = pytest.mark.skipif(
    VENDOR == "sqlite3", reason="on SQLite, the login waits for the transaction"
)


@not_on_sqlite
@weaker_levels
@pytest.mark.parametrize("change", CHANGES)
def test_session_opened_since_a_transaction_began_ends_with_its_change(
    change: Change, user: Any, change_during_a_login: Callable[..., TokenPair]
) -> None:
    pair = change_during_a_login(user, change)
    assert not Session.objects.filter(end_reason="").exists()
    assert feed_of_another_process().has_ended(session_key_in(pair.access))


@not_on_sqlite
@weaker_levels
def test_session_opened_since_a_transaction_began_survives_its_upgrade_of_the_hash(
    make_user: Callable[..., Any],
    settings: Any,
    client: APIClient,
    change_during_a_login: Callable[..., TokenPair],
) -> None:
    user = user_with_outdated_hash(settings, make_user)
    pair = change_during_a_login(user, upgrade_of_the_hash)
    assert get_user_model().objects.get().password != user.password
    assert post(client, "token_refresh", refresh=pair.refresh).status_code == 200
