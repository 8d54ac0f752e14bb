"""A job for the load generator: many clients send the same refresh token at once."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from .client import Answer, Connection, encode
from .stacks import STACKS
from .wire import Tokens, Wire, username


async def storm(*, port: int, stack: str, clients: int, rounds: int) -> Any:
    """Log in once per round, and make all clients send the same refresh token at once.

    Returns:
        The number of requests, and for each round: how many different refresh tokens were issued,
        how many requests were rejected, and whether a client could refresh afterwards.
    """
    wire = STACKS[stack].wire
    results = [await _round(port, wire, clients, number % 100) for number in range(rounds)]
    return {"requests": clients * rounds, "rounds": results}


async def _round(port: int, wire: Wire, clients: int, user: int) -> dict[str, Any]:
    first = Connection(port)
    tokens = wire.read((await first.send(wire.login(username(user)))).json())
    first.close()
    connections = [Connection(port) for _ in range(clients)]
    await asyncio.gather(*(connection.open() for connection in connections))
    request = encode(wire.refresh(tokens))
    answers = await asyncio.gather(*(_send(connection, request) for connection in connections))
    pairs = [
        wire.read(answer.json(), tokens) for answer in answers if answer and answer.status == 200
    ]
    for connection in connections:
        connection.close()
    return {
        "distinct": len({identity(pair.refresh) for pair in pairs}),
        "refused": clients - len(pairs),
        "can_refresh": await _can_refresh(port, wire, pairs),
    }


async def _send(connection: Connection, request: bytes) -> Answer | None:
    try:
        return await connection.send_bytes(request)
    except (OSError, asyncio.IncompleteReadError):
        return None


async def _can_refresh(port: int, wire: Wire, pairs: list[Tokens]) -> bool:
    """Return whether the server accepts the refresh token in the last response."""
    if not pairs:
        return False
    connection = Connection(port)
    answer = await connection.send(wire.refresh(pairs[-1]))
    connection.close()
    return answer.status == 200


def identity(token: str) -> str:
    """Return a string that is the same for all copies of one refresh token.

    When a client repeats a refresh, drf-signet may issue the same generation of the session again,
    as a new JWT. So for drf-signet, the string consists of the session id and the generation. For
    other packages, the string is the `jti` claim or the opaque token itself.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return token
    claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    return f"{claims['sid']} {claims['gen']}" if "gen" in claims else str(claims["jti"])
