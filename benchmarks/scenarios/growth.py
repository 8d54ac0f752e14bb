"""The time of a refresh with rotation in tables of 10 thousand, 1 million and 10 million sessions.

The refreshes run in process, for random sessions, on the tables in turn. A second part refreshes
the same sessions repeatedly, in a table whose pages are full. This part counts how many of the
UPDATEs PostgreSQL performs in place (HOT).
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from benchmarks import figures
from benchmarks.lab import Lab
from benchmarks.table import Bar, Row

TITLE = "Refresh with rotation beside many sessions, PostgreSQL"

#: Column of the results table → the stack to measure, and the numbers of sessions in the table.
#: simplejwt is not measured with ten million sessions, because their rows would take 7 GB.
_SIZES: dict[str, tuple[str, tuple[int, ...]]] = {
    "signet": ("signet-rotating", (10_000, 1_000_000, 10_000_000)),
    "simplejwt": ("simplejwt-rotating", (10_000, 1_000_000)),
}
_QUICK = 1000


def measure(lab: Lab) -> Any:
    """Return the sizes of the tables, the times of refreshes in ms, and counts of UPDATEs."""
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
            times = worker.run("growth.refreshes", rows=rows, count=lab.pick(60, 5))
            if number:  # the first round is a warm-up
                sizes = samples.setdefault(column, {})
                sizes.setdefault(str(size), []).append(figures.median(times))
    return samples


def _hot(lab: Lab, worker: Any) -> dict[str, int]:
    """Refresh sessions in the smallest table. Return the counts of all UPDATEs and those in place.

    Before the count starts, the same refreshes run once as a warm-up.
    """
    among, count = lab.pick(1500, 5), lab.pick(3000, 20)
    rows = 10 if lab.quick else 10_000
    worker.run("growth.refreshes", rows=rows, count=count, among=among)
    before = worker.run("growth.updates")
    worker.run("growth.refreshes", rows=rows, count=count, among=among)
    after = worker.run("growth.updates")
    return {name: after[name] - before[name] for name in after}


def rows(raw: Any) -> list[Row]:
    """Return the rows of this scenario in the results table."""
    samples, hot = raw["samples"], raw["hot"]
    result = [_latency_row(samples, size) for size in ("10000", "1000000", "10000000")]
    for size, bar in (("1000000", None), ("10000000", Bar(limit=1.3))):
        cells = {
            column: figures.ratio(sizes[size], sizes["10000"])
            for column, sizes in samples.items()
            if size in sizes
        }
        label = f"{_count(size)} sessions ÷ 10 000 sessions"
        result.append(Row(group=TITLE, label=label, cells=cells, unit="×", bar=bar, why=_GROWS))
    share = 100 * hot["hot"] / max(1, hot["every"])
    result.append(
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
    return result


_GROWS = (
    "Both ratios are close to 1, and they vary by more than they differ. A refresh with drf-signet "
    "is faster at either size."
)


def _latency_row(samples: Any, size: str) -> Row:
    cells = {
        column: figures.median(sizes[size]) for column, sizes in samples.items() if size in sizes
    }
    return Row(group=TITLE, label=f"median with {_count(size)} sessions", cells=cells, unit="ms")


def _count(number: str) -> str:
    return f"{int(number):,}".replace(",", " ")
