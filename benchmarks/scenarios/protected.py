"""Compare the time of a protected request with the time of the same view without authentication.

The clock measures the view and the rendering of the response, but no middleware and no server.
Django's RequestFactory builds the requests before the clock starts. drf-signet polls for ended
sessions, as in production. Each process alternates between batches of 25 requests with
authentication and batches of 25 requests without it. In each round, the packages are measured one
after another.
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
#: Database → the stacks to measure on it. RS256 is measured on one database only, because a
#: signature check does not depend on the database.
_WHERE: dict[str, tuple[str, ...]] = {"sqlite": (*_HS256, *_RS256), "postgres": _HS256}
_BATCHES = 8
#: Kind of round → arguments of `round_`. A "warm" round sends a token that was sent before. A
#: "cold" round sends a new token in each request. An "idle" round uses an authentication class that
#: does nothing.
_KINDS: dict[str, dict[str, Any]] = {
    "warm": {},
    "cold": {"cold": True},
    "idle": {"path": "/protected/idle/"},
}


def measure(lab: Lab) -> Any:
    """Return the times of each round, counts of SQL statements, and times of signature checks."""
    result: dict[str, Any] = {"samples": {}, "statements": {}, "signature": {}}
    for vendor, stacks in _WHERE.items():
        with ExitStack() as exit_:
            workers = {stack: _worker(lab, exit_, vendor, stack) for stack in stacks}
            lab.say(f"protected: rounds on {vendor}")
            result["samples"][vendor] = _rounds(workers, lab.pick(15, 2))
            interval = {"requests": 1000, "seconds": lab.pick(4, 1)}
            counts = workers["signet"].run("protected.within_interval", **interval)
            result["statements"][vendor] = counts
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
                sample = worker.run("protected.round_", batches=_BATCHES, **_KINDS[kind])
                samples.setdefault(stack, {}).setdefault(kind, []).append(sample)
    return samples


def rows(raw: Any) -> list[Row]:
    """Return the rows of this scenario in the results table."""
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
        "It varies between 1.10 and 1.12 from run to run. REST framework's own call of an "
        "authenticator is a part of that (see its row below). The rest is reading the header, two "
        "cache look-ups, and creating the object that represents the user."
    ),
)
_COLD = Bar(
    limit=1.45,
    why=(
        "About forty Python calls check everything that can be wrong with a token. None of them "
        "takes more than a few hundredths of the time of the open view. Libraries check the "
        "signature (see its row below) and parse the JSON."
    ),
)
_COLD_RSA = Bar(
    limit=1.45,
    why="OpenSSL's check of the signature alone takes most of the time that the bar allows.",
)
_GROUP = "Protected request ÷ the same view without authentication, in process"


def _idle(raw: Any) -> Row:
    rounds = raw["samples"]["sqlite"]["signet"]["idle"]
    cells = {"signet": figures.median([sample["ratio"] for sample in rounds])}
    return Row(group=_GROUP, label="an authenticator that does nothing", cells=cells, unit="×")


def _signature(raw: Any, label: str, suffix: str) -> Row:
    stack = f"signet{suffix}"
    open_ = figures.median([sample["open"] for sample in raw["samples"]["sqlite"][stack]["cold"]])
    cells = {"signet": raw["signature"][stack] / open_}
    return Row(group=_GROUP, label=label, cells=cells, unit="×")


def ratios(raw: Any, vendor: str, suffix: str, kind: str = "warm") -> dict[str, float]:
    """Return, for each column, the ratio of the protected view's time to the open view's time.

    Only drf-signet has cold rounds. For the other packages, which cache no tokens, the warm rounds
    are used instead.
    """
    by_column = {}
    for stack, samples in raw["samples"][vendor].items():
        name, _, algorithm = stack.partition("-")
        if f"-{algorithm}" == suffix or algorithm == suffix:
            rounds = samples.get(kind) or samples["warm"]
            by_column[name] = figures.median([sample["ratio"] for sample in rounds])
    return by_column


def _statements(raw: Any, requests: int) -> dict[str, float]:
    samples = raw["samples"]["postgres"]
    return {
        name: requests * figures.median([sample["statements"] for sample in kinds["warm"]])
        for name, kinds in samples.items()
        if name != "signet"
    }


def _row(raw: Any, label: str, vendor: str, suffix: str, bar: Bar, kind: str = "warm") -> Row:
    cells = ratios(raw, vendor, suffix, kind)
    return Row(group=_GROUP, label=label, cells=cells, unit="×", bar=bar)
