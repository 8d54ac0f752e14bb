"""Tests of `drf_signet.db.compiled`: SQL statements that are compiled once and run many times."""

from __future__ import annotations

import gc
from datetime import timedelta
from types import FunctionType, ModuleType
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, DurationField, Expression, IntegerField
from django.db.models.sql.compiler import SQLCompiler, SQLUpdateCompiler

from drf_signet.db.compiled import CompiledInsert, CompiledSelect, CompiledUpdate
from drf_signet.db.database import DbNow

pytestmark = pytest.mark.django_db

User = get_user_model()


def by_name(*, name: Any) -> Any:
    return User._default_manager.filter(username=name)


def renaming(*, pk: Any, name: Any) -> Any:
    return User._default_manager.filter(pk=pk), {"username": name}


def new_select() -> CompiledSelect[Any]:
    return CompiledSelect(by_name, name=CharField())


def new_update() -> CompiledUpdate:
    return CompiledUpdate(renaming, pk=IntegerField(), name=CharField())


def grouping(*, username: Any, name: Any) -> Any:
    fields: Any = {Group._meta.get_field("name"): name}
    return User._default_manager.filter(username=username), fields


def new_insert() -> CompiledInsert:
    return CompiledInsert(Group, grouping, username=CharField(), name=CharField())


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list that records the SQL compiler of each compilation during the test."""
    compilers: list[Any] = []
    render = SQLCompiler.as_sql

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        compilers.append(self)
        return render(self, *args, **kwargs)

    monkeypatch.setattr(SQLCompiler, "as_sql", counted)
    return compilers


def test_a_compiled_select_fetches_the_rows_of_each_value(
    make_user: Any, compilations: list[Any]
) -> None:
    users, select = [make_user(), make_user()], new_select()
    for user in users:
        assert select.fetch("default", name=user.username) == [user]
    assert select.fetch("default", name="' OR 1=1 --") == []
    assert len(compilations) == 1


def test_a_compiled_update_returns_the_number_of_matched_rows(make_user: Any) -> None:
    user, update = make_user(), new_update()
    assert update.run("default", pk=user.pk, name="one") == 1
    assert update.run("default", pk=user.pk, name="two") == 1
    assert update.run("default", pk=user.pk + 1, name="three") == 0
    user.refresh_from_db()
    assert user.username == "two"


def test_a_compiled_insert_inserts_a_row_if_the_queryset_has_one(
    make_user: Any, compilations: list[Any]
) -> None:
    user, insert = make_user(), new_insert()
    assert insert.run("default", username=user.username, name="one") == 1
    assert insert.run("default", username=user.username, name="two %s 'x'") == 1
    assert insert.run("default", username="nobody", name="three") == 0
    names = Group._default_manager.order_by("pk").values_list("name", flat=True)
    assert list(names) == ["one", "two %s 'x'"]
    assert len([one for one in compilations if one.query.model is User]) == 1


def test_a_missing_value_raises_a_type_error(make_user: Any) -> None:
    with pytest.raises(TypeError, match="name"):
        new_select().fetch("default")


def test_each_run_uses_the_connection_of_its_thread(make_user: Any) -> None:
    class Refused(Exception):
        pass

    def refuse() -> None:
        raise Refused

    select, first = new_select(), connections["default"]
    assert select.fetch("default", name=make_user().username)
    another: Any = first.copy()
    another.cursor = refuse
    connections["default"] = another  # as in another thread, which has its own connection
    try:
        with pytest.raises(Refused):
            select.fetch("default", name="anybody")
    finally:
        connections["default"] = first


def test_a_failed_update_breaks_the_callers_transaction(make_user: Any) -> None:
    taken, user = make_user(), make_user()
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        new_update().run("default", pk=user.pk, name=taken.username)
    assert connection.needs_rollback
    connection.set_rollback(False)


def test_a_failed_insert_breaks_the_callers_transaction(make_user: Any) -> None:
    user, insert = make_user(), new_insert()
    insert.run("default", username=user.username, name="one")
    with pytest.raises(IntegrityError):
        insert.run("default", username=user.username, name="one")
    assert connection.needs_rollback
    connection.set_rollback(False)


def test_values_are_prepared_for_the_database_driver() -> None:
    def spans(*, span: Any) -> Any:
        return User._default_manager.filter(last_login__gt=DbNow() - span)

    select = CompiledSelect(spans, span=DurationField())
    assert select.fetch("default", span=timedelta(seconds=2)) == []


def test_a_compiled_statement_keeps_no_connection(make_user: Any) -> None:
    select, update, insert = new_select(), new_update(), new_insert()
    select.fetch("default", name=make_user().username)
    update.run("default", pk=0, name="nobody")
    insert.run("default", username="nobody", name="one")
    seen: dict[int, Any] = {}
    todo = [*select._known.values(), *update._known.values(), *insert._known.values()]
    while todo:
        one = todo.pop()
        if id(one) not in seen and not isinstance(one, type | FunctionType | ModuleType):
            seen[id(one)] = one
            todo += gc.get_referents(one)
    assert not [one for one in seen.values() if isinstance(one, BaseDatabaseWrapper)]


def only_values(render: Any) -> Any:
    def as_sql(self: Any, *args: Any, **kwargs: Any) -> Any:
        sql, parameters = render(self, *args, **kwargs)
        if any(isinstance(one, Expression) for one in parameters):
            raise TypeError("a parameter is not a value")
        return sql, parameters

    return as_sql


class TestDjangoWithAnotherCompiler:
    @pytest.fixture(autouse=True)
    def _changed_compilers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make Django's compilers refuse placeholders, as a later Django release may do."""
        for compiler in (SQLCompiler, SQLUpdateCompiler):
            monkeypatch.setattr(compiler, "as_sql", only_values(compiler.as_sql))

    def test_statements_run_as_plain_querysets(self, make_user: Any) -> None:
        user, select, update = make_user(), new_select(), new_update()
        for name in ("one", "two"):
            assert update.run("default", pk=user.pk, name=name) == 1
            assert select.fetch("default", name=name) == [user]
        assert update.run("default", pk=user.pk + 1, name="three") == 0

    def test_an_insert_inserts_nothing_and_returns_none(self, make_user: Any, caplog: Any) -> None:
        user, insert = make_user(), new_insert()
        for _ in range(2):
            assert insert.run("default", username=user.username, name="one") is None
        assert not Group._default_manager.exists()
        messages = [one.message for one in caplog.records if one.name == "drf_signet"]
        assert messages == ["a statement runs uncompiled on this release of Django"]

    def test_each_statement_logs_its_fallback_once(self, make_user: Any, caplog: Any) -> None:
        user, select, update = make_user(), new_select(), new_update()
        for _ in range(3):
            select.fetch("default", name=user.username)
            update.run("default", pk=user.pk, name=user.username)
        messages = [one.message for one in caplog.records if one.name == "drf_signet"]
        assert messages == ["a statement runs uncompiled on this release of Django"] * 2

    def test_a_statement_is_not_compiled_again_after_its_fallback(self, make_user: Any) -> None:
        user, builds = make_user(), []

        def rename(*, pk: Any, name: Any) -> Any:
            builds.append(pk)
            return renaming(pk=pk, name=name)

        update = CompiledUpdate(rename, pk=IntegerField(), name=CharField())
        # The queryset is built twice: with placeholders, then with values.
        update.run("default", pk=user.pk, name="one")
        builds.clear()
        assert update.run("default", pk=user.pk, name="two") == 1
        assert builds == [user.pk]
