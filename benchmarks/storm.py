"""The jobs of the load generator in which clients act together: see `scenarios.storm`."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from .client import Answer, Connection, encode
from .stacks import STACKS
from .wire import Tokens, Wire, username


async def storm(*, port: int, stack: str, clients: int, rounds: int) -> Any:
    """Let all clients present one refresh token at once, round by round; each round a new login."""
    wire = STACKS[stack].wire
    found = [await _round(port, wire, clients, number % 100) for number in range(rounds)]
    return {"requests": clients * rounds, "rounds": found}


async def _round(port: int, wire: Wire, clients: int, user: int) -> dict[str, Any]:
    first = Connection(port)
    tokens = wire.read((await first.send(wire.login(username(user)))).json())
    first.close()
    connections = [Connection(port) for _ in range(clients)]
    await asyncio.gather(*(one.open() for one in connections))
    request = encode(wire.refresh(tokens))
    answers = await asyncio.gather(*(_send(one, request) for one in connections))
    pairs = [wire.read(one.json(), tokens) for one in answers if one and one.status == 200]
    for one in connections:
        one.close()
    return {
        "distinct": len({identity(pair.refresh) for pair in pairs}),
        "refused": clients - len(pairs),
        "goes_on": await _goes_on(port, wire, pairs),
    }


async def _send(connection: Connection, request: bytes) -> Answer | None:
    try:
        return await connection.send_bytes(request)
    except (OSError, asyncio.IncompleteReadError):
        return None


async def _goes_on(port: int, wire: Wire, pairs: list[Tokens]) -> bool:
    """Return whether the last client to be answered can refresh once more."""
    if not pairs:
        return False
    connection = Connection(port)
    answer = await connection.send(wire.refresh(pairs[-1]))
    connection.close()
    return answer.status == 200


def identity(token: str) -> str:
    """Return what makes a refresh token the one that it is.

    drf-signet's is (session, generation): two texts that say the same are one token. Everywhere
    else it is the `jti`, or the opaque token itself.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return token
    claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    return f"{claims['sid']} {claims['gen']}" if "gen" in claims else str(claims["jti"])
