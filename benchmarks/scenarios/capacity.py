"""The processor time and the write-ahead log (WAL) of each operation, on PostgreSQL.

One process, without a server, logs in, refreshes with rotation and logs out. For PostgreSQL, the
processor time of the server process of this connection is measured, without the processes that
write to the disk. MD5 hashes the passwords; the row about Django's default hasher shows what a
login costs in addition. The page about scaling uses these figures.
"""

from __future__ import annotations

from typing import Any

from benchmarks.lab import Lab
from benchmarks.table import Row

TITLE = "Cost of one operation, PostgreSQL"

_OPERATIONS = {"login": "login", "refresh": "refresh with rotation", "logout": "logout"}


def measure(lab: Lab) -> Any:
    """Return the costs of each operation, and the time of one default password hash."""
    lab.say("capacity")
    database = lab.databases.create("postgres", "signet-rotating", "capacity")
    with lab.worker("signet-rotating", database) as worker:
        return {
            "operations": worker.run("capacity.operations", count=lab.pick(5000, 50)),
            "hash": worker.run("capacity.password_hash", count=lab.pick(20, 1)),
        }


def rows(raw: Any) -> list[Row]:
    """Return the rows of this scenario in the results table."""
    found = []
    for operation, label in _OPERATIONS.items():
        costs = raw["operations"][operation]
        found += [
            _row(f"{label}: processor time of the process", costs["process"], "ms"),
            _row(f"{label}: processor time of PostgreSQL", costs["database"], "ms"),
            _row(f"{label}: WAL", costs["wal"], "bytes", digits=0),
        ]
    iterations = f"{raw['hash']['iterations']:,}".replace(",", " ")
    label = f"one password hash with Django's default, PBKDF2 with {iterations} iterations"
    return [*found, _row(label, raw["hash"]["milliseconds"], "ms", digits=0)]


def _row(label: str, value: float, unit: str, *, digits: int = 2) -> Row:
    return Row(group=TITLE, label=label, cells={"signet": value}, unit=unit, digits=digits)
