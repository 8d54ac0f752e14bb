"""The scenario `upgrade`: an older commit and this working tree share one database.

First, only the old version runs. This tree migrates the database, runs beside the old version, and
then runs alone. For the downgrade, the old version starts again and runs beside this tree. Then
this tree stops, its migrations are reversed, and the old version runs alone. Throughout, agents
send each request to a random running server, with the refresh token in JSON or in a cookie.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from .agents import NOTICED_WITHIN, Agent, Balancer, Ledger, accepted_after_logout, live
from .databases import TITLES, Database, new_database, query
from .scenario import Figures, Scenario
from .servers import Server, serve
from .site import Site
from .trees import SOURCE, Fault, commit_tree

#: Released version → its git commit.
RELEASES = {"0.1.0": "d0c8765"}

_APP = "drf_signet"
_AGENTS = 6
_SIGNET = {"LOGIN_THROTTLE": None}
#: Seconds between two steps of an agent, such as a refresh or a logout.
_PAUSE = 0.02
#: Seconds that a server keeps running to finish its last requests.
_DRAINED = 0.5
_ENDED_OTHERWISE = "SELECT count(*) FROM drf_signet_session WHERE end_reason NOT IN ('', 'logout')"
_LIST_MIGRATIONS = """
import json
from django.db.migrations.loader import MigrationLoader
names = sorted(name for app, name in MigrationLoader(None).disk_migrations if app == {app!r})
print(json.dumps(names))
"""


def measure(
    *, source: Path = SOURCE, commit: str, seconds: float, vendors: Sequence[str]
) -> list[Figures]:
    """Run the upgrade and the downgrade on each database, and return the figures.

    Args:
        commit: the old version: a released version or a git revision.
        seconds: the duration of each phase.
    """
    with commit_tree(revision(commit)) as old:
        return [row for vendor in vendors for row in _walk(vendor, commit, old, source, seconds)]


def revision(commit: str) -> str:
    """Return the git revision of a released version. Return any other revision unchanged.

    An empty string stands for the commit before HEAD.
    """
    return RELEASES.get(commit, commit) or "HEAD~1"


def migrations(site: Site) -> list[str]:
    """Return the names of the package's migrations in the source tree of a site, in order."""
    found: list[str] = json.loads(site.run(_LIST_MIGRATIONS.format(app=_APP)))
    return found


def added_migrations(old: Site, new: Site) -> list[str]:
    """Return the names of the migrations that only the new tree has."""
    known = set(migrations(old))
    return [name for name in migrations(new) if name not in known]


def reverse(new: Site, old: Site) -> None:
    """Use the code of the new tree to reverse all migrations that the old tree does not have."""
    new.migrate(_APP, migrations(old)[-1])


def _walk(vendor: str, commit: str, old: Path, new: Path, seconds: float) -> list[Figures]:
    with new_database(vendor) as database:
        sites = [Site(database=database, source=tree, signet=_SIGNET) for tree in (old, new)]
        sites[0].migrate()
        sites[0].make_users(_AGENTS)
        label = commit or "the commit before"
        return asyncio.run(Walk(vendor, label, database, *sites, seconds=seconds).run())


@dataclass
class Servers:
    """The running servers, and the balancer that distributes the requests to them."""

    balancer: Balancer = field(default_factory=Balancer)
    _running: dict[str, tuple[AbstractContextManager[Server], Server]] = field(default_factory=dict)

    async def join(self, name: str, site: Site) -> None:
        """Start a server, wait until it responds, and then send requests to it."""
        serving = serve(site, workers=1, threads=8)
        server = await asyncio.to_thread(serving.__enter__)
        self._running[name] = serving, server
        self.balancer.ports.append(server.port)

    async def leave(self, name: str) -> None:
        """Stop sending requests to a server, let it finish its requests, and stop it."""
        serving, server = self._running.pop(name)
        if len(self.balancer.ports) > 1:
            self.balancer.ports.remove(server.port)
        await asyncio.sleep(_DRAINED)
        await asyncio.to_thread(serving.__exit__, None, None, None)

    async def stop(self) -> None:
        """Stop all running servers."""
        for name in list(self._running):
            await self.leave(name)


class Walk:
    """One upgrade and downgrade on one database.

    Args:
        vendor: the vendor of the database.
        label: the name of the old version in the table.
        old, new: the sites of the two versions.
        seconds: the duration of each phase.
    """

    def __init__(
        self,
        vendor: str,
        label: str,
        database: Database,
        old: Site,
        new: Site,
        *,
        seconds: float,
    ) -> None:
        self._database, self._old, self._new = database, old, new
        self._vendor, self._label, self._seconds = vendor, label, seconds
        self._servers, self._ledger = Servers(), Ledger()
        self._accepted: list[str] = []
        self._seen: Counter[str] = Counter()
        self._refused = 0
        self._rows: list[Figures] = []

    async def run(self) -> list[Figures]:
        """Run all phases, and return a row of figures for each phase."""
        added = await asyncio.to_thread(added_migrations, self._old, self._new)
        told = ", ".join(added) or "no migration to run"
        old, new = self._label, "this tree"
        try:
            await self._servers.join(old, self._old)
            async with self._traffic() as agents:
                await self._phase(f"{old} alone")
                await asyncio.to_thread(self._new.migrate)
                await self._phase(f"{old}, migrated ({told})", then=(new, self._new))
                await self._phase(f"{old} and {new}")
                await self._servers.leave(old)
                await self._phase(f"{new} alone", then=(old, self._old))
                await self._phase(f"{new} and {old}")
                await self._servers.leave(new)
                await asyncio.to_thread(reverse, self._new, self._old)
                await self._phase(f"{old}, migrations reversed ({told})")
            await self._settle(agents)
        finally:
            await self._servers.stop()
        return self._rows

    @contextlib.asynccontextmanager
    async def _traffic(self) -> AsyncIterator[list[Agent]]:
        """Run agents, with tokens in JSON and in cookies, until the `with` block ends."""
        transports = itertools.cycle(("token", "cookie"))
        agents = [
            Agent(number, self._servers.balancer, self._ledger, transport=next(transports))
            for number in range(_AGENTS)
        ]
        await asyncio.gather(*(agent.log_in() for agent in agents))
        stop, chance = asyncio.Event(), random.Random(0)
        lives = [
            asyncio.create_task(live(one, stop, chance, self._accepted, pause=_PAUSE))
            for one in agents
        ]
        try:
            yield agents
        finally:
            stop.set()
            await asyncio.gather(*lives)

    async def _phase(self, name: str, *, then: tuple[str, Site] | None = None) -> None:
        """Let the agents run for one phase, and add a row of figures.

        Args:
            then: the name and the site of a server to start at the end of the phase.
        """
        await asyncio.sleep(self._seconds)
        if then:
            await self._servers.join(*then)
        self._note(name)

    async def _settle(self, agents: list[Agent]) -> None:
        """Refresh every current session, and send the tokens of all ended sessions again."""
        for agent in agents:
            await agent.refresh()
        await asyncio.sleep(NOTICED_WITHIN)
        self._accepted += await accepted_after_logout(agents[0], self._ledger.ended)
        for agent in agents:
            agent.close()
        self._note("at the end, every session once more")

    def _note(self, phase: str) -> None:
        """Add a row of figures for a phase. It counts only the requests since the previous row."""
        counts = self._ledger.counts - self._seen
        self._seen = self._ledger.counts.copy()
        examples = [*self._ledger.examples(self._refused), *self._accepted[:3]]
        refused = [what for what, _, _ in self._ledger.refused[self._refused :]]
        self._refused += len(refused)
        self._rows.append(
            {
                "database": TITLES[self._vendor],
                "phase": phase,
                **{name: counts[name] for name in ("logins", "refreshes", "requests", "logouts")},
                "crossings": counts["crossings"],
                "failed": counts["repeated refresh"] + refused.count("refresh"),
                "other": len(refused) - refused.count("refresh"),
                "doubles": self._ledger.double_successors,
                "lost": int(query(self._database, _ENDED_OTHERWISE)[0][0]),
                "accepted": len(self._accepted),
                "examples": examples,
            }
        )


def failures(rows: Sequence[Figures]) -> list[str]:
    """Return a sentence for each figure that shows an error."""
    found = [
        f"{row['database']}, {row['phase']}: {row[key]} {what} {row['examples']}"
        for row in rows
        for key, what in _MUST_BE_NONE.items()
        if row[key]
    ]
    crossed = {row["database"] for row in rows if row["crossings"]}
    apart = {row["database"] for row in rows} - crossed
    return [*found, *(f"{one}: no token went from one version to the other" for one in apart)]


_MUST_BE_NONE = {
    "failed": "failed refreshes",
    "other": "other failures",
    "doubles": "double successors",
    "lost": "sessions ended without a logout",
    "accepted": "tokens of ended sessions accepted",
}

SCENARIO = Scenario(
    name="upgrade",
    title="Upgrade and downgrade",
    measure=measure,
    failures=failures,
    columns={
        "database": "database",
        "phase": "servers",
        "logins": "logins",
        "refreshes": "refreshes",
        "crossings": "refreshes with the other version's token",
        "failed": "failed refreshes",
        "requests": "requests",
        "logouts": "logouts",
        "lost": "sessions ended without a logout, so far",
        "accepted": "tokens of ended sessions accepted, so far",
        "doubles": "double successors, so far",
    },
    full={"seconds": 20.0, "vendors": ("postgres", "mariadb")},
    short={"seconds": 1.0, "vendors": ("postgres",)},
    faults=(
        Fault(
            scenario="upgrade",
            before=".digest()[:8]",
            after=".digest()[8:16]",
            effect="Each version ends the other's sessions, as if the password had changed.",
        ),
    ),
    takes_commit=True,
)
