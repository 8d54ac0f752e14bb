"""Create temporary databases on SQLite, PostgreSQL and MariaDB, and run SQL in them."""

from __future__ import annotations

import sqlite3
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.support.services import server

#: Database vendor → its name in the results. `tests.support.services` has the addresses of
#: PostgreSQL and MariaDB.
TITLES = {"postgres": "PostgreSQL", "mariadb": "MariaDB", "sqlite": "SQLite"}

#: The settings of one database, as in Django's DATABASES.
Database = Mapping[str, Any]


@contextmanager
def new_database(vendor: str) -> Iterator[Database]:
    """Create an empty database, and yield its settings. Drop it when the `with` block ends."""
    if vendor == "sqlite":
        with tempfile.TemporaryDirectory(prefix="signet-proof-") as folder:
            yield _sqlite(Path(folder, "db.sqlite3"))
        return
    name = f"signet_proof_{uuid.uuid4().hex[:16]}"
    database = _postgres(name) if vendor == "postgres" else _mariadb(name)
    forced = " WITH (FORCE)" if vendor == "postgres" else ""
    _administer(vendor, f"CREATE DATABASE {name}")
    try:
        yield database
    finally:
        _administer(vendor, f"DROP DATABASE {name}{forced}")


def query(database: Database, sql: str) -> list[tuple[Any, ...]]:
    """Run one SQL statement over a new connection, commit it, and return the rows."""
    with closing(connect(database)) as connection:
        cursor = connection.cursor()
        cursor.execute(sql)
        rows = list(cursor.fetchall()) if cursor.description else []
        connection.commit()
        return rows


def connect(database: Database) -> Any:
    """Connect to a database without Django and without autocommit, and return the connection."""
    engine = database["ENGINE"].rsplit(".", 1)[-1]
    if engine == "sqlite3":
        return sqlite3.connect(database["NAME"], timeout=20)
    if engine == "postgresql":
        import psycopg

        names = ("host", "port", "user", "password")
        where = {name: database[name.upper()] for name in names}
        return psycopg.connect(dbname=database["NAME"], **where)
    driver = import_module("MySQLdb")  # imported by name, because mypy finds no type hints for it
    names = ("host", "port", "user", "passwd")
    where = dict(zip(names, map(database.get, ("HOST", "PORT", "USER", "PASSWORD")), strict=True))
    return driver.connect(db=database["NAME"], charset="utf8mb4", **where)


def _administer(vendor: str, sql: str) -> None:
    database = _postgres("postgres") if vendor == "postgres" else _mariadb("mysql")
    with closing(connect(database)) as connection:
        if vendor == "postgres":
            connection.autocommit = True
        connection.cursor().execute(sql)


def _sqlite(path: Path) -> Database:
    pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
    options = {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": pragmas}
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": options}


def _postgres(name: str) -> Database:
    return _served("postgres", "postgresql", name, connect_timeout=5)


def _mariadb(name: str) -> Database:
    return _served("mariadb", "mysql", name, charset="utf8mb4", connect_timeout=5)


def _served(vendor: str, engine: str, name: str, **options: Any) -> Database:
    at = server(vendor)
    where = {"HOST": at.host, "PORT": at.port, "USER": at.user, "PASSWORD": at.password}
    return {"ENGINE": f"django.db.backends.{engine}", "NAME": name, "OPTIONS": options, **where}
