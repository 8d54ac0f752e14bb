"""Processor time, memory and start time of a process that polls the revocation feed.

Access tokens live for 5 minutes. The processor time is measured for one minute, in which 10, 100 or
1 000 sessions end per second. Before that minute, the table is filled with as many ended sessions
as a poll may read. During the minute, each process polls every second and reads everything once.
For PostgreSQL, the processor time of the server processes of these connections is measured. The
memory is measured in a process that polls for 30 minutes of simulated time. In the last part, a
process starts when the table contains 500 000 ended sessions, and has to read all of them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from benchmarks import figures
from benchmarks.lab import Lab
from benchmarks.machine import processor_time
from benchmarks.processes import Database
from benchmarks.table import Bar, Row

TITLE = "Revocation feed"

_STACK = "signet"
#: Logouts per second → the limit on the processor time of a process, in percent.
_RATES = {10: 0.1, 100: 0.5, 1000: 5.0}
#: Bytes in one MiB.
_MIB = 2**20


_WHY = (
    "A process that only polls is idle nearly all of the time, so each poll begins with cold "
    "caches. How much that costs depends on the machine: right after this run, a process that sent "
    "`SELECT 1` once per second and did nothing else took 0.48 %. On the machine of the run "
    "before, the same polls took 0.09 % and 0.19 % at 10 and 100 logouts per second."
)


def measure(lab: Lab) -> Any:
    """Run all parts of the scenario, and return their figures."""
    seconds = lab.pick(60, 3)
    many = lab.pick(64, 4)
    result: dict[str, Any] = {
        "rates": {str(rate): _polls(lab, rate, 1, seconds) for rate in _RATES},
        "processes": {str(count): _polls(lab, 100, count, seconds) for count in (4, many)},
    }
    database = lab.databases.create("postgres", _STACK, "feed_start")
    with lab.worker(_STACK, database) as worker:
        lab.say("feed: memory")
        result["memory"] = worker.run("feed.memory", rate=100, seconds=lab.pick(1800, 200))
    with lab.worker(_STACK, database) as worker:
        ends = lab.pick(500_000, 50_000)
        lab.say(f"feed: start with {ends} ended sessions")
        worker.run("feed.fill", ends=ends, seconds=600)
    with lab.worker(_STACK, database) as worker:
        result["start"] = worker.run("feed.start", threads=8) | {"ends": ends}
    lab.databases.drop(database)
    return result


def _polls(lab: Lab, rate: int, count: int, seconds: float) -> dict[str, float]:
    """Let processes poll a database; return their processor time and that of PostgreSQL."""
    lab.say(f"feed: {rate} logouts per second, processes: {count}")
    database = lab.databases.create("postgres", _STACK, f"feed_{rate}_{count}")
    with ExitStack() as exit_, ThreadPoolExecutor(count + 1) as pool:
        writer = exit_.enter_context(lab.worker(_STACK, database))
        reach = lab.pick(int(writer.run("feed.reach")), 30)
        writer.run("feed.fill", ends=int(rate * reach), seconds=reach)
        workers = [exit_.enter_context(lab.worker(_STACK, database)) for _ in range(count)]
        list(pool.map(lambda worker: worker.run("feed.poll", seconds=0), workers))
        pids = _connections(lab, database)
        before = sum(map(processor_time, pids))
        writes = pool.submit(writer.run, "feed.write", rate=rate, seconds=seconds)
        polled = list(pool.map(lambda worker: worker.run("feed.poll", seconds=seconds), workers))
        writes.result()
        used = sum(map(processor_time, pids)) - before
    lab.databases.drop(database)
    return {
        "percent": figures.median([one["percent"] for one in polled]),
        "longest": max(one["longest"] for one in polled),
        "database": 100 * used / seconds,
        "count": count,
    }


def _connections(lab: Lab, database: Database) -> list[int]:
    """Return the process ids of the PostgreSQL backends that have executed polls."""
    sql = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND query LIKE '%string_agg%'"
    )
    return [pid for (pid,) in lab.databases.query(database, sql)]


def rows(raw: Any) -> list[Row]:
    """Return the rows of this scenario in the results table."""
    found = [
        _row(
            f"processor time of a process at {_number(rate)} logouts per second",
            raw["rates"][str(rate)]["percent"],
            "%",
            Bar(limit=limit, why=_WHY),
        )
        for rate, limit in _RATES.items()
    ]
    for one in raw["processes"].values():
        many = f"100 logouts per second, {one['count']} processes"
        found += [
            _row(
                f"{many}: processor time of a process",
                one["percent"],
                "%",
                Bar(limit=0.5, why=_WHY),
            ),
            _row(f"{many}: processor time of PostgreSQL", one["database"], "%"),
        ]
    memory, start = raw["memory"]["bytes"] / _MIB, raw["start"]
    ends = f"start with {_number(start['ends'])} ended sessions"
    return [
        *found,
        _row("memory of a process at 100 logouts per second", memory, "MiB", Bar(limit=12)),
        _row(f"{ends}: wrong or missing answers", start["wrong"], "", Bar(limit=0), digits=0),
        _row(f"{ends}: longest request", start["longest"], "s"),
        _row(f"{ends}: until everything was read", start["seconds"], "s"),
    ]


def _row(label: str, value: float, unit: str, bar: Bar | None = None, *, digits: int = 2) -> Row:
    return Row(group=TITLE, label=label, cells={"signet": value}, unit=unit, digits=digits, bar=bar)


def _number(number: int) -> str:
    return f"{number:,}".replace(",", " ")
