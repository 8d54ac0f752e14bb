"""The storm: 32 clients present the same refresh token at once, again and again.

Two hundred rounds (django-oauth-toolkit: fifty), four gunicorn processes. A browser with many tabs
does this whenever the access token runs out.
"""

from __future__ import annotations

from typing import Any

from benchmarks import figures, processes
from benchmarks.lab import Lab
from benchmarks.table import Bar, Row

TITLE = "The storm: 32 clients, one refresh token"

_STACKS = {"signet": "signet-rotating", "simplejwt": "simplejwt-rotating", "oauth": "oauth"}


def measure(lab: Lab) -> Any:
    """Return, for each round, distinct successors, refusals, and whether the session goes on."""
    result = {}
    for column, stack in _STACKS.items():
        lab.say(f"storm: {stack}")
        database = lab.databases.create("postgres", stack, "storm")
        with lab.server(stack, database, workers=lab.pick(4, 2), threads=8) as server:
            job = {
                "stack": stack,
                "port": server.port,
                "rounds": lab.pick(50 if column == "oauth" else 200, 5),
            }
            result[column] = processes.load(kind="storm", clients=32, **job)
    return result


def rows(raw: Any) -> list[Row]:
    """Return the rows of the table."""
    distinct = {
        column: figures.median([one["distinct"] for one in found["rounds"]])
        for column, found in raw.items()
    }
    most = {
        column: max(one["distinct"] for one in found["rounds"]) for column, found in raw.items()
    }
    refused = {
        column: 100 * sum(one["refused"] for one in found["rounds"]) / found["requests"]
        for column, found in raw.items()
    }
    lost = {
        column: sum(not one["goes_on"] for one in found["rounds"]) for column, found in raw.items()
    }
    return [
        _row("distinct successors, median of the rounds", distinct, Bar(limit=1)),
        _row("distinct successors, most", most, Bar(limit=1)),
        _row("answers other than 200", refused, Bar(limit=0), unit="%"),
        _row("rounds after which nobody could go on", lost, Bar(limit=0)),
    ]


def _row(label: str, cells: Any, bar: Bar, unit: str = "") -> Row:
    digits = 1 if unit else 0
    return Row(
        group=TITLE, label=label, cells=cells, digits=digits, unit=unit, counted=True, bar=bar
    )
