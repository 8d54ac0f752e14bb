"""Forged and malformed inputs: how many cause status 500, and how many cause SQL statements.

Some tokens are signed with the project's own key, but contain invalid claims.
"""

from __future__ import annotations

from typing import Any

from benchmarks.lab import Lab
from benchmarks.table import Bar, Row

TITLE = "Forged and malformed inputs"

_STACKS = {"signet": "signet-rotating", "simplejwt": "simplejwt-rotating", "stateless": "stateless"}


def measure(lab: Lab) -> Any:
    """For each stack, return how many inputs were sent, and which of them failed or caused SQL."""
    result = {}
    for column, stack in _STACKS.items():
        database = lab.databases.create("postgres", stack, "hostile")
        with lab.worker(stack, database) as worker:
            result[column] = worker.run("hostile.run")
    return result


def rows(raw: Any) -> list[Row]:
    """Return the rows of this scenario in the results table."""
    sent = raw["signet"]["sent"]
    return [
        _row(f"of {sent}: status 500", raw, "failed"),
        _row(f"of {sent}: caused SQL", raw, "queried"),
    ]


def _row(label: str, raw: Any, outcome: str) -> Row:
    cells: dict[str, float | None] = {
        column: len(result[outcome]) for column, result in raw.items()
    }
    bar = Bar(limit=0)
    return Row(group=TITLE, label=label, cells=cells, digits=0, counted=True, bar=bar, why="")
