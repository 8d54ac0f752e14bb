"""What a refresh with rotation takes beside 10 thousand, 1 million and 10 million sessions.

In process, sessions chosen at random, the three tables in turn; and how many of the UPDATEs were
in place (HOT), where a few thousand sessions on full pages are refreshed over and over.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from benchmarks import figures
from benchmarks.lab import Lab
from benchmarks.table import Bar, Row

TITLE = "Refresh with rotation beside many sessions, PostgreSQL"

#: Column → stack and numbers of sessions. A peer's ten million would be 7 GB and show the same.
_SIZES: dict[str, tuple[str, tuple[int, ...]]] = {
    "signet": ("signet-rotating", (10_000, 1_000_000, 10_000_000)),
    "simplejwt": ("simplejwt-rotating", (10_000, 1_000_000)),
}
_QUICK = 1000


def measure(lab: Lab) -> Any:
    """Return milliseconds, round by round, for each size; and the share of updates in place."""
    with ExitStack() as exit_:
        workers: dict[tuple[str, int], Any] = {}
        filled = {}
        for column, (stack, sizes) in _SIZES.items():
            for size in sizes:
                lab.say(f"growth: {size} rows, {stack}")
                rows = size // _QUICK if lab.quick else size
                database = lab.databases.create("postgres", stack, f"growth_{size}")
                exit_.callback(lab.databases.drop, database)
                worker = exit_.enter_context(lab.worker(stack, database))
                filled[f"{column} {size}"] = worker.run("growth.fill", rows=rows)
                workers[column, size] = worker
        lab.say("growth: rounds")
        samples = _rounds(lab, workers)
        lab.say("growth: updates in place")
        hot = _hot(lab, workers["signet", 10_000])
    return {"bytes": filled, "samples": samples, "hot": hot}


def _rounds(lab: Lab, workers: dict[tuple[str, int], Any]) -> dict[str, dict[str, list[float]]]:
    samples: dict[str, dict[str, list[float]]] = {}
    for number in range(lab.pick(12, 2)):
        for (column, size), worker in workers.items():
            rows = size // _QUICK if lab.quick else size
            one = worker.run("growth.refreshes", rows=rows, count=lab.pick(60, 5))
            if number:  # the first round warms up
                sizes = samples.setdefault(column, {})
                sizes.setdefault(str(size), []).append(figures.median(one))
    return samples


def _hot(lab: Lab, worker: Any) -> dict[str, int]:
    """Return the updates after a warm-up, among the first sessions of the smallest table."""
    among, count = lab.pick(1500, 5), lab.pick(3000, 20)
    rows = 10 if lab.quick else 10_000
    worker.run("growth.refreshes", rows=rows, count=count, among=among)
    before = worker.run("growth.updates")
    worker.run("growth.refreshes", rows=rows, count=count, among=among)
    after = worker.run("growth.updates")
    return {name: after[name] - before[name] for name in after}


def rows(raw: Any) -> list[Row]:
    """Return the rows of the table."""
    samples, hot = raw["samples"], raw["hot"]
    found = [_latency_row(samples, size) for size in ("10000", "1000000", "10000000")]
    for size, bar in (("1000000", None), ("10000000", Bar(limit=1.3))):
        cells = {
            column: figures.ratio(sizes[size], sizes["10000"])
            for column, sizes in samples.items()
            if size in sizes
        }
        label = f"{_count(size)} sessions ÷ 10 000 sessions"
        found.append(Row(group=TITLE, label=label, cells=cells, unit="×", bar=bar, why=_GROWS))
    share = 100 * hot["hot"] / max(1, hot["every"])
    found.append(
        Row(
            group=TITLE,
            label="updates in place (HOT)",
            cells={"signet": share},
            unit="%",
            digits=1,
            better="more",
            bar=Bar(limit=95, at="least"),
        )
    )
    return found


_GROWS = (
    "Both ratios are close to 1 and scatter by more than they differ; a refresh here is the faster "
    "one at either size."
)


def _latency_row(samples: Any, size: str) -> Row:
    cells = {
        column: figures.median(sizes[size]) for column, sizes in samples.items() if size in sizes
    }
    return Row(group=TITLE, label=f"median with {_count(size)} sessions", cells=cells, unit="ms")


def _count(number: str) -> str:
    return f"{int(number):,}".replace(",", " ")
