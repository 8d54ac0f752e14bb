"""The load generator: `python -m benchmarks.load` reads a job as JSON from standard input.

Each client has one connection, and waits for each response before it sends the next request.
`benchmarks.wrk` can run the program wrk instead, if no request depends on an earlier response.
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

#: A function that sends one request over a connection and returns the status of the response.
Step = Callable[[Connection], Awaitable[int]]


async def get(*, port: int, path: str, headers: list[dict[str, str]], **pace: Any) -> Any:
    """Send GET requests to one path for a given time. Use the items of `headers` in turn."""
    requests = itertools.cycle([encode_get(path, values) for values in headers])

    async def step(connection: Connection) -> int:
        return (await connection.send_bytes(next(requests))).status

    return await drive(port, lambda number: step, **pace)


async def times(
    *, port: int, path: str, headers: list[dict[str, str]], clients: int, requests: int
) -> Any:
    """Send `requests` GET requests to one path. Use the items of `headers` in turn."""
    encoded = [encode_get(path, values) for values in headers]
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
    """Log in repeatedly. Each client has its own user."""
    wire = STACKS[stack].wire

    def steps(number: int) -> Step:
        request = encode(wire.login(username(number)))

        async def step(connection: Connection) -> int:
            return (await connection.send_bytes(request)).status

        return step

    return await drive(port, steps, **pace)


async def refresh(*, port: int, stack: str, **pace: Any) -> Any:
    """Refresh repeatedly. Each client sends the refresh token that it received last."""
    wire = STACKS[stack].wire

    def steps(number: int) -> Step:
        tokens: list[Tokens] = []

        async def step(connection: Connection) -> int:
            if not tokens:
                first = await connection.send(wire.login(username(number)))
                tokens.append(wire.read(first.json()))
            answer = await connection.send(wire.refresh(tokens[0]))
            if answer.status == 200:
                tokens[0] = wire.read(answer.json(), tokens[0])
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
    """Make clients send requests in parallel. Return the rate and the latencies.

    Args:
        steps: a function that takes the number of a client and returns the `Step` to repeat.
        clients: the number of clients.
        seconds: the duration of the measurement.
        warmup: seconds before the measurement. Requests during this time do not count.
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
    """Return the bytes of a GET request."""
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
    """Run one job and return its result."""
    return await JOBS[kind](**arguments)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(**json.load(sys.stdin)))))
