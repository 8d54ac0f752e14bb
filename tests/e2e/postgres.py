"""Create PostgreSQL databases for the tests, and drop them afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support.services import server


@contextmanager
def databases() -> Iterator[Callable[[], dict[str, str]]]:
    """Yield a function that creates a database and returns the environment variables for it."""
    address = server("postgres")
    login = {
        "PGHOST": address.host,
        "PGPORT": str(address.port),
        "PGUSER": address.user,
        "PGPASSWORD": address.password,
    }
    names: list[str] = []

    def create() -> dict[str, str]:
        names.append(f"signet_e2e_{uuid.uuid4().hex}")
        _execute(f"CREATE DATABASE {names[-1]}")
        return {"EXAMPLE_DATABASE": "postgres", "PGDATABASE": names[-1], **login}

    try:
        yield create
    finally:
        for name in names:
            _execute(f"DROP DATABASE {name} WITH (FORCE)")


def _execute(statement: str) -> None:
    import psycopg  # psycopg is an optional dependency

    address = server("postgres")
    with psycopg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        dbname="postgres",
        autocommit=True,
    ) as connection:
        connection.execute(statement.encode())
