"""The migrations: complete, reversible, and tuned where the database can be."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.state import ProjectState

from drf_signet.models import Session

initial: Any = importlib.import_module("drf_signet.migrations.0001_initial")

TABLE = Session._meta.db_table


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "drf_signet", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db(transaction=True)
def test_the_migrations_can_be_undone_and_done_again() -> None:
    call_command("migrate", "drf_signet", "zero", verbosity=0)
    assert TABLE not in connection.introspection.table_names()
    call_command("migrate", "drf_signet", verbosity=0)
    assert TABLE in connection.introspection.table_names()
    assert not Session.objects.exists()


@pytest.mark.django_db
def test_the_indexed_columns_are_those_that_a_rotation_leaves_alone() -> None:
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, TABLE).values()
    indexed = {column for one in constraints if one["index"] for column in one["columns"]}
    assert indexed | {"id"} == {"id", "user_id", "expires_at", "ended_at"}
    assert not any(one["foreign_key"] for one in constraints)


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="no other database can be told")
def test_each_page_of_the_table_has_room_for_rotations() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = %s", [TABLE])
        assert cursor.fetchone() == (["fillfactor=95"],)


def test_postgresql_is_told_to_leave_room_and_to_forget_it() -> None:
    """By Django's own dry run, which needs the driver but no server."""
    pytest.importorskip("psycopg")
    from django.db.backends.postgresql.base import DatabaseWrapper

    dry = DatabaseWrapper(connection.settings_dict).schema_editor(collect_sql=True)
    operation, state = initial.Migration.operations[-1], ProjectState()
    operation.database_forwards("drf_signet", dry, state, state)
    operation.database_backwards("drf_signet", dry, state, state)
    assert dry.collected_sql == [
        f"ALTER TABLE {TABLE} SET (fillfactor = 95);",
        f"ALTER TABLE {TABLE} RESET (fillfactor);",
    ]
