"""Resident memory of a gunicorn process after thousands of requests with different tokens.

The requests fill drf-signet's cache of verified tokens, so the cache is at its maximum size.
"""

from __future__ import annotations

from typing import Any

from benchmarks import processes
from benchmarks.lab import Lab
from benchmarks.stacks import STACKS
from benchmarks.table import Row

TITLE = "Memory of a gunicorn process"

_STACKS = {
    "signet": "signet-rotating",
    "simplejwt": "simplejwt-rotating",
    "stateless": "stateless",
    "token": "token",
    "knox": "knox",
    "oauth": "oauth",
}


def measure(lab: Lab) -> Any:
    """Return the memory of a process in bytes, after the first request and after all requests."""
    result = {}
    for column, stack in list(_STACKS.items())[: lab.pick(6, 2)]:
        lab.say(f"memory: {stack}")
        result[column] = _measure(lab, stack)
    return result


def _measure(lab: Lab, stack: str) -> Any:
    count = lab.pick(5000, 50)
    database = lab.databases.create("postgres", stack, "memory")
    with lab.worker(stack, database) as worker:
        distinct = count if STACKS[stack].family in ("signet", "simplejwt") else min(count, 1000)
        tokens = worker.run("mint.access", count=distinct)
    headers = [dict(STACKS[stack].wire.protected(token).headers) for token in tokens]
    with lab.server(stack, database) as server:
        job = {"port": server.port, "path": "/protected/", "clients": 4}
        processes.load(kind="times", headers=headers, requests=1, **job)
        first = server.resident()
        processes.load(kind="times", headers=headers, requests=count, **job)
        return {"first": max(first), "after": max(server.resident()), "requests": count}


def rows(raw: Any) -> list[Row]:
    """Return the rows of this scenario in the results table."""
    requests = f"{raw['signet']['requests']:,}".replace(",", " ")
    return [
        _row("after the first request", raw, "first"),
        _row(f"after {requests} requests", raw, "after"),
    ]


_WHY = (
    "Each process caches up to 4 096 verified tokens and their claims, and loads joserfc and "
    "cryptography. Packages with opaque tokens need neither the cache nor these libraries."
)


def _row(label: str, raw: Any, moment: str) -> Row:
    cells = {column: memory[moment] / 1e6 for column, memory in raw.items()}
    return Row(group=TITLE, label=label, cells=cells, unit="MB", digits=1, why=_WHY)
