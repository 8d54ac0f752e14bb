"""A small HTTP/1.1 client, for load tests in which a request depends on an earlier response."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from .wire import Call


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP response. The names of the headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the JSON value of the body."""
        return json.loads(self.body)


class Connection:
    """A connection to a server on this machine. The first request opens the connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> None:
        """Connect to the server, unless the connection is already open."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)

    async def send(self, call: Call) -> Answer:
        """Send a `Call` and return the response."""
        return await self.send_bytes(encode(call))

    async def send_bytes(self, request: bytes) -> Answer:
        """Send the bytes of a request and return the response."""
        await self.open()
        assert self._streams
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return Answer(status=int(first.split(" ", 2)[1]), headers=headers, body=body)

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def encode(call: Call) -> bytes:
    """Return the bytes of an HTTP request."""
    lines = [f"{call.method} {call.path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in call.headers.items()]
    if call.method != "GET":
        lines.append(f"Content-Length: {len(call.body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + call.body
