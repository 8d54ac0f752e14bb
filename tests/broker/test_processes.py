"""Test processes that share a database and a Redis server, which works or fails.

`pushed` polls so rarely that it learns of ended sessions only from the server. `polling` polls
often, so it learns of each ended session without the server, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from rest_framework.test import APIClient

import drf_signet
from drf_signet import TokenPair, runtime
from drf_signet.sessions import broadcast
from tests.races.peer import peer
from tests.support.peer_process import PeerProcess
from tests.support.redis_server import RedisServer, redis_server

pytestmark = pytest.mark.django_db(transaction=True)

#: Seconds until a test fails. The tests do not measure time; `benchmarks/` does.
DEADLINE = 60.0
SELDOM, OFTEN = 3599, 0.2


def until(condition: Callable[[], Any]) -> bool:
    """Repeat a check until it is true or DEADLINE has passed; return whether it was true."""
    deadline = time.monotonic() + DEADLINE
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(holds)


def signet(url: str, interval: float) -> dict[str, Any]:
    return {"TOKEN_REVOCATION_BROKER": url, "REVOCATION_POLL_INTERVAL": interval}


@pytest.fixture(autouse=True)
def signet_deterministic() -> None:
    """Let the feed poll: override the pytest plugin's fixture, which prevents polling."""
    runtime.current.cache_clear()


@pytest.fixture(scope="module")
def pushed(server: RedisServer, django_db_setup: None) -> Iterator[PeerProcess]:
    with peer(signet(server.url, SELDOM)) as process:
        yield process


@pytest.fixture(scope="module")
def polling(server: RedisServer, django_db_setup: None) -> Iterator[PeerProcess]:
    with peer(signet(server.url, OFTEN)) as process:
        yield process


@pytest.fixture(autouse=True)
def _settings(server: RedisServer, settings: Any) -> Iterator[None]:
    """Let this process send through the server. Other processes listen."""
    settings.SIGNET = signet(server.url, SELDOM)
    yield
    broadcast.close()


@pytest.fixture
def log_in(user: Any, server: RedisServer) -> Callable[..., TokenPair]:
    """Return a function that opens a session and sends its access token to processes.

    If `listening` is True, it returns when all of them are listening.
    """

    def new(*processes: PeerProcess, listening: bool = True) -> TokenPair:
        pair = drf_signet.issue(user)
        for process in processes:
            assert process.hello(pair.access) == 200
        if listening:
            assert until(lambda: server.listeners() == len(processes))
        return pair

    return new


def log_out(pair: TokenPair) -> None:
    answer = APIClient().post("/api/token/logout/", {"refresh": pair.refresh})
    assert answer.status_code == 204


def refused(process: PeerProcess, pair: TokenPair) -> bool:
    return until(lambda: process.hello(pair.access) == 401)


def test_end_reaches_another_process_before_its_next_poll(
    pushed: PeerProcess, polling: PeerProcess, log_in: Callable[..., TokenPair]
) -> None:
    pair, other = (log_in(pushed, polling) for _ in range(2))
    log_out(pair)
    assert refused(pushed, pair)
    assert pushed.hello(other.access) == 200
    assert pushed.logout(other.refresh) == 204
    assert refused(polling, other)


def test_end_in_a_transaction_is_sent_when_it_commits(
    pushed: PeerProcess, polling: PeerProcess, log_in: Callable[..., TokenPair]
) -> None:
    rolled_back, committed = (log_in(pushed, polling) for _ in range(2))
    with transaction.atomic():
        drf_signet.end(rolled_back.session)
        transaction.set_rollback(True)
    with transaction.atomic():
        drf_signet.end(committed.session)
    assert refused(pushed, committed)
    assert pushed.hello(rolled_back.access) == 200


@contextmanager
def killed(server: RedisServer) -> Iterator[None]:
    server.kill()
    yield
    server.start()


@contextmanager
def paused(server: RedisServer) -> Iterator[None]:
    server.pause()
    yield
    server.resume()


@contextmanager
def password_changed(server: RedisServer) -> Iterator[None]:
    server.require_password("unknown to the processes")
    yield
    server.require_password("")


@contextmanager
def disconnected(server: RedisServer) -> Iterator[None]:
    server.run("CLIENT", "KILL", "TYPE", "pubsub")
    server.run("CLIENT", "KILL", "TYPE", "normal")
    yield


@pytest.mark.parametrize("failure", [killed, paused, password_changed, disconnected])
def test_polls_bring_an_end_while_the_server_fails_and_the_server_when_it_is_back(
    failure: Callable[[RedisServer], Any],
    server: RedisServer,
    pushed: PeerProcess,
    polling: PeerProcess,
    log_in: Callable[..., TokenPair],
) -> None:
    log_out(log_in(pushed, polling))
    with failure(server):
        pair = log_in(pushed, polling, listening=False)
        log_out(pair)
        assert refused(polling, pair)
    after = log_in(pushed, polling)
    log_out(after)
    assert refused(pushed, after)


def test_flushing_the_server_loses_nothing(
    server: RedisServer,
    pushed: PeerProcess,
    polling: PeerProcess,
    log_in: Callable[..., TokenPair],
) -> None:
    before, after = (log_in(pushed, polling) for _ in range(2))
    log_out(before)
    assert refused(pushed, before)
    server.run("FLUSHALL")
    log_out(after)
    assert refused(pushed, after)
    assert pushed.hello(before.access) == 401
    assert server.run("DBSIZE") == b":0\r\n"


def test_forged_message_ends_only_the_session_that_it_names(
    server: RedisServer,
    pushed: PeerProcess,
    polling: PeerProcess,
    log_in: Callable[..., TokenPair],
) -> None:
    from redis import Redis

    named, other = (log_in(pushed, polling) for _ in range(2))
    client = Redis.from_url(server.url)
    for message in (b"x", bytes(17), bytes(16), b"\x00" * 100_000, named.session.pk.bytes):
        client.publish("drf_signet:ended:0", message)
    client.close()
    assert refused(pushed, named)
    assert [process.hello(other.access) for process in (pushed, polling)] == [200, 200]
    log_out(other)
    assert refused(pushed, other)


def test_processes_that_start_before_the_server_use_it_later(
    user: Any, settings: Any, log_in: Callable[..., TokenPair]
) -> None:
    with redis_server() as late:
        settings.SIGNET = signet(late.url, SELDOM)
        with peer(signet(late.url, SELDOM)) as pushed, peer(signet(late.url, OFTEN)) as polling:
            pair = log_in(pushed, polling, listening=False)
            log_out(pair)
            assert refused(polling, pair)
            late.start()
            assert until(lambda: late.listeners() == 2)
            pair = log_in(pushed, polling, listening=False)
            log_out(pair)
            assert refused(pushed, pair)
        broadcast.close()


@pytest.mark.parametrize("delay", [0.2, 30.0], ids=["slow", "too slow"])
def test_slow_server_brings_an_end_late_and_polls_bring_it_anyway(
    delay: float, server: RedisServer, settings: Any, log_in: Callable[..., TokenPair]
) -> None:
    from benchmarks.processes import proxy

    with proxy(("127.0.0.1", server.port), delay=delay) as port:
        url = f"redis://127.0.0.1:{port}/0"
        settings.SIGNET = signet(url, SELDOM)
        others = server.listeners()  # the processes of other tests
        with peer(signet(url, OFTEN if delay > 1 else SELDOM)) as process:
            pair = log_in(process, listening=False)
            if delay < 1:
                assert until(lambda: server.listeners() > others)
            log_out(pair)
            assert refused(process, pair)
        broadcast.close()
