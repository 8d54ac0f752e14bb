"""The scenario `theft`: a thief copies a refresh token; then the owner and the thief refresh."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from .clients import TOKEN, ask, log_in, session_of
from .databases import TITLES, Database, new_database, query
from .scenario import Figures, Scenario
from .servers import serve
from .site import Site
from .trees import Fault

#: Maximum duration of a run after the theft, in grace periods.
HORIZON = 100.0

_ENDED = "SELECT id FROM drf_signet_session WHERE end_reason = 'reuse'"


@dataclass(frozen=True, kw_only=True)
class Pace:
    """The timing of a run.

    Args:
        grace: ROTATION_GRACE_PERIOD in seconds. All other times are given in grace periods.
        interval: the average time between two refreshes by the same party: the owner or the thief.
        followed: how many refreshes the owner and the thief each send in `in_every_grace`.
    """

    grace: float
    interval: float
    followed: int


class Run:
    """One session whose refresh token is stolen; then both its owner and the thief refresh."""

    def __init__(self, port: int, random: Random, pace: Pace) -> None:
        self.stolen_at: float | None = None
        self.detected_at: float | None = None
        self.refreshes = 0
        self.thefts_served = 0
        self.false_alarm = False
        self.still_served = 0
        self.slowest = 0.0
        self.owner = self.thief = ""
        self._port = port
        self._random = random
        self._pace = pace

    async def at_random(self) -> None:
        """Steal the token, and let the owner and the thief refresh, all at random times."""
        await self._wait(2 * self._pace.interval)
        self.owner = await log_in(self._port)
        owner = asyncio.create_task(self._use("owner"))
        await self._wait(3 * self._pace.interval)
        self._steal()
        await asyncio.gather(owner, self._use("thief"))
        await self._try_again()

    async def in_every_grace(self) -> None:
        """Steal the token, then let the thief refresh soon after each refresh by the owner.

        The thief always refreshes within the grace period, so that the theft is not detected.
        """
        await self._wait(2 * self._pace.interval)
        self.owner = await log_in(self._port)
        self._steal()
        for _ in range(self._pace.followed):
            await self._wait(2 * self._pace.interval)
            await self._refresh("owner")
            await self._wait(0.5)
            await self._refresh("thief")
        await self._try_again()

    def _steal(self) -> None:
        self.thief, self.stolen_at = self.owner, _now()

    def _over(self) -> bool:
        if self.detected_at is not None or self.false_alarm:
            return True
        if self.stolen_at is None:
            return False
        return _now() - self.stolen_at > HORIZON * self._pace.grace

    async def _use(self, party: str) -> None:
        while not self._over():
            await self._wait(2 * self._pace.interval)
            if not self._over():
                await self._refresh(party)

    async def _refresh(self, party: str) -> None:
        begun = _now()
        answer = await ask(self._port, TOKEN.refresh(getattr(self, party)))
        self.slowest = max(self.slowest, _now() - begun)
        status = answer.status if answer else 0
        if status == 200 and answer:
            setattr(self, party, TOKEN.read(answer))
            self.refreshes += self.stolen_at is not None
            self.thefts_served += party == "thief"
        elif status == 401 and self.stolen_at is None:
            self.false_alarm = True
        elif status == 401 and self.detected_at is None:
            self.detected_at = _now()

    async def _try_again(self) -> None:
        """Count how many of the two tokens are still accepted after the theft has been detected."""
        if self.detected_at is None:
            return
        for token in (self.owner, self.thief):
            answer = await ask(self._port, TOKEN.refresh(token))
            self.still_served += answer is not None and answer.status == 200

    async def _wait(self, most: float) -> None:
        await asyncio.sleep(self._random.uniform(0, most) * self._pace.grace)


Act = Callable[[Run], Coroutine[Any, Any, None]]
#: Name of a behaviour of the thief → the method that runs a theft with this behaviour.
THIEVES: dict[str, Act] = {"at random": Run.at_random, "in every grace": Run.in_every_grace}


def measure(
    *, source: Path, runs: Mapping[str, int], pace: Pace, databases: Sequence[str]
) -> list[Figures]:
    """Return a row of figures for each database and each kind of thief in `runs`."""
    rows: list[Figures] = []
    for vendor in databases:
        with new_database(vendor) as database:
            found = _measure(database, source, runs, pace)
        rows += [{"database": TITLES[vendor], **row} for row in found]
    return rows


def _measure(
    database: Database, source: Path, runs: Mapping[str, int], pace: Pace
) -> list[Figures]:
    signet = {"ROTATION_GRACE_PERIOD": pace.grace}
    site = Site(database=database, source=source, signet=signet)
    site.prepare(users=1)
    with serve(site) as server:
        done = asyncio.run(_run_all(server.port, runs, pace))
    ended = {str(session_id).replace("-", "") for (session_id,) in query(database, _ENDED)}
    return [{"thief": thief, **_figures(found, pace, ended)} for thief, found in done.items()]


async def _run_all(port: int, runs: Mapping[str, int], pace: Pace) -> dict[str, list[Run]]:
    """Run all thefts at the same time, and return the finished runs for each kind of thief."""
    done = {
        thief: [Run(port, Random(f"{thief} {number}"), pace) for number in range(count)]
        for thief, count in runs.items()
    }
    await asyncio.gather(*(THIEVES[thief](run) for thief, found in done.items() for run in found))
    return done


def _figures(runs: Sequence[Run], pace: Pace, ended: set[str]) -> dict[str, Any]:
    detected = [one for one in runs if one.detected_at is not None]
    times = sorted(((one.detected_at or 0) - (one.stolen_at or 0)) / pace.grace for one in detected)
    refreshes = [one.refreshes for one in detected]
    return {
        "runs": len(runs),
        "detected": len(detected),
        "detected_percent": 100 * len(detected) / len(runs),
        "graces_median": statistics.median(times) if times else None,
        "graces_most": max(times, default=None),
        "refreshes_median": statistics.median(refreshes) if refreshes else None,
        "refreshes_most": max(refreshes, default=None),
        "thefts_served": statistics.mean(one.thefts_served for one in runs),
        "still_served": sum(one.still_served for one in runs),
        "false_alarms": sum(one.false_alarm for one in runs),
        "slowest": max(one.slowest for one in runs) / pace.grace,
        "ended_for_reuse": sum(session_of(one.owner).replace("-", "") in ended for one in runs),
        "times": times,
    }


def failures(rows: Sequence[Figures]) -> list[str]:
    """Return a sentence for each kind of error, such as undetected thefts and false alarms."""
    found = []
    for row in rows:
        if row["thief"] == "at random" and row["detected"] != row["runs"]:
            missed = row["runs"] - row["detected"]
            found.append(f"{missed} of {row['runs']} thefts were not detected")
        if row["thief"] == "in every grace" and row["slowest"] > 0.5:
            found.append("answers took longer than half a grace, so nothing was shown of its thief")
        if row["ended_for_reuse"] != row["detected"]:
            found.append(f"{row['detected']} detected, but {row['ended_for_reuse']} ended for it")
        if row["still_served"]:
            found.append(f"{row['still_served']} tokens were served after the theft was detected")
        if row["false_alarms"]:
            found.append(f"{row['false_alarms']} owners were refused before any theft")
    return found


def _now() -> float:
    return asyncio.get_running_loop().time()


SCENARIO = Scenario(
    name="theft",
    title="Theft",
    measure=measure,
    failures=failures,
    columns={
        "database": "database",
        "thief": "when the thief refreshes",
        "runs": "thefts",
        "detected_percent": "detected, %",
        "graces_median": "time to detection in grace periods, median",
        "graces_most": "most",
        "refreshes_median": "refreshes of both until detection, median",
        "refreshes_most": "most ",
        "thefts_served": "refreshes per thief, mean",
        "still_served": "served after detection",
        "false_alarms": "false alarms",
        "slowest": "slowest answer, grace periods",
    },
    full={
        "runs": {"at random": 1000, "in every grace": 200},
        # With the default settings, clients refresh every 5 minutes, which is 10 grace periods of
        # 30 s.
        "pace": Pace(grace=2, interval=10, followed=10),
        "databases": ("postgres",),
    },
    short={
        "runs": {"at random": 40},
        "pace": Pace(grace=0.4, interval=3, followed=0),
        "databases": ("sqlite",),
    },
    faults=(
        Fault(
            scenario="theft",
            before="return Verdict.REUSED",
            after="return Verdict.INVALID",
            effect="A reused token is refused, but the thief's successor stays valid.",
            counts={"runs": {"at random": 20}},
        ),
    ),
)
