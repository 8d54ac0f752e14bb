"""Logins and refreshes under gunicorn on PostgreSQL, with and without 1 ms of added latency.

gunicorn runs one process with sixteen threads. Refreshes are measured with 1, 4 and 16 clients, and
logins with 4 clients. Each client has its own user and session. All packages hash passwords with
MD5, because this benchmark does not compare password hashing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from benchmarks import figures, processes
from benchmarks.lab import Lab
from benchmarks.processes import Server
from benchmarks.table import Bar, Row

TITLE = "Login and refresh under gunicorn, PostgreSQL"

_CLIENTS = (1, 4, 16)
_DELAYS = {"near": 0.0, "far": 0.001}
#: For each operation: column of the results table → name of the stack in `benchmarks.stacks`.
_STACKS: Mapping[str, Mapping[str, str]] = {
    "rotating": {"signet": "signet-rotating", "simplejwt": "simplejwt-rotating", "oauth": "oauth"},
    "refresh": {"signet": "signet", "simplejwt": "simplejwt"},
    "login": {
        "signet": "signet",
        "simplejwt": "simplejwt-rotating",
        "token": "token",
        "knox": "knox",
        "oauth": "oauth",
    },
}


def measure(lab: Lab) -> Any:
    """Return nested dicts: operation → distance → number of clients → column → samples.

    The distance is "near" without added latency, and "far" with 1 ms of added latency. There is one
    sample for each round: a dict with the rate and the latencies.
    """
    delays = {"far": _DELAYS["far"]} if lab.quick else _DELAYS
    return {
        operation: {distance: _measure(lab, operation, delay) for distance, delay in delays.items()}
        for operation in _STACKS
    }


def _measure(lab: Lab, operation: str, delay: float) -> Any:
    lab.say(f"exchange: {operation}, {delay * 1000:g} ms added")
    with ExitStack() as exit_:
        address = lab.databases.address
        port = exit_.enter_context(processes.proxy(address, delay=delay)) if delay else address[1]
        servers = {}
        for column, stack in _STACKS[operation].items():
            label = f"{operation}_{delay * 1000:.0f}"
            database = dict(lab.databases.create("postgres", stack, label))
            if delay:
                database |= {"HOST": "127.0.0.1", "PORT": port}
            servers[column] = exit_.enter_context(lab.server(stack, database, threads=16))
        numbers = _CLIENTS[1:2] if lab.quick or operation == "login" else _CLIENTS
        return {str(clients): _rounds(lab, operation, servers, clients) for clients in numbers}


def _rounds(lab: Lab, operation: str, servers: dict[str, Server], clients: int) -> Any:
    samples: dict[str, list[Any]] = {column: [] for column in servers}
    seconds = 0.3 if lab.quick else 1.2
    for _ in range(lab.pick(3, 1)):
        for column, server in servers.items():
            sample = processes.load(
                kind="login" if operation == "login" else "refresh",
                stack=_STACKS[operation][column],
                port=server.port,
                clients=clients,
                seconds=seconds,
            )
            samples[column].append(sample)
    return samples


def rows(raw: Any) -> list[Row]:
    """Return the rows of this scenario in the results table."""
    result = []
    for operation, label in _LABELS.items():
        for distance, by_clients in raw[operation].items():
            where = _WHERE[distance]
            for clients, samples in by_clients.items():
                text = f"{label}, {clients} client{'s' if int(clients) > 1 else ''}; {where}"
                result.append(
                    _row(text, samples, _BARS.get((operation, distance)), _WHY[operation])
                )
    return result


_LABELS = {
    "rotating": "refreshes with rotation",
    "refresh": "refreshes without rotation",
    "login": "logins",
}
_WHERE = {"near": "loopback", "far": "1 ms added per round trip"}
_BARS = {
    ("rotating", "near"): Bar(
        limit=3,
        at="least",
        relative=True,
        why=(
            "Both packages spend the same time on reading the HTTP request and writing the "
            "response. With few clients, both also spend much of the time waiting for the disk at "
            "each commit."
        ),
    ),
    ("rotating", "far"): Bar(
        limit=5,
        at="least",
        relative=True,
        why=(
            "A refresh takes 2 round trips instead of 13, so with one client the ratio is between "
            "the ratio on loopback and 6.5. With more clients the Python process is always busy "
            "with either package. The ratio then depends only on the CPU time, as on loopback, "
            "because no process waits for the database."
        ),
    ),
}
_WHY = {
    "rotating": "",
    "refresh": (
        "simplejwt reads the user by its key, and still refreshes after a logout. drf-signet's one "
        "statement reads the session with its user, so that it notices a logout, a changed "
        "password and a deleted user."
    ),
    "login": (
        "A drf-signet login counts against the throttle, stores the data for the list of devices, "
        "signs two tokens and sends Django's signal, so that Django writes `last_login`. That is "
        "one commit more than simplejwt. It is two more than DRF's token view, which returns the "
        "token that the user already has. Opaque tokens are random and need no signature."
    ),
}


def _row(label: str, samples: Any, bar: Bar | None, why: str) -> Row:
    cells: dict[str, float | None] = {
        column: figures.median([sample["rate"] for sample in rounds])
        for column, rounds in samples.items()
    }
    pairs = zip(samples["signet"], samples["simplejwt"], strict=True)
    return Row(
        group=TITLE,
        label=label,
        cells=cells,
        digits=0,
        unit="/s",
        better="more",
        bar=bar,
        why=why,
        ratio=figures.median([signet["rate"] / max(peer["rate"], 1) for signet, peer in pairs]),
    )
