"""Test that the migrations are complete and reversible, and set the fill factor on PostgreSQL."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.test.utils import CaptureQueriesContext

import drf_signet
from drf_signet.db.database import DbNow
from drf_signet.models import Session
from drf_signet.sessions.sources import DatabaseSource

initial: Any = importlib.import_module("drf_signet.migrations.0001_initial")
index_of_ended: Any = importlib.import_module("drf_signet.migrations.0002_index_of_ended_sessions")

TABLE = Session._meta.db_table


@pytest.mark.django_db
def test_models_need_no_further_migration() -> None:
    call_command("makemigrations", "drf_signet", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db(transaction=True)
def test_migrations_can_be_reversed_and_applied_again() -> None:
    call_command("migrate", "drf_signet", "zero", verbosity=0)
    assert TABLE not in connection.introspection.table_names()
    call_command("migrate", "drf_signet", verbosity=0)
    assert TABLE in connection.introspection.table_names()
    assert not Session.objects.exists()


@pytest.mark.django_db
def test_columns_that_a_rotation_changes_have_no_index() -> None:
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, TABLE).values()
    indexes = [constraint for constraint in constraints if constraint["index"]]
    indexed = {column for index in indexes for column in index["columns"]}
    assert indexed | {"id"} == {"id", "user_id", "expires_at", "ended_at"}
    assert not any(constraint["foreign_key"] for constraint in constraints)


@pytest.mark.parametrize(
    ("vendor", "in_transaction", "expected"),
    [
        ("postgresql", False, {"concurrently": True}),
        ("postgresql", True, {}),
        ("mysql", False, {}),
        ("sqlite", False, {}),
    ],
)
def test_index_is_created_concurrently_on_postgresql_outside_a_transaction(
    vendor: str, in_transaction: bool, expected: dict[str, bool]
) -> None:
    """A package for tenants may create a schema and its tables in one transaction."""
    editor = SimpleNamespace(
        connection=SimpleNamespace(vendor=vendor, in_atomic_block=in_transaction)
    )
    assert index_of_ended._concurrently(editor) == expected


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has a fill factor")
def test_session_table_has_a_fill_factor_on_postgresql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = %s", [TABLE])
        assert cursor.fetchone() == (["fillfactor=95"],)


def test_migration_sets_the_fill_factor_and_its_reverse_resets_it() -> None:
    """Collect the SQL without running it: this needs the PostgreSQL driver, but no server."""
    pytest.importorskip("psycopg")
    from django.db.backends.postgresql.base import DatabaseWrapper

    dry_run = DatabaseWrapper(connection.settings_dict).schema_editor(collect_sql=True)
    operation, state = initial.Migration.operations[-1], ProjectState()
    operation.database_forwards("drf_signet", dry_run, state, state)
    operation.database_backwards("drf_signet", dry_run, state, state)
    assert dry_run.collected_sql == [
        f"ALTER TABLE {TABLE} SET (fillfactor = 95);",
        f"ALTER TABLE {TABLE} RESET (fillfactor);",
    ]


@pytest.mark.django_db(transaction=True)
def test_index_of_ended_sessions_replaces_the_index_of_the_field() -> None:
    def indexes_of_ended_at() -> dict[str, list[str]]:
        with connection.cursor() as cursor:
            constraints = connection.introspection.get_constraints(cursor, TABLE)
        return {
            name: constraint["columns"]
            for name, constraint in constraints.items()
            if constraint["index"] and "ended_at" in constraint["columns"]
        }

    new = {"drf_signet_ended": ["ended_at", "id"]}
    assert indexes_of_ended_at() == new
    with CaptureQueriesContext(connection) as captured:
        call_command("migrate", "drf_signet", "0001", verbosity=0)
        assert indexes_of_ended_at() == {index_of_ended.OLD: ["ended_at"]}
        call_command("migrate", "drf_signet", verbosity=0)
    assert indexes_of_ended_at() == new
    indexes = [q["sql"] for q in captured if q["sql"].startswith(("CREATE INDEX", "DROP INDEX"))]
    changes = [sql for sql in indexes if "ended" in sql]
    assert len(changes) == 4
    # On PostgreSQL, CREATE INDEX without CONCURRENTLY blocks writes until the index is complete.
    concurrent = [sql for sql in changes if "INDEX CONCURRENTLY" in sql]
    assert concurrent == (changes if connection.vendor == "postgresql" else [])


class Elsewhere:
    """A router that does not allow the migrations of drf_signet in any database."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return app_label != "drf_signet"


@pytest.mark.django_db(transaction=True)
def test_index_is_not_created_where_the_router_keeps_no_sessions(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [Elsewhere()]
    loader = MigrationLoader(None)
    before = loader.project_state(("drf_signet", "0001_initial"))
    migration = loader.graph.nodes["drf_signet", "0002_index_of_ended_sessions"]
    with (
        CaptureQueriesContext(connection) as captured,
        connection.schema_editor(atomic=False) as do,
    ):
        migration.apply(before.clone(), do)
        migration.unapply(before.clone(), do)
    assert [query["sql"] for query in captured if "INDEX" in query["sql"]] == []


@pytest.mark.django_db
def test_feed_reads_only_the_index(user: Any) -> None:
    drf_signet.issue(user)
    source = DatabaseSource(page=1)
    Session.objects.update(ended_at=DbNow(), end_reason="logout")
    with CaptureQueriesContext(connection) as captured:
        source.page_after(source.ended_within(3600).following)
    for query in captured:
        sql = query["sql"]
        rows = sql[sql.index("SELECT ended_at") : sql.index(") AS page")]
        plan = f"{PLAN[connection.vendor]} {rows}"
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET LOCAL enable_seqscan = off")
                cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute(plan.replace("%", "%%"), ())
            assert COVERED[connection.vendor] in str(cursor.fetchall())


PLAN = {"postgresql": "EXPLAIN", "sqlite": "EXPLAIN QUERY PLAN", "mysql": "EXPLAIN"}
#: Database vendor → what EXPLAIN prints for a query that reads only the index.
COVERED = {
    "postgresql": "Index Only Scan Backward using drf_signet_ended",
    "sqlite": "USING COVERING INDEX drf_signet_ended",
    "mysql": "Using where; Using index",
}
