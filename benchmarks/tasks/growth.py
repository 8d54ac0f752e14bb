"""Tables with millions of logins, and what a refresh takes beside them.

Rows are made by the server from `generate_series`; each one's id follows from its number, so that
its refresh token can be made without reading, and so warming, the row.
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

#: The instant of the first row's id, in milliseconds since 1970: some day in 2025.
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
#: Number of a session → the generation that is in force, where it was refreshed here.
_generations: dict[int, int] = {}


def fill(rows: int, *, days: float = 1) -> int:
    """Write logins that end in so many days; return the bytes of the tables then.

    Indexes but the primary key are made anew afterwards: faster, and as dense as can be.
    """
    users = list(get_user_model()._default_manager.order_by("pk"))
    values: dict[str, Any] = {
        "rows": rows, "lives": timedelta(days=days), "base": _BASE, "count": len(users),
        "users": [user.pk for user in users],
    }  # fmt: skip
    if STACK.family == "signet":
        clean: Any = import_string("drf_signet.clients.clean_user_agent")
        values |= {"agents": [clean(one) for one in USER_AGENTS], "kinds": len(USER_AGENTS)}
        stamp: Any = import_string("drf_signet.sessions.password_stamp")
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
    """Refresh sessions chosen at random; return the milliseconds of each.

    Args:
        rows: how many there are.
        among: only the first so many.
    """
    users = list(get_user_model()._default_manager.order_by("pk"))
    chosen = random.choices(range(among or rows), k=count)  # noqa: S311 - no secret
    return [_refresh(number, users) for number in chosen]


def updates() -> dict[str, int]:
    """Return how many UPDATEs of sessions there were, and how many of them in place (HOT)."""
    time.sleep(1.5)  # a backend reports its counts at most once a second
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
    response = calls.answer(view(request))
    milliseconds = (time.perf_counter() - started) * 1000
    if response.status_code == 401 and STACK.family != "signet":
        return milliseconds  # chosen twice, and blacklisted at the first time
    calls.json(response, 200)
    return milliseconds


def _signet_refresh(number: int, users: list[Any]) -> str:
    from drf_signet import runtime, sessions, tokens

    now = runtime.now()
    draft = sessions.draft(
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
    """Drop a table's indexes that enforce nothing; return how to make them again."""
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s"
        " AND NOT indexdef LIKE 'CREATE UNIQUE%%'",
        [table],
    )
    found = cursor.fetchall()
    for name, _ in found:
        cursor.execute(f'DROP INDEX "{name}"')
    return [definition for _, definition in found]
