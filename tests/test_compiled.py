"""Statements that are put together once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.db.models import CharField, DurationField, IntegerField
from django.db.models.sql.compiler import SQLCompiler

from drf_signet.compiled import CompiledSelect, CompiledUpdate, Slot

pytestmark = pytest.mark.django_db

User = get_user_model()


def by_name() -> Any:
    return User._default_manager.filter(username=Slot("name", CharField()))


def renaming() -> Any:
    rows = User._default_manager.filter(pk=Slot("pk", IntegerField()))
    return rows, {"username": Slot("name", CharField())}


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The compilers that rendered."""
    seen: list[Any] = []
    render = SQLCompiler.as_sql

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(self)
        return render(self, *args, **kwargs)

    monkeypatch.setattr(SQLCompiler, "as_sql", counted)
    return seen


def test_a_select_finds_the_rows_of_each_value(make_user: Any, compilations: list[Any]) -> None:
    users, select = [make_user(), make_user()], CompiledSelect(by_name)
    for user in users:
        assert select.fetch("default", name=user.username) == [user]
    assert select.fetch("default", name="' OR 1=1 --") == []
    assert len(compilations) == 1


def test_an_update_says_how_many_rows_it_was_for(make_user: Any) -> None:
    user, update = make_user(), CompiledUpdate(renaming)
    assert update.run("default", pk=user.pk, name="one") == 1
    assert update.run("default", pk=user.pk, name="two") == 1
    assert update.run("default", pk=user.pk + 1, name="three") == 0
    user.refresh_from_db()
    assert user.username == "two"


def test_a_value_that_is_missing_is_an_error(make_user: Any) -> None:
    with pytest.raises(KeyError, match="name"):
        CompiledSelect(by_name).fetch("default")


def test_each_run_asks_over_the_connection_of_its_thread(make_user: Any) -> None:
    class Refused(Exception):
        pass

    def refuse() -> None:
        raise Refused

    select, first = CompiledSelect(by_name), connections["default"]
    assert select.fetch("default", name=make_user().username)
    another: Any = first.copy()
    another.cursor = refuse
    connections["default"] = another  # as the first use in another thread does
    try:
        with pytest.raises(Refused):
            select.fetch("default", name="anybody")
    finally:
        connections["default"] = first


def test_a_failed_update_breaks_the_callers_transaction(make_user: Any) -> None:
    taken, user = make_user(), make_user()
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        CompiledUpdate(renaming).run("default", pk=user.pk, name=taken.username)
    assert connection.needs_rollback
    connection.set_rollback(False)


def test_a_slot_takes_values_as_the_driver_does() -> None:
    slot = Slot("span", DurationField())
    prepared = slot.prepare({"span": timedelta(seconds=2)}, connection)
    assert prepared == DurationField().get_db_prep_value(timedelta(seconds=2), connection)
