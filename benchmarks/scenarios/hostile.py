"""Forged and malformed tokens and bodies: answers of 500 and above, and inputs that cost SQL.

Some are signed with the project's own key, and still say nonsense.
"""

from __future__ import annotations

from typing import Any

from benchmarks.lab import Lab
from benchmarks.table import Bar, Row

TITLE = "Forged and malformed inputs"

_STACKS = {"signet": "signet-rotating", "simplejwt": "simplejwt-rotating", "stateless": "stateless"}


def measure(lab: Lab) -> Any:
    """Return, for each stack, how many were sent, and which ones failed or cost statements."""
    result = {}
    for column, stack in _STACKS.items():
        database = lab.databases.create("postgres", stack, "hostile")
        with lab.worker(stack, database) as worker:
            result[column] = worker.run("hostile.run")
    return result


def rows(raw: Any) -> list[Row]:
    """Return the rows of the table."""
    sent = raw["signet"]["sent"]
    return [
        _row(f"of {sent}: answered by 500", raw, "failed"),
        _row(f"of {sent}: cost SQL", raw, "asked"),
    ]


def _row(label: str, raw: Any, what: str) -> Row:
    cells: dict[str, float | None] = {column: len(found[what]) for column, found in raw.items()}
    bar = Bar(limit=0)
    return Row(group=TITLE, label=label, cells=cells, digits=0, counted=True, bar=bar, why="")
