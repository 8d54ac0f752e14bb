"""The job of the load generator that measures how long an access token outlives a logout.

For each trial a session is opened and ended, while its access token is presented to every process
in turn, over connections that are known to lead there.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .client import Connection, encode
from .stacks import STACKS
from .storm import identity
from .wire import Call, Tokens, Wire, username

#: Seconds between two questions to the same process.
POLL = 0.02


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What all trials of a job share.

    Args:
        hold: seconds between the end of the session and the commit; 0 uses the package's endpoint.
        patience: seconds after which a token counts as not refused.
    """

    port: int
    wire: Wire
    processes: int
    hold: float
    patience: float


async def trials(
    *, port: int, stack: str, processes: int, count: int, at_once: int, hold: float, patience: float
) -> Any:
    """Run trials, some at once; return for each the seconds until every process refused."""
    trial = Trial(
        port=port, wire=STACKS[stack].wire, processes=processes, hold=hold, patience=patience
    )
    waiting = iter(range(count))
    found: list[dict[str, Any]] = []

    async def run() -> None:
        for number in waiting:
            await asyncio.sleep(random.random())  # noqa: S311 - at any point of an interval
            found.append(await one(trial, number))

    await asyncio.gather(*(run() for _ in range(at_once)))
    return found


async def one(trial: Trial, number: int) -> dict[str, Any]:
    """Run one trial; `early` says that a process refused before the commit."""
    connection = Connection(trial.port)
    answer = await connection.send(trial.wire.login(username(number % 1000)))
    tokens = trial.wire.read(answer.json())
    polled = encode(trial.wire.protected(tokens.access))
    processes = await connect(trial, polled)
    ended = asyncio.Event()
    watchers = [asyncio.create_task(_watch(trial, one, polled, ended)) for one in processes]
    since = await _log_out(trial, connection, tokens)
    ended.set()
    answers = await asyncio.gather(*watchers)
    refused = [at for at in answers if at is not None]
    for used in (connection, *processes):
        used.close()
    return {
        "delay": max(refused) - since if len(refused) == len(answers) else None,
        "early": any(at < since for at in refused),
    }


async def connect(trial: Trial, request: bytes) -> list[Connection]:
    """Return one connection to each process, over which the token has been accepted."""
    found: dict[str, Connection] = {}
    spare = []
    while len(found) < trial.processes:
        connections = [Connection(trial.port) for _ in range(2 * trial.processes)]
        answers = await asyncio.gather(*(one.send_bytes(request) for one in connections))
        for connection, answer in zip(connections, answers, strict=True):
            if answer.status != 200:
                raise RuntimeError(f"the token is refused before the logout: {answer.body!r}")
            if found.setdefault(answer.headers["x-worker"], connection) is not connection:
                spare.append(connection)
    for one in spare:
        one.close()
    return list(found.values())


async def _watch(
    trial: Trial, connection: Connection, request: bytes, ended: asyncio.Event
) -> float | None:
    """Return when a process first refused the token; None if it never did.

    Until the session has ended, ask now and then, so that the process has something to do.
    """
    last = float("inf")
    while (asked := time.time()) < last:
        if (await connection.send_bytes(request)).status == 401:
            return time.time()
        if ended.is_set():
            last = min(last, asked + trial.patience)
            await asyncio.sleep(POLL)
        else:
            await _either(ended, 0.25)
    return None


async def _either(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


async def _log_out(trial: Trial, connection: Connection, tokens: Tokens) -> float:
    """End the session; return the instant from which the delay counts.

    Through the endpoint that is when the logout was sent, before the commit; through the view that
    holds its transaction open it is the commit, by the same machine's clock.
    """
    if not trial.hold:
        sent = time.time()
        await connection.send(trial.wire.logout(tokens))
        return sent
    sid = identity(tokens.refresh).split()[0]
    answer = await connection.send(_slow_logout(sid, trial.hold))
    committed: Mapping[str, float] = answer.json()
    return committed["committed_at"]


def _slow_logout(sid: str, seconds: float) -> Call:

    body = json.dumps({"sid": sid, "seconds": seconds}).encode()
    headers = {"Content-Type": "application/json"}
    return Call(method="POST", path="/lab/slow-logout/", headers=headers, body=body)
