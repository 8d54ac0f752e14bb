"""Statements that Django puts together once per database, and then runs with other values.

A queryset is compiled each time it runs. For the two statements of a refresh that cost more than
everything else in it together (docs/decisions/0018).
"""

from __future__ import annotations

import abc
import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from django.db import connections, transaction
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.sql import UpdateQuery

T = TypeVar("T", bound=Model)


class Slot(Expression):
    """Stands in a queryset for a value that is known only when the statement runs.

    Args:
        name: the keyword that brings the value.
        field: a field of the value's type, which prepares it for the database.
    """

    def __init__(self, name: str, field: Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        """Render as a placeholder, whose parameter is this slot until there is a value."""
        return "%s", [self]

    def prepare(self, values: Mapping[str, Any], connection: Any) -> Any:
        """Return its value as the database's driver takes it."""
        return self.output_field.get_db_prep_value(values[self.name], connection)


class _Statement:
    """SQL with slots among its parameters, and the compiler that made it."""

    def __init__(self, compiler: Any) -> None:
        self.compiler = compiler
        self.sql, self._parameters = compiler.as_sql()

    def fill(self, values: Mapping[str, Any], connection: Any) -> Sequence[Any]:
        return tuple(
            parameter.prepare(values, connection) if isinstance(parameter, Slot) else parameter
            for parameter in self._parameters
        )


class _Compiled(abc.ABC):
    def __init__(self) -> None:
        # Per alias; threads may compile the same one at once, with the same result.
        self._statements: dict[str, _Statement] = {}

    def _statement(self, using: str) -> _Statement:
        if using not in self._statements:
            self._statements[using] = _Statement(self._compiler(using))
        return self._statements[using]

    @abc.abstractmethod
    def _compiler(self, using: str) -> Any:
        """Return a compiler that has not rendered yet."""


class CompiledSelect(_Compiled, Generic[T]):
    """A queryset that is put together once per database.

    Args:
        build: returns it, with a `Slot` for each value that differs from one run to the next.
    """

    def __init__(self, build: Callable[[], QuerySet[T]]) -> None:
        super().__init__()
        self._build = build

    def fetch(self, using: str, **values: Any) -> list[T]:
        """Run it and return its objects: one SELECT."""
        connection = connections[using]
        statement = self._statement(using)
        # Once it has rendered, a compiler is only read, but for its connection: a thread's own.
        compiler = copy.copy(statement.compiler)
        compiler.connection = connection
        known = statement.sql, statement.fill(values, connection)
        compiler.as_sql = lambda: known
        query: Any = _Rendered(compiler)
        return list(QuerySet(compiler.query.model, query=query, using=using))

    def _compiler(self, using: str) -> Any:
        return self._build().query.get_compiler(using)


class _Rendered:
    """What the iterables of a QuerySet ask of its query, when the SQL is there already."""

    def __init__(self, compiler: Any) -> None:
        self._compiler = compiler

    def get_compiler(self, using: str) -> Any:
        return self._compiler


class CompiledUpdate(_Compiled):
    """An UPDATE that is put together once per database.

    Args:
        build: returns the rows that it is for, and the values that their fields take; either with
            a `Slot` for each value that differs from one run to the next.
    """

    def __init__(self, build: Callable[[], tuple[QuerySet[Any], Mapping[str, Any]]]) -> None:
        super().__init__()
        self._build = build

    def run(self, using: str, **values: Any) -> int:
        """Run it and return how many rows it was for: one UPDATE."""
        connection = connections[using]
        statement = self._statement(using)
        parameters = statement.fill(values, connection)
        with transaction.mark_for_rollback_on_error(using=using), connection.cursor() as cursor:
            cursor.execute(statement.sql, parameters)
            return int(cursor.rowcount)

    def _compiler(self, using: str) -> Any:
        rows, fields = self._build()
        query: Any = rows.query.chain(UpdateQuery)
        query.add_update_values(dict(fields))
        return query.get_compiler(using)
