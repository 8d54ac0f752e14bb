"""What the application hears: our own signals, after the commit, and Django's."""

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
from tests.situations import ROTATING, open_session, post, refresh_token

pytestmark = pytest.mark.django_db

OWN = ["session_opened", "session_refreshed", "session_ended", "refresh_reused"]
DJANGO = ["user_logged_in", "user_login_failed", "user_logged_out"]

#: (name of the signal, what it sent)
Heard = list[tuple[str, dict[str, Any]]]


@contextmanager
def connected(signal: Signal, receiver: Callable[..., Any]) -> Iterator[None]:
    signal.connect(receiver)
    yield
    signal.disconnect(receiver)


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Listen to every signal; return what was sent, in order."""
    received: Heard = []

    def listener(name: str) -> Callable[..., None]:
        def receive(signal: Signal, **sent: Any) -> None:
            received.append((name, sent))

        return receive

    with ExitStack() as stack:
        for module, names in ((drf_signet, OWN), (django_signals, DJANGO)):
            for name in names:
                stack.enter_context(connected(getattr(module, name), listener(name)))
        yield received


@pytest.fixture
def session(user: Any, settings: Any) -> Session:
    """Return a session that was rotated five times."""
    settings.SIGNET = ROTATING
    return open_session(user, generation=5)


@pytest.fixture
def commits(django_capture_on_commit_callbacks: Any) -> Any:
    """Let each transaction of the test's commit."""
    return django_capture_on_commit_callbacks(execute=True)


def log_in(client: APIClient, password: str = PASSWORD) -> Any:
    return post(client, "token_obtain_pair", username="vitor", password=password)


# Our own -------------------------------------------------------------------------------------


def test_a_login_is_told_with_session_user_and_request(
    client: APIClient, user: Any, heard: Heard, commits: Any
) -> None:
    with commits:
        log_in(client)
    (name, sent) = heard[-1]
    assert (name, sent["sender"]) == ("session_opened", Session)
    assert (sent["session"], sent["user"]) == (Session.objects.get(), user)
    assert isinstance(sent["request"], HttpRequest)


def test_a_login_from_python_has_no_request_to_tell(user: Any, heard: Heard, commits: Any) -> None:
    with commits:
        pair = drf_signet.issue(user)
    (name, sent) = heard[-1]
    assert (name, sent["session"], sent["request"]) == ("session_opened", pair.session, None)
    assert "user_logged_in" not in dict(heard)


def test_a_refresh_is_told_and_whether_it_rotated(
    client: APIClient, session: Session, heard: Heard, commits: Any
) -> None:
    token = refresh_token(session, 5)
    with commits:
        for _ in range(2):
            post(client, "token_refresh", refresh=token)
    assert [name for name, _ in heard] == ["session_refreshed"] * 2
    assert [sent["rotated"] for _, sent in heard] == [True, False]
    assert [sent["session"].generation for _, sent in heard] == [6, 6]
    assert {sent["user"] for _, sent in heard} == {session.user}


def test_a_refresh_without_rotation_is_told_too(
    session: Session, heard: Heard, settings: Any, commits: Any
) -> None:
    settings.SIGNET = {}
    with commits:
        flows.refresh(refresh_token(session, 5))
    assert heard[0][0] == "session_refreshed"
    assert heard[0][1]["rotated"] is False


def test_a_replay_is_told_once_with_how_old_the_token_was(
    client: APIClient, session: Session, heard: Heard, commits: Any
) -> None:
    token = refresh_token(session, 2)
    with commits:
        for _ in range(2):
            post(client, "token_refresh", refresh=token)
    assert [name for name, _ in heard] == ["session_ended", "refresh_reused"]
    ended, reused = (sent for _, sent in heard)
    assert (ended["session_id"], ended["reason"]) == (session.pk, EndReason.REUSE)
    assert (reused["session"], reused["generations_behind"]) == (session, 3)
    assert reused["user"] == session.user


def test_an_end_is_told_with_id_user_and_reason(
    session: Session, heard: Heard, commits: Any
) -> None:
    with commits:
        drf_signet.end(session)
        drf_signet.end(session)
    assert heard == [
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


def test_the_end_of_each_session_is_told_when_all_are_ended(
    user: Any, heard: Heard, commits: Any
) -> None:
    opened = [open_session(user) for _ in range(3)]
    with commits:
        drf_signet.end_all(user, keep=opened[0])
    told = {sent["session_id"] for name, sent in heard if name == "session_ended"}
    assert told == {one.pk for one in opened[1:]}


def test_a_refusal_that_ends_nothing_is_not_told(
    client: APIClient, session: Session, heard: Heard, commits: Any
) -> None:
    with commits:
        post(client, "token_refresh", refresh="garbage")
        post(client, "token_refresh", refresh=refresh_token(session, 7))
    assert heard == []


@pytest.mark.django_db(transaction=True)
def test_signals_wait_for_the_commit(user: Any, heard: Heard) -> None:
    with transaction.atomic():
        pair = drf_signet.issue(user)
        drf_signet.end(pair.session)
        assert heard == []
    assert [name for name, _ in heard] == ["session_opened", "session_ended"]


@pytest.mark.django_db(transaction=True)
def test_signals_are_not_sent_when_the_transaction_is_rolled_back(user: Any, heard: Heard) -> None:
    with transaction.atomic():
        drf_signet.end(drf_signet.issue(user).session)
        transaction.set_rollback(True)
    assert heard == []
    assert not Session.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_fails_breaks_nothing(
    client: APIClient, user: Any, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNET = ROTATING

    def fail(**sent: Any) -> None:
        raise LookupError("a receiver's own mistake")

    after: list[str] = []
    with ExitStack() as stack:
        for name in OWN:
            stack.enter_context(connected(getattr(drf_signet, name), fail))
            hear = partial(lambda name, **sent: after.append(name), name)
            stack.enter_context(connected(getattr(drf_signet, name), hear))
        first = log_in(client).data["refresh"]
        second = post(client, "token_refresh", refresh=first).data["refresh"]
        assert post(client, "token_refresh", refresh=second).status_code == 200
        assert post(client, "token_refresh", refresh=first).data["reason"] == "reused"
        assert post(client, "token_logout", refresh=first).status_code == 204
    assert after == [
        "session_opened",
        "session_refreshed",
        "session_refreshed",
        "session_ended",
        "refresh_reused",
    ]
    assert caplog.text.count("LookupError: a receiver's own mistake") == len(after)
    assert first not in caplog.text


# Django's ------------------------------------------------------------------------------------


def test_django_hears_of_a_login_with_the_real_request_and_notes_when_it_was(
    client: APIClient, user: Any, heard: Heard
) -> None:
    assert user.last_login is None
    log_in(client)
    (name, sent) = heard[0]
    assert (name, sent["sender"], sent["user"]) == ("user_logged_in", type(user), user)
    assert isinstance(sent["request"], HttpRequest)
    user.refresh_from_db()
    assert user.last_login is not None


def test_a_receiver_of_django_s_can_refuse_a_login_and_leaves_no_session(
    client: APIClient, user: Any, heard: Heard
) -> None:
    def refuse(**sent: Any) -> None:
        raise LookupError("not today")

    with connected(django_signals.user_logged_in, refuse), pytest.raises(LookupError):
        log_in(client)
    assert not Session.objects.exists()
    assert "session_opened" not in dict(heard)


def test_django_hears_of_a_failed_login_with_the_real_request_and_no_password(
    client: APIClient, user: Any, heard: Heard
) -> None:
    log_in(client, password="wrong")
    ((name, sent),) = heard
    assert name == "user_login_failed"
    assert isinstance(sent["request"], HttpRequest)
    assert sent["credentials"]["username"] == "vitor"
    assert "wrong" not in repr(sent["credentials"])


def test_django_hears_of_a_logout_once_with_the_real_request(
    client: APIClient, session: Session, heard: Heard
) -> None:
    for _ in range(2):
        post(client, "token_logout", refresh=refresh_token(session))
    ((name, sent),) = heard
    assert (name, sent["sender"], sent["user"]) == (
        "user_logged_out",
        type(session.user),
        session.user,
    )
    assert isinstance(sent["request"], HttpRequest)


def test_django_hears_of_a_logout_everywhere(
    auth_client: Callable[..., APIClient], user: Any, heard: Heard
) -> None:
    auth_client(user).post("/api/token/logout/all/")
    assert [(name, sent["user"]) for name, sent in heard] == [("user_logged_out", user)]
