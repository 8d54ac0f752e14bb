"""Send login and refresh requests, with the refresh token in JSON or in a cookie."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from http.cookies import SimpleCookie
from typing import Any, Protocol

from benchmarks.client import Answer, Connection
from benchmarks.storm import identity
from benchmarks.wire import PASSWORD, Call, Tokens, Wire, username

#: Maximum number of seconds that a client waits for a response.
PATIENCE = 30.0
REFRESH_COOKIE = "__Host-signet-refresh-token"


async def ask(port: int, call: Call, *, within: float = PATIENCE) -> Answer | None:
    """Send a request over a new connection. Return None if no complete response arrives."""
    connection = Connection(port)
    with suppress(OSError, asyncio.IncompleteReadError):
        try:
            async with asyncio.timeout(within):
                return await connection.send(call)
        finally:
            connection.close()
    return None


class Transport(Protocol):
    """A way to send the refresh token to the server and to receive it: in JSON or in a cookie."""

    name: str

    def login(self, number: int) -> Call:
        """Return the login request for the user with this number."""

    def refresh(self, token: str) -> Call:
        """Return the refresh request with this refresh token."""

    def read(self, answer: Answer) -> str:
        """Extract the refresh token from a response whose status is 200."""


class TokenTransport:
    """The JSON transport, as used by mobile apps and by pages that store the token themselves."""

    name = "token"
    _wire = Wire()

    def login(self, number: int) -> Call:
        return self._wire.login(username(number))

    def refresh(self, token: str) -> Call:
        return self._wire.refresh(Tokens(access="", refresh=token))

    def read(self, answer: Answer) -> str:
        return self._wire.read(answer.json()).refresh


class CookieTransport:
    """The cookie transport, as used by a web page on the same origin."""

    name = "cookie"

    def login(self, number: int) -> Call:
        return self._call("login", {"username": username(number), "password": PASSWORD})

    def refresh(self, token: str) -> Call:
        return self._call("refresh", {}, Cookie=f"{REFRESH_COOKIE}={token}")

    def read(self, answer: Answer) -> str:
        return SimpleCookie(answer.headers["set-cookie"])[REFRESH_COOKIE].value

    def _call(self, endpoint: str, data: Any, **headers: str) -> Call:
        headers = {
            "Content-Type": "application/json",
            "X-Requested-With": "XMLHttpRequest",
            "Sec-Fetch-Site": "same-origin",
            **headers,
        }
        body = json.dumps(data).encode()
        return Call(method="POST", path=f"/browser/{endpoint}/", headers=headers, body=body)


TOKEN = TokenTransport()
COOKIE = CookieTransport()
TRANSPORTS: Sequence[Transport] = (COOKIE, TOKEN)


async def log_in(port: int, number: int = 0, *, transport: Transport = TOKEN) -> str:
    """Log in as the user with this number, and return the refresh token.

    Raises:
        RuntimeError: the login failed.
    """
    answer = await ask(port, transport.login(number))
    if answer is None or answer.status != 200:
        raise RuntimeError(f"the login failed: {answer}")
    return transport.read(answer)


def session_of(token: str) -> str:
    """Return the session id in a drf-signet refresh token."""
    return identity(token).split()[0]


def generation(token: str) -> int:
    """Return the generation number in a drf-signet refresh token."""
    return int(identity(token).split()[1])
