"""Create the databases of a benchmark run from templates, and drop them at the end of the run.

Each stack (see `benchmarks.stacks`) has a template database, which contains the stack's tables and
the benchmark's users. BENCH_POSTGRES is the address of the PostgreSQL server (default
`postgres@127.0.0.1:5432`). The names of the databases begin with `bench_`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from .processes import Database

_ADDRESS = re.compile(r"(?P<user>[^@]+)@(?P<host>[^:]+):(?P<port>\d+)")
#: Maximum number of attempts to drop a database. In each attempt, PostgreSQL waits up to 5 s for
#: open connections to close.
_ATTEMPTS = 5


class Databases:
    """The databases of one benchmark run.

    Args:
        folder: the directory for SQLite's files.
        prepare: a function that creates a stack's tables and the benchmark's users in an empty
            database.
    """

    def __init__(self, folder: Path, prepare: Callable[[str, Database], None]) -> None:
        self._folder = folder
        self._prepare = prepare
        self._made: list[str] = []
        self._templates: dict[tuple[str, str], Database] = {}
        address = _ADDRESS.fullmatch(os.environ.get("BENCH_POSTGRES", "postgres@127.0.0.1:5432"))
        if address is None:
            raise ValueError("BENCH_POSTGRES must be USER@HOST:PORT")
        self._user = address["user"]
        self.address = (address["host"], int(address["port"]))

    def create(self, vendor: str, stack: str, label: str) -> Database:
        """Return a new database that contains a stack's tables and the benchmark's users."""
        template = self._templates.get((vendor, stack))
        if template is None:
            template = self._empty(vendor, stack, "template")
            self._prepare(stack, template)
            self._templates[vendor, stack] = template
        return self._copy(template, vendor, stack, label)

    def drop(self, database: Database) -> None:
        """Drop one PostgreSQL database of this run. Do nothing for an SQLite database."""
        name = database["NAME"]
        if name not in self._made:
            return
        self._made.remove(name)
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(psycopg.errors.ObjectInUse):  # a connection is still open
                self._admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                return
        print(f"{name} is still in use; drop it by hand", file=sys.stderr)

    def close(self) -> None:
        """Drop all PostgreSQL databases. SQLite's files are deleted together with `folder`."""
        for name in list(self._made):
            self.drop({"NAME": name})

    def query(self, database: Database, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL in a PostgreSQL database outside a transaction, and return the rows."""
        with self._connect(database["NAME"]) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def version(self) -> str:
        """Return the version of the PostgreSQL server."""
        with self._connect("postgres") as connection:
            row = connection.execute("SHOW server_version").fetchone()
            return str(row[0]).split()[0] if row else ""

    def _empty(self, vendor: str, stack: str, label: str) -> Database:
        if vendor == "sqlite":
            return self._sqlite(self._folder / f"{stack}-{label}.sqlite3")
        name = self._name(stack, label)
        self._admin(f'CREATE DATABASE "{name}"')
        return self._postgres(name)

    def _copy(self, template: Database, vendor: str, stack: str, label: str) -> Database:
        if vendor == "sqlite":
            path = self._folder / f"{stack}-{label}.sqlite3"
            shutil.copyfile(template["NAME"], path)
            return self._sqlite(path)
        name = self._name(stack, label)
        self._admin(f'CREATE DATABASE "{name}" TEMPLATE "{template["NAME"]}"')
        return self._postgres(name)

    def _name(self, stack: str, label: str) -> str:
        name = f"bench_{os.getpid()}_{stack}_{label}".replace("-", "_")
        self._made.append(name)
        return name

    def _admin(self, sql: str) -> None:
        with self._connect("postgres") as connection:
            connection.execute(sql.encode())

    def _connect(self, name: str) -> psycopg.Connection[tuple[Any, ...]]:
        host, port = self.address
        return psycopg.connect(host=host, port=port, user=self._user, dbname=name, autocommit=True)

    def _postgres(self, name: str) -> Database:
        host, port = self.address
        where = {"HOST": host, "PORT": port, "USER": self._user}
        return {"ENGINE": "django.db.backends.postgresql", "NAME": name, **where}

    def _sqlite(self, path: Path) -> Database:
        pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        options = {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": pragmas}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": options}
