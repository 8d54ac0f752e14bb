"""What logins leave behind on PostgreSQL: rows and bytes, with indexes, after a VACUUM.

Logins are of 1 000 users, by clients that say who they are (`user_agents.txt`). DRF's token table
has one row per user however often they log in, so it has no place here.
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
    """Return rows and bytes after many logins, after many refreshes, and the time of clearing."""
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
        found = worker.run("rows.size")
    lab.databases.drop(database)
    return found | {"empty_bytes": empty["bytes"], "row_bytes": row_bytes}


def _refreshed(lab: Lab, stack: str) -> Any:
    lab.say(f"storage: refreshes of one login, {stack}")
    database = lab.databases.create("postgres", stack, "refreshed")
    with lab.worker(stack, database) as worker:
        found = worker.run("rows.one_login", refreshes=lab.pick(1000, 20))
    lab.databases.drop(database)
    return found


def _cleared(lab: Lab, stack: str) -> Any:
    lab.say(f"storage: clearing, {stack}")
    database = lab.databases.create("postgres", stack, "cleared")
    with lab.worker(stack, database) as worker:
        worker.run("growth.fill", rows=lab.pick(1_000_000, 5000), days=-1)
        found = worker.run("rows.clear")
    lab.databases.drop(database)
    return found


def rows(raw: Any) -> list[Row]:
    """Return the rows of the table."""
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
    "A session keeps what a list of devices shows (user agent, address, times); the peers keep "
    "none of it."
)
_ONE = "Pages that PostgreSQL has not yet given back, and the empty table's indexes."
_CLEAR = (
    "Rows are deleted in batches of 1 000, each a statement and a commit of its own, so that no "
    "lock is held for long and memory stays flat; one DELETE of everything is quicker."
)


def _row(
    label: str, found: Any, what: str, scale: float, bar: Bar | None, digits: int, why: str = ""
) -> Row:
    cells = {column: one[what] * scale for column, one in found.items()}
    counted = what == "rows"
    return Row(
        group=TITLE, label=label, cells=cells, digits=digits, counted=counted, bar=bar, why=why
    )


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")
