"""Login, refresh and rotating refresh under gunicorn on PostgreSQL, near and 1 ms away.

One process with sixteen threads; 1, 4 and 16 clients (4 for logins), each with a user and a session
of its own. Passwords are hashed with MD5: hashing, the same for all, is not what is compared.
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
#: Operation → column → stack.
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
    """Return rates and latencies: operation → distance → clients → column → rounds."""
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
            one = processes.load(
                kind="login" if operation == "login" else "refresh",
                stack=_STACKS[operation][column],
                port=server.port,
                clients=clients,
                seconds=seconds,
            )
            samples[column].append(one)
    return samples


def rows(raw: Any) -> list[Row]:
    """Return the rows of the table."""
    found = []
    for operation, label in _LABELS.items():
        for distance, by_clients in raw[operation].items():
            where = _WHERE[distance]
            for clients, samples in by_clients.items():
                text = f"{label}, {clients} client{'s' if int(clients) > 1 else ''}; {where}"
                found.append(_row(text, samples, _BARS.get((operation, distance)), _WHY[operation]))
    return found


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
            "Reading the HTTP request and writing the answer costs both packages the same, and the "
            "fewer clients there are, the more of the time both wait for the disk at each commit."
        ),
    ),
    ("rotating", "far"): Bar(
        limit=5,
        at="least",
        relative=True,
        why=(
            "Of round trips there are 2 instead of 13, so for one client the ratio lies between "
            "that of loopback and 6.5. With more clients the one Python process is always busy in "
            "either package, and the ratio becomes that of its work, as on loopback; there is "
            "no waiting left to save."
        ),
    ),
}
_WHY = {
    "rotating": "",
    "refresh": (
        "simplejwt reads the user by its key, and goes on refreshing after a logout; here the one "
        "statement reads the session with its user, so that a logout, a changed password and a "
        "deleted user are seen."
    ),
    "login": (
        "A login here counts against the throttle, keeps what the list of devices shows, signs two "
        "tokens and tells Django, which writes `last_login`: a commit more than simplejwt, and two "
        "more than DRF's token view, which hands out the token that the user already has; an "
        "opaque token is drawn, not signed."
    ),
}


def _row(label: str, samples: Any, bar: Bar | None, why: str) -> Row:
    cells: dict[str, float | None] = {
        column: figures.median([one["rate"] for one in rounds])
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
        ratio=figures.median([one["rate"] / max(other["rate"], 1) for one, other in pairs]),
    )
