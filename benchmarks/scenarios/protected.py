"""A protected request in process ÷ the same view without authentication.

View → rendered response, for requests of Django's RequestFactory that were made before the clock
started; no middleware, no server; drf-signet with its feed on. Batches of 25 open and 25 protected
requests take turns in each process, and the stacks take turns round by round.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from benchmarks import figures
from benchmarks.lab import Lab
from benchmarks.processes import Worker
from benchmarks.table import Bar, Row

TITLE = "Protected request, in process"

_HS256 = ("signet", "simplejwt", "stateless", "token", "knox", "oauth")
_RS256 = ("signet-rs256", "simplejwt-rs256", "stateless-rs256")
#: Database → the stacks that are measured on it. A signature does not care which database it is.
_WHERE: dict[str, tuple[str, ...]] = {"sqlite": (*_HS256, *_RS256), "postgres": _HS256}
_BATCHES = 8


def measure(lab: Lab) -> Any:
    """Return µs per request, round by round, and the statements that requests cost."""
    result: dict[str, Any] = {"samples": {}, "statements": {}}
    for vendor, stacks in _WHERE.items():
        with ExitStack() as exit_:
            workers = {stack: _worker(lab, exit_, vendor, stack) for stack in stacks}
            lab.say(f"protected: rounds on {vendor}")
            result["samples"][vendor] = _rounds(workers, lab.pick(15, 2))
            interval = {"requests": 1000, "seconds": lab.pick(4, 1)}
            found = workers["signet"].run("protected.within_interval", **interval)
            result["statements"][vendor] = found
    return result


def _worker(lab: Lab, exit_: ExitStack, vendor: str, stack: str) -> Worker:
    database = lab.databases.create(vendor, stack, "protected")
    worker = exit_.enter_context(lab.worker(stack, database))
    worker.run("protected.prepare")
    return worker


def _rounds(workers: dict[str, Worker], rounds: int) -> dict[str, dict[str, list[Any]]]:
    samples: dict[str, dict[str, list[Any]]] = {}
    for _ in range(rounds):
        for stack, worker in workers.items():
            kinds = {"warm": False, "cold": True} if stack.startswith("signet") else {"warm": False}
            for kind, cold in kinds.items():
                one = worker.run("protected.round_", batches=_BATCHES, cold=cold)
                samples.setdefault(stack, {}).setdefault(kind, []).append(one)
    return samples


def rows(raw: Any) -> list[Row]:
    """Return the rows of the table."""
    statements = raw["statements"]["postgres"]
    return [
        _row(raw, "HS256, a token seen before; PostgreSQL", "postgres", "", Bar(limit=1.10)),
        _row(raw, "HS256, a token never seen; PostgreSQL", "postgres", "", Bar(limit=1.45), "cold"),
        _row(raw, "HS256, a token seen before; SQLite", "sqlite", "", Bar(limit=1.10)),
        _row(raw, "HS256, a token never seen; SQLite", "sqlite", "", Bar(limit=1.45), "cold"),
        _row(raw, "RS256, a token seen before", "sqlite", "-rs256", Bar(limit=1.10)),
        _row(raw, "RS256, a token never seen", "sqlite", "-rs256", Bar(limit=1.45), "cold"),
        Row(
            group=_GROUP,
            label="statements of 1 000 requests within one interval",
            cells={"signet": statements["within"]} | _statements(raw, 1000),
            digits=0,
            counted=True,
            bar=Bar(limit=0),
        ),
        Row(
            group=_GROUP,
            label="statements per second, requests without a pause",
            cells={"signet": statements["per_second"]},
            counted=True,
            bar=Bar(limit=1),
        ),
    ]


_GROUP = "Protected request ÷ the same view without authentication, in process"


def ratios(raw: Any, vendor: str, suffix: str, kind: str = "warm") -> dict[str, float]:
    """Return the ratio of each column; peers remember no tokens: for them warm is cold."""
    found = {}
    for stack, samples in raw["samples"][vendor].items():
        name, _, algorithm = stack.partition("-")
        if f"-{algorithm}" == suffix or algorithm == suffix:
            rounds = samples.get(kind) or samples["warm"]
            found[name] = figures.median([one["ratio"] for one in rounds])
    return found


def _statements(raw: Any, requests: int) -> dict[str, float]:
    samples = raw["samples"]["postgres"]
    return {
        name: requests * figures.median([one["statements"] for one in kinds["warm"]])
        for name, kinds in samples.items()
        if name != "signet"
    }


def _row(raw: Any, label: str, vendor: str, suffix: str, bar: Bar, kind: str = "warm") -> Row:
    cells = ratios(raw, vendor, suffix, kind)
    return Row(group=_GROUP, label=label, cells=cells, unit="×", bar=bar)
