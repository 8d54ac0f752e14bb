"""Databases on PostgreSQL that live as long as the tests."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.services import server


@contextmanager
def databases() -> Iterator[Callable[[], dict[str, str]]]:
    """Give a factory of empty databases, as libpq's variables; drop them at the end."""
    at = server("postgres")
    login = {
        "PGHOST": at.host,
        "PGPORT": str(at.port),
        "PGUSER": at.user,
        "PGPASSWORD": at.password,
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
    import psycopg  # an optional dependency

    at = server("postgres")
    with psycopg.connect(
        host=at.host,
        port=at.port,
        user=at.user,
        password=at.password,
        dbname="postgres",
        autocommit=True,
    ) as connection:
        connection.execute(statement.encode())
