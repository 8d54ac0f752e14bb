"""An HTTP proxy that loses responses after the server has handled the requests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class LossyProxy:
    """An HTTP proxy that loses some responses. It handles one request per connection.

    Args:
        target: the server's port.
        path: the only request path for which responses may be lost.
        chance: the probability that a response is lost, from 0 to 1.
        random: the random number generator that decides which responses are lost.
    """

    def __init__(self, target: int, *, path: str, chance: float, random: Random) -> None:
        self.port = 0
        self.dropped = 0
        self.delivered = 0
        self._target = target
        self._path = path
        self._chance = chance
        self._random = random

    @asynccontextmanager
    async def running(self) -> AsyncIterator[LossyProxy]:
        """Accept connections on `port` until the `with` block ends."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            try:
                request = await _message(reader)
                answer = await self._forward(request)
                await self._deliver(request, answer, writer)
            finally:
                writer.close()

    async def _forward(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            writer.write(request)
            return await _message(reader)
        finally:
            writer.close()

    async def _deliver(self, request: bytes, answer: bytes, writer: asyncio.StreamWriter) -> None:
        """Send the response to the client, or close the connection without sending anything."""
        may_be_lost = request.split(b" ", 2)[1] == self._path.encode()
        if may_be_lost and self._random.random() < self._chance:
            self.dropped += 1
            return
        self.delivered += may_be_lost
        writer.write(answer)
        await writer.drain()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Read and return one HTTP message. Its Content-Length header gives the size of the body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return head + (await reader.readexactly(int(length[1])) if length else b"")
