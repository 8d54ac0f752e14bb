"""Test the adapter for Redis with a fake client, because redis-py does not have to be installed.

`tests/broker` tests the adapter with redis-py and a server.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.views.debug import SafeExceptionReporterFilter

from drf_signet.conf import settings as conf
from drf_signet.sessions import broadcast

ADAPTER = "drf_signet.contrib.redis"
PASSWORD = "tr0ub4dor"
URL = f"redis://:{PASSWORD}@127.0.0.1:6379/3"


class Client:
    """A fake of `redis.Redis` and of its subscriptions.

    Args:
        answers: what `get_message` returns, in order.
        calls: the calls of the adapter, in order.
        error: an exception to raise from `publish`.
    """

    def __init__(self) -> None:
        self.answers: list[dict[str, Any] | None] = []
        self.calls: list[tuple[Any, ...]] = []
        self.error: Exception | None = None
        self.options: dict[str, Any] = {"db": 3}

    @property
    def connection_pool(self) -> Any:
        def disconnect(*, inuse_connections: bool) -> None:
            self.calls.append(("disconnect", inuse_connections))

        return SimpleNamespace(connection_kwargs=self.options, disconnect=disconnect)

    def publish(self, channel: str, message: bytes) -> None:
        if self.error:
            raise self.error
        self.calls.append(("publish", channel, message))

    def pubsub(self) -> Client:
        return self

    def subscribe(self, channel: str) -> None:
        self.calls.append(("subscribe", channel))

    def get_message(self, *, timeout: float) -> dict[str, Any] | None:
        return self.answers.pop(0)

    def ping(self) -> None:
        self.calls.append(("ping",))

    def close(self) -> None:
        self.calls.append(("close",))


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def urls() -> list[tuple[str, dict[str, Any]]]:
    """Return the URLs that the adapter has connected to, each with the options."""
    return []


@pytest.fixture(autouse=True)
def _fake(
    client: Client, urls: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Install a fake of redis-py, and import the adapter anew before and after the test."""

    def from_url(url: str, **options: Any) -> Client:
        if "db=x" in url:
            raise ValueError("Invalid value for 'db' in connection URL.")
        urls.append((url, options))
        return client

    fake: Any = ModuleType("redis")
    fake.Redis = SimpleNamespace(from_url=from_url)
    fake.retry = SimpleNamespace(Retry=lambda backoff, retries: retries)
    fake.backoff = SimpleNamespace(NoBackoff=object)
    fake.TimeoutError = TimeoutError
    monkeypatch.setitem(sys.modules, "redis", fake)
    sys.modules.pop(ADAPTER, None)
    yield
    broadcast.close()
    sys.modules.pop(ADAPTER, None)


def connect(url: str = URL) -> Any:
    return importlib.import_module(ADAPTER).RedisBroker(url)


def messages(*, deploy: bool = False) -> list[CheckMessage]:
    found = run_checks(include_deployment_checks=deploy)
    return [one for one in found if one.id in ("signet.E001", "signet.W020")]


@pytest.mark.parametrize(
    ("url", "used"),
    [
        (URL, URL),
        ("valkey://valkey.example/1", "redis://valkey.example/1"),
        ("valkeys://valkey.example/1", "rediss://valkey.example/1"),
        ("unix:///run/valkey.sock", "unix:///run/valkey.sock"),
    ],
)
def test_client_connects_to_the_url_with_timeouts_and_without_retries(
    urls: list[tuple[str, dict[str, Any]]], url: str, used: str
) -> None:
    connect(url)
    ((connected, options),) = urls
    assert connected == used
    assert 0 < options["socket_timeout"] <= 2
    assert 0 < options["socket_connect_timeout"] <= 2
    assert options["retry"] == 0


@pytest.mark.parametrize(("db", "channel"), [(3, "3"), (0, "0"), (None, "0")])
def test_channel_contains_the_number_of_the_database(
    client: Client, db: int | None, channel: str
) -> None:
    client.options = {} if db is None else {"db": db}
    connect().publish(b"1")
    assert client.calls == [("publish", f"drf_signet:ended:{channel}", b"1")]


def test_subscription_yields_messages_and_empty_messages_for_other_answers(client: Client) -> None:
    client.answers = [
        {"type": "subscribe", "data": 1},
        {"type": "message", "data": b"1"},
        {"type": "pong", "data": b""},
    ]
    listener = connect().messages()
    assert [next(listener) for _ in client.answers[:]] == [b"", b"1", b""]
    assert client.calls == [("subscribe", "drf_signet:ended:3")]
    listener.close()
    assert client.calls[-1] == ("close",)


def test_subscription_that_is_not_confirmed_is_an_error(client: Client) -> None:
    client.answers = [None]
    with pytest.raises(TimeoutError):
        next(connect().messages())
    assert client.calls[-1] == ("close",)


def test_silent_server_is_asked_once_and_given_up_if_it_does_not_answer(client: Client) -> None:
    pong = {"type": "pong", "data": b""}
    client.answers = [{"type": "subscribe", "data": 1}, None, pong, None, None]
    listener = connect().messages()
    assert [next(listener), next(listener)] == [b"", b""]
    with pytest.raises(TimeoutError):
        next(listener)
    assert client.calls[1:] == [("ping",), ("ping",), ("close",)]


def test_close_disconnects_the_connection_that_a_thread_reads(client: Client) -> None:
    """redis-py may connect again, and the server confirms the subscription again."""
    client.answers = [{"type": "subscribe", "data": 1}] * 2
    broker = connect()
    listener = broker.messages()
    assert next(listener) == b""
    broker.close()
    assert list(listener) == []
    assert client.calls[1:] == [("disconnect", True), ("close",)]


def test_apps_register_the_adapter(settings: Any, client: Client) -> None:
    settings.SIGNET = {"TOKEN_REVOCATION_BROKER": URL}
    broker = broadcast.connect()
    assert broker is not None
    broker.publish(b"1")
    assert client.calls == [("publish", "drf_signet:ended:3", b"1")]


def test_adapter_is_not_imported_without_the_setting() -> None:
    assert broadcast.current() is None
    assert messages(deploy=True) == []
    assert ADAPTER not in sys.modules


def test_missing_package_is_an_error_that_tells_how_to_install_it(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    settings.SIGNET = {"TOKEN_REVOCATION_BROKER": URL}
    (message,) = messages(deploy=True)
    assert message.id == "signet.E001"
    assert "pip install 'drf-signet[redis]'" in message.msg


def test_unusable_option_in_the_url_is_an_error_without_the_url(settings: Any) -> None:
    settings.SIGNET = {"TOKEN_REVOCATION_BROKER": f"{URL}?db=x"}
    (message,) = messages()
    assert message.id == "signet.E001"
    assert "Invalid value for 'db'" in message.msg
    assert PASSWORD not in message.msg


def test_broker_without_polls_is_an_error(settings: Any) -> None:
    settings.SIGNET = {"TOKEN_REVOCATION_BROKER": URL, "REVOCATION_POLL_INTERVAL": None}
    (message,) = messages()
    assert message.id == "signet.E001"
    assert "needs a REVOCATION_POLL_INTERVAL" in message.msg


def test_w020_warns_if_the_server_cannot_be_used(settings: Any, client: Client) -> None:
    settings.SIGNET = {"TOKEN_REVOCATION_BROKER": URL}
    assert messages(deploy=True) == []
    assert client.calls == [("publish", "drf_signet:ended:3", b""), ("disconnect", True)]
    client.error = ConnectionError("Error 111 connecting to 127.0.0.1:6379.")
    assert messages() == []
    (message,) = messages(deploy=True)
    assert message.id == "signet.W020"
    assert "ConnectionError: Error 111" in message.msg
    assert "only by polling" in str(message.hint)
    assert PASSWORD not in message.msg


def test_password_is_in_no_repr_and_in_no_error_report_of_django(settings: Any) -> None:
    settings.SIGNET = {"TOKEN_REVOCATION_BROKER": URL}
    assert conf.current().TOKEN_REVOCATION_BROKER == URL
    assert PASSWORD not in repr(conf.current())
    assert PASSWORD in repr(settings.SIGNET)
    assert PASSWORD not in repr(SafeExceptionReporterFilter().get_safe_settings()["SIGNET"])


def test_error_of_a_missing_package_is_raised_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImproperlyConfigured):
        importlib.import_module(ADAPTER)
