"""Real threads, real connections, real commits, on whatever SIGNET_TEST_DATABASE names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

import drf_signet
from tests.situations import ROTATING

from .crew import ISOLATION_LEVELS, SNAPSHOT, Crew


@pytest.fixture(params=ISOLATION_LEVELS)
def isolation(request: pytest.FixtureRequest, transactional_db: None) -> str:
    """Return each isolation level of the database in turn."""
    if request.param == SNAPSHOT:
        with connection.cursor() as cursor:
            if not cursor.execute("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'"):
                pytest.skip("this server has no innodb_snapshot_isolation")
    return str(request.param)


@pytest.fixture
def assemble(isolation: str) -> Iterator[Callable[[int], Crew]]:
    """Return a factory of crews, by their size."""
    crews: list[Crew] = []

    def make(size: int) -> Crew:
        crews.append(Crew(size, isolation=isolation))
        return crews[-1]

    yield make
    for crew in crews:
        crew.disband()


@pytest.fixture(autouse=True)
def _rotating(settings: Any) -> None:
    settings.SIGNET = ROTATING


@pytest.fixture
def signals() -> Iterator[dict[str, list[Any]]]:
    """Return what each signal has sent so far, by the signal's name."""
    received: dict[str, list[Any]] = defaultdict(list)
    connected = []
    for name in ("refresh_reused", "session_ended"):

        def receive(*, _name: str = name, **sent: Any) -> None:
            received[_name].append(sent)

        connected.append((getattr(drf_signet, name), receive))
    for signal, receiver in connected:
        signal.connect(receiver)
    yield received
    for signal, receiver in connected:
        signal.disconnect(receiver)
