"""The load generator: `python -m benchmarks.load`, a job as JSON on its input.

Closed loop: each client has one connection and one request under way. Where requests do not depend
on answers, wrk takes over if it is installed (see `benchmarks.wrk`).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from . import figures, revocation, storm
from .client import Connection, encode
from .stacks import STACKS
from .wire import Tokens, username

#: Makes one call over a connection; returns the status.
Step = Callable[[Connection], Awaitable[int]]


async def get(*, port: int, path: str, headers: list[dict[str, str]], **pace: Any) -> Any:
    """Ask for one path again and again, with each of the headers in turn."""
    requests = itertools.cycle([encode_get(path, one) for one in headers])

    async def step(connection: Connection) -> int:
        return (await connection.send_bytes(next(requests))).status

    return await drive(port, lambda number: step, **pace)


async def times(
    *, port: int, path: str, headers: list[dict[str, str]], clients: int, requests: int
) -> Any:
    """Ask for one path so many times, with each of the headers in turn."""
    encoded = [encode_get(path, one) for one in headers]
    waiting = iter(range(requests))
    refused = 0

    async def run() -> None:
        nonlocal refused
        connection = Connection(port)
        for number in waiting:
            answer = await connection.send_bytes(encoded[number % len(encoded)])
            refused += answer.status != 200
        connection.close()

    await asyncio.gather(*(run() for _ in range(clients)))
    return {"refused": refused}


async def login(*, port: int, stack: str, **pace: Any) -> Any:
    """Log in again and again, each client as a user of its own."""
    wire = STACKS[stack].wire

    def steps(number: int) -> Step:
        request = encode(wire.login(username(number)))

        async def step(connection: Connection) -> int:
            return (await connection.send_bytes(request)).status

        return step

    return await drive(port, steps, **pace)


async def refresh(*, port: int, stack: str, **pace: Any) -> Any:
    """Refresh again and again, each client with what its last refresh gave it."""
    wire = STACKS[stack].wire

    def steps(number: int) -> Step:
        held: list[Tokens] = []

        async def step(connection: Connection) -> int:
            if not held:
                first = await connection.send(wire.login(username(number)))
                held.append(wire.read(first.json()))
            answer = await connection.send(wire.refresh(held[0]))
            if answer.status == 200:
                held[0] = wire.read(answer.json(), held[0])
            return answer.status

        return step

    return await drive(port, steps, **pace)


async def drive(
    port: int,
    steps: Callable[[int], Step],
    *,
    clients: int,
    seconds: float,
    warmup: float = 0.3,
) -> Any:
    """Let clients take steps; return what was done between the end of the warm-up and the end.

    Args:
        steps: what the client with this number does.
        seconds, warmup: how long it counts, and how long it does not before.
    """
    begin = time.perf_counter() + warmup
    end = begin + seconds
    latencies: list[float] = []
    refused = 0

    async def run(number: int) -> None:
        nonlocal refused
        connection, step = Connection(port), steps(number)
        while (started := time.perf_counter()) < end:
            status = await step(connection)
            finished = time.perf_counter()
            if begin <= started and finished <= end:
                latencies.append(finished - started)
                refused += status != 200
        connection.close()

    await asyncio.gather(*map(run, range(clients)))
    return {
        "rate": (len(latencies) - refused) / seconds,
        "refused": refused,
        "median_ms": figures.median(latencies) * 1000 if latencies else None,
        "p99_ms": figures.percentile(latencies, 0.99) * 1000 if latencies else None,
    }


def encode_get(path: str, headers: dict[str, str]) -> bytes:
    """Return a GET as it goes over the wire."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


JOBS: dict[str, Callable[..., Awaitable[Any]]] = {
    "get": get,
    "times": times,
    "login": login,
    "refresh": refresh,
    "storm": storm.storm,
    "revocation": revocation.trials,
}


async def run(kind: str, **arguments: Any) -> Any:
    """Run one job."""
    return await JOBS[kind](**arguments)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(**json.load(sys.stdin)))))
