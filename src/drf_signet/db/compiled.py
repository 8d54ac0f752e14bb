"""Precompiled statements: their SQL is compiled once per database, and runs with new values.

Normally, Django compiles a queryset each time the queryset runs. Compiling the two statements of a
refresh takes longer than the rest of the refresh (docs/decisions/0018). Precompiling relies on
undocumented parts of Django's SQL compiler. If a release of Django changes these parts, the
statement runs as an ordinary queryset, which is slower but returns the same result.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

from django.db import Error, connections, transaction
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.sql import UpdateQuery

T = TypeVar("T", bound=Model)

logger = logging.getLogger("drf_signet")


class Slot(Expression):
    """A placeholder in a queryset for a value that is known only when the statement runs.

    Args:
        name: the name of the keyword argument that provides the value.
        field: a model field that converts the value for the database.
    """

    def __init__(self, name: str, field: Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        """Return the SQL `%s`, with this slot as the parameter until the value is known."""
        return "%s", [self]


class _Sql:
    """The SQL of one statement, and its parameters, some of which are slots."""

    def __init__(self, compiler: Any) -> None:
        self.text, parameters = compiler.as_sql()
        self._parameters = list(parameters)
        self._slots = [
            (index, slot.name, slot.output_field.get_db_prep_value)
            for index, slot in enumerate(parameters)
            if isinstance(slot, Slot)
        ]

    def fill(self, values: Mapping[str, Any], connection: Any) -> list[Any]:
        """Return the parameters for the database driver, with each slot replaced by its value."""
        parameters = self._parameters.copy()
        for index, name, prepare in self._slots:
            parameters[index] = prepare(values[name], connection)
        return parameters


class _Compiled:
    """The base class of precompiled statements, whose SQL contains slots.

    Args:
        slots: the name of each slot → a model field that converts its value.
    """

    def __init__(self, slots: Mapping[str, Field[Any, Any]]) -> None:
        self._slots = {name: Slot(name, field) for name, field in slots.items()}
        # Database alias → compiled SQL. No lock is needed: parallel compilations return equal SQL.
        self._known: dict[str, Any] = {}
        self._fits = True

    def _give_up(self, error: Exception) -> None:
        """Log a warning, and run this statement as an ordinary queryset from now on."""
        logger.warning("a statement runs uncompiled on this release of Django", exc_info=error)
        self._fits = False


class CompiledSelect(_Compiled, Generic[T]):
    """A SELECT that is compiled once per database.

    Args:
        build: returns the queryset. It is called with slots to compile the statement, and with the
            values themselves if the statement runs as an ordinary queryset.
        slots: the name of a keyword argument of `build` → a model field that converts its value.
    """

    def __init__(self, build: Callable[..., QuerySet[T]], **slots: Field[Any, Any]) -> None:
        super().__init__(slots)
        self._build = build

    def fetch(self, using: str, **values: Any) -> list[T]:
        """Run the statement and return the model instances."""
        if not self._fits:
            return list(self._build(**values).using(using))
        try:
            return self._fetch(using, values)
        except Error:
            raise
        except Exception as error:  # a new version of Django's compiler may raise any exception
            # If the compiler is not the cause, the ordinary queryset raises the exception again.
            rows = list(self._build(**values).using(using))
            self._give_up(error)
            return rows

    def _fetch(self, using: str, values: Mapping[str, Any]) -> list[T]:
        connection = connections[using]
        compiled = self._known.get(using)
        if compiled is None:
            compiler = self._build(**self._slots).query.get_compiler(using)
            sql = _Sql(compiler)
            compiler.connection = None  # each call copies the compiler and sets its own connection
            compiled = self._known[using] = compiler, sql
        shared_compiler, sql = compiled
        rendered = sql.text, sql.fill(values, connection)
        # After `as_sql`, Django only reads from a compiler, so a shallow copy is safe.
        compiler = copy.copy(shared_compiler)
        compiler.connection = connection
        compiler.as_sql = lambda: rendered
        # To fetch its rows, a QuerySet calls only the `get_compiler` method of its query.
        query: Any = SimpleNamespace(get_compiler=lambda using: compiler)
        return list(QuerySet(compiler.query.model, query=query, using=using))


class CompiledUpdate(_Compiled):
    """An UPDATE that is compiled once per database.

    Args:
        build: returns the rows to change and the new values of their fields. It is called with
            slots to compile the statement, and with the values themselves if the statement runs as
            an ordinary queryset.
        slots: the name of a keyword argument of `build` → a model field that converts its value.
    """

    def __init__(
        self,
        build: Callable[..., tuple[QuerySet[Any], Mapping[str, Any]]],
        **slots: Field[Any, Any],
    ) -> None:
        super().__init__(slots)
        self._build = build

    def run(self, using: str, **values: Any) -> int:
        """Run the statement and return the number of changed rows."""
        if not self._fits:
            return self._run_plain(using, values)
        connection = connections[using]
        try:
            sql = self._known.get(using) or self._compile(using)
            parameters = sql.fill(values, connection)
        except Exception as error:  # as in `CompiledSelect.fetch`; the UPDATE has not run yet
            changed = self._run_plain(using, values)
            self._give_up(error)
            return changed
        with transaction.mark_for_rollback_on_error(using=using), connection.cursor() as cursor:
            cursor.execute(sql.text, parameters)
            return int(cursor.rowcount)

    def _run_plain(self, using: str, values: Mapping[str, Any]) -> int:
        rows, fields = self._build(**values)
        return rows.using(using).update(**fields)

    def _compile(self, using: str) -> _Sql:
        rows, fields = self._build(**self._slots)
        query: Any = rows.query.chain(UpdateQuery)
        query.add_update_values(dict(fields))
        sql = self._known[using] = _Sql(query.get_compiler(using))
        return sql


class CompiledInsert(_Compiled):
    """An `INSERT … SELECT` that is compiled once per database.

    It inserts one row for each row of a queryset. The SELECT locks these rows, and therefore reads
    their latest committed version. SQLite needs no lock, because it allows only one writer at a
    time.

    Args:
        model: the model of the new rows.
        build: returns the queryset, and a dict that maps each field of the new row to its value. It
            is called with slots, to compile the statement.
        slots: the name of a keyword argument of `build` → a model field that converts its value.
    """

    def __init__(
        self,
        model: type[Model],
        build: Callable[..., tuple[QuerySet[Any], Mapping[Field[Any, Any], Expression]]],
        **slots: Field[Any, Any],
    ) -> None:
        super().__init__(slots)
        self._model = model
        self._build = build

    def run(self, using: str, **values: Any) -> int | None:
        """Run the statement and return the number of inserted rows.

        Return None, and insert nothing, if the statement cannot be compiled with this version of
        Django. Nothing can run instead, because querysets do not support `INSERT … SELECT`.
        """
        if not self._fits:
            return None
        connection = connections[using]
        try:
            sql = self._known.get(using) or self._compile(using)
            parameters = sql.fill(values, connection)
        except Exception as error:  # as in `CompiledSelect.fetch`; the INSERT has not run yet
            self._give_up(error)
            return None
        with transaction.mark_for_rollback_on_error(using=using), connection.cursor() as cursor:
            cursor.execute(sql.text, parameters)
            return int(cursor.rowcount)

    def _compile(self, using: str) -> _Sql:
        rows, fields = self._build(**self._slots)
        # The prefix avoids a conflict with the names of the queryset's own fields.
        new = {f"new_{field.attname}": value for field, value in fields.items()}
        sql = _Sql(rows.annotate(**new).values_list(*new).query.get_compiler(using))
        connection = connections[using]
        quote = connection.ops.quote_name
        columns = ", ".join(quote(str(field.column)) for field in fields)
        sql.text = f"INSERT INTO {quote(self._model._meta.db_table)} ({columns}) {sql.text}"
        if connection.features.has_select_for_update:
            # Do not use `select_for_update`, which Django refuses to compile outside a transaction.
            no_key = connection.features.has_select_for_no_key_update
            sql.text += f" {connection.ops.for_update_sql(no_key=no_key)}"
        self._known[using] = sql
        return sql
