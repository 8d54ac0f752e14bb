"""Test how processes send ended sessions to each other, through a broker in memory."""

from __future__ import annotations

import os
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.test import override_settings

import drf_signet
from drf_signet import runtime
from drf_signet.db.outages import REPORT_EVERY, reports
from drf_signet.sessions import broadcast
from drf_signet.sessions.broadcast import (
    LONGEST_PAUSE,
    MESSAGE,
    SHORTEST_PAUSE,
    UNSENT,
    Broadcast,
    Broker,
    ListeningSource,
)
from drf_signet.sessions.ended import EndedSessions, ended_sessions
from drf_signet.sessions.sources import DatabaseSource
from drf_signet.testing import token_for
from tests.contracts.broker import BrokerContract, MemoryBroker

#: Seconds after which a test fails because a thread has not done its work.
DEADLINE = 30.0
BROKER = {"TOKEN_REVOCATION_BROKER": "redis://broker.example/0"}


def until(condition: Callable[[], Any]) -> bool:
    """Repeat a check until it is true or DEADLINE has passed; return whether it was true."""
    deadline = time.monotonic() + DEADLINE
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(0.001)
    return bool(holds)


def threads() -> list[str]:
    """Return the names of the running threads of this module."""
    names = (thread.name for thread in threading.enumerate())
    return sorted(name for name in names if name.startswith("drf-signet-"))


def new_ids(number: int) -> list[uuid.UUID]:
    return [uuid.uuid4() for _ in range(number)]


class Pauses:
    """Replaces the pause after an error: records its length and, if `go` is set, ends at once."""

    def __init__(self) -> None:
        self.lengths: list[float] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, closed: threading.Event, seconds: float) -> None:
        self.lengths.append(seconds)
        while not (self.go.is_set() or closed.is_set()):
            time.sleep(0.001)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def make(broker: MemoryBroker, pauses: Pauses) -> Iterator[Callable[..., Broadcast]]:
    """Return a function that creates a `Broadcast`; close all of them after the test."""
    made: list[Broadcast] = []

    def create(**options: Any) -> Broadcast:
        defaults: dict[str, Any] = {"keep": 360.0, "ended": EndedSessions(), "pause": pauses}
        made.append(Broadcast(broker, **defaults | options))
        return made[-1]

    yield create
    pauses.go.set()
    for one in made:
        one.close()
    assert threads() == []


@pytest.fixture
def ended() -> EndedSessions:
    return EndedSessions()


@pytest.fixture
def listening(
    make: Callable[..., Broadcast], broker: MemoryBroker, ended: EndedSessions
) -> Broadcast:
    """Return a `Broadcast` that listens, and adds sessions to `ended`."""
    listener = make(ended=ended)
    listener.listen()
    assert until(lambda: broker.channel)
    return listener


class TestMemoryBroker(BrokerContract):
    @pytest.fixture
    def connect(self, broker: MemoryBroker) -> Callable[[], Broker]:
        return lambda: MemoryBroker(channel=broker.channel)


# Sending and receiving


def test_sent_sessions_are_added_by_a_process_that_listens(
    listening: Broadcast, make: Callable[..., Broadcast], ended: EndedSessions
) -> None:
    sent = new_ids(3)
    make().send(sent)
    assert until(lambda: ended.ended.keys() == {session_id.int for session_id in sent})


def test_received_session_is_forgotten_like_others(
    make: Callable[..., Broadcast], broker: MemoryBroker
) -> None:
    now = [0.0]
    ended = EndedSessions(clock=lambda: now[0])
    make(ended=ended, keep=10.0).listen()
    assert until(lambda: broker.channel)
    first, second = new_ids(2)
    broker.publish(first.bytes)
    assert until(lambda: first.int in ended.ended)
    now[0] = 11.0
    broker.publish(second.bytes)
    assert until(lambda: second.int in ended.ended)
    assert until(lambda: first.int not in ended.ended)


def test_sessions_that_wait_are_sent_in_one_message(
    make: Callable[..., Broadcast], broker: MemoryBroker, pauses: Pauses
) -> None:
    pauses.go.clear()
    broker.errors.append(OSError())
    sender = make()
    sent = new_ids(MESSAGE)
    sender.send(sent[:1])
    assert until(lambda: pauses.lengths)
    for session_id in sent[1:]:
        sender.send([session_id])
    pauses.go.set()
    assert until(lambda: broker.published)
    assert {broker.published[0][at : at + 16] for at in range(0, 16 * MESSAGE, 16)} == {
        session_id.bytes for session_id in sent
    }


def test_more_sessions_than_a_message_has_room_for_are_left_to_the_polls(
    make: Callable[..., Broadcast], broker: MemoryBroker
) -> None:
    sender = make()
    sender.send(new_ids(MESSAGE + 1))
    few = new_ids(MESSAGE)
    sender.send(few)
    assert until(lambda: broker.published)
    sender.close()
    assert broker.published == [b"".join(session_id.bytes for session_id in few)]


def test_oldest_sessions_are_not_sent_if_too_many_wait(
    make: Callable[..., Broadcast], broker: MemoryBroker, pauses: Pauses
) -> None:
    pauses.go.clear()
    broker.errors.append(OSError())
    sender, sent = make(), new_ids(UNSENT + 1)
    sender.send(sent[:1])
    assert until(lambda: pauses.lengths)
    for at in range(1, len(sent), MESSAGE):
        sender.send(sent[at : at + MESSAGE])
    pauses.go.set()
    assert until(lambda: len(broker.published) == UNSENT // MESSAGE)
    sender.close()
    assert b"".join(broker.published) == b"".join(session_id.bytes for session_id in sent[1:])


# Failures


def test_failed_message_is_sent_again_after_a_pause(
    make: Callable[..., Broadcast], broker: MemoryBroker, pauses: Pauses
) -> None:
    broker.errors += [OSError("down"), OSError("still down")]
    (session_id,) = new_ids(1)
    make().send([session_id])
    assert until(lambda: broker.published == [session_id.bytes])
    assert len(pauses.lengths) == 2


def test_listener_subscribes_again_after_an_error_or_the_end_of_its_subscription(
    listening: Broadcast, broker: MemoryBroker, ended: EndedSessions
) -> None:
    broker.errors += [OSError(), ValueError()]
    broker.interrupt()
    assert until(lambda: broker.channel)
    (session_id,) = new_ids(1)
    broker.publish(session_id.bytes)
    assert until(lambda: session_id.int in ended.ended)


def test_pauses_grow_to_the_longest_and_shrink_after_an_answer(
    make: Callable[..., Broadcast], broker: MemoryBroker, pauses: Pauses
) -> None:
    broker.errors += [OSError() for _ in range(8)]
    make().listen()
    assert until(lambda: broker.channel)
    broker.interrupt()
    assert until(lambda: broker.channel)
    expected = [min(SHORTEST_PAUSE * 2**number, LONGEST_PAUSE) for number in range(8)]
    for length, longest in zip(pauses.lengths, [*expected, SHORTEST_PAUSE], strict=True):
        assert longest / 2 <= length <= longest


def test_failures_are_logged_once_per_period_without_a_traceback(
    make: Callable[..., Broadcast],
    broker: MemoryBroker,
    pauses: Pauses,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sender = make()
    for number in range(3):
        broker.errors += [OSError(f"down {number}"), OSError()]
        sender.send(new_ids(1))
        assert until(lambda: not broker.errors)
        assert until(lambda sent=number + 1: len(broker.published) == sent)  # type: ignore[misc]
        reports.reported["broker"] -= REPORT_EVERY / 2
    messages = [record.getMessage() for record in caplog.records]
    assert [message.rsplit(": ", 2)[1:] for message in messages] == [
        ["OSError", "down 0"],
        ["OSError", "down 2"],
    ]
    assert {record.exc_info for record in caplog.records} == {None}


@pytest.mark.parametrize("length", [1, 15, 17, 16 * MESSAGE + 16])
def test_malformed_message_is_ignored_and_logged(
    listening: Broadcast,
    broker: MemoryBroker,
    ended: EndedSessions,
    pauses: Pauses,
    caplog: pytest.LogCaptureFixture,
    length: int,
) -> None:
    broker.publish(bytes(length))
    (session_id,) = new_ids(1)
    broker.publish(session_id.bytes)
    assert until(lambda: session_id.int in ended.ended)
    assert len(ended.ended) == 1
    assert f"a message of {length} bytes is not a list of sessions" in caplog.text
    assert pauses.lengths == []


def test_messages_are_ignored_while_too_many_sessions_are_known(
    listening: Broadcast,
    broker: MemoryBroker,
    ended: EndedSessions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broadcast, "KNOWN", 2)
    known, ignored = new_ids(2), new_ids(1)
    broker.publish(b"".join(session_id.bytes for session_id in known))
    broker.publish(ignored[0].bytes)
    broker.interrupt()
    assert until(lambda: broker.channel)  # the listener has read both messages
    assert ended.ended.keys() == {session_id.int for session_id in known}


# Threads


def test_close_sends_what_waits_and_stops_both_threads(
    make: Callable[..., Broadcast], broker: MemoryBroker
) -> None:
    one = make()
    one.listen()
    sent = new_ids(5)
    for session_id in sent:
        one.send([session_id])
    assert threads() == ["drf-signet-listener", "drf-signet-sender"]
    one.close()
    assert threads() == []
    assert b"".join(broker.published) == b"".join(session_id.bytes for session_id in sent)
    assert broker.is_closed


def test_close_does_not_try_a_failing_broker_again(
    make: Callable[..., Broadcast], broker: MemoryBroker, pauses: Pauses
) -> None:
    pauses.go.clear()
    broker.errors.append(OSError())
    one = make()
    one.send(new_ids(1))
    assert until(lambda: pauses.lengths)
    one.close()
    assert threads() == []
    assert broker.published == []


def test_close_sends_what_waits_even_if_the_thread_has_hardly_started(
    make: Callable[..., Broadcast], broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This is the case in a command that ends a session and exits."""
    may_run, send = threading.Event(), Broadcast._send

    def send_later(self: Broadcast) -> Iterator[None]:
        assert may_run.wait(DEADLINE)
        yield from send(self)

    monkeypatch.setattr(Broadcast, "_send", send_later)
    one = make()
    join = one._join

    def join_later(name: str) -> None:
        may_run.set()  # `close` has told the sender to stop
        join(name)

    monkeypatch.setattr(one, "_join", join_later)
    (session_id,) = new_ids(1)
    one.send([session_id])
    one.close()
    assert broker.published == [session_id.bytes]


def test_nothing_starts_after_close(make: Callable[..., Broadcast], broker: MemoryBroker) -> None:
    one = make()
    one.close()
    one.close()
    one.send(new_ids(1))
    one.listen()
    assert until(lambda: threads() == [])
    assert broker.published == []
    assert broker.channel == []


def test_close_stops_a_listener_that_is_connecting(
    make: Callable[..., Broadcast], broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    connecting, connected = threading.Event(), threading.Event()
    subscribe = broker.messages

    def messages() -> Iterator[bytes]:
        connecting.set()
        assert connected.wait(DEADLINE)
        yield from subscribe()

    monkeypatch.setattr(broker, "messages", messages)
    monkeypatch.setattr(broadcast, "CLOSE_WAIT", 0.0)
    one = make()
    one.listen()
    assert connecting.wait(DEADLINE)
    one.close()
    connected.set()
    assert until(lambda: threads() == [])


def test_error_of_close_is_not_raised(
    make: Callable[..., Broadcast], broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError

    one = make()
    with monkeypatch.context() as patched:
        patched.setattr(broker, "close", fail)
        one.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_listener_that_died_is_started_again(
    listening: Broadcast, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(message: bytes) -> None:
        raise SystemExit  # ends the thread, and is not an `Exception`

    with monkeypatch.context() as patched:
        patched.setattr(listening, "_add", die)
        broker.publish(b"x" * 16)
        assert until(lambda: threads() == [])
    broker.channel.clear()

    def poll() -> bool:
        listening.listen()
        return bool(broker.channel)

    assert until(poll)


# The settings, and where sessions end


@pytest.fixture
def opened(broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let `broadcast.connect` return a broker in memory; return the URLs that it was called with.

    Each returned broker sends its messages to `broker`, too.
    """
    urls: list[str] = []

    def adapter(url: str) -> MemoryBroker:
        urls.append(url)
        return MemoryBroker(channel=broker.channel, published=broker.published)

    monkeypatch.setattr(broadcast, "_adapters", [f"{__name__}.adapter"])
    monkeypatch.setitem(globals(), "adapter", adapter)
    yield urls
    broadcast.close()
    assert threads() == []


@pytest.fixture
def polling(signet_deterministic: None) -> None:
    """Let the feed poll, although the pytest plugin prevents it."""
    ended_sessions.alone = False  # the fixture signet_deterministic restores this flag
    runtime.current.cache_clear()


def test_there_is_no_broadcast_without_the_setting(opened: list[str]) -> None:
    assert broadcast.current() is None
    assert broadcast.connect() is None
    broadcast.send(new_ids(1))
    assert opened == []
    assert type(runtime._source(runtime.current().settings)) is DatabaseSource
    assert threads() == []


def test_process_has_one_broadcast_until_a_setting_changes(opened: list[str]) -> None:
    with override_settings(SIGNET=BROKER):
        first = broadcast.current()
        assert first is broadcast.current()
        assert first is not None
        first.listen()
    assert threads() == []
    assert broadcast.current() is None
    with override_settings(SIGNET=BROKER):
        assert broadcast.current() not in (None, first)
    assert opened == [BROKER["TOKEN_REVOCATION_BROKER"]] * 2


def test_broker_without_polls_is_refused(opened: list[str]) -> None:
    with (
        override_settings(SIGNET=BROKER | {"REVOCATION_POLL_INTERVAL": None}),
        pytest.raises(ImproperlyConfigured, match="only polls find ended sessions whose messages"),
    ):
        runtime.current()


def test_runtime_listens_with_the_setting(opened: list[str], settings: Any) -> None:
    settings.SIGNET = BROKER
    assert type(runtime._source(runtime.current().settings)) is ListeningSource
    assert threads() == []


@pytest.mark.django_db
def test_process_listens_from_its_first_protected_request_on(
    opened: list[str], polling: None, user: Any, client: Any, settings: Any
) -> None:
    settings.SIGNET = BROKER
    header = {"authorization": f"Bearer {token_for(user)}"}
    assert threads() == []
    assert client.get("/hello/", headers=header).status_code == 200
    assert threads() == ["drf-signet-listener"]


@pytest.mark.django_db
def test_requests_between_polls_do_not_touch_the_broker(
    opened: list[str],
    polling: None,
    user: Any,
    client: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.SIGNET = BROKER | {"REVOCATION_POLL_INTERVAL": 3599}
    header = {"authorization": f"Bearer {token_for(user)}"}
    assert client.get("/hello/", headers=header).status_code == 200
    calls: list[str] = []
    monkeypatch.setattr(Broadcast, "listen", lambda self: calls.append("listen"))
    monkeypatch.setattr(broadcast, "current", lambda: calls.append("current"))
    assert client.get("/hello/", headers=header).status_code == 200
    assert calls == []


@pytest.mark.django_db
def test_message_ends_a_session_between_polls(
    opened: list[str], polling: None, user: Any, client: Any, settings: Any, broker: MemoryBroker
) -> None:
    settings.SIGNET = BROKER | {"REVOCATION_POLL_INTERVAL": 3599}
    pair = drf_signet.issue(user)
    header = {"authorization": f"Bearer {pair.access}"}
    assert client.get("/hello/", headers=header).status_code == 200
    assert until(lambda: broker.channel)
    broker.publish(pair.session.pk.bytes)
    assert until(lambda: client.get("/hello/", headers=header).status_code == 401)


@pytest.mark.django_db(transaction=True)
def test_end_is_sent_after_the_commit_and_never_after_a_rollback(
    opened: list[str], polling: None, user: Any, settings: Any, broker: MemoryBroker
) -> None:
    settings.SIGNET = BROKER
    first, second, third = (drf_signet.issue(user).session for _ in range(3))
    with transaction.atomic():
        drf_signet.end(first)
        transaction.set_rollback(True)
    with transaction.atomic():
        drf_signet.end(second)
        assert threads() == []
    drf_signet.end(third)
    broadcast.close()
    assert b"".join(broker.published) == second.pk.bytes + third.pk.bytes


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("many", [False, True], ids=["user.delete", "queryset.delete"])
def test_ended_sessions_of_deleted_users_are_sent(
    opened: list[str], polling: None, user: Any, settings: Any, broker: MemoryBroker, many: bool
) -> None:
    settings.SIGNET = BROKER
    session = drf_signet.issue(user).session
    type(user).objects.filter(pk=user.pk).delete() if many else user.delete()
    broadcast.close()
    assert session.pk.bytes in broker.published


@pytest.mark.django_db
def test_nothing_is_sent_and_nobody_listens_in_deterministic_tests(
    opened: list[str], user: Any, client: Any, settings: Any, broker: MemoryBroker
) -> None:
    settings.SIGNET = BROKER
    pair = drf_signet.issue(user)
    header = {"authorization": f"Bearer {pair.access}"}
    assert client.get("/hello/", headers=header).status_code == 200
    drf_signet.end(pair.session)
    assert client.get("/hello/", headers=header).status_code == 401
    assert threads() == []


@pytest.mark.django_db(transaction=True)
def test_logout_does_not_wait_while_the_broker_hangs(
    opened: list[str],
    polling: None,
    user: Any,
    client: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers, asked = threading.Event(), threading.Event()

    def hang(self: MemoryBroker, message: bytes) -> None:
        asked.set()
        assert answers.wait(DEADLINE)  # it fails if a logout waits for it

    settings.SIGNET = BROKER
    monkeypatch.setattr(MemoryBroker, "publish", hang)
    for _ in range(3):
        refresh = drf_signet.issue(user).refresh
        assert client.post("/api/token/logout/", {"refresh": refresh}).status_code == 204
        assert asked.wait(DEADLINE)
    answers.set()


@pytest.mark.django_db(transaction=True)
def test_logout_and_request_succeed_if_no_thread_can_start(
    opened: list[str],
    polling: None,
    user: Any,
    client: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    settings.SIGNET = BROKER
    pair = drf_signet.issue(user)
    header = {"authorization": f"Bearer {pair.access}"}
    monkeypatch.setattr(threading.Thread, "start", fail)
    assert client.get("/hello/", headers=header).status_code == 200
    answer = client.post("/api/token/logout/", {"refresh": pair.refresh})
    assert answer.status_code == 204
    assert client.get("/hello/", headers=header).status_code == 401
    assert caplog.text.count("can't start new thread") >= 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork")
def test_forked_child_starts_threads_of_its_own(
    opened: list[str], settings: Any, broker: MemoryBroker
) -> None:
    settings.SIGNET = BROKER
    parents = broadcast.current()
    assert parents is not None
    parents.listen()
    assert until(lambda: broker.channel)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # os.fork() warns if there are threads
        child = os.fork()
    if child == 0:
        succeeded = False
        try:
            broker.channel.clear()
            own = broadcast.current()
            assert own not in (None, parents)
            own.listen()
            assert until(lambda: broker.channel)
            (session_id,) = new_ids(1)
            own.send([session_id])
            succeeded = until(lambda: session_id.int in ended_sessions.ended)
        finally:
            os._exit(0 if succeeded else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0
