"""The ASGI application that uvicorn serves.

Under ASGI, Django opens a database connection for each request. Without a limit, 100 parallel
requests would need 100 connections, PostgreSQL's default maximum. So each process handles at
most AT_ONCE requests at a time, as many as a gunicorn process has threads. All other requests wait.
"""

from __future__ import annotations

import asyncio
from typing import Any

from django.core.asgi import get_asgi_application

AT_ONCE = 8

_django = get_asgi_application()
_turns = asyncio.Semaphore(AT_ONCE)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Wait until fewer than AT_ONCE requests are running, then handle the request."""
    async with _turns:
        await _django(scope, receive, send)
