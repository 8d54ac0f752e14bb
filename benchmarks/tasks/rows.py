"""Fill tables with many logins, and measure how much storage the logins take."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.utils.module_loading import import_string

from benchmarks.processes import peak
from benchmarks.project.settings import STACK
from benchmarks.tasks import calls
from benchmarks.tasks.prepare import USERS
from benchmarks.wire import Call, Tokens

#: Real user agents of browsers and programs.
USER_AGENTS = (Path(__file__).parents[1] / "user_agents.txt").read_text().splitlines()
_BATCH = 2000


def fill(logins: int) -> dict[str, Any]:
    """Log in up to 500 times through the endpoint, then write the remaining rows in bulk.

    Returns:
        The average size of a row in bytes, before and after the rows are written in bulk. The
        averages are almost equal if the rows that are written in bulk have the same content as the
        rows that the endpoint writes.
    """
    by_login = min(500, logins // 2)
    for number in range(by_login):
        calls.logged_in(number % USERS, _agent(number))
    by_endpoint = _row_bytes()
    users = list(get_user_model()._default_manager.order_by("pk"))
    _WRITERS[STACK.family](users, logins - by_login)
    return {"by_endpoint": by_endpoint, "in_bulk": _row_bytes()}


def size() -> dict[str, int]:
    """Return the number of rows in the package's tables, and the size of the tables in bytes.

    VACUUM the tables first. The size includes indexes and TOAST tables.
    """
    rows = total = 0
    with connection.cursor() as cursor:
        for table in STACK.tables:
            cursor.execute(f'VACUUM ANALYZE "{table}"')
            cursor.execute(f'SELECT count(*), pg_total_relation_size(%s) FROM "{table}"', [table])
            count, relation = cursor.fetchone()
            rows, total = rows + count, total + relation
    return {"rows": rows, "bytes": total}


def _row_bytes() -> float:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT avg(pg_column_size(t)) FROM "{STACK.tables[0]}" t')
        return float(cursor.fetchone()[0])


def _agent(number: int) -> str:
    return USER_AGENTS[number % len(USER_AGENTS)]


def _write(model: Any, rows: Iterator[Any]) -> None:
    while batch := list(islice(rows, _BATCH)):
        model._default_manager.bulk_create(batch)


def _signet(users: list[Any], count: int) -> None:
    from drf_signet import runtime
    from drf_signet.models import Session
    from drf_signet.sessions import store
    from drf_signet.transports import clients

    lifetime = runtime.current().settings.login_lifetime("token")
    described = [
        clients.describe(calls.request(Call(path="/login/", headers={"User-Agent": agent})))
        for agent in USER_AGENTS
    ]

    def rows() -> Iterator[Session]:
        for number, user in enumerate(islice(cycle(users), count)):
            now = runtime.now()
            client = described[number % len(described)]
            yield store.draft(
                id=store.new_id(now), user=user, now=now, lifetime=lifetime, client=client
            )

    _write(Session, rows())


def _simplejwt(users: list[Any], count: int) -> None:
    outstanding = import_string("rest_framework_simplejwt.token_blacklist.models.OutstandingToken")
    refresh = import_string("rest_framework_simplejwt.tokens.RefreshToken")

    def rows() -> Iterator[Any]:
        for user in islice(cycle(users), count):
            token = refresh()
            token["user_id"] = str(user.pk)
            yield outstanding(
                user=user,
                jti=token["jti"],
                token=str(token),
                created_at=token.current_time,
                expires_at=datetime.fromtimestamp(token["exp"], UTC),
            )

    _write(outstanding, rows())


def _knox(users: list[Any], count: int) -> None:
    model = import_string("knox.models.AuthToken")
    new = import_string("knox.models.get_digest_token")
    expiry = datetime.now(UTC) + timedelta(hours=10)

    def rows() -> Iterator[Any]:
        for user in islice(cycle(users), count):
            digest, token = new()
            yield model(digest=digest, token_key=token[:15], user=user, expiry=expiry)

    _write(model, rows())


def _oauth(users: list[Any], count: int) -> None:
    access, refresh, application, generate = map(
        import_string,
        (
            "oauth2_provider.models.AccessToken",
            "oauth2_provider.models.RefreshToken",
            "oauth2_provider.models.Application",
            "oauthlib.common.generate_token",
        ),
    )
    client = application.objects.get()
    expires = datetime.now(UTC) + timedelta(hours=10)
    chosen = islice(cycle(users), count)
    while batch := list(islice(chosen, _BATCH)):
        access_tokens = [
            access(user=user, application=client, token=generate(), expires=expires,
                   scope="read write")
            for user in batch
        ]  # fmt: skip
        access.objects.bulk_create(access_tokens)
        refresh.objects.bulk_create(
            refresh(user=row.user, application=client, token=generate(), access_token=row,
                    token_family=uuid.uuid4())
            for row in access_tokens
        )  # fmt: skip
        # Reconnect, because the connection has a cached plan for the foreign key checks, and
        # PostgreSQL made this plan when the table was empty.
        connection.close()


_WRITERS: dict[str, Callable[[list[Any], int], None]] = {
    "signet": _signet,
    "simplejwt": _simplejwt,
    "knox": _knox,
    "oauth": _oauth,
}


def one_login(refreshes: int) -> dict[str, int]:
    """Log in once and refresh many times; return the number of rows and the size of the tables.

    The tables must be empty before the login.
    """
    tokens: Tokens = calls.logged_in(0, USER_AGENTS[0])
    for _ in range(refreshes):
        call = calls.wire().refresh(tokens)
        tokens = calls.wire().read(calls.json(calls.make(call), 200), tokens)
    return size()


def clear() -> dict[str, float]:
    """Run the package's command that deletes expired rows. Return its duration and peak memory."""
    commands = {"signet": "signet_clear_expired", "simplejwt": "flushexpiredtokens"}
    started = time.perf_counter()
    call_command(commands[STACK.family])
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "peak_bytes": peak(os.getpid()), "left": size()["rows"]}
