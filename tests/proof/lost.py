"""The scenario `lost`: the server rotates a token, the response is lost, the client retries."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from .clients import TOKEN, ask, log_in
from .databases import TITLES, Database, new_database, query
from .proxy import LossyProxy
from .scenario import Figures, Scenario
from .servers import serve
from .site import Site
from .trees import Fault

#: The number of clients. Each client has its own session.
CLIENTS = 20
#: Maximum number of times that a client repeats one refresh.
RETRIES = 3
#: Maximum number of seconds between two attempts at the same refresh.
PAUSE = 0.05

_ENDED = "SELECT COUNT(*) FROM drf_signet_session WHERE end_reason <> ''"


@dataclass(frozen=True, kw_only=True)
class Weather:
    """The conditions for one row of the results table.

    Args:
        loss: the share of responses that are lost, from 0 to 1.
        grace: ROTATION_GRACE_PERIOD, in seconds.
        absence: seconds that a client waits before its next refresh if none of its attempts at a
            refresh got a response.
        promised: whether the package promises that no session is lost. False for a control run, in
            which at least one session must be lost.
    """

    loss: float
    grace: float
    absence: float = 0
    promised: bool = True


class Client:
    """A client that refreshes repeatedly through the proxy, which loses some responses."""

    def __init__(self, proxy: LossyProxy, weather: Weather, random: Random) -> None:
        self.refreshed = 0
        self.gave_up = 0
        self.logged_out = 0
        self.token = ""
        self._proxy = proxy
        self._weather = weather
        self._random = random

    async def refresh(self) -> None:
        """Refresh once, with up to RETRIES retries. Log in first if the client has no token."""
        if not self.token:
            self.token = await log_in(self._proxy.port)
        for _ in range(1 + RETRIES):
            answer = await ask(self._proxy.port, TOKEN.refresh(self.token))
            if answer is not None and answer.status == 200:
                self.token = TOKEN.read(answer)
                self.refreshed += 1
                return
            if answer is not None and answer.status == 401:
                self.token = ""
                self.logged_out += 1
                return
            await asyncio.sleep(self._random.uniform(0, PAUSE))
        self.gave_up += 1
        await asyncio.sleep(self._weather.absence)


def measure(
    *, source: Path, refreshes: int, weathers: Sequence[Weather], databases: Sequence[str]
) -> list[Figures]:
    """Return a row of figures for each database and each `Weather`."""
    rows: list[Figures] = []
    for vendor in databases:
        for weather in weathers:
            with new_database(vendor) as database:
                figures = _measure(database, source, weather, refreshes)
            rows.append({"database": TITLES[vendor], **figures})
    return rows


def _measure(database: Database, source: Path, weather: Weather, refreshes: int) -> Figures:
    signet = {"ROTATION_GRACE_PERIOD": weather.grace}
    site = Site(database=database, source=source, signet=signet)
    site.prepare(users=1)
    with serve(site) as server:
        figures = asyncio.run(_refresh(server.port, weather, refreshes))
    return {**figures, "sessions_ended": query(database, _ENDED)[0][0]}


async def _refresh(port: int, weather: Weather, refreshes: int) -> Figures:
    random = Random(f"{weather}")
    proxy = LossyProxy(port, path="/refresh/", chance=weather.loss, random=random)
    async with proxy.running():
        clients = [Client(proxy, weather, random) for _ in range(CLIENTS)]
        begun = iter(range(refreshes))

        async def go_on(client: Client) -> None:
            for _ in begun:
                await client.refresh()

        await asyncio.gather(*map(go_on, clients))
    last = [await ask(port, TOKEN.refresh(one.token)) for one in clients if one.token]
    logged_out = sum(one.logged_out for one in clients)
    unusable = sum(answer is None or answer.status != 200 for answer in last)
    return {
        "loss_percent": 100 * weather.loss,
        "grace": weather.grace,
        "absence": weather.absence,
        "promised": weather.promised,
        "refreshes": refreshes,
        "dropped": proxy.dropped,
        "gave_up": sum(one.gave_up for one in clients),
        "sessions_lost": logged_out + unusable,
    }


def failures(rows: Sequence[Figures]) -> list[str]:
    """Return a sentence for each error.

    It is an error if a session is lost outside a control run, if a control run loses no session, or
    if the proxy loses no response.
    """
    found = []
    for row in rows:
        where = f"{row['loss_percent']:.0f} % lost, grace {row['grace']} s"
        lost = max(row["sessions_lost"], row["sessions_ended"])
        if row["promised"] and lost:
            found.append(f"{where}: {lost} sessions were lost")
        if not row["promised"] and not lost:
            found.append(f"{where}: the control lost no session, so nothing was shown")
        if not row["dropped"]:
            found.append(f"{where}: no answer was dropped, so nothing was shown")
    return found


_STORMY = Weather(loss=0.3, grace=30)
_CONTROL = Weather(loss=0.3, grace=0, promised=False)

SCENARIO = Scenario(
    name="lost",
    title="Lost answers",
    measure=measure,
    failures=failures,
    columns={
        "database": "database",
        "loss_percent": "answers lost, %",
        "grace": "grace, s",
        "absence": "a client without an answer retries after, s",
        "refreshes": "refreshes",
        "dropped": "answers lost",
        "gave_up": "refreshes without any answer",
        "sessions_lost": "sessions lost",
    },
    full={
        "refreshes": 10_000,
        "weathers": (
            Weather(loss=0.05, grace=30),
            _STORMY,
            Weather(loss=0.05, grace=0, promised=False),
            _CONTROL,
            # The client returns after the grace period, so some sessions are lost.
            Weather(loss=0.3, grace=2, absence=2.5, promised=False),
        ),
        "databases": ("postgres",),
    },
    short={"refreshes": 200, "weathers": (_STORMY, _CONTROL), "databases": ("sqlite",)},
    faults=(
        Fault(
            scenario="lost",
            before="if ahead == -1 and session.in_grace:",
            after="if ahead == -2 and session.in_grace:",
            effect="There is no grace period: a client that repeats a refresh is logged out.",
            counts={"weathers": (_STORMY,)},
        ),
    ),
)
