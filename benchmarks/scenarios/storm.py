"""The storm: 32 clients send the same refresh token at the same time.

A browser with many tabs sends such requests when the access token expires. Two hundred rounds run
with four gunicorn processes (django-oauth-toolkit: fifty rounds).
"""

from __future__ import annotations

from typing import Any

from benchmarks import figures, processes
from benchmarks.lab import Lab
from benchmarks.table import Bar, Row

TITLE = "The storm: 32 clients, one refresh token"

_STACKS = {"signet": "signet-rotating", "simplejwt": "simplejwt-rotating", "oauth": "oauth"}


def measure(lab: Lab) -> Any:
    """Return the results of `benchmarks.storm.storm` for each stack."""
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
    """Return the rows of this scenario in the results table."""
    distinct = {
        column: figures.median([r["distinct"] for r in result["rounds"]])
        for column, result in raw.items()
    }
    maximum = {
        column: max(r["distinct"] for r in result["rounds"]) for column, result in raw.items()
    }
    refused = {
        column: 100 * sum(r["refused"] for r in result["rounds"]) / result["requests"]
        for column, result in raw.items()
    }
    lost = {
        column: sum(not r["can_refresh"] for r in result["rounds"])
        for column, result in raw.items()
    }
    return [
        _row("distinct successors, median of the rounds", distinct, Bar(limit=1)),
        _row("distinct successors, maximum", maximum, Bar(limit=1)),
        _row("answers other than 200", refused, Bar(limit=0), unit="%"),
        _row("rounds after which no client could refresh", lost, Bar(limit=0)),
    ]


def _row(label: str, cells: Any, bar: Bar, unit: str = "") -> Row:
    digits = 1 if unit else 0
    return Row(
        group=TITLE, label=label, cells=cells, digits=digits, unit=unit, counted=True, bar=bar
    )
