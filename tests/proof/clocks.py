"""The scenario `clocks`: workers whose clocks differ, clocks that jump, and dates after 2038.

Two workers and PostgreSQL each have their own wall clock (see `wallclock`). Simulated clients (see
`agents`) send the refresh token in JSON or in a cookie, and send each request to a random worker.
Some agents refresh just before a clock jumps. After the jump, they send the previous refresh token
again, as if the first response had been lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import cluster
from .agents import (
    NOTICED_WITHIN,
    WIRE,
    Agent,
    Balancer,
    Ledger,
    accepted_after_logout,
    live,
    place,
    refreshing,
)
from .databases import Database, query
from .scenario import Figures, Scenario
from .servers import serve
from .site import Site
from .trees import SOURCE, Fault
from .wallclock import WallClock

_AGENTS = 6
_PAUSE = 0.02
#: Seconds until an access token expires. This is the default of the package.
_ACCESS_LIFETIME = 300
_THIRTEEN_YEARS = 13 * 365 * 86400
_THEFTS = "SELECT id FROM drf_signet_session WHERE end_reason = 'reuse'"
_ALIVE = "SELECT id FROM drf_signet_session WHERE end_reason = ''"

#: Server → offset of its clock, in seconds. The servers are the workers "a" and "b", and
#: "database".
Offsets = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Situation:
    """One row of the table: how the clocks differ, and how they jump.

    Args:
        title: the description in the table.
        leeway: the LEEWAY setting, in seconds.
        begin: the offsets of the clocks at the start. A clock that is not listed has no offset.
        jump: the offsets after the jump. Empty if no clock jumps.
        wait: seconds between the last requests of the agents and the check that the tokens of ended
            sessions are refused.
        refuses: whether some valid tokens are refused, because the clocks differ by more than
            LEEWAY.
        outruns_grace: whether the database's clock jumps forward by more than the grace period. The
            previous refresh token then counts as reused when an agent sends it after the jump.
    """

    title: str
    leeway: int = 0
    begin: Offsets = field(default_factory=dict)
    jump: Offsets = field(default_factory=dict)
    wait: float = 0
    refuses: bool = False
    outruns_grace: bool = False


SITUATIONS = {
    "apart": Situation(title="a worker is 5 minutes ahead", begin={"b": 300}, refuses=True),
    "apart-leeway": Situation(title="a worker is 5 minutes ahead", begin={"b": 300}, leeway=300),
    "back": Situation(
        title="a worker's clock steps back 5 minutes", jump={"b": -300}, refuses=True
    ),
    "back-leeway": Situation(
        title="a worker's clock steps back 5 minutes", jump={"b": -300}, leeway=300
    ),
    "2039": Situation(
        title="all clocks are 13 years ahead, in 2039",
        begin={"a": _THIRTEEN_YEARS, "b": _THIRTEEN_YEARS, "database": _THIRTEEN_YEARS},
    ),
    "database-ahead": Situation(
        title="the database's clock jumps 1 hour ahead",
        jump={"database": 3600},
        outruns_grace=True,
    ),
    "database-back": Situation(
        title="the database's clock steps back 1 hour", jump={"database": -3600}
    ),
    # The clock jumps by more than any poll reads back. Within 65 s, a poll reads everything again.
    "database-far": Situation(
        title="the database's clock jumps 2 hours ahead; checked after 65 s",
        jump={"database": 7200},
        wait=65,
        outruns_grace=True,
    ),
}


def measure(
    *, source: Path = SOURCE, seconds: float, situations: Sequence[str] = tuple(SITUATIONS)
) -> list[Figures]:
    """Run the named situations. Agents send requests for `seconds` before and after the jump."""
    return [run(SITUATIONS[name], source, seconds) for name in situations]


def run(situation: Situation, source: Path, seconds: float) -> Figures:
    """Run one situation, and return its row of figures."""
    with _stage(situation, source) as stage:
        seen = asyncio.run(Run(situation, stage, seconds).run())
    return {"situation": situation.title, "leeway": situation.leeway, **seen}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The ports of the two workers, the database, and the clocks of all three servers."""

    ports: Mapping[str, int]
    database: Database
    clocks: Mapping[str, WallClock]


@contextlib.contextmanager
def _stage(situation: Situation, source: Path) -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signet-proof-")))
        folder.chmod(0o755)
        clocks = {
            name: WallClock(folder, name, offset=situation.begin.get(name, 0))
            for name in ("a", "b", "database")
        }
        own = stack.enter_context(cluster.running(clock=clocks["database"].variables()))
        database, signet = own.database(), {"LOGIN_THROTTLE": None, "LEEWAY": situation.leeway}
        sites = {
            name: Site(
                database=database,
                source=source,
                signet=signet,
                variables=clocks[name].variables(),
            )
            for name in ("a", "b")
        }
        sites["a"].migrate()
        sites["a"].make_users(_AGENTS + 1)
        ports = {
            name: stack.enter_context(serve(site, workers=1)).port for name, site in sites.items()
        }
        yield Stage(ports=ports, database=database, clocks=clocks)


class Run:
    """A run of one situation.

    Args:
        seconds: how long agents send requests before the jump, and again after the jump.
    """

    def __init__(self, situation: Situation, stage: Stage, seconds: float) -> None:
        self._situation, self._stage, self._seconds = situation, stage, seconds
        self._ledger, self._either = Ledger(), Balancer(*stage.ports.values())
        self._accepted: list[str] = []
        #: The number of logouts with a successful response that did not end the session.
        self._without_effect = 0
        #: Session id → whether its previous refresh token was accepted again after the jump.
        self._repeated: dict[str, bool] = {}
        #: Name of a worker → an agent that sends requests only to this worker.
        self._at = {
            name: Agent(_AGENTS, Balancer(port), Ledger()) for name, port in stage.ports.items()
        }

    async def run(self) -> Figures:
        """Run the situation, and return its figures."""
        agents = [self._agent(number) for number in range(_AGENTS)]
        for agent in agents:
            await agent.log_in()
        await self._traffic(agents)
        if self._situation.jump:
            await self._jump()
            await self._traffic(agents)
        usable = [await self._is_usable(agent) for agent in agents]
        await asyncio.sleep(max(NOTICED_WITHIN, self._situation.wait))
        alive = self._sessions(_ALIVE)
        self._without_effect = sum(one.session_id in alive for one in self._ledger.ended)
        ended = [one for one in self._ledger.ended if one.session_id not in alive]
        for at in self._at.values():
            self._accepted += await accepted_after_logout(at, ended)
        thefts = self._sessions(_THEFTS)
        wrong = await self._wrong_about_expiry()
        for agent in (*agents, *self._at.values()):
            agent.close()
        return self._figures(usable.count(False), thefts, wrong)

    def _sessions(self, sql: str) -> set[str]:
        return {str(row[0]) for row in query(self._stage.database, sql)}

    def _figures(self, lost: int, thefts: set[str], wrong: list[str]) -> Figures:
        refused = [what for what, _, _ in self._ledger.refused]
        return {
            "refreshes": self._ledger.counts["refreshes"],
            "requests": self._ledger.counts["requests"],
            "refused_refreshes": refused.count("refresh"),
            "cookies_taken": self._ledger.counts["cookies taken away"],
            "refused_others": len(refused) - refused.count("refresh"),
            "lost": lost,
            "thefts": len(thefts - set(self._repeated)),
            "repeated": len(self._repeated),
            "repeated_thefts": len(thefts & set(self._repeated)),
            "repeated_refused": list(self._repeated.values()).count(False),
            "logouts": len(self._ledger.ended),
            "without_effect": self._without_effect,
            "accepted": len(self._accepted),
            "wrong": len(wrong),
            "refuses": self._situation.refuses,
            "outruns_grace": self._situation.outruns_grace,
            "examples": [*self._ledger.examples(), *self._accepted[:3], *wrong],
        }

    def _agent(self, number: int) -> Agent:
        transport = ("token", "cookie")[number % 2]
        return Agent(number, self._either, self._ledger, transport=transport)

    async def _traffic(self, agents: list[Agent]) -> None:
        stop, chance = asyncio.Event(), random.Random(0)
        lives = [
            asyncio.create_task(live(one, stop, chance, [], pause=_PAUSE, recheck=False))
            for one in agents
        ]
        await asyncio.sleep(self._seconds)
        stop.set()
        await asyncio.gather(*lives)

    async def _jump(self) -> None:
        """Let some agents log out and others refresh. Set the clocks, then repeat the refreshes."""
        leaving, repeating = ([self._agent(number) for number in range(4)] for _ in range(2))
        for agent in (*leaving, *repeating):
            await agent.log_in()
        await asyncio.gather(*(agent.refresh() for agent in repeating))
        await asyncio.gather(*(agent.log_out() for agent in leaving))
        for name, offset in self._situation.jump.items():
            self._stage.clocks[name].set(offset)
        for agent in repeating:
            assert agent.previous
            call = refreshing(agent.transport, agent.previous)
            answer = await agent.persist("repeat", call)
            served = answer is not None and answer.status == 200
            self._repeated[place(agent.tokens.refresh)[0]] = served
        for agent in (*leaving, *repeating):
            agent.close()

    async def _is_usable(self, agent: Agent) -> bool:
        """Return whether at least one worker accepts the refresh token of an agent."""
        call = refreshing(agent.transport, agent.tokens)
        answers = [await at.persist("refresh", call) for at in self._at.values()]
        return any(answer is not None and answer.status == 200 for answer in answers)

    async def _wrong_about_expiry(self) -> list[str]:
        """Check that worker "a" accepts a token only until `exp` plus LEEWAY. Return the errors."""
        at, clock = self._at["a"], self._stage.clocks["a"]
        begin = {**self._situation.begin, **self._situation.jump}.get("a", 0)
        await at.log_in()
        wrong = []
        for passed, status in ((0, 200), (-10, 200), (2, 401)):
            after = passed and _ACCESS_LIFETIME + self._situation.leeway + passed
            clock.set(begin + after)
            answer = await at.persist("expiry", WIRE.protected(at.tokens.access))
            if answer is None or answer.status != status:
                wrong.append(f"{after} s after its login a token gets {answer and answer.status}")
        return wrong


def failures(rows: Sequence[Figures]) -> list[str]:
    """Return a sentence for each figure that shows an error. Ignore known limitations."""
    found = []
    for row in rows:
        excused = _excused(row)
        where = f"{row['situation']}, LEEWAY {row['leeway']}"
        found += [
            f"{where}: {row[key]} {what} {row['examples']}"
            for key, what in _MUST_BE_NONE.items()
            if row[key] and key not in excused
        ]
        if row["refuses"] and not row["refused_refreshes"]:
            found.append(f"{where}: nothing was refused, so the clocks did not differ")
    return found


def _excused(row: Figures) -> set[str]:
    """Return the names of the figures whose errors are known limitations of the package."""
    differ = (
        {"refused_refreshes", "refused_others", "repeated_refused", "without_effect"}
        if row["refuses"]
        else set()
    )
    outrun = {"repeated_thefts", "repeated_refused"} if row["outruns_grace"] else set()
    return differ | outrun


_MUST_BE_NONE = {
    "refused_refreshes": "refresh tokens in force refused",
    "refused_others": "other refusals",
    "lost": "sessions lost",
    "thefts": "false thefts",
    "repeated_thefts": "false thefts by a token repeated when the clock jumped",
    "repeated_refused": "tokens refused that were repeated when the clock jumped",
    "without_effect": "logouts without effect",
    "accepted": "tokens of ended sessions accepted",
    "wrong": "tokens accepted or refused against their `exp`",
}

SCENARIO = Scenario(
    name="clocks",
    title="Clocks",
    measure=measure,
    failures=failures,
    columns={
        "situation": "situation",
        "leeway": "`LEEWAY`, s",
        "refreshes": "refreshes",
        "refused_refreshes": "refused",
        "cookies_taken": "cookies deleted by a refusal",
        "requests": "requests",
        "refused_others": "requests, logouts refused",
        "lost": "sessions lost",
        "thefts": "false thefts",
        "repeated": "tokens repeated at the jump",
        "repeated_refused": "repeated tokens refused",
        "repeated_thefts": "repeated tokens treated as theft",
        "logouts": "logouts",
        "without_effect": "logouts without effect",
        "accepted": "tokens accepted after an effective logout",
        "wrong": "`exp` not respected",
    },
    full={"seconds": 20.0},
    short={
        "seconds": 1.0,
        "situations": ("apart", "apart-leeway", "back-leeway", "2039", "database-ahead"),
    },
    faults=(
        Fault(
            scenario="clocks",
            before="latest = now + leeway",
            after="latest = now",
            effect="`LEEWAY` no longer covers a worker whose clock is behind.",
            counts={"situations": ("apart-leeway",)},
        ),
        Fault(
            scenario="clocks",
            before="return difference if difference > TOLERANCE else 0.0",
            after="return 0.0",
            effect="A jump of a clock is not noticed, so logouts just before it are missed.",
            counts={"situations": ("database-ahead",)},
        ),
    ),
)
