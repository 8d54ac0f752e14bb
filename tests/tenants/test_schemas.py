"""Test tenants with django-tenants on PostgreSQL, where each tenant has its own schema.

In each schema, alice is the user with the primary key 1. By default, there are 10 tenants, and
tokens are sent for 1000 random pairs of tenants. Environment variables set other numbers:

    SIGNET_TENANTS=200 SIGNET_TENANT_PAIRS=10000 python -m pytest tests/tenants
"""

from __future__ import annotations

import importlib.util
import os
import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from tests.e2e.postgres import databases
from tests.support import peer_process
from tests.support.peer_process import PeerProcess
from tests.support.services import require, required

ROOT = Path(__file__).parents[2]
TENANTS = int(os.environ.get("SIGNET_TENANTS", "10"))
PAIRS = int(os.environ.get("SIGNET_TENANT_PAIRS", "1000"))
#: The interval between polls, in seconds.
INTERVAL = 0.2
LOGIN, ALIAS_LOGIN = "/api/token/", "/alias/token/"


def start(database: str) -> AbstractContextManager[PeerProcess]:
    """Start a process that uses this database; stop it when the `with` block ends."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.tenants.settings",
        "SIGNET_TENANTS_DATABASE": database,
        "SIGNET_TENANTS_INTERVAL": str(INTERVAL),
    }
    return peer_process.start("tests.tenants.worker", environment=environment)


@pytest.fixture(scope="module")
def processes() -> Iterator[tuple[PeerProcess, PeerProcess]]:
    """Start two processes of a project in which each tenant has its own schema."""
    require("postgres")
    if importlib.util.find_spec("django_tenants") is None:
        missing = pytest.fail if "postgres" in required() else pytest.skip
        missing("django-tenants is not installed")
    with databases() as create, ExitStack() as stack:
        name = create()["PGDATABASE"]
        first, second = (stack.enter_context(start(name)) for _ in range(2))
        assert len(first.create(TENANTS)) == TENANTS + 1
        yield first, second


@pytest.fixture(scope="module")
def first(processes: tuple[PeerProcess, PeerProcess]) -> PeerProcess:
    return processes[0]


@pytest.fixture(scope="module")
def second(processes: tuple[PeerProcess, PeerProcess]) -> PeerProcess:
    return processes[1]


@pytest.fixture(params=[LOGIN, ALIAS_LOGIN], ids=["core", "alias"])
def login_url(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("warm", [False, True], ids=["new", "used"])
def test_token_of_a_schema_is_refused_for_other_schemas_by_every_way_in_without_sql(
    first: PeerProcess, login_url: str, warm: bool
) -> None:
    issued = first.log_in("t0", login_url)
    if warm:
        assert first.send("view", "t0", issued)[0] == 200
    alive = {tenant: first.alive(tenant) for tenant in ("t0", "t1", "public")}
    for way in first.ways():
        for tenant in ("t1", "public"):
            status, body, statements = first.send(way, tenant, issued)
            assert (status, statements) == (401, 0), (way, tenant, body)
            assert "token_not_valid" in body
    assert {tenant: first.alive(tenant) for tenant in alive} == alive


def test_token_of_the_public_schema_is_refused_for_tenants_by_every_way_in(
    first: PeerProcess, login_url: str
) -> None:
    issued = first.log_in("public", login_url)
    assert first.send("view", "public", issued)[:2] == [200, '{"email":"alice@public"}']
    for way in first.ways():
        status, body, statements = first.send(way, "t0", issued)
        assert (status, statements) == (401, 0), (way, body)


def test_token_is_accepted_for_its_own_schema_by_every_way_in(
    first: PeerProcess, login_url: str
) -> None:
    for way in first.ways():
        issued = first.log_in("t2", login_url)
        status, body, _ = first.send(way, "t2", issued)
        assert status in (200, 204), (way, body)
    issued = first.log_in("t2", login_url)
    assert first.send("view", "t2", issued)[1] == '{"email":"alice@t2"}'
    assert first.send("alias: view", "t2", issued)[1] == '{"email":"alice@t2"}'


def test_session_of_one_schema_cannot_be_ended_in_another(first: PeerProcess) -> None:
    issued = first.log_in("t0", LOGIN)
    for tenant in ("t1", "public"):
        assert first.end(tenant, issued["sid"]) is False
    assert first.send("view", "t0", issued)[0] == 200
    assert first.end("t0", issued["sid"]) is True


def test_report_of_a_move_reads_the_tables_of_the_schema_alone(first: PeerProcess) -> None:
    """The public schema has the tables that are missing in the schema of the tenant."""
    sessions = "drf_signet_session"
    blacklist = ["token_blacklist_blacklistedtoken", "token_blacklist_outstandingtoken"]
    report = first.migration_report("t0", [])
    assert "0 live tokens would become sessions" in report
    report = first.migration_report("t0", [sessions])
    assert "There is no table of sessions yet" in report
    assert "0 live tokens would become sessions" in report
    report = first.migration_report("t0", [sessions, *blacklist])
    assert "There is no table of sessions yet" in report
    assert "There are no tables of simplejwt's blacklist" in report


def test_random_tokens_are_never_accepted_by_other_tenants(
    processes: tuple[PeerProcess, PeerProcess],
) -> None:
    names = [*(f"t{number}" for number in range(TENANTS)), "public"]
    chance = random.Random(12)
    issued = {name: processes[chance.randrange(2)].log_in(name, LOGIN) for name in names}
    for process in processes:
        pairs = [(chance.choice(names), chance.choice(names)) for _ in range(PAIRS // 2)]
        assert process.cross(issued, pairs) == []


def keep_busy(process: PeerProcess, tenant: str, issued: dict[str, str]) -> None:
    """Send requests to a tenant for three polling intervals, so that its schema is polled."""
    until = time.monotonic() + 3 * INTERVAL
    while time.monotonic() < until:
        assert process.send("view", tenant, issued)[0] == 200


@pytest.mark.parametrize("is_polled", [False, True], ids=["first request", "polled before"])
def test_end_in_a_quiet_schema_is_seen_beside_a_busy_one(
    first: PeerProcess, second: PeerProcess, is_polled: bool
) -> None:
    quiet, busy = first.log_in("t3", LOGIN), first.log_in("t4", LOGIN)
    if is_polled:
        assert second.send("view", "t3", quiet)[0] == 200
    assert second.send("view", "t4", busy)[0] == 200
    assert first.end("t3", quiet["sid"]) is True
    keep_busy(second, "t4", busy)
    assert second.send("view", "t3", quiet)[0] == 401  # this request polls the schema of t3
    for _ in range(2):
        keep_busy(second, "t4", busy)
        assert second.send("view", "t3", quiet)[0] == 401


def test_each_schema_is_polled_at_most_once_per_interval(first: PeerProcess) -> None:
    issued = {tenant: first.log_in(tenant, LOGIN) for tenant in ("t5", "t6")}
    for tenant, tokens in issued.items():  # the first poll is not counted
        assert first.send("view", tenant, tokens)[0] == 200
    began = time.monotonic()
    polls = [first.polls("view", tenant, tokens, 50) for tenant, tokens in issued.items()]
    most = (time.monotonic() - began) / INTERVAL + 1
    assert all(count <= most for count in polls)


def test_poll_beside_an_open_transaction_reads_the_schema_of_the_tenant(first: PeerProcess) -> None:
    issued = first.log_in("t7", LOGIN)
    assert first.end("t7", issued["sid"]) is True
    assert first.read_beside_transaction("t7", issued) is True
    assert first.read_beside_transaction("t8", issued) is False
