"""The scenario `rolling`: processes of simplejwt and of drf-signet share one database.

First, only simplejwt runs. drf-signet migrates the database, runs beside simplejwt, and then runs
alone. For the way back, simplejwt starts again and runs beside drf-signet. Then drf-signet stops,
its table is dropped, and simplejwt runs alone. Throughout, agents send each request to a random
running server. They log in, refresh, send requests and log out.

drf-signet runs once with its own endpoints and once with the alias, where the project's code and
endpoints are those of simplejwt. simplejwt runs with rotation, with and without its blacklist.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.services import SWAP

from .agents import WIRE, Agent, Ledger, Ports
from .databases import TITLES, Database, new_database, query
from .scenario import Figures, Scenario
from .site import Site
from .trees import SOURCE, Fault
from .upgrade import Servers

_AGENTS = 6
#: The share of an agent's steps that are a logout and a login; the others are refreshes.
_LOGINS = 0.1
#: The share of refreshes that are sent twice, if simplejwt has no blacklist.
_REPEATS = 0.2
#: The number of requests to the protected view after each step of an agent.
_REQUESTS = 2
#: Seconds between two steps of an agent.
_PAUSE = 0.02
#: Events in a ledger that mean a 5xx answer, or no answer.
_SERVER_ERRORS = ("no answer", "500", "502", "503", "504")
#: The settings that the guide adds for the move.
_SIGNET = {"ADOPT_TOKENS_UNTIL": "2100-01-01T00:00:00Z", "LOGIN_THROTTLE": None}
_ENDED_OTHERWISE = "SELECT count(*) FROM drf_signet_session WHERE end_reason NOT IN ('', 'logout')"
_IMPORT = """
from django.core.management import call_command
call_command("signet_migrate_from_simplejwt", with_blacklisted=True)
"""
OLD, NEW = "simplejwt", "drf-signet"


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """A configuration of simplejwt, and of the drf-signet that replaces it.

    Args:
        name: the name of the configuration in the table.
        blacklist: whether simplejwt uses its blacklist, also after each rotation. Without it, there
            is no logout, but simplejwt accepts a refresh token twice. So the agents then repeat
            some refreshes, as if the first answer had been lost.
        alias: whether drf-signet answers the imports of simplejwt; otherwise it serves its own
            endpoints.
        signet: keys of SIGNET that the guide names for the time of the deploy.
    """

    name: str
    blacklist: bool
    alias: bool
    signet: Mapping[str, Any] = field(default_factory=dict)

    def sites(self, database: Database, source: Path) -> tuple[Site, Site]:
        """Return the site of simplejwt and the site of drf-signet."""
        simple_jwt = {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": self.blacklist}
        stack = "simplejwt-rotating" if self.blacklist else "simplejwt"
        shared = Site(database=database, simple_jwt=simple_jwt, source=source)
        old = replace(shared, package="simplejwt", peers=SWAP, stack=stack)
        new = replace(shared, signet={**_SIGNET, **self.signet}, alias=self.alias)
        return old, replace(new, stack=stack if self.alias else "signet")


PAIRINGS = {
    one.name: one
    for one in (
        Pairing(name="alias, blacklist", blacklist=True, alias=True),
        Pairing(name="own endpoints, blacklist", blacklist=True, alias=False),
        Pairing(name="alias", blacklist=False, alias=True),
        Pairing(
            name="own endpoints",
            blacklist=False,
            alias=False,
            signet={"ROTATE_REFRESH_TOKENS": False},
        ),
    )
}


class Visitor(Agent):
    """An agent whose tokens may come from simplejwt.

    Args:
        repeats: the share of refreshes that are sent twice, as if the first answer had been lost.
    """

    def __init__(self, number: int, ports: Ports, ledger: Ledger, *, repeats: float) -> None:
        super().__init__(number, ports, ledger)
        self._repeats, self._chance = repeats, random.Random(number)

    async def refresh(self, *, tabs: int = 1) -> bool:
        """Exchange the refresh token. If it is refused, log in again, and return False."""
        call = WIRE.refresh(self.tokens)
        if self._chance.random() < self._repeats:
            await self._ask("refresh", call)
            self.ledger.counts["repeated"] += 1
        answer = await self._ask("refresh", call)
        if answer is None or answer.status != 200:
            self.ledger.refuse("refresh", answer)
            await self.log_in()
            return False
        self.tokens = WIRE.read(answer.json(), self.tokens)
        self.ledger.counts["refreshes"] += 1
        self.ledger.counts["crossings"] += self._issued_by != self._port
        self._issued_by = self._port
        return True

    async def log_out(self) -> None:
        """Log out, and check that a server, chosen at random, then refuses the refresh token."""
        answer = await self._ask("logout", WIRE.logout(self.tokens))
        if answer is None or answer.status not in (200, 204):
            self.ledger.refuse("logout", answer)
            return
        self.ledger.counts["logouts"] += 1
        answer = await self._ask("recheck", WIRE.refresh(self.tokens))
        self.ledger.counts["accepted"] += answer is None or answer.status != 401

    async def live(self, stop: asyncio.Event, *, logs_out: bool) -> None:
        """Refresh, send requests, log out and log in, until `stop` is set."""
        while not stop.is_set():
            if self._chance.random() < _LOGINS:
                if logs_out:
                    await self.log_out()
                await self.log_in()
            else:
                await self.refresh()
            for _ in range(_REQUESTS):
                await self.request()
            await asyncio.sleep(_PAUSE)


def measure(
    *,
    source: Path = SOURCE,
    seconds: float,
    vendors: Sequence[str],
    pairings: Sequence[str | Pairing],
    way_back: bool = True,
) -> list[Figures]:
    """Run the deploy and the way back in each configuration, and return the figures.

    Args:
        seconds: the duration of each phase. simplejwt and drf-signet run side by side in two of
            the phases.
        pairings: keys of PAIRINGS, or other configurations.
        way_back: whether to run all phases, or only the first phase in which both packages run.
    """
    rows = []
    for vendor, name in itertools.product(vendors, pairings):
        pairing = PAIRINGS[name] if isinstance(name, str) else name
        with new_database(vendor) as database:
            walk = Walk(vendor, pairing, database, source=source, seconds=seconds)
            rows += asyncio.run(walk.run(way_back=way_back))
    return rows


class Walk:
    """One deploy and the way back, on one database.

    Args:
        vendor: the vendor of the database.
        source: the source tree of drf-signet.
        seconds: the duration of each phase.
    """

    def __init__(
        self, vendor: str, pairing: Pairing, database: Database, *, source: Path, seconds: float
    ) -> None:
        self._vendor, self._pairing, self._seconds = vendor, pairing, seconds
        self._database = database
        self._old, self._new = pairing.sites(database, source)
        self._servers, self._ledger = Servers(), Ledger()
        self._seen: Counter[str] = Counter()
        self._refused = self._lost = 0
        self._rows: list[Figures] = []

    async def run(self, *, way_back: bool) -> list[Figures]:
        """Run all phases, and return a row of figures for each phase."""
        await asyncio.to_thread(self._old.prepare, users=_AGENTS)
        try:
            if not way_back:
                await asyncio.to_thread(self._new.migrate)
                await self._servers.join(NEW, self._new)
            await self._servers.join(OLD, self._old)
            async with self._traffic() as agents:
                if way_back:
                    await self._deploy()
                await self._phase(f"{OLD} and {NEW}")
                if way_back:
                    await self._finish_and_return()
            await self._settle(agents)
        finally:
            await self._servers.stop()
        return self._rows

    async def _deploy(self) -> None:
        await self._phase(f"{OLD} alone")
        await asyncio.to_thread(self._new.migrate)
        await self._servers.join(NEW, self._new)

    async def _finish_and_return(self) -> None:
        """Stop simplejwt, import its tokens, and undo all of it."""
        await self._servers.leave(OLD)
        await asyncio.to_thread(self._new.run, _IMPORT)
        await self._phase(f"{NEW} alone")
        await self._servers.join(OLD, self._old)
        await self._phase(f"{NEW} and {OLD}")
        await self._servers.leave(NEW)
        self._count_lost()
        await asyncio.to_thread(self._new.migrate, "drf_signet", "zero")
        await self._phase(f"{OLD}, drf-signet removed")

    @contextlib.asynccontextmanager
    async def _traffic(self) -> AsyncIterator[list[Visitor]]:
        """Run agents until the `with` block ends."""
        logs_out = self._pairing.blacklist
        repeats = 0 if logs_out else _REPEATS
        agents = [
            Visitor(number, self._servers.balancer, self._ledger, repeats=repeats)
            for number in range(_AGENTS)
        ]
        await asyncio.gather(*(agent.log_in() for agent in agents))
        stop = asyncio.Event()
        lives = [asyncio.create_task(agent.live(stop, logs_out=logs_out)) for agent in agents]
        try:
            yield agents
        finally:
            stop.set()
            await asyncio.gather(*lives)

    async def _phase(self, name: str) -> None:
        await asyncio.sleep(self._seconds)
        self._note(name)

    async def _settle(self, agents: list[Visitor]) -> None:
        """Refresh every current login once more."""
        for agent in agents:
            await agent.refresh()
            agent.close()
        self._note("at the end, every login once more")

    def _count_lost(self) -> None:
        self._lost = int(query(self._database, _ENDED_OTHERWISE)[0][0])

    def _note(self, phase: str) -> None:
        """Add a row of figures for a phase. It counts only the requests since the previous row."""
        counts = self._ledger.counts - self._seen
        self._seen = self._ledger.counts.copy()
        if NEW in phase and "removed" not in phase:
            self._count_lost()
        examples = self._ledger.examples(self._refused)
        failed = len(self._ledger.refused) - self._refused
        self._refused += failed
        names = ("logins", "refreshes", "crossings", "repeated", "requests", "logouts", "accepted")
        self._rows.append(
            {
                "database": TITLES[self._vendor],
                "pairing": self._pairing.name,
                "phase": phase,
                **{name: counts[name] for name in names},
                "failed": failed + sum(v for k, v in counts.items() if k in _SERVER_ERRORS),
                "lost": self._lost,
                "examples": examples,
            }
        )


def failures(rows: Sequence[Figures]) -> list[str]:
    """Return a sentence for each figure that shows an error."""
    found = [
        f"{row['pairing']}, {row['phase']}: {row[key]} {what} {row['examples']}"
        for row in rows
        for key, what in _MUST_BE_NONE.items()
        if row[key]
    ]
    crossed = {row["pairing"] for row in rows if row["crossings"] and " and " in row["phase"]}
    apart = {row["pairing"] for row in rows} - crossed
    return [*found, *(f"{one}: no token went from one package to the other" for one in apart)]


_MUST_BE_NONE = {
    "failed": "failed requests",
    "accepted": "refresh tokens accepted after a logout",
    "lost": "sessions ended without a logout",
}

SCENARIO = Scenario(
    name="rolling",
    title="Rolling deploy from simplejwt, and the way back",
    measure=measure,
    failures=failures,
    columns={
        "pairing": "drf-signet serves",
        "phase": "servers",
        "logins": "logins",
        "refreshes": "refreshes",
        "crossings": "refreshes with the other package's token",
        "repeated": "repeated refreshes",
        "requests": "requests",
        "failed": "failed",
        "logouts": "logouts",
        "accepted": "refresh tokens accepted after a logout",
        "lost": "sessions ended without a logout, so far",
    },
    full={"seconds": 30.0, "vendors": ("postgres",), "pairings": tuple(PAIRINGS)},
    short={"seconds": 0.5, "vendors": ("postgres",), "pairings": ("alias, blacklist",)},
    faults=(
        Fault(
            scenario="rolling",
            before='token.payload["gen"] = generation',
            after='token.payload |= {"gen": generation, "jti": token._row_jti}',
            effect="A refresh gives a token an id that simplejwt may have put on its blacklist.",
            counts={"way_back": False, "seconds": 3.0},
        ),
        Fault(
            scenario="rolling",
            before="if not ends and _registered and _registered[0].is_revoked(claims):",
            after="if False and _registered[0].is_revoked(claims):",
            effect="drf-signet does not notice a logout in a process of simplejwt.",
            counts={"way_back": False, "seconds": 3.0},
        ),
    ),
)
