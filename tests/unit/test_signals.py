"""Test drf-signet's signals, which are sent after the commit, and Django's login signals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import signals as django_signals
from django.db import transaction
from django.dispatch import Signal
from django.http import HttpRequest
from rest_framework.test import APIClient

import drf_signet
from drf_signet import flows
from drf_signet.models import EndReason, Session
from tests.conftest import PASSWORD
from tests.support.session_states import ROTATING, open_session, post, refresh_token

pytestmark = pytest.mark.django_db

OWN = ["session_opened", "session_refreshed", "session_ended", "refresh_reused"]
DJANGO = ["user_logged_in", "user_login_failed", "user_logged_out"]

#: The received signals, each with its name and its arguments.
Received = list[tuple[str, dict[str, Any]]]


@contextmanager
def connected(signal: Signal, receiver: Callable[..., Any]) -> Iterator[None]:
    signal.connect(receiver)
    yield
    signal.disconnect(receiver)


@pytest.fixture
def received() -> Iterator[Received]:
    """Return a list that records each signal with its arguments, in order."""
    calls: Received = []

    def listener(name: str) -> Callable[..., None]:
        def receive(signal: Signal, **sent: Any) -> None:
            calls.append((name, sent))

        return receive

    with ExitStack() as stack:
        for module, names in ((drf_signet, OWN), (django_signals, DJANGO)):
            for name in names:
                stack.enter_context(connected(getattr(module, name), listener(name)))
        yield calls


@pytest.fixture
def session(user: Any, settings: Any) -> Session:
    """Open a session with generation 5, as if it had been rotated five times."""
    settings.SIGNET = ROTATING
    return open_session(user, generation=5)


@pytest.fixture
def commits(django_capture_on_commit_callbacks: Any) -> Any:
    """Return a context manager that runs the on_commit callbacks, as a commit does."""
    return django_capture_on_commit_callbacks(execute=True)


def log_in(client: APIClient, password: str = PASSWORD) -> Any:
    return post(client, "token_obtain_pair", username="vitor", password=password)


# drf-signet's signals ------------------------------------------------------------------------


def test_login_sends_session_opened_with_session_user_and_request(
    client: APIClient, user: Any, received: Received, commits: Any
) -> None:
    with commits:
        log_in(client)
    (name, sent) = received[-1]
    assert (name, sent["sender"]) == ("session_opened", Session)
    assert (sent["session"], sent["user"]) == (Session.objects.get(), user)
    assert isinstance(sent["request"], HttpRequest)


def test_issue_without_a_request_sends_session_opened_without_a_request(
    user: Any, received: Received, commits: Any
) -> None:
    with commits:
        pair = drf_signet.issue(user)
    (name, sent) = received[-1]
    assert (name, sent["session"], sent["request"]) == ("session_opened", pair.session, None)
    assert "user_logged_in" not in dict(received)


def test_refresh_sends_session_refreshed_with_whether_it_rotated(
    client: APIClient, session: Session, received: Received, commits: Any
) -> None:
    token = refresh_token(session, 5)
    with commits:
        for _ in range(2):
            post(client, "token_refresh", refresh=token)
    assert [name for name, _ in received] == ["session_refreshed"] * 2
    assert [sent["rotated"] for _, sent in received] == [True, False]
    assert [sent["session"].generation for _, sent in received] == [6, 6]
    assert {sent["user"] for _, sent in received} == {session.user}


def test_refresh_without_rotation_sends_session_refreshed(
    session: Session, received: Received, settings: Any, commits: Any
) -> None:
    settings.SIGNET = {}
    with commits:
        flows.refresh(refresh_token(session, 5))
    assert received[0][0] == "session_refreshed"
    assert received[0][1]["rotated"] is False


def test_replay_sends_refresh_reused_once_with_the_generations_behind(
    client: APIClient, session: Session, received: Received, commits: Any
) -> None:
    token = refresh_token(session, 2)
    with commits:
        for _ in range(2):
            post(client, "token_refresh", refresh=token)
    assert [name for name, _ in received] == ["session_ended", "refresh_reused"]
    ended, reused = (sent for _, sent in received)
    assert (ended["session_id"], ended["reason"]) == (session.pk, EndReason.REUSE)
    assert (reused["session"], reused["generations_behind"]) == (session, 3)
    assert reused["user"] == session.user


def test_end_sends_session_ended_with_id_user_and_reason(
    session: Session, received: Received, commits: Any
) -> None:
    with commits:
        drf_signet.end(session)
        drf_signet.end(session)
    assert received == [
        (
            "session_ended",
            {
                "sender": Session,
                "session_id": session.pk,
                "user_id": session.user_id,
                "reason": EndReason.LOGOUT,
            },
        )
    ]


def test_end_all_sends_session_ended_for_each_session(
    user: Any, received: Received, commits: Any
) -> None:
    opened = [open_session(user) for _ in range(3)]
    with commits:
        drf_signet.end_all(user, keep=opened[0])
    ended = {sent["session_id"] for name, sent in received if name == "session_ended"}
    assert ended == {session.pk for session in opened[1:]}


def test_refused_refresh_that_ends_no_session_sends_no_signal(
    client: APIClient, session: Session, received: Received, commits: Any
) -> None:
    with commits:
        post(client, "token_refresh", refresh="garbage")
        post(client, "token_refresh", refresh=refresh_token(session, 7))
    assert received == []


@pytest.mark.django_db(transaction=True)
def test_signals_are_sent_after_the_commit(user: Any, received: Received) -> None:
    with transaction.atomic():
        pair = drf_signet.issue(user)
        drf_signet.end(pair.session)
        assert received == []
    assert [name for name, _ in received] == ["session_opened", "session_ended"]


@pytest.mark.django_db(transaction=True)
def test_signals_are_not_sent_if_the_transaction_is_rolled_back(
    user: Any, received: Received
) -> None:
    with transaction.atomic():
        drf_signet.end(drf_signet.issue(user).session)
        transaction.set_rollback(True)
    assert received == []
    assert not Session.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_failing_receiver_is_logged_and_does_not_fail_the_request(
    client: APIClient, user: Any, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNET = ROTATING

    def fail(**sent: Any) -> None:
        raise LookupError("a receiver's own mistake")

    sent_after: list[str] = []
    with ExitStack() as stack:
        for name in OWN:
            stack.enter_context(connected(getattr(drf_signet, name), fail))
            receive = partial(lambda name, **sent: sent_after.append(name), name)
            stack.enter_context(connected(getattr(drf_signet, name), receive))
        first_token = log_in(client).data["refresh"]
        second_token = post(client, "token_refresh", refresh=first_token).data["refresh"]
        assert post(client, "token_refresh", refresh=second_token).status_code == 200
        assert post(client, "token_refresh", refresh=first_token).data["reason"] == "reused"
        assert post(client, "token_logout", refresh=first_token).status_code == 204
    assert sent_after == [
        "session_opened",
        "session_refreshed",
        "session_refreshed",
        "session_ended",
        "refresh_reused",
    ]
    assert caplog.text.count("LookupError: a receiver's own mistake") == len(sent_after)
    assert first_token not in caplog.text


# Django's signals ----------------------------------------------------------------------------


def test_login_sends_user_logged_in_with_the_real_request_and_sets_last_login(
    client: APIClient, user: Any, received: Received
) -> None:
    assert user.last_login is None
    log_in(client)
    (name, sent) = received[0]
    assert (name, sent["sender"], sent["user"]) == ("user_logged_in", type(user), user)
    assert isinstance(sent["request"], HttpRequest)
    user.refresh_from_db()
    assert user.last_login is not None


def test_receiver_of_user_logged_in_that_raises_prevents_the_session(
    client: APIClient, user: Any, received: Received
) -> None:
    def refuse(**sent: Any) -> None:
        raise LookupError("not today")

    with connected(django_signals.user_logged_in, refuse), pytest.raises(LookupError):
        log_in(client)
    assert not Session.objects.exists()
    assert "session_opened" not in dict(received)


def test_failed_login_sends_user_login_failed_with_the_real_request_and_no_password(
    client: APIClient, user: Any, received: Received
) -> None:
    log_in(client, password="wrong")
    ((name, sent),) = received
    assert name == "user_login_failed"
    assert isinstance(sent["request"], HttpRequest)
    assert sent["credentials"]["username"] == "vitor"
    assert "wrong" not in repr(sent["credentials"])


def test_logout_sends_user_logged_out_once_with_the_real_request(
    client: APIClient, session: Session, received: Received
) -> None:
    for _ in range(2):
        post(client, "token_logout", refresh=refresh_token(session))
    ((name, sent),) = received
    assert (name, sent["sender"], sent["user"]) == (
        "user_logged_out",
        type(session.user),
        session.user,
    )
    assert isinstance(sent["request"], HttpRequest)


def test_logout_everywhere_sends_user_logged_out(
    auth_client: Callable[..., APIClient], user: Any, received: Received
) -> None:
    auth_client(user).post("/api/token/logout/all/")
    assert [(name, sent["user"]) for name, sent in received] == [("user_logged_out", user)]
