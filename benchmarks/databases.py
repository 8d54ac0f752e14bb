"""Databases of a run: made from one template per stack, dropped when the run ends.

PostgreSQL is at BENCH_POSTGRES (default `postgres@127.0.0.1:5432`); names begin with `bench_`.
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
#: Tries to drop a database; the server waits five seconds in each for its backends to end.
_ATTEMPTS = 5


class Databases:
    """The databases of one run.

    Args:
        folder: for SQLite's files.
        prepare: called with a stack and an empty database: makes tables and users in it.
    """

    def __init__(self, folder: Path, prepare: Callable[[str, Database], None]) -> None:
        self._folder = folder
        self._prepare = prepare
        self._made: list[str] = []
        self._templates: dict[tuple[str, str], Database] = {}
        found = _ADDRESS.fullmatch(os.environ.get("BENCH_POSTGRES", "postgres@127.0.0.1:5432"))
        if found is None:
            raise ValueError("BENCH_POSTGRES is user@host:port")
        self._user, self.address = found["user"], (found["host"], int(found["port"]))

    def create(self, vendor: str, stack: str, label: str) -> Database:
        """Return a new database with a stack's tables and the benchmark's users in it."""
        template = self._templates.get((vendor, stack))
        if template is None:
            template = self._empty(vendor, stack, "template")
            self._prepare(stack, template)
            self._templates[vendor, stack] = template
        return self._copy(template, vendor, stack, label)

    def drop(self, database: Database) -> None:
        """Drop one database now, rather than at the end."""
        name = database["NAME"]
        if name not in self._made:
            return
        self._made.remove(name)
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(psycopg.errors.ObjectInUse):  # a backend that takes its time
                self._admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                return
        print(f"{name} is still in use, and was not dropped", file=sys.stderr)

    def close(self) -> None:
        """Drop all that was made; SQLite's files go with their folder."""
        for name in list(self._made):
            self.drop({"NAME": name})

    def query(self, database: Database, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL in a PostgreSQL database, outside a transaction; return the rows."""
        with self._connect(database["NAME"]) as connection:
            found = connection.execute(sql.encode())
            return found.fetchall() if found.description else []

    def version(self) -> str:
        """Return the server's version."""
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
