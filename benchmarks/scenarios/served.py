"""Requests to a protected view under gunicorn: one process, four threads, four clients, keep-alive.

Each round measures the request rate of each package for one second. Afterwards, each package gets
one request every two seconds, so that drf-signet polls for ended sessions on each request.
"""

from __future__ import annotations

import http.client
import json
import time
from contextlib import ExitStack
from typing import Any

from benchmarks import figures, wrk
from benchmarks.lab import Lab
from benchmarks.processes import Server
from benchmarks.stacks import STACKS
from benchmarks.table import Row
from benchmarks.wire import Tokens, username

TITLE = "Protected request under gunicorn"

_STACKS = ("signet", "simplejwt", "stateless", "token", "knox", "oauth")
_CLIENTS = 4


def measure(lab: Lab) -> Any:
    """Return the rates of all rounds, and the latencies of requests that are two seconds apart."""
    result: dict[str, Any] = {"tool": wrk.tool(), "rates": {}}
    for vendor in ("postgres",) if lab.quick else ("sqlite", "postgres"):
        with ExitStack() as exit_:
            served = {stack: _serve(lab, exit_, vendor, stack) for stack in _STACKS}
            lab.say(f"served: rounds on {vendor}")
            result["rates"][vendor] = _rounds(lab, served)
            if vendor == "postgres":
                lab.say("served: one request every two seconds")
                result["idle"] = _idle(served, lab.pick(10, 2))
    return result


def _serve(lab: Lab, exit_: ExitStack, vendor: str, stack: str) -> tuple[Server, dict[str, str]]:
    """Start a server and log in; return the server and the Authorization header."""
    database = lab.databases.create(vendor, stack, "served")
    server = exit_.enter_context(lab.server(stack, database, threads=_CLIENTS))
    return server, _authorization(server, stack)


def _authorization(server: Server, stack: str) -> dict[str, str]:
    wire = STACKS[stack].wire
    call = wire.login(username(0))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request(call.method, call.path, call.body, dict(call.headers))
    response = connection.getresponse()

    tokens: Tokens = wire.read(json.loads(response.read()))
    connection.close()
    return dict(wire.protected(tokens.access).headers)


def _rounds(lab: Lab, served: dict[str, tuple[Server, dict[str, str]]]) -> Any:
    rates: dict[str, dict[str, list[Any]]] = {stack: {} for stack in served}
    pace = {"clients": _CLIENTS, "seconds": 1}
    for _ in range(lab.pick(3, 1)):
        for stack, (server, headers) in served.items():
            for name in ("open", "protected"):
                sample = wrk.get(port=server.port, path=f"/{name}/", headers=headers, **pace)
                rates[stack].setdefault(name, []).append(sample)
    return rates


def _idle(served: dict[str, tuple[Server, dict[str, str]]], requests: int) -> Any:
    """Send each server a request every two seconds; return latencies and statement counts."""
    before = {name: server.get("/lab/statements/") for name, (server, _) in served.items()}
    milliseconds: dict[str, list[float]] = {name: [] for name in served}
    connections = {
        name: http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        for name, (server, _) in served.items()
    }
    for number in range(requests + 1):
        time.sleep(2)
        names = list(served)[number % len(served) :] + list(served)[: number % len(served)]
        for name in names:  # after each pause, begin with a different server
            headers = served[name][1]
            started = time.perf_counter()
            connections[name].request("GET", "/protected/", headers=headers)
            connections[name].getresponse().read()
            if number:  # do not measure the first request, which opens the connection
                milliseconds[name].append((time.perf_counter() - started) * 1000)
    after = {name: server.get("/lab/statements/") for name, (server, _) in served.items()}
    return {
        name: {
            "milliseconds": milliseconds[name],
            "statements": (after[name]["statements"] - before[name]["statements"]) / (requests + 1),
        }
        for name in served
    }


def rows(raw: Any) -> list[Row]:
    """Return the rows of this scenario in the results table."""
    return [
        *(row for vendor in raw["rates"] for row in _rate_rows(raw, vendor)),
        _idle_row(raw, "one request every 2 s: statements per request", "statements", counted=True),
        _idle_row(raw, "one request every 2 s: median latency", "milliseconds", unit="ms"),
    ]


_NAMES = {"postgres": "PostgreSQL", "sqlite": "SQLite"}
_IDLE = (
    "After two seconds the feed's interval has passed, so each request polls the feed: one "
    "statement that uses an index. The peers read the user or the token. Stateless tokens cannot "
    "be revoked."
)


def _rate_rows(raw: Any, vendor: str) -> list[Row]:
    rates = raw["rates"][vendor]
    protected = {
        name: figures.median([sample["rate"] for sample in kinds["protected"]])
        for name, kinds in rates.items()
    }
    share = {
        name: figures.ratio(
            [sample["rate"] for sample in kinds["protected"]],
            [sample["rate"] for sample in kinds["open"]],
        )
        for name, kinds in rates.items()
    }
    name = _NAMES[vendor]
    return [
        Row(group=TITLE, label=f"requests per second; {name}", cells=protected, digits=0,
            unit="/s", better="more"),
        Row(group=TITLE, label=f"share of the open view's rate; {name}", cells=share,
            better="more"),
    ]  # fmt: skip


def _idle_row(raw: Any, label: str, figure: str, *, counted: bool = False, unit: str = "") -> Row:
    cells = {
        name: figures.median(sample[figure]) if isinstance(sample[figure], list) else sample[figure]
        for name, sample in raw["idle"].items()
    }
    return Row(group=TITLE, label=label, cells=cells, counted=counted, unit=unit, why=_IDLE)
