"""The tables of outstanding and blacklisted tokens have the history that they had."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.aliased import LABEL, alias, installed
from tests.aliased import migrated_tables as alias_tables

__all__ = ["alias", "alias_tables"]  # fixtures, here by their import

#: As simplejwt 5.5.1 has applied them.
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


def test_they_have_the_names_that_were_applied(alias):
    graph = MigrationExecutor(connection).loader.graph
    assert sorted(name for app, name in graph.nodes if app == LABEL) == NAMES


def test_there_is_nothing_left_to_make(alias, capsys):
    call_command("makemigrations", LABEL, check=True, dry_run=True)
    assert "No changes detected" in capsys.readouterr().out


def migrated(name: str) -> Any:
    """Return the rows of outstanding tokens as they are at a migration."""
    executor = MigrationExecutor(connection)
    executor.migrate([(LABEL, name)])
    executor.loader.build_graph()
    state = executor.loader.project_state((LABEL, name))
    return state.apps.get_model(LABEL, "OutstandingToken").objects


def test_ids_are_carried_over_both_ways(alias_tables, django_db_blocker):
    jti, now = uuid.uuid4(), datetime(2026, 11, 25, tzinfo=UTC)
    with django_db_blocker.unblock(), installed():
        user = get_user_model().objects.create_user("vitor")
        try:
            values = {"token": "x", "created_at": now, "expires_at": now, "user_id": user.pk}
            migrated("0002_outstandingtoken_jti_hex").create(jti=jti, **values)
            assert migrated("0003_auto_20171017_2007").get().jti_hex == jti.hex
            before = migrated("0002_outstandingtoken_jti_hex")
            assert before.get().jti == jti
            before.all().delete()
        finally:
            migrated(NAMES[-1])
            user.delete()
