"""The tables of outstanding and blacklisted tokens have the history that they had."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.aliased import LABEL, alias, alias_tables, installed

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


@pytest.mark.django_db(transaction=True)
def test_ids_are_carried_over_both_ways(alias_tables):
    def rows(name: str) -> object:
        executor = MigrationExecutor(connection)
        executor.migrate([(LABEL, name)])
        executor.loader.build_graph()
        state = executor.loader.project_state((LABEL, name))
        return state.apps.get_model(LABEL, "OutstandingToken").objects

    jti, now = uuid.uuid4(), datetime(2026, 11, 25, tzinfo=UTC)
    with installed():
        rows("0002_outstandingtoken_jti_hex")
        found = rows("0002_outstandingtoken_jti_hex")
        from django.contrib.auth import get_user_model

        user = get_user_model().objects.create_user("vitor")
        values = {"token": "x", "created_at": now, "expires_at": now, "user_id": user.pk}
        found.create(jti=jti, **values)  # type: ignore[attr-defined]
        assert rows("0003_auto_20171017_2007").get().jti_hex == jti.hex  # type: ignore[attr-defined]
        before = rows("0002_outstandingtoken_jti_hex")
        assert before.get().jti == jti  # type: ignore[attr-defined]
        before.all().delete()  # type: ignore[attr-defined]
        rows(NAMES[-1])
