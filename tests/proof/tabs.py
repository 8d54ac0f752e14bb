"""The scenario `tabs`: two tabs of one browser refresh with the same cookie or stored token."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.storm import identity

from .clients import TRANSPORTS, Transport, ask, generation, log_in, session_of
from .databases import TITLES, new_database
from .scenario import Figures, Scenario
from .servers import serve
from .site import Site
from .trees import Fault

#: PAUSE: maximum time between two refreshes of a tab, in seconds. LATENCY: maximum time that a
#: request or a response takes to arrive, in seconds.
PAUSE = 0.05
LATENCY = 0.05


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """The timing of the refreshes in the two tabs.

    Args:
        alternating: whether only one tab refreshes at a time.
        hasty: whether a tab may refresh twice while a refresh of the other tab is still running.
            The user may then be logged out, which does not count as an error.
    """

    name: str
    alternating: bool = False
    hasty: bool = False


@dataclass(kw_only=True)
class Browser:
    """A browser with two tabs, which share one stored refresh token.

    Args:
        rotations: the tabs stop after this number of different refresh tokens.
        random: the random number generator for all delays.
    """

    port: int
    transport: Transport
    pattern: Pattern
    rotations: int
    random: Random
    token: str = ""
    answers: int = 0
    overwritten: int = 0
    errors: int = 0
    seen: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    under_way: set[asyncio.Task[None]] = field(default_factory=set)
    turn: Any = field(init=False)

    def __post_init__(self) -> None:
        self.turn = asyncio.Lock() if self.pattern.alternating else nullcontext()

    async def run(self) -> Figures:
        """Log in, make both tabs refresh repeatedly, and return the figures."""
        self.token = await log_in(self.port, transport=self.transport)
        await asyncio.gather(self._tab(), self._tab())
        return {
            "transport": self.transport.name,
            "pattern": self.pattern.name,
            "promised": not self.pattern.hasty,
            "rotations": len(self.seen),
            "answers": self.answers,
            "repeated": self.answers - len(self.seen),
            "overwritten": self.overwritten,
            "errors": self.errors,
            "logouts": len(self.lost),
        }

    async def _tab(self) -> None:
        while len(self.seen) < self.rotations and len(self.lost) < self.rotations:
            await self._pause(PAUSE)
            async with self.turn:
                task = asyncio.create_task(self._refresh())
                self.under_way.add(task)
                await task
                self.under_way.discard(task)
            if self.under_way and not self.pattern.hasty:
                await asyncio.wait(self.under_way)

    async def _refresh(self) -> None:
        """Refresh with the stored token. Store the new token when the response arrives."""
        presented = self.token
        await self._pause(LATENCY)
        answer = await ask(self.port, self.transport.refresh(presented))
        await self._pause(LATENCY)
        if answer is not None and answer.status == 200:
            self._store(self.transport.read(answer))
        elif answer is not None and answer.status == 401:
            self.lost.add(session_of(presented))
            self.token = await log_in(self.port, transport=self.transport)
        else:
            self.errors += 1

    def _store(self, new: str) -> None:
        self.answers += 1
        self.overwritten += generation(new) < generation(self.token)
        self.seen.add(identity(new))
        self.token = new

    async def _pause(self, most: float) -> None:
        await asyncio.sleep(self.random.uniform(0, most))


def measure(
    *, source: Path, rotations: int, patterns: Sequence[Pattern], databases: Sequence[str]
) -> list[Figures]:
    """Return a row of figures for each database, pattern and transport."""
    rows: list[Figures] = []
    for vendor in databases:
        with new_database(vendor) as database:
            site = Site(database=database, source=source)
            site.prepare(users=1)
            with serve(site) as server:
                found = asyncio.run(_browse(server.port, patterns, rotations))
        rows += [{"database": TITLES[vendor], **row} for row in found]
    return rows


async def _browse(port: int, patterns: Sequence[Pattern], rotations: int) -> list[Figures]:
    """Run all browsers at the same time, each with its own session."""
    browsers = [
        Browser(
            port=port,
            transport=transport,
            pattern=pattern,
            rotations=rotations,
            random=Random(f"{transport.name} {pattern.name}"),
        )
        for pattern in patterns
        for transport in TRANSPORTS
    ]
    return await asyncio.gather(*(browser.run() for browser in browsers))


def failures(rows: Sequence[Figures]) -> list[str]:
    """Return a sentence for each row that shows a failure.

    It is a failure if users are logged out unexpectedly, if a request fails, or if tabs that should
    refresh in parallel never do.
    """
    found = []
    for row in rows:
        where = f"{row['transport']}, {row['pattern']}"
        if row["promised"] and (row["logouts"] or row["errors"]):
            found.append(f"{where}: {row['logouts']} forced logouts, {row['errors']} errors")
        elif "overlapping" in row["pattern"] and not row["repeated"]:
            found.append(f"{where}: the tabs did not overlap, so nothing was shown")
    return found


_OVERLAPPING = Pattern(name="overlapping")

SCENARIO = Scenario(
    name="tabs",
    title="Two tabs, one login",
    measure=measure,
    failures=failures,
    columns={
        "database": "database",
        "transport": "transport",
        "pattern": "pattern",
        "rotations": "rotations",
        "answers": "answers",
        "repeated": "answers that repeat a successor",
        "overwritten": "older token stored over a newer one",
        "logouts": "forced logouts",
    },
    full={
        "rotations": 1000,
        "patterns": (
            Pattern(name="alternating", alternating=True),
            _OVERLAPPING,
            Pattern(name="overlapping, hasty", hasty=True),
        ),
        "databases": ("postgres",),
    },
    short={"rotations": 40, "patterns": (_OVERLAPPING,), "databases": ("sqlite",)},
    faults=(
        Fault(
            scenario="tabs",
            before="Q(refreshed_at__gt=DbNow() - grace)",
            after="Q(refreshed_at__gt=DbNow() + grace)",
            effect="The grace period is in the future: the slower tab is treated as a thief.",
        ),
    ),
)
