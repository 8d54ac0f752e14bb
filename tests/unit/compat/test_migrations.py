"""Test that the alias's migrations continue the migration history of simplejwt."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.support.simplejwt_alias import LABEL, alias, installed
from tests.support.simplejwt_alias import migrated_tables as alias_tables

__all__ = ["alias", "alias_tables"]  # fixtures, imported so that pytest finds them

#: The migrations of simplejwt 5.5.1.
NAMES = [
    "0001_initial",
    "0002_outstandingtoken_jti_hex",
    "0003_auto_20171017_2007",
    "0004_auto_20171017_2013",
    "0005_remove_outstandingtoken_jti",
    "0006_auto_20171017_2113",
    "0007_auto_20171017_2214",
    "0008_migrate_to_bigautofield",
    "0010_fix_migrate_to_bigautofield",
    "0011_linearizes_history",
    "0012_alter_outstandingtoken_user",
    "0013_alter_blacklistedtoken_options_and_more",
]


def test_migrations_have_the_same_names_as_in_simplejwt(alias):
    graph = MigrationExecutor(connection).loader.graph
    assert sorted(name for app, name in graph.nodes if app == LABEL) == NAMES


def test_models_need_no_further_migration(alias, capsys):
    call_command("makemigrations", LABEL, check=True, dry_run=True)
    assert "No changes detected" in capsys.readouterr().out


def migrate_to(name: str) -> Any:
    """Migrate to this migration; return the manager of its OutstandingToken model."""
    executor = MigrationExecutor(connection)
    executor.migrate([(LABEL, name)])
    executor.loader.build_graph()
    state = executor.loader.project_state((LABEL, name))
    return state.apps.get_model(LABEL, "OutstandingToken").objects


def test_migration_of_jti_to_hex_keeps_the_ids_in_both_directions(alias_tables, django_db_blocker):
    jti, now = uuid.uuid4(), datetime(2026, 11, 25, tzinfo=UTC)
    with django_db_blocker.unblock(), installed():
        user = get_user_model().objects.create_user("vitor")
        try:
            values = {"token": "x", "created_at": now, "expires_at": now, "user_id": user.pk}
            migrate_to("0002_outstandingtoken_jti_hex").create(jti=jti, **values)
            assert migrate_to("0003_auto_20171017_2007").get().jti_hex == jti.hex
            tokens = migrate_to("0002_outstandingtoken_jti_hex")
            assert tokens.get().jti == jti
            tokens.all().delete()
        finally:
            migrate_to(NAMES[-1])
            user.delete()
