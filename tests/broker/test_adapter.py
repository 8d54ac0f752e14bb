"""Test the adapter for Redis with redis-py and a server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from drf_signet.sessions.broadcast import Broker
from tests.contracts.broker import BYTES, BrokerContract
from tests.support.redis_server import RedisServer


@pytest.fixture
def connect(server: RedisServer) -> Iterator[Callable[..., Any]]:
    """Return a function that connects to the server; close all connections after the test."""
    from drf_signet.contrib.redis import RedisBroker

    brokers: list[RedisBroker] = []

    def new(url: str = server.url) -> RedisBroker:
        brokers.append(RedisBroker(url))
        return brokers[-1]

    yield new
    for broker in brokers:
        broker.close()


class TestRedisBroker(BrokerContract):
    @pytest.fixture
    def connect(self, connect: Callable[[], Broker]) -> Callable[[], Broker]:
        return connect


def test_unix_socket_and_tls_reach_the_same_server(
    server: RedisServer, connect: Callable[..., Any]
) -> None:
    listener = connect().messages()
    assert next(listener) == b""
    connect(f"unix://{server.socket}").publish(b"1")
    url = server.tls_url.replace("rediss", "valkeys")
    connect(f"{url}?ssl_ca_certs={server.certificate}").publish(b"2")
    received = filter(None, listener)
    assert [next(received), next(received)] == [b"1", b"2"]


def test_unknown_certificate_is_an_error(server: RedisServer, connect: Callable[..., Any]) -> None:
    import redis

    with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        connect(server.tls_url).publish(b"1")


def test_projects_with_other_database_numbers_do_not_receive_the_message(
    server: RedisServer, connect: Callable[..., Any]
) -> None:
    others, own = (connect(server.url[:-1] + number).messages() for number in "12")
    assert [next(others), next(own)] == [b"", b""]
    connect(server.url[:-1] + "2").publish(BYTES)
    connect(server.url[:-1] + "1").publish(b"1")
    assert next(filter(None, others)) == b"1"
    assert next(filter(None, own)) == BYTES


def test_user_with_three_commands_and_one_channel_has_enough_rights(
    server: RedisServer, connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The how-to tells to create this user."""
    from drf_signet.contrib import redis

    monkeypatch.setattr(redis, "SILENCE", 0.1)
    rights = ["resetchannels", "&drf_signet:*", "-@all", "+publish", "+subscribe", "+ping"]
    server.run("ACL", "SETUSER", "signet", "on", ">secret", *rights)
    broker = connect(server.url.replace("127", "signet:secret@127"))
    listener = broker.messages()
    assert [next(listener), next(listener)] == [b"", b""]  # subscribed, and an answer to PING
    broker.publish(BYTES)
    assert next(filter(None, listener)) == BYTES


def test_wrong_password_is_an_error_that_does_not_contain_it(
    server: RedisServer, connect: Callable[..., Any]
) -> None:
    import redis

    broker = connect(server.url.replace("127", ":tr0ub4dor@127"))
    for act in (lambda: broker.publish(b""), lambda: next(broker.messages())):
        with pytest.raises(redis.AuthenticationError) as caught:
            act()
        assert "tr0ub4dor" not in str(caught.value)
    assert "tr0ub4dor" not in repr(vars(broker))


def test_publishing_works_again_at_once_after_the_server_was_restarted(
    server: RedisServer, connect: Callable[..., Any]
) -> None:
    broker = connect()
    broker.publish(b"1")
    server.kill()
    server.start()
    listener = connect().messages()
    assert next(listener) == b""
    broker.publish(b"2")
    assert next(filter(None, listener)) == b"2"


@contextmanager
def silent_server() -> Iterator[int]:
    """Accept connections and answer nothing, like a paused server; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_server_that_does_not_answer_is_an_error(
    connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import redis

    from drf_signet.contrib import redis as adapter

    monkeypatch.setattr(adapter, "TIMEOUT", 0.1)
    with silent_server() as port:
        broker = connect(f"redis://127.0.0.1:{port}")
        with pytest.raises(redis.TimeoutError):
            broker.publish(b"1")
        with pytest.raises(redis.TimeoutError):
            next(broker.messages())


def test_subscription_that_falls_silent_is_given_up(
    server: RedisServer, connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import redis

    from drf_signet.contrib import redis as adapter

    monkeypatch.setattr(adapter, "SILENCE", 0.1)
    monkeypatch.setattr(adapter, "TIMEOUT", 0.1)
    listener = connect().messages()
    assert next(listener) == b""
    server.pause()
    try:
        with pytest.raises(redis.RedisError):
            next(listener)
    finally:
        server.resume()


def test_large_message_reaches_a_listener_that_reads_late(
    server: RedisServer, connect: Callable[..., Any]
) -> None:
    broker = connect()
    listener = broker.messages()
    assert next(listener) == b""
    for _ in range(100):
        broker.publish(bytes(16_000))
    assert [len(next(filter(None, listener))) for _ in range(100)] == [16_000] * 100


def test_close_leaves_no_subscription(server: RedisServer, connect: Callable[..., Any]) -> None:
    before = server.listeners()
    broker = connect()
    thread = threading.Thread(target=lambda: _drain(broker), daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while server.listeners() != before + 1:
        assert time.monotonic() < deadline
    broker.close()
    thread.join(10)
    assert not thread.is_alive()
    while server.listeners() > before:
        assert time.monotonic() < deadline


def _drain(broker: Any) -> None:
    try:
        for _ in broker.messages():
            pass
    except Exception:
        return
