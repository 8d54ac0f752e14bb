"""Fill tables with millions of logins, and measure how long refreshes take.

PostgreSQL generates the rows with `generate_series`. The id of a row is computed from its number,
so a task can create the refresh token without reading the row. Reading the row would put it into
PostgreSQL's cache.
"""

from __future__ import annotations

import hashlib
import random
import time
import uuid
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.utils.module_loading import import_string

from benchmarks.project.settings import STACK
from benchmarks.tasks import calls
from benchmarks.tasks.rows import USER_AGENTS
from benchmarks.wire import Tokens

#: The id of a session begins with a timestamp (UUIDv7). This is the timestamp in the id of the
#: first row, in milliseconds since 1970.
_BASE = 1_750_000_000_000

_SIGNET = """
    INSERT INTO drf_signet_session (
        id, user_id, generation, created_at, auth_time, refreshed_at, expires_at, end_reason,
        ended_at, password_stamp, transport, user_agent, ip_address, label)
    SELECT
        (lpad(to_hex(%(base)s + n / 10), 12, '0') || '7' || substr(h, 1, 3)
            || '8' || substr(h, 4, 15))::uuid,
        u.id, 0, now() - interval '1 hour', now() - interval '1 hour', now() - interval '1 hour',
        now() + %(lives)s, '', NULL, u.stamp, 'token',
        (%(agents)s::text[])[1 + n %% %(kinds)s],
        ('10.' || n %% 250 || '.' || n / 250 %% 250 || '.1')::inet, ''
    FROM generate_series(0, %(rows)s - 1) AS n
    CROSS JOIN LATERAL (SELECT md5(n::text) AS h) AS hashed
    JOIN unnest(%(users)s::bigint[], %(stamps)s::text[]) WITH ORDINALITY AS u(id, stamp, at)
        ON u.at = 1 + n %% %(count)s
"""
_SIMPLEJWT = """
    INSERT INTO token_blacklist_outstandingtoken (user_id, jti, token, created_at, expires_at)
    SELECT (%(users)s::bigint[])[1 + n %% %(count)s], md5(n::text), %(token)s,
        now() - interval '1 hour', now() + %(lives)s
    FROM generate_series(0, %(rows)s - 1) AS n
"""
#: Number of a session → its current generation, for sessions that this process has refreshed.
_generations: dict[int, int] = {}


def fill(rows: int, *, days: float = 1) -> int:
    """Insert logins that expire in `days` days; return the size of the tables in bytes.

    Drop all non-unique indexes before the INSERT, and create them again afterwards. This is faster,
    and the new indexes have no bloat.
    """
    users = list(get_user_model()._default_manager.order_by("pk"))
    values: dict[str, Any] = {
        "rows": rows, "lives": timedelta(days=days), "base": _BASE, "count": len(users),
        "users": [user.pk for user in users],
    }  # fmt: skip
    if STACK.family == "signet":
        clean: Any = import_string("drf_signet.transports.clients.clean_user_agent")
        values |= {
            "agents": [clean(user_agent) for user_agent in USER_AGENTS],
            "kinds": len(USER_AGENTS),
        }
        stamp: Any = import_string("drf_signet.sessions.stamps.password_stamp")
        sql, values["stamps"] = _SIGNET, [stamp(user) for user in users]
    else:
        sql, values["token"] = _SIMPLEJWT, _simplejwt_refresh(0, users)
    with connection.cursor() as cursor:
        indexes = _drop_indexes(cursor, STACK.tables[0])
        cursor.execute(sql, values)
        for definition in indexes:
            cursor.execute(definition)
        cursor.execute(f"VACUUM ANALYZE {STACK.tables[0]}")
        cursor.execute("CHECKPOINT")
        cursor.execute("SELECT sum(pg_total_relation_size(t)) FROM unnest(%s::regclass[]) AS t",
                       [list(STACK.tables)])  # fmt: skip
        return int(cursor.fetchone()[0])


def refreshes(rows: int, count: int, *, among: int | None = None) -> list[float]:
    """Refresh random sessions, and return how many milliseconds each refresh took.

    Args:
        rows: the number of sessions in the table.
        count: the number of refreshes.
        among: choose only from the first `among` sessions.
    """
    users = list(get_user_model()._default_manager.order_by("pk"))
    chosen = random.choices(range(among or rows), k=count)  # noqa: S311 - no secret
    return [_refresh(number, users) for number in chosen]


def updates() -> dict[str, int]:
    """Count the row updates in the table, and the HOT (heap-only tuple) updates among them."""
    # PostgreSQL updates these counts at most once a second per connection.
    time.sleep(1.5)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = %s",
            [STACK.tables[0]],
        )
        every, hot = cursor.fetchone()
    return {"every": every, "hot": hot}


def _refresh(number: int, users: list[Any]) -> float:
    mint = _signet_refresh if STACK.family == "signet" else _simplejwt_refresh
    call = calls.wire().refresh(Tokens(access="", refresh=mint(number, users)))
    request, view = calls.request(call), calls.view(call.path)
    started = time.perf_counter()
    response = calls.render(view(request))
    milliseconds = (time.perf_counter() - started) * 1000
    if response.status_code == 401 and STACK.family != "signet":
        return milliseconds  # the session was chosen before, so its token is blacklisted
    calls.json(response, 200)
    return milliseconds


def _signet_refresh(number: int, users: list[Any]) -> str:
    from drf_signet import runtime, tokens
    from drf_signet.sessions import store

    now = runtime.now()
    draft = store.draft(
        id=_session_id(number),
        user=users[number % len(users)],
        now=now,
        lifetime=timedelta(days=1),
    )
    generation = _generations.get(number, 0)
    _generations[number] = generation + 1
    return tokens.mint_pair(draft, generation, now=now).refresh or ""


def _session_id(number: int) -> uuid.UUID:
    hashed = hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()
    return uuid.UUID(f"{_BASE + number // 10:012x}7{hashed[:3]}8{hashed[3:18]}")


def _simplejwt_refresh(number: int, users: list[Any]) -> str:
    token = import_string("rest_framework_simplejwt.tokens.RefreshToken")()
    token["user_id"] = str(users[number % len(users)].pk)
    token["jti"] = hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()
    return str(token)


def _drop_indexes(cursor: Any, table: str) -> list[str]:
    """Drop a table's non-unique indexes. Return the statements that create them again."""
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s"
        " AND NOT indexdef LIKE 'CREATE UNIQUE%%'",
        [table],
    )
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    return [definition for _, definition in indexes]
