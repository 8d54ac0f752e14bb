"""The time of a failed login of a known, an unknown, an inactive and an unusable account.

An account is unusable if it has no password. If the times differed, they would show which usernames
exist. The logins run in process, in random order, with a fiftieth of the iterations of Django's
default password hash. The full hash is the same for all accounts and would hide most of any other
difference.
"""

from __future__ import annotations

from typing import Any

from benchmarks import figures
from benchmarks.lab import Lab
from benchmarks.table import Bar, Row

TITLE = "Failed logins, PostgreSQL"

_STACKS = {"signet": "signet", "simplejwt": "simplejwt"}


def measure(lab: Lab) -> Any:
    """Return nested dicts: column → username → the duration of each login in milliseconds."""
    result = {}
    for column, stack in _STACKS.items():
        lab.say(f"logins: {stack}")
        database = lab.databases.create("postgres", stack, "logins")
        with lab.worker(stack, database) as worker:
            result[column] = worker.run("logins.failed", rounds=lab.pick(1000, 20))
    return result


def rows(raw: Any) -> list[Row]:
    """Return the rows of this scenario in the results table."""
    medians = {
        column: {name: figures.median(times) for name, times in samples.items()}
        for column, samples in raw.items()
    }
    each = [
        Row(
            group=TITLE,
            label=f"{name} account, median",
            cells={column: times[name] for column, times in medians.items()},
            unit="ms",
            better=None,
        )
        for name in raw["signet"]
    ]
    differs = {
        column: max(times.values()) / min(times.values()) for column, times in medians.items()
    }
    ratio = Row(
        group=TITLE,
        label="longest median ÷ shortest median",
        cells=differs,
        unit="×",
        bar=Bar(limit=1.05),
    )
    return [*each, ratio]
