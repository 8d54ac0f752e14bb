"""The scenario `crashes`: workers or PostgreSQL are killed under load, or PostgreSQL is paused.

Agents refresh, send requests, log out and log in all the time. If no response comes, an agent
repeats the request with the same token, as real clients do. At the end, every session that was not
logged out must be able to refresh. The tokens of every session whose logout got a response must be
refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.client import Connection
from benchmarks.wire import Call, Tokens

from . import cluster, pooler
from .agents import NOTICED_WITHIN, Agent, Ledger, accepted_after_logout, ignore, live, place
from .cluster import Cluster
from .databases import Database, query
from .scenario import Figures, Scenario
from .servers import Server, serve
from .site import Site
from .trees import SOURCE, Fault

_AGENTS = 8
#: With --preload, gunicorn imports the project before it forks the workers, so that a new worker
#: starts quickly.
_FORKED = {"GUNICORN_CMD_ARGS": "--preload"}
_SIGNET = {"LOGIN_THROTTLE": None}
_REPLACED_WITHIN = 60
_THEFTS = "SELECT count(*) FROM drf_signet_session WHERE end_reason = 'reuse'"
_GENERATION = b"SELECT generation FROM drf_signet_session WHERE id = %s"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The servers that a function like `kill_worker` may kill or pause."""

    cluster: Cluster
    server: Server
    random: random.Random


#: A function that disturbs the servers once, and returns when all servers are running again.
Disturb = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Drill:
    """A disturbance that is repeated while agents send requests: one row of the table.

    Args:
        title: the description in the table.
        disturb: the function that disturbs the servers once.
        pooled: whether the workers connect to PostgreSQL through pgbouncer.
        patience: seconds that a client waits for a response.
        settings: PostgreSQL settings that differ from those of `Cluster`.
        control: whether this is a control run, which shows how much data PostgreSQL loses with
            unsafe settings. Lost data is not an error in a control run.
    """

    title: str
    disturb: Disturb
    pooled: bool = False
    patience: float = 2.0
    settings: Mapping[str, str] = field(default_factory=dict)
    control: bool = False


def measure(*, source: Path = SOURCE, seed: int = 0, **times: int) -> list[Figures]:
    """Run drills. `times` maps the name of each drill to the number of disturbances."""
    return [
        run(drill, times[name], source=source, seed=seed)
        for name, drill in DRILLS.items()
        if times.get(name)
    ]


def run(drill: Drill, times: int, *, source: Path = SOURCE, seed: int = 0) -> Figures:
    """Run one drill with `times` disturbances, and return its row of figures."""
    with _stage(drill, source, seed) as (stage, database):
        seen = asyncio.run(_run(drill, times, stage, database))
    return {"situation": drill.title, "times": times, "control": drill.control, **seen}


@contextlib.contextmanager
def _stage(drill: Drill, source: Path, seed: int) -> Iterator[tuple[Stage, Database]]:
    with contextlib.ExitStack() as stack:
        own = stack.enter_context(cluster.running(settings=drill.settings))
        database = own.database()
        used = stack.enter_context(pooler.pooled(own, database)) if drill.pooled else database
        site = Site(database=used, source=source, signet=_SIGNET, variables=_FORKED)
        site.migrate()
        site.make_users(_AGENTS)
        server = stack.enter_context(serve(site))
        yield Stage(cluster=own, server=server, random=random.Random(seed)), database


async def _run(drill: Drill, times: int, stage: Stage, database: Database) -> Figures:
    ledger, accepted = Ledger(), list[str]()
    cuts = Cuts(database) if drill.disturb is kill_worker else None
    options: dict[str, Any] = {"patience": drill.patience, "on_cut": cuts.note if cuts else ignore}
    agents = [Agent(one, lambda: stage.server.port, ledger, **options) for one in range(_AGENTS)]
    await asyncio.gather(*(agent.log_in() for agent in agents))
    stop = asyncio.Event()
    lives = [asyncio.create_task(live(one, stop, stage.random, accepted)) for one in agents]
    for _ in range(times):
        await drill.disturb(stage)
    stop.set()
    await asyncio.gather(*lives)
    usable = [await agent.refresh() for agent in agents]
    await asyncio.sleep(NOTICED_WITHIN)
    accepted += await accepted_after_logout(agents[0], ledger.ended)
    for agent in agents:
        agent.close()
    if cuts:
        cuts.close()
    return {
        "refreshes": ledger.counts["refreshes"],
        "logouts": len(ledger.ended),
        "repeated": ledger.counts["repeated refresh"],
        "late": ledger.counts["late answers"],
        "after_commit": cuts.after_commit if cuts else None,
        "unusable": usable.count(False),
        "refused": len(ledger.refused),
        "doubles": ledger.double_successors,
        "thefts": int(query(database, _THEFTS)[0][0]),
        "accepted": len(accepted),
        "longest": ledger.longest,
        "examples": [*ledger.examples(), *accepted[:3]],
    }


class Cuts:
    """A counter of refreshes that were committed, but whose worker was killed before it responded.

    `note` reads the session before the client repeats the refresh. If the session's generation is
    higher than the token's generation, the rotation was committed and only its response was lost.
    """

    def __init__(self, database: Database) -> None:
        self.after_commit = 0
        self._connection = psycopg.connect(
            host=database["HOST"],
            port=database["PORT"],
            user=database["USER"],
            dbname=database["NAME"],
            autocommit=True,
        )

    def note(self, tokens: Tokens) -> None:
        """Count the refresh if its rotation was committed, although no response came."""
        session_id, generation = place(tokens.refresh)
        found = self._connection.execute(_GENERATION, [session_id]).fetchone()
        self.after_commit += found is not None and int(found[0]) > generation

    def close(self) -> None:
        """Close the database connection."""
        self._connection.close()


async def kill_worker(stage: Stage) -> None:
    """Kill the oldest worker at a random moment, and wait until a new worker responds."""
    await asyncio.sleep(stage.random.uniform(0.02, 0.2))
    workers = stage.server.workers()
    os.kill(workers[0], signal.SIGKILL)
    async with asyncio.timeout(_REPLACED_WITHIN):
        while not (born := set(stage.server.workers()) - set(workers)):
            await asyncio.sleep(0.01)
        while await _answering(stage.server.port) not in born:
            await asyncio.sleep(0.01)


async def crash_database(stage: Stage) -> None:
    """Kill PostgreSQL and restart it, or kill one backend. Wait until PostgreSQL has recovered."""
    await asyncio.sleep(stage.random.uniform(0.2, 0.5))
    if stage.random.random() < 0.5:
        await asyncio.to_thread(stage.cluster.kill_backend)
    else:
        await asyncio.to_thread(stage.cluster.crash)
        await asyncio.sleep(stage.random.uniform(0, 0.5))
        await asyncio.to_thread(stage.cluster.restart)
    await asyncio.sleep(0.5)


async def pause_database(stage: Stage) -> None:
    """Pause all processes of PostgreSQL for longer than clients wait, then resume them."""
    await asyncio.sleep(stage.random.uniform(0.2, 0.5))
    stage.cluster.pause()
    await asyncio.sleep(stage.random.uniform(1, 4))
    stage.cluster.resume()
    await asyncio.sleep(1)


async def _answering(port: int) -> int | None:
    """Return the process id of the worker that responds on a new connection.

    Return None if no worker responds.
    """
    connection = Connection(port)
    try:
        async with asyncio.timeout(5):
            answer = await connection.send(Call(path="/open/"))
    except (OSError, asyncio.IncompleteReadError, TimeoutError):
        return None
    finally:
        connection.close()
    return int(answer.headers["x-worker"])


def failures(rows: Sequence[Figures]) -> list[str]:
    """Return a sentence for each figure that shows an error."""
    found = [
        f"{row['situation']}: {row[key]} {what} {row['examples']}"
        for row in rows
        if not row["control"]
        for key, what in _MUST_BE_NONE.items()
        if row[key]
    ]
    untouched = [row["situation"] for row in rows if not row["repeated"]]
    return [
        *found,
        *(f"{one}: every refresh was answered, nothing was tested" for one in untouched),
    ]


DRILLS = {
    "kills": Drill(title="a worker is killed", disturb=kill_worker),
    "pooled_kills": Drill(
        title="a worker is killed, behind pgbouncer", disturb=kill_worker, pooled=True
    ),
    "crashes": Drill(title="PostgreSQL is killed", disturb=crash_database),
    "pooled_crashes": Drill(
        title="PostgreSQL is killed, behind pgbouncer", disturb=crash_database, pooled=True
    ),
    # The clients wait only 0.7 s for a response, so they repeat requests that the server is
    # still processing.
    "pauses": Drill(title="PostgreSQL is paused, 1 to 4 s", disturb=pause_database, patience=0.7),
    "control": Drill(
        title="control: PostgreSQL is killed, `synchronous_commit` off",
        disturb=crash_database,
        settings={"synchronous_commit": "off", "wal_writer_delay": "10s"},
        control=True,
    ),
}

#: The drills to leave out when a test plants a fault in the package. The drill "kills" alone must
#: find the fault.
_NONE_ELSE = {"pooled_kills": 0, "crashes": 0, "pauses": 0}

_MUST_BE_NONE = {
    "unusable": "sessions unusable",
    "refused": "valid tokens refused",
    "doubles": "double successors",
    "thefts": "false thefts",
    "accepted": "tokens of ended sessions accepted",
}

SCENARIO = Scenario(
    name="crashes",
    title="Crashes",
    measure=measure,
    failures=failures,
    columns={
        "situation": "situation",
        "times": "times",
        "refreshes": "refreshes",
        "repeated": "failed attempts",
        "after_commit": "failed after the commit",
        "late": "answered later",
        "unusable": "sessions unusable",
        "refused": "valid tokens refused",
        "doubles": "double successors",
        "thefts": "false thefts",
        "logouts": "sessions ended",
        "accepted": "tokens of ended sessions accepted",
        "longest": "longest refresh, s",
    },
    full={
        "kills": 500,
        "pooled_kills": 100,
        "crashes": 50,
        "pooled_crashes": 20,
        "pauses": 20,
        "control": 20,
    },
    short={"kills": 8, "pooled_kills": 2, "crashes": 2, "pauses": 1},
    faults=(
        Fault(
            scenario="crashes",
            before="ahead == -1 and session.in_grace",
            after="ahead == -2 and session.in_grace",
            effect="A refresh that is repeated after a crash counts as theft.",
            counts={"kills": 4, **_NONE_ELSE},
        ),
        Fault(
            scenario="crashes",
            before='"ended_at": DbNow(), "end_reason": reason',
            after='"ended_at": DbNow(), "end_reason": ""',
            effect="A logout returns 204, but the tokens of the session are still accepted.",
            counts={"kills": 1, **_NONE_ELSE},
        ),
    ),
)
