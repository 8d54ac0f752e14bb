"""Send ended sessions to other processes through a message broker, and receive theirs.

A broker only makes an end known sooner. The polls of the revocation feed read each end from the
database, whether the broker has delivered it or not. So a failure of the broker is logged and has
no other effect. No request waits for the broker: each process has one thread that sends and one
thread that receives. Both are started on first use and again in a forked child, and both are daemon
threads, so they do not keep the process running.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import threading
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Any, Protocol

from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

from ..conf import caches
from ..conf import settings as conf
from ..db.outages import reports
from . import revocation
from .ended import EndedSessions, ended_sessions, unpack
from .sources import DatabaseSource, Page

logger = logging.getLogger("drf_signet")

#: Maximum number of sessions in a message. If more sessions end together, none of them is sent.
MESSAGE = 1000
#: Maximum number of sessions that wait to be sent. If more sessions end, the oldest are not sent.
UNSENT = 10_000
#: While a process knows more ended sessions than this, it ignores messages. Otherwise, a client of
#: the broker could fill the memory of all processes.
KNOWN = 1_000_000
#: Seconds to wait after an error: `SHORTEST_PAUSE` after the first error, twice as long after each
#: further error, and at most `LONGEST_PAUSE`.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
#: Maximum number of seconds that the end of the process waits for each of the two threads.
CLOSE_WAIT = 1.0


class Broker(Protocol):
    """A connection to a message broker. Each method may raise any exception."""

    def publish(self, message: bytes) -> None:
        """Send a message to all processes that listen, within a few seconds."""

    def messages(self) -> Iterator[bytes]:
        """Subscribe, and yield messages, and an empty message for each other answer of the server.

        The first answer confirms the subscription. If the server sends nothing for some seconds,
        this method raises an exception.
        """

    def close(self) -> None:
        """Close the connections, so that `messages` ends or raises an exception in its thread."""


class Broadcast:
    """The two threads of this process, and the sessions not sent yet. Thread-safe.

    Args:
        broker: the broker to use.
        keep: for how many seconds to remember a session that a message has named.
        ended: the set to which these sessions are added.
        pause: a function that waits for a given number of seconds or until an event is set.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        keep: float,
        ended: EndedSessions = ended_sessions,
        pause: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self._broker, self._keep, self._ended = broker, keep, ended
        self._pause = pause
        self._unsent: deque[bytes] = deque(maxlen=UNSENT)
        self._has_unsent, self._closed = threading.Event(), threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()

    def send(self, session_ids: Collection[uuid.UUID]) -> None:
        """Send ended sessions to the other processes. Return before they are sent."""
        if len(session_ids) <= MESSAGE:
            self._unsent.extend(session_id.bytes for session_id in session_ids)
            self._has_unsent.set()
            self._start("sender", self._send)

    def listen(self) -> None:
        """Start the thread that receives messages, unless it is running."""
        self._start("listener", self._receive)

    def close(self) -> None:
        """Send the sessions not sent yet, unless the broker fails, and stop both threads."""
        with self._lock:
            self._closed.set()
        self._has_unsent.set()
        self._join("sender")
        try:
            self._broker.close()
        except Exception as error:
            self._log(error)
        self._join("listener")

    def _start(self, name: str, steps: Callable[[], Iterator[None]]) -> None:
        with self._lock:
            thread = self._threads.get(name)
            if self._closed.is_set() or (thread is not None and thread.is_alive()):
                return
            thread = threading.Thread(
                target=self._run, args=(steps,), name=f"drf-signet-{name}", daemon=True
            )
            thread.start()
            self._threads[name] = thread

    def _join(self, name: str) -> None:
        if thread := self._threads.get(name):
            thread.join(CLOSE_WAIT)

    def _run(self, steps: Callable[[], Iterator[None]]) -> None:
        """Repeat the steps until `close` is called. Pause after an error."""
        pause = SHORTEST_PAUSE
        while True:
            try:
                for _ in steps():
                    pause = SHORTEST_PAUSE
            except Exception as error:
                self._log(error)
            # Processes that lost the broker together must not all reconnect at the same moment.
            self._pause(self._closed, random.uniform(pause / 2, pause))  # noqa: S311
            if self._closed.is_set():
                return
            pause = min(2 * pause, LONGEST_PAUSE)

    def _send(self) -> Iterator[None]:
        while not self._closed.is_set() or self._unsent:
            self._has_unsent.wait()
            self._has_unsent.clear()
            while self._unsent:
                number = min(len(self._unsent), MESSAGE)
                batch = [self._unsent.popleft() for _ in range(number)]
                try:
                    self._broker.publish(b"".join(batch))
                except Exception:
                    self._unsent.extend(batch)
                    self._has_unsent.set()
                    raise
                yield

    def _receive(self) -> Iterator[None]:
        for message in self._broker.messages():
            if self._closed.is_set():
                return
            self._add(message)
            yield

    def _add(self, message: bytes) -> None:
        if len(message) % 16 or len(message) > 16 * MESSAGE:
            self._log(ValueError(f"a message of {len(message)} bytes is not a list of sessions"))
        elif message and len(self._ended.ended) < KNOWN:
            self._ended.add(unpack(message), keep=self._keep)

    def _log(self, error: Exception) -> None:
        """Log an error without its traceback, whose variables may contain a password."""
        if not self._closed.is_set() and reports.is_due("broker"):
            logger.warning(
                "the broker of ended sessions failed; polls still read them from the database: "
                "%s: %s",
                type(error).__name__,
                error,
            )


class ListeningSource(DatabaseSource):
    """The database as the source. The first poll of a process also starts to listen."""

    def ended_within(self, seconds: float) -> Page:
        """Start the thread that listens if it is not running, and read the database."""
        _guarded(Broadcast.listen)
        return super().ended_within(seconds)


#: The dotted path of the function that takes a URL and returns a `Broker`.
_adapters: list[str] = []
#: Process id and URL → the `Broadcast` of this process. A forked child creates its own, and does
#: not touch the sockets of its parent.
_open: dict[tuple[int, str], Broadcast] = {}


def register(adapter: str) -> None:
    """Register the dotted path of the function that takes a URL and returns a `Broker`."""
    _adapters[:] = [adapter]


@sensitive_variables("url")
def connect() -> Broker | None:
    """Return a new broker for the TOKEN_REVOCATION_BROKER setting, or None if it is not set.

    Raises:
        ImproperlyConfigured: the broker needs a package that is not installed.
    """
    if (url := conf.current().TOKEN_REVOCATION_BROKER) is None:
        return None
    broker: Broker = import_string(_adapters[0])(url)
    return broker


def current() -> Broadcast | None:
    """Return the `Broadcast` of this process, or None if there is no broker.

    Raises:
        ImproperlyConfigured: see `connect`.
    """
    settings = conf.current()
    key = os.getpid(), settings.TOKEN_REVOCATION_BROKER or ""
    if key in _open or (broker := connect()) is None:
        return _open.get(key)
    lifetime = settings.ACCESS_TOKEN_LIFETIME.total_seconds()
    keep = revocation.reach(access_lifetime=lifetime, leeway=settings.LEEWAY)
    # `setdefault` is atomic: all threads get the same object.
    return _open.setdefault(key, Broadcast(broker, keep=keep))


def send(session_ids: Collection[uuid.UUID]) -> None:
    """Send ended sessions to the other processes, if there is a broker. Raise no exception."""
    _guarded(lambda broadcast: broadcast.send(session_ids))


def close(**kwargs: Any) -> None:
    """Stop the threads of this process. They start again on next use."""
    for key in [key for key in _open if key[0] == os.getpid()]:
        _open.pop(key).close()


def _guarded(act: Callable[[Broadcast], None]) -> None:
    try:
        if broadcast := current():
            act(broadcast)
    except Exception:
        logger.exception("ended sessions are not sent through the broker")


# `caches` calls `cache_clear` when a setting changes.
close.cache_clear = close  # type: ignore[attr-defined]
caches.clear_on_change(close)
atexit.register(close)
