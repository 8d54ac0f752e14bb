"""The scenario `migrations`: migrations must not make refreshes wait long for locks.

A server with an older commit handles refreshes on a large session table. Meanwhile, the migrations
that only this working tree has are applied and then reversed. If there are no such migrations, the
results table says so. A test migration, which creates an index without locking the table for long,
is measured in the same way. The tests check that a migration that locks the table for long is
reported.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from .agents import Agent, Balancer, Ledger
from .databases import TITLES, Database, connect, new_database, query
from .scenario import Figures, Scenario
from .servers import Server, serve
from .site import Site
from .trees import SOURCE, commit_tree
from .upgrade import added_migrations, migrations, revision

#: Maximum time that a refresh may wait for a lock, in seconds.
LIMIT = 1.0

_APP = "drf_signet"
_TABLE = "drf_signet_session"
_AGENTS = 4
_SIGNET = {"LOGIN_THROTTLE": None}
#: Seconds between two checks for statements that are waiting for a lock.
_LOOK_EVERY = 0.02

_PLANTED = """
from django.db import connection, migrations, models
if connection.vendor == "postgresql":
    from django.contrib.postgres.operations import AddIndexConcurrently as AddIndex
else:
    from django.db.migrations import AddIndex
class Migration(migrations.Migration):
    atomic = False
    dependencies = [("drf_signet", {previous!r})]
    operations = [{operation}]
"""
#: The operation of a test migration that creates an index without blocking refreshes: concurrently
#: on PostgreSQL, in place on MariaDB.
HARMLESS = 'AddIndex("session", models.Index(fields=["auth_time"], name="proof_planted"))'
#: The operation of a test migration that locks the table for 2 s and cannot be reversed.
LOCKING = """migrations.RunSQL(
    ["BEGIN", "LOCK TABLE drf_signet_session", "SELECT pg_sleep(2)", "COMMIT"]
    if connection.vendor == "postgresql" else
    ["LOCK TABLES drf_signet_session WRITE", "DO SLEEP(2)", "UNLOCK TABLES"],
)"""

_COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' {own}"
_OWN = {"postgres": "AND table_schema = 'public'", "mariadb": "AND table_schema = database()"}
#: Vendor → a statement that copies the only row of the table many times, each time with a new id.
_FILL = {
    "postgres": "INSERT INTO {table} (id, {columns}) SELECT gen_random_uuid(), {columns} "
    "FROM (SELECT * FROM {table} LIMIT 1) AS one, generate_series(1, {rows})",
    "mariadb": "INSERT INTO {table} (id, {columns}) SELECT UUID(), {columns} "
    "FROM (SELECT * FROM {table} LIMIT 1) AS one, seq_1_to_{rows}",
}
#: Vendor → a query for the statements of refreshes that are waiting for a lock. It returns the time
#: in seconds since the oldest of these statements started.
_WAITING = {
    "postgres": "SELECT max(extract(epoch FROM clock_timestamp() - query_start)) "
    "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
    f"AND query LIKE '%{_TABLE}%' AND (query LIKE 'SELECT%' OR query LIKE 'UPDATE%')",
    "mariadb": "SELECT max(time_ms) / 1000 FROM information_schema.processlist "
    "WHERE db = database() AND state LIKE 'Waiting for%lock%' "
    f"AND info LIKE '%{_TABLE}%' AND (info LIKE 'SELECT%' OR info LIKE 'UPDATE%')",
}


def measure(
    *, source: Path = SOURCE, commit: str, rows: int, seconds: float, vendors: Sequence[str]
) -> list[Figures]:
    """Apply and reverse migrations while a server handles refreshes; return the figures.

    Args:
        source: the source tree with the new migrations. The test migration is added to a copy.
        commit: the version of the server: a released version or a git revision.
        rows: the number of sessions in the table.
        seconds: how long refreshes are measured before the first migration, for comparison.
    """
    with commit_tree(revision(commit)) as old, planted(source, HARMLESS) as harmless:
        return [
            row
            for vendor in vendors
            for row in _on(vendor, {"this tree": source, "planted": harmless}, old, rows, seconds)
        ]


@contextlib.contextmanager
def planted(source: Path, operation: str) -> Iterator[Path]:
    """Copy a source tree, add a migration with this operation to the copy, and yield the copy."""
    with tempfile.TemporaryDirectory(prefix="signet-proof-") as folder:
        tree = Path(folder, "src")
        shutil.copytree(source, tree, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        package = tree / _APP / "migrations"
        previous = max(path.stem for path in package.glob("0*.py"))
        text = _PLANTED.format(previous=previous, operation=operation)
        (package / "9999_planted.py").write_text(text, "utf-8")
        yield tree


class Refreshing:
    """Refreshes that agents send to a server while a function runs.

    Args:
        server: the server, which runs the old version.
        vendor: the vendor of the server's database.
    """

    def __init__(self, server: Server, vendor: str, database: Database) -> None:
        self._server, self._vendor, self._database = server, vendor, database

    def during(self, act: Callable[[], object]) -> Figures:
        """Send refreshes while `act` runs.

        Return how many refreshes succeeded and failed, and the longest waits.
        """
        ledger, stop = Ledger(), threading.Event()
        waits: list[float] = []
        threads = [
            threading.Thread(target=lambda: asyncio.run(self._refresh(ledger, stop))),
            threading.Thread(target=lambda: self._look(waits, stop)),
        ]
        for thread in threads:
            thread.start()
        started = time.monotonic()
        try:
            act()
        finally:
            seconds = time.monotonic() - started
            stop.set()
            for thread in threads:
                thread.join()
        return {
            "seconds": seconds,
            "refreshes": ledger.counts["refreshes"],
            "failed": len(ledger.refused) + ledger.counts["repeated refresh"],
            "longest": ledger.longest,
            "waited": max(waits, default=0.0),
        }

    async def _refresh(self, ledger: Ledger, stop: threading.Event) -> None:
        agents = [
            Agent(number, Balancer(self._server.port), ledger, patience=60)
            for number in range(_AGENTS)
        ]

        async def work(agent: Agent) -> None:
            await agent.log_in()
            while not stop.is_set():
                await agent.refresh()
                await asyncio.sleep(0.01)
            agent.close()

        await asyncio.gather(*map(work, agents))

    def _look(self, waits: list[float], stop: threading.Event) -> None:
        """Repeatedly record how long refreshes have been waiting for a lock."""
        with closing(connect(self._database)) as connection:
            while not stop.wait(_LOOK_EVERY):
                cursor = connection.cursor()
                cursor.execute(_WAITING[self._vendor])
                waits += [float(found) for (found,) in cursor.fetchall() if found is not None]
                # End the transaction, because the next query needs a new snapshot.
                connection.rollback()


def _on(
    vendor: str, trees: dict[str, Path], old_tree: Path, rows: int, seconds: float
) -> list[Figures]:
    with new_database(vendor) as database:
        old = Site(database=database, source=old_tree, signet=_SIGNET)
        old.migrate()
        old.make_users(_AGENTS)
        with serve(old, workers=1) as server:
            asyncio.run(_one_login(server))
            _fill(vendor, database, rows)
            refreshing = Refreshing(server, vendor, database)
            usual = refreshing.during(lambda: time.sleep(seconds))["longest"]
            found: list[Figures] = []
            for name, tree in trees.items():
                new = Site(database=database, source=tree, signet=_SIGNET)
                found += _there_and_back(name, old, new, refreshing)
        found.append(_to_zero(Site(database=database, source=trees["this tree"], signet=_SIGNET)))
    return [{"database": TITLES[vendor], "rows": rows, "usual": usual, **row} for row in found]


def _there_and_back(name: str, old: Site, new: Site, refreshing: Refreshing) -> list[Figures]:
    """Apply the migrations that only the new tree has, then reverse them, while refreshes run."""
    added, last = added_migrations(old, new), migrations(old)[-1]
    if not added:
        return [{"tree": name, "migrations": "no migration to run"}]
    told = {"tree": name, "migrations": ", ".join(added)}
    there = refreshing.during(lambda: new.migrate(_APP))
    found = [{**told, "direction": "forwards", **there}]
    try:
        back = refreshing.during(lambda: new.migrate(_APP, last))
    except RuntimeError as error:
        return [*found, {**told, "direction": "backwards", "irreversible": _reason(error)}]
    return [*found, {**told, "direction": "backwards", **back}]


def _to_zero(site: Site) -> Figures:
    """Reverse all migrations of a tree and apply them again, while no refreshes run."""
    told = {"tree": "this tree", "migrations": "all", "direction": "to zero, and forwards"}
    site.migrate(_APP)
    started = time.monotonic()
    try:
        site.migrate(_APP, "zero")
        site.migrate(_APP)
    except RuntimeError as error:
        return {**told, "irreversible": _reason(error)}
    return {**told, "seconds": time.monotonic() - started}


def _reason(error: RuntimeError) -> str:
    return str(error).strip().splitlines()[-1]


async def _one_login(server: Server) -> None:
    agent = Agent(0, Balancer(server.port), Ledger())
    await agent.log_in()
    agent.close()


def _fill(vendor: str, database: Database, rows: int) -> None:
    """Add `rows` copies of the only row to the session table."""
    found = query(database, _COLUMNS.format(table=_TABLE, own=_OWN[vendor]))
    columns = ", ".join(name for (name,) in found if name != "id")
    query(database, _FILL[vendor].format(table=_TABLE, columns=columns, rows=rows))


def failures(rows: Sequence[Figures]) -> list[str]:
    """Return a sentence for each figure that shows an error."""
    found = []
    for row in rows:
        where = f"{row['database']}, {row['migrations']} {row.get('direction', '')}"
        if row.get("irreversible"):
            found.append(f"{where}: not reversible: {row['irreversible']}")
        if row.get("failed"):
            found.append(f"{where}: {row['failed']} refreshes failed")
        if row.get("waited", 0) > LIMIT:
            found.append(f"{where}: a refresh waited {row['waited']:.2f} s for a lock")
    return found


SCENARIO = Scenario(
    name="migrations",
    title="Migrations of a large table",
    measure=measure,
    failures=failures,
    columns={
        "database": "database",
        "rows": "rows",
        "migrations": "migrations",
        "direction": "direction",
        "seconds": "duration, s",
        "refreshes": "refreshes during the migration",
        "failed": "failed",
        "waited": "longest wait for a lock, s",
        "longest": "longest refresh, s",
        "usual": "longest refresh before, s",
    },
    full={"rows": 1_000_000, "seconds": 10.0, "vendors": ("postgres", "mariadb")},
    short={"rows": 20_000, "seconds": 0.5, "vendors": ("postgres",)},
    takes_commit=True,
)
