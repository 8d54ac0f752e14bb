"""Tests that every broker of ended sessions must pass, and an in-memory broker."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from drf_signet.sessions.broadcast import Broker

#: Every value of a byte, so that a broker that changes text or line endings fails.
BYTES = bytes(range(256))


@dataclass(kw_only=True)
class MemoryBroker:
    """An in-memory `Broker`. Brokers with the same `channel` send messages to each other.

    Args:
        channel: one queue for each thread that listens. None in a queue ends the subscription.
        published: the messages that were published, in order.
        errors: exceptions that the next calls of `publish` and `messages` raise, in order.
        is_closed: whether `close` was called.
    """

    channel: list[queue.SimpleQueue[bytes | None]] = field(default_factory=list)
    published: list[bytes] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    is_closed: bool = False

    def publish(self, message: bytes) -> None:
        self._fail()
        self.published.append(message)
        for listener in self.channel:
            listener.put(message)

    def messages(self) -> Iterator[bytes]:
        self._fail()
        received: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.channel.append(received)
        yield b""
        while (message := received.get()) is not None:
            yield message

    def close(self) -> None:
        self.is_closed = True
        self.interrupt()

    def interrupt(self) -> None:
        """End all subscriptions."""
        while self.channel:
            self.channel.pop().put(None)

    def _fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


class BrokerContract:
    """Tests for a broker. A subclass provides the fixture below."""

    @pytest.fixture
    def connect(self) -> Callable[[], Broker]:
        """Return a function that returns a new connection to the same broker."""
        raise NotImplementedError

    def test_first_item_confirms_the_subscription(self, connect: Callable[[], Broker]) -> None:
        assert next(connect().messages()) == b""

    def test_message_reaches_each_listener_in_order(self, connect: Callable[[], Broker]) -> None:
        listeners = [connect().messages() for _ in range(3)]
        assert [next(listener) for listener in listeners] == [b""] * 3
        sender = connect()
        sender.publish(BYTES)
        sender.publish(b"2")
        for listener in listeners:
            assert list(itertools.islice(filter(None, listener), 2)) == [BYTES, b"2"]

    def test_sender_that_listens_receives_its_own_message(
        self, connect: Callable[[], Broker]
    ) -> None:
        broker = connect()
        listener = broker.messages()
        assert next(listener) == b""
        broker.publish(BYTES)
        assert next(filter(None, listener)) == BYTES

    def test_message_without_listeners_is_published(self, connect: Callable[[], Broker]) -> None:
        connect().publish(BYTES)
        listener = connect().messages()
        assert next(listener) == b""

    def test_close_ends_the_subscription_of_another_thread(
        self, connect: Callable[[], Broker]
    ) -> None:
        broker, subscribed = connect(), threading.Event()

        def listen() -> None:
            try:
                for _ in broker.messages():
                    subscribed.set()
            except Exception:
                return

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        assert subscribed.wait(10)
        broker.close()
        thread.join(10)
        assert not thread.is_alive()
