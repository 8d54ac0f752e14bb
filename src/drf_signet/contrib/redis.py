"""Adapter for Redis and Valkey, which send ended sessions to all processes.

It uses only the commands PUBLISH, SUBSCRIBE and PING, and stores nothing on the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

from django.core.exceptions import ImproperlyConfigured
from django.views.decorators.debug import sensitive_variables

try:
    import redis
except ImportError as error:
    raise ImproperlyConfigured(
        "SIGNET['TOKEN_REVOCATION_BROKER'] needs a package: pip install 'drf-signet[redis]'"
    ) from error

#: Maximum number of seconds to wait for a connection, and for an answer to PUBLISH.
TIMEOUT = 2.0
#: After this many seconds without a message, a PING tests the connection. If the server does not
#: answer within as many seconds, the connection is closed.
SILENCE = 5.0


class RedisBroker:
    """A `drf_signet.sessions.broadcast.Broker` that publishes on one channel. Thread-safe.

    A channel does not belong to a database of the server. Its name contains the number of the
    database, so that projects which share a server can be separated by this number.
    """

    @sensitive_variables("url")
    def __init__(self, url: str) -> None:
        try:
            self._client = redis.Redis.from_url(
                re.sub("^valkey", "redis", url),
                socket_connect_timeout=TIMEOUT,
                socket_timeout=TIMEOUT,
                # No retries here, because the threads that use this object try again.
                retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0),
                protocol=2,
            )
        except ValueError as error:
            raise ImproperlyConfigured(f"SIGNET['TOKEN_REVOCATION_BROKER']: {error}") from None
        options = self._client.connection_pool.connection_kwargs
        self._is_closed = False
        self._channel = f"drf_signet:ended:{options.get('db') or 0}"

    def publish(self, message: bytes) -> None:
        """Publish a message."""
        self._client.publish(self._channel, message)

    def messages(self) -> Iterator[bytes]:
        """Subscribe and yield messages; see `Broker.messages`."""
        subscription = self._client.pubsub()  # type: ignore[no-untyped-call]
        with closing(subscription):
            subscription.subscribe(self._channel)
            is_asked = True  # the server confirms the subscription
            while not self._is_closed:
                answer = subscription.get_message(timeout=SILENCE)
                if answer is not None:
                    yield answer["data"] if answer["type"] == "message" else b""
                elif is_asked:
                    raise redis.TimeoutError("the server does not answer")
                else:
                    subscription.ping()
                is_asked = answer is None

    def close(self) -> None:
        """Close all connections, including the connection on which a thread waits for messages.

        redis-py may open it again in that thread. The server then confirms the subscription, and
        `messages` ends.
        """
        self._is_closed = True
        self._client.connection_pool.disconnect(inuse_connections=True)
