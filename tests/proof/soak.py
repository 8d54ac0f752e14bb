"""The scenario `soak`: memory and table size must not grow while two workers run for a long time.

Agents log in, refresh, send requests and log out, with the refresh token in JSON or in a cookie. At
regular intervals, a sample is taken: the memory of each worker, the number of database connections,
and the size of the table and of its indexes, in bytes per session. There may be at most one
connection per thread. No other value may grow by more than `LIMIT` per hour. To compute the growth
of a value, a straight line is fitted to the last two thirds of its samples.
"""

from __future__ import annotations

import asyncio
import random
import re
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from . import cluster
from .agents import Agent, Balancer, Ledger, live
from .databases import Database, query
from .scenario import Figures, Scenario
from .servers import Server, serve
from .site import Site
from .trees import SOURCE

WORKERS, THREADS = 2, 8
#: Maximum growth of a value per hour, relative to its mean.
LIMIT = 0.10
#: Growth is checked only in runs of at least this many minutes. In shorter runs, caches are still
#: filling up after the first third of the run.
LEAST = 10.0

_AGENTS = 8
_PAUSE = 0.05
_CONNECTIONS = "connections"
_TABLE = "drf_signet_session"
_SIZES = (
    f"SELECT count(*), pg_table_size('{_TABLE}'), pg_indexes_size('{_TABLE}'), "
    "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    f"AND pid <> pg_backend_pid()) FROM {_TABLE}"
)


def measure(*, source: Path = SOURCE, minutes: float, every: float) -> list[Figures]:
    """Run two workers for `minutes`, and return one row of figures for each measured value.

    A sample is taken at intervals of `every` seconds.
    """
    with cluster.running() as own:
        database = own.database()
        site = Site(database=database, source=source, signet={"LOGIN_THROTTLE": None})
        site.migrate()
        site.make_users(_AGENTS)
        with serve(site, workers=WORKERS, threads=THREADS) as server:
            return asyncio.run(_soak(server, database, minutes * 60, every))


async def _soak(server: Server, database: Database, seconds: float, every: float) -> list[Figures]:
    ledger, accepted = Ledger(), list[str]()
    agents = [
        Agent(number, Balancer(server.port), ledger, transport=("token", "cookie")[number % 2])
        for number in range(_AGENTS)
    ]
    await asyncio.gather(*(agent.log_in() for agent in agents))
    stop, chance = asyncio.Event(), random.Random(0)
    lives = [asyncio.create_task(live(one, stop, chance, accepted, pause=_PAUSE)) for one in agents]
    started, samples = time.monotonic(), list[dict[str, float]]()
    while (passed := time.monotonic() - started) < seconds:
        samples.append({"at": passed, **await asyncio.to_thread(_sample, server, database)})
        await asyncio.sleep(every)
    stop.set()
    await asyncio.gather(*lives)
    for agent in agents:
        agent.close()
    work = {
        "minutes": seconds / 60,
        **{name: ledger.counts[name] for name in ("logins", "refreshes", "requests", "logouts")},
        "failed": len(ledger.refused) + len(accepted),
        "examples": [*ledger.examples(), *accepted[:3]],
    }
    return [{**_series(name, samples), **work} for name in samples[0] if name != "at"]


def _sample(server: Server, database: Database) -> dict[str, float]:
    rows, table, indexes, connections = query(database, _SIZES)[0]
    memory = {
        f"memory of worker {number}, MiB": proportional(pid) / 2**20
        for number, pid in enumerate(sorted(server.workers()), 1)
    }
    return {
        **memory,
        _CONNECTIONS: connections,
        "table, bytes per session": table / rows,
        "indexes, bytes per session": indexes / rows,
    }


def proportional(pid: int) -> int:
    """Return a process's memory in bytes. A page that n processes share counts as 1/n of a page."""
    found = re.search(
        r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE
    )
    assert found
    return int(found[1]) * 1024


def _series(name: str, samples: Sequence[dict[str, float]]) -> Figures:
    """Return a value at the start, after a third of the run and at the end, and its growth."""
    late = samples[len(samples) // 3 :]
    values = [one[name] for one in late]
    return {
        "series": name,
        "samples": len(samples),
        "first": float(samples[0][name]),
        "third": float(values[0]),
        "last": float(values[-1]),
        "most": float(max(one[name] for one in samples)),
        "growth": 100 * _per_hour([one["at"] for one in late], values),
        "points": [(round(one["at"]), round(float(one[name]), 2)) for one in samples],
    }


def _per_hour(at: Sequence[float], values: Sequence[float]) -> float:
    """Return the growth of the values per hour, relative to their mean, by linear regression."""
    mean = statistics.fmean(values)
    if len(values) < 2 or not mean:
        return 0.0
    return statistics.linear_regression(at, values).slope * 3600 / mean


def failures(rows: Sequence[Figures]) -> list[str]:
    """Return a sentence for each error. Growth is checked only in long runs."""
    found = [f"{rows[0]['failed']} requests failed: {rows[0]['examples']}"] * bool(
        rows[0]["failed"]
    )
    for row in rows:
        if row["series"] == _CONNECTIONS:
            if row["most"] > WORKERS * THREADS:
                found.append(f"{row['most']:.0f} connections for {WORKERS * THREADS} threads")
        elif row["minutes"] >= LEAST and row["growth"] > 100 * LIMIT:
            found.append(f"{row['series']} grows by {row['growth']:.1f} % per hour")
    return found


SCENARIO = Scenario(
    name="soak",
    title="Soak",
    measure=measure,
    failures=failures,
    columns={
        "series": "what",
        "first": "at the beginning",
        "third": "after a third",
        "last": "at the end",
        "growth": "growth per hour, %",
        "minutes": "minutes",
        "logins": "logins",
        "refreshes": "refreshes",
        "requests": "requests",
        "logouts": "logouts",
        "failed": "failed",
    },
    full={"minutes": 30.0, "every": 15.0},
    short={"minutes": 1 / 3, "every": 2.0},
)
