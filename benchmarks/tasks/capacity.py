"""Measure the processor time and the write-ahead log (WAL) of logins, refreshes and logouts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection

from benchmarks.machine import processor_time
from benchmarks.tasks import calls
from benchmarks.tasks.prepare import USERS
from benchmarks.wire import Tokens


def operations(count: int) -> dict[str, dict[str, float]]:
    """Log in `count` times, then refresh and end each of these sessions.

    Returns:
        For each operation and per call: the processor time of this process and that of its
        PostgreSQL backend, both in milliseconds, and the WAL in bytes.
    """
    wire = calls.wire()
    calls.logged_in(0)
    tokens: list[Tokens] = []

    def refresh(number: int) -> None:
        response = calls.make(wire.refresh(tokens[number]))
        tokens[number] = wire.read(calls.json(response, 200), tokens[number])

    def logout(number: int) -> None:
        if calls.make(wire.logout(tokens[number])).status_code != 204:
            raise RuntimeError("a logout failed")

    return {
        "login": _measured(lambda number: tokens.append(calls.logged_in(number % USERS)), count),
        "refresh": _measured(refresh, count),
        "logout": _measured(logout, count),
    }


def password_hash(count: int) -> dict[str, Any]:
    """Return the processor time of one password hash with Django's default, in milliseconds."""
    hasher = PBKDF2PasswordHasher()
    began = time.process_time()
    for _ in range(count):
        hasher.encode("correct horse battery staple", "saltsaltsaltsaltsaltsa")
    milliseconds = 1000 * (time.process_time() - began) / count
    return {"milliseconds": milliseconds, "iterations": hasher.iterations}


def _measured(operation: Callable[[int], object], count: int) -> dict[str, float]:
    backend, before = _backend()
    in_backend, in_process = processor_time(backend), time.process_time()
    for number in range(count):
        operation(number)
    in_process = time.process_time() - in_process
    in_backend = processor_time(backend) - in_backend
    _, after = _backend()
    return {
        "process": 1000 * in_process / count,
        "database": 1000 * in_backend / count,
        "wal": (after - before) / count,
    }


def _backend() -> tuple[int, int]:
    """Return the process id of this connection's backend, and the position in the WAL in bytes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        pid, position = cursor.fetchone()
    return int(pid), int(position)
