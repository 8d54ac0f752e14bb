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
#: What a round is: with a token seen before, never seen, or without authentication's own work.
_KINDS: dict[str, dict[str, Any]] = {
    "warm": {},
    "cold": {"cold": True},
    "idle": {"path": "/protected/idle/"},
}


def measure(lab: Lab) -> Any:
    """Return µs per request, round by round, and the statements that requests cost."""
    result: dict[str, Any] = {"samples": {}, "statements": {}, "signature": {}}
    for vendor, stacks in _WHERE.items():
        with ExitStack() as exit_:
            workers = {stack: _worker(lab, exit_, vendor, stack) for stack in stacks}
            lab.say(f"protected: rounds on {vendor}")
            result["samples"][vendor] = _rounds(workers, lab.pick(15, 2))
            interval = {"requests": 1000, "seconds": lab.pick(4, 1)}
            found = workers["signet"].run("protected.within_interval", **interval)
            result["statements"][vendor] = found
            result["signature"] = {
                stack: worker.run("protected.signature", repeats=lab.pick(2000, 50))
                for stack, worker in workers.items()
                if stack.startswith("signet")
            } | result["signature"]
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
            for kind in _KINDS if stack.startswith("signet") else ["warm"]:
                one = worker.run("protected.round_", batches=_BATCHES, **_KINDS[kind])
                samples.setdefault(stack, {}).setdefault(kind, []).append(one)
    return samples


def rows(raw: Any) -> list[Row]:
    """Return the rows of the table."""
    statements = raw["statements"]["postgres"]
    return [
        _row(raw, "HS256, a token seen before; PostgreSQL", "postgres", "", _WARM),
        _row(raw, "HS256, a token never seen; PostgreSQL", "postgres", "", _COLD, "cold"),
        _row(raw, "HS256, a token seen before; SQLite", "sqlite", "", _WARM),
        _row(raw, "HS256, a token never seen; SQLite", "sqlite", "", _COLD, "cold"),
        _row(raw, "RS256, a token seen before", "sqlite", "-rs256", _WARM),
        _row(raw, "RS256, a token never seen", "sqlite", "-rs256", _COLD_RSA, "cold"),
        _idle(raw),
        _signature(raw, "the check of an HS256 signature alone", ""),
        _signature(raw, "the check of an RS256 signature alone", "-rs256"),
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


_WARM = Bar(
    limit=1.10,
    why=(
        "The figure moves by 0.01 from run to run, about the bar. Part of it is REST framework's "
        "own way to any authenticator (its row stands below); the rest is a look at the header, "
        "two look-ups, and the object that stands for the user."
    ),
)
_COLD = Bar(
    limit=1.45,
    why=(
        "Everything that a token could have wrong is looked for in about forty calls of Python, "
        "none of which takes more than a few hundredths of the open view, beside the signature "
        "(its row stands below) and the JSON parser, which are libraries'."
    ),
)
_COLD_RSA = Bar(
    limit=1.45,
    why="The check of the signature alone, OpenSSL's, takes most of what the bar leaves.",
)
_GROUP = "Protected request ÷ the same view without authentication, in process"


def _idle(raw: Any) -> Row:
    rounds = raw["samples"]["sqlite"]["signet"]["idle"]
    cells = {"signet": figures.median([one["ratio"] for one in rounds])}
    return Row(group=_GROUP, label="an authenticator that does nothing", cells=cells, unit="×")


def _signature(raw: Any, label: str, suffix: str) -> Row:
    stack = f"signet{suffix}"
    open_ = figures.median([one["open"] for one in raw["samples"]["sqlite"][stack]["cold"]])
    cells = {"signet": raw["signature"][stack] / open_}
    return Row(group=_GROUP, label=label, cells=cells, unit="×")


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
