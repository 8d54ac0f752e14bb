"""A job of the load generator: measure how long an access token is accepted after a logout.

A trial logs in, logs out, and sends the access token to every server process. It has one connection
to each process, because gunicorn handles all requests of a connection in one process.
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

#: Seconds between two requests to the same process after the session has ended.
POLL = 0.02


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The settings that all trials of a job share.

    Args:
        hold: seconds between the UPDATE that ends the session and the commit. If 0, a trial uses
            the package's logout endpoint, which commits at once.
        patience: seconds after the logout until a trial stops waiting for a process to reject the
            token.
    """

    port: int
    wire: Wire
    processes: int
    hold: float
    patience: float


async def trials(
    *, port: int, stack: str, processes: int, count: int, at_once: int, hold: float, patience: float
) -> Any:
    """Run `count` trials, `at_once` of them in parallel; return the result of each trial."""
    trial = Trial(
        port=port, wire=STACKS[stack].wire, processes=processes, hold=hold, patience=patience
    )
    waiting = iter(range(count))
    results: list[dict[str, Any]] = []

    async def run() -> None:
        for number in waiting:
            await asyncio.sleep(random.random())  # noqa: S311 - start at a random point of an interval
            results.append(await run_trial(trial, number))

    await asyncio.gather(*(run() for _ in range(at_once)))
    return results


async def run_trial(trial: Trial, number: int) -> dict[str, Any]:
    """Run one trial and return its result.

    `delay` is the number of seconds until every process has rejected the token, or None if a
    process still accepts the token at the end of the trial. `early` tells whether a process
    rejected the token before the measured delay began (see `_log_out`).
    """
    connection = Connection(trial.port)
    answer = await connection.send(trial.wire.login(username(number % 1000)))
    tokens = trial.wire.read(answer.json())
    polled = encode(trial.wire.protected(tokens.access))
    processes = await connect(trial, polled)
    ended = asyncio.Event()
    watchers = [asyncio.create_task(_watch(trial, process, polled, ended)) for process in processes]
    since = await _log_out(trial, connection, tokens)
    ended.set()
    answers = await asyncio.gather(*watchers)
    rejected = [at for at in answers if at is not None]
    for used in (connection, *processes):
        used.close()
    return {
        "delay": max(rejected) - since if len(rejected) == len(answers) else None,
        "early": any(at < since for at in rejected),
    }


async def connect(trial: Trial, request: bytes) -> list[Connection]:
    """Return a connection to each process, after each process has accepted the token once."""
    by_worker: dict[str, Connection] = {}
    spare = []
    while len(by_worker) < trial.processes:
        connections = [Connection(trial.port) for _ in range(2 * trial.processes)]
        answers = await asyncio.gather(*(each.send_bytes(request) for each in connections))
        for connection, answer in zip(connections, answers, strict=True):
            if answer.status != 200:
                raise RuntimeError(f"the token is rejected before the logout: {answer.body!r}")
            if by_worker.setdefault(answer.headers["x-worker"], connection) is not connection:
                spare.append(connection)
    for connection in spare:
        connection.close()
    return list(by_worker.values())


async def _watch(
    trial: Trial, connection: Connection, request: bytes, ended: asyncio.Event
) -> float | None:
    """Return the time at which a process first rejected the token.

    Return None if the process still accepts the token when the trial ends. Before the session ends,
    send a request every 0.25 seconds, so that the process stays active.
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
    """End the session, and return the time at which the measured delay begins.

    With the logout endpoint, the delay begins just before the request. With `SlowLogoutView`, it
    begins at the commit. The server and this process read the same clock.
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
