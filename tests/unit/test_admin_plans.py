"""Test with query plans that the admin does not read the whole table of sessions.

SIGNET_ADMIN_ROWS is the number of sessions. With 1000000, the test takes minutes, and its output
(`pytest -s`) contains the time of each page.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from drf_signet.admin import SessionInline, lists
from drf_signet.models import EndReason, Session
from drf_signet.sessions import store

ROWS = int(os.environ.get("SIGNET_ADMIN_ROWS", "3000"))
SESSIONS_PER_USER = 10
BATCH = 10_000
LIST = "/admin/drf_signet/session/"
TABLE = Session._meta.db_table


@pytest.fixture
def million(db: None) -> Any:
    """Create `ROWS` sessions, a third of which have ended. Return the user of some of them."""
    model: Any = get_user_model()
    names = [f"user{number}" for number in range(ROWS // SESSIONS_PER_USER)]
    users = [model(username=name, email=f"{name}@example.com") for name in names]
    for start in range(0, len(users), BATCH):
        model.objects.bulk_create(users[start : start + BATCH])
    keys = list(model.objects.values_list("pk", flat=True))
    for start in range(0, ROWS, BATCH):
        drafts = [_draft(number, keys) for number in range(start, min(ROWS, start + BATCH))]
        with transaction.atomic():
            Session.objects.bulk_create(drafts)
    if connection.vendor != "mysql":  # ANALYZE would commit the transaction
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    return model.objects.get(username="user77")


def _draft(number: int, keys: list[Any]) -> Session:
    opened = time.time() - (ROWS - number) * 80_000 / ROWS
    user = get_user_model()(pk=keys[number % len(keys)])
    session = store.draft(
        id=store.new_id(opened), user=user, now=opened, lifetime=timedelta(days=90)
    )
    if number % 3 == 0:
        session.end_reason, session.ended_at = EndReason.LOGOUT, session.created_at
    return session


@pytest.fixture
def pages(million: Any) -> dict[str, str]:
    """Return the pages whose statements use indexes, by a name."""
    session = Session.objects.filter(user=million).first()
    assert session is not None
    return {
        "list": LIST,
        "live": f"{LIST}?state=live",
        "ended": f"{LIST}?state=ended",
        "transport": f"{LIST}?transport__exact=token",
        "username": f"{LIST}?q=user77",
        "part of a username": f"{LIST}?q=ser77",
        "part of an e-mail address": f"{LIST}?q=user77@ex",
        "nobody": f"{LIST}?q=nobody",
        "id": f"{LIST}?q={session.pk}",
        "sessions of a user": f"{LIST}?user={million.pk}",
        "session": f"{LIST}{session.pk}/change/",
        "user": f"/admin/auth/user/{million.pk}/change/",
        "confirmation for a user": f"{LIST}end-all/?user={million.pk}",
    }


@pytest.fixture
def full_scans(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that returns the statements of a page that read all sessions."""
    # More than a page: otherwise, Django's list assumes that the counted rows are all rows.
    monkeypatch.setattr(lists, "MAX_COUNT", min(lists.MAX_COUNT, max(ROWS // 50, 250)))
    monkeypatch.setattr(UserAdmin, "inlines", [SessionInline])

    def find(name: str, url: str) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            began = time.perf_counter()
            assert admin_client.get(url).status_code == 200
            print(f"{name}: {1000 * (time.perf_counter() - began):.0f} ms")
        selects = [query["sql"] for query in captured if f"{TABLE}" in query["sql"]]
        assert selects or name == "nobody"
        return [sql for sql in selects if any(map(_reads_all, _plan(sql)))]

    return find


def _plan(sql: str) -> Iterator[str]:
    """Yield the steps of a statement's plan."""
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        cursor.execute(f"{explain} {sql.replace('%', '%%')}")
        for row in cursor.fetchall():
            yield " ".join(map(str, row))


def _reads_all(step: str) -> bool:
    if connection.vendor == "sqlite":
        return step.endswith(f"SCAN {TABLE}")  # the plan of an index scan ends with the index
    if connection.vendor == "mysql":
        return re.search(rf" {TABLE} (None )?ALL ", step) is not None
    return f"Seq Scan on {TABLE}" in step


def test_no_page_of_the_admin_reads_all_sessions(full_scans: Any, pages: dict[str, str]) -> None:
    found = {name: full_scans(name, url) for name, url in pages.items()}
    assert {name: scans for name, scans in found.items() if scans} == {}


def test_plans_of_full_scans_are_recognized(million: Any) -> None:
    rows = Session.objects.filter(ip_address="192.0.2.1").order_by("user_agent")
    with CaptureQueriesContext(connection) as captured:
        list(rows)
    steps = list(_plan(captured[0]["sql"]))
    assert any(map(_reads_all, steps)), steps
