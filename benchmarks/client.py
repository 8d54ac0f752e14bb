"""A small HTTP/1.1 client over one kept connection, for load that has to think (see `load`)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from .wire import Call


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's JSON value."""
        return json.loads(self.body)


class Connection:
    """One connection to a server on this machine; connected at the first call."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> None:
        """Connect, unless it is."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)

    async def send(self, call: Call) -> Answer:
        """Make a call and return the answer."""
        return await self.send_bytes(encode(call))

    async def send_bytes(self, request: bytes) -> Answer:
        """Make a call that was encoded before."""
        await self.open()
        assert self._streams
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return Answer(status=int(first.split(" ", 2)[1]), headers=headers, body=body)

    def close(self) -> None:
        """Disconnect."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def encode(call: Call) -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{call.method} {call.path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in call.headers.items()]
    if call.method != "GET":
        lines.append(f"Content-Length: {len(call.body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + call.body
