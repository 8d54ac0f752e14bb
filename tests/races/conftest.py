"""Fixtures for tests of race conditions, which use threads and commit their transactions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

import drf_signet
from tests.support.session_states import ROTATING

from .crew import ISOLATION_LEVELS, SNAPSHOT, Crew


@pytest.fixture(params=ISOLATION_LEVELS)
def isolation(request: pytest.FixtureRequest, transactional_db: None) -> str:
    """Run the test once for each isolation level of the database; return the level."""
    if request.param == SNAPSHOT:
        with connection.cursor() as cursor:
            if not cursor.execute("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'"):
                pytest.skip("this server has no innodb_snapshot_isolation")
    return str(request.param)


@pytest.fixture
def assemble(isolation: str) -> Iterator[Callable[[int], Crew]]:
    """Return a function that creates a pool of threads (`Crew`) with a given number of threads."""
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
    """Record two signals; return a dict: name of the signal → the arguments of each call."""
    received: dict[str, list[Any]] = defaultdict(list)
    connected = []
    for name in ("refresh_reused", "session_ended"):

        def receive(*, _name: str = name, **arguments: Any) -> None:
            received[_name].append(arguments)

        connected.append((getattr(drf_signet, name), receive))
    for signal, receiver in connected:
        signal.connect(receiver)
    yield received
    for signal, receiver in connected:
        signal.disconnect(receiver)
