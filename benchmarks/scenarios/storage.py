"""The storage that logins need on PostgreSQL: rows, and bytes including indexes, after a VACUUM.

1 000 users log in with the user agents in `user_agents.txt`. DRF's token table is not compared,
because it has one row per user regardless of the number of logins.
"""

from __future__ import annotations

from typing import Any

from benchmarks.lab import Lab
from benchmarks.table import Bar, Row

TITLE = "Storage, PostgreSQL"

_FILLED = {"signet": "signet", "simplejwt": "simplejwt-rotating", "knox": "knox", "oauth": "oauth"}
_REFRESHED = {"signet": "signet-rotating", "simplejwt": "simplejwt-rotating", "oauth": "oauth"}
_CLEARED = {"signet": "signet", "simplejwt": "simplejwt-rotating"}


def measure(lab: Lab) -> Any:
    """Measure rows and bytes after logins and refreshes, and the time to delete expired rows."""
    return {
        "logins": lab.pick(100_000, 2000),
        "filled": {column: _filled(lab, stack) for column, stack in _FILLED.items()},
        "refreshes": lab.pick(1000, 20),
        "refreshed": {column: _refreshed(lab, stack) for column, stack in _REFRESHED.items()},
        "expired": lab.pick(1_000_000, 5000),
        "cleared": {column: _cleared(lab, stack) for column, stack in _CLEARED.items()},
    }


def _filled(lab: Lab, stack: str) -> Any:
    lab.say(f"storage: logins, {stack}")
    database = lab.databases.create("postgres", stack, "filled")
    with lab.worker(stack, database) as worker:
        empty = worker.run("rows.size")
        row_bytes = worker.run("rows.fill", logins=lab.pick(100_000, 2000))
        size = worker.run("rows.size")
    lab.databases.drop(database)
    return size | {"empty_bytes": empty["bytes"], "row_bytes": row_bytes}


def _refreshed(lab: Lab, stack: str) -> Any:
    lab.say(f"storage: refreshes of one login, {stack}")
    database = lab.databases.create("postgres", stack, "refreshed")
    with lab.worker(stack, database) as worker:
        result = worker.run("rows.one_login", refreshes=lab.pick(1000, 20))
    lab.databases.drop(database)
    return result


def _cleared(lab: Lab, stack: str) -> Any:
    lab.say(f"storage: clearing, {stack}")
    database = lab.databases.create("postgres", stack, "cleared")
    with lab.worker(stack, database) as worker:
        worker.run("growth.fill", rows=lab.pick(1_000_000, 5000), days=-1)
        result = worker.run("rows.clear")
    lab.databases.drop(database)
    return result


def rows(raw: Any) -> list[Row]:
    """Return the rows of this scenario in the results table."""
    logins, refreshes = _count(raw["logins"]), _count(raw["refreshes"])
    filled, refreshed, cleared = raw["filled"], raw["refreshed"], raw["cleared"]
    return [
        _row(f"{logins} logins: MB with indexes", filled, "bytes", 1e-6, Bar(limit=30), 1, _SIZE),
        _row(f"{logins} logins: rows", filled, "rows", 1, None, 0),
        _row(f"{refreshes} refreshes of one login: rows", refreshed, "rows", 1, Bar(limit=1), 0),
        _row(f"{refreshes} refreshes of one login: kB", refreshed, "bytes", 1e-3, None, 0, _ONE),
        _row(f"clearing {_count(raw['expired'])} expired logins: s", cleared, "seconds", 1, None,
             1, _CLEAR),
        _row(f"clearing {_count(raw['expired'])} expired logins: peak memory, MB", cleared,
             "peak_bytes", 1e-6, None, 0),
    ]  # fmt: skip


_SIZE = (
    "A session stores the data for the list of devices (user agent, address, times); the peers "
    "store no such data."
)
_ONE = "The size includes pages that PostgreSQL has not freed yet, and the empty table's indexes."
_CLEAR = (
    "drf-signet deletes rows in batches of 1 000, with a commit after each, so that it holds no "
    "lock for long and needs little memory. A single DELETE of all rows is faster."
)


def _row(
    label: str, results: Any, figure: str, scale: float, bar: Bar | None, digits: int, why: str = ""
) -> Row:
    cells = {column: result[figure] * scale for column, result in results.items()}
    counted = figure == "rows"
    return Row(
        group=TITLE, label=label, cells=cells, digits=digits, counted=counted, bar=bar, why=why
    )


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")
