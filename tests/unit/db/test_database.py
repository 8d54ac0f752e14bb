"""Tests of `drf_signet.db.database`: the database's clock, and retries after a conflict."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import (
    OperationalError,
    connection,
    transaction,
)
from django.db.models import Value
from django.utils import timezone

from drf_signet.db.database import (
    ATTEMPTS,
    DbNow,
    SecondsAgo,
    SecondsUntil,
    in_transaction,
    misses_new_rows,
    retried,
)
from drf_signet.errors import Busy
from drf_signet.models import Session
from tests.support.isolation import MISSES_NEW_ROWS, like_postgresql
from tests.support.session_states import open_session, set_row

#: The statement that sets a connection's time zone, by database vendor. SQLite always uses UTC.
SET_TIME_ZONE = {"postgresql": "SET TIME ZONE", "mysql": "SET SESSION time_zone ="}


@pytest.fixture
def _far_east(db: None) -> Iterator[None]:
    """Set the time zone of the database connection to that of Tokyo, except on SQLite."""
    if statement := SET_TIME_ZONE.get(connection.vendor):
        with connection.cursor() as cursor:
            cursor.execute(f"{statement} '+09:00'")
            yield
            cursor.execute(f"{statement} DEFAULT")
    else:
        yield


class DriverError(Exception):
    """An exception of a database driver. Each driver has its own attribute for the error code."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        vars(self).update(attributes)


def conflict(cause: Exception | None = None, *args: Any) -> OperationalError:
    error = OperationalError(*args)
    error.__cause__ = cause
    return error


def failing(times: int, error: Exception) -> Callable[[], str]:
    """Return a function that raises `error` in its first `times` calls and succeeds afterwards."""
    errors = [error] * times

    def statement() -> str:
        if errors:
            raise errors.pop()
        return "done"

    return statement


@pytest.mark.usefixtures("_far_east")
def test_db_now_is_utc_regardless_of_the_connections_time_zone(user: Any) -> None:
    session = open_session(user)
    hour, now = timedelta(hours=1), timezone.now()
    written = Session.objects.get(pk=session.pk).refreshed_at
    assert now - hour < written < now + hour
    assert Session.objects.filter(refreshed_at__gt=DbNow() - hour).exists()
    assert not Session.objects.filter(refreshed_at__gt=DbNow() + hour).exists()


def test_db_now_uses_utc_timestamp_with_microseconds_on_mysql() -> None:
    compiler = Session.objects.all().query.get_compiler("default")
    sql, parameters = DbNow().as_mysql(compiler, connection)
    assert (sql, list(parameters)) == ("UTC_TIMESTAMP(6)", [])


def test_seconds_ago_is_utc_on_mysql() -> None:
    compiler = Session.objects.all().query.get_compiler("default")
    expression = SecondsAgo(Value(5)).resolve_expression(compiler.query)
    sql, parameters = expression.as_mysql(compiler, connection)
    assert (sql, list(parameters)) == ("TIMESTAMPADD(SECOND, -(%s), UTC_TIMESTAMP(6))", [5])


def test_seconds_until_is_counted_from_utc_on_mysql() -> None:
    compiler = Session.objects.all().query.get_compiler("default")
    expression = SecondsUntil("expires_at").resolve_expression(compiler.query)
    sql, parameters = expression.as_mysql(compiler, connection)
    assert sql.startswith("(TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), ")
    assert list(parameters) == []


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(conflict(DriverError(sqlstate="40001")), id="serialization, psycopg"),
        pytest.param(conflict(DriverError(sqlstate="40P01")), id="deadlock, psycopg"),
        pytest.param(conflict(DriverError(pgcode="40001")), id="serialization, psycopg2"),
        pytest.param(conflict(None, 1213, "Deadlock found"), id="deadlock, MySQL"),
        pytest.param(conflict(None, 1020, "Record has changed"), id="changed row, MariaDB"),
        pytest.param(conflict(DriverError(sqlite_errorcode=5)), id="busy, SQLite"),
        pytest.param(conflict(DriverError(sqlite_errorcode=517)), id="busy snapshot, SQLite"),
    ],
)
def test_a_statement_is_retried_after_a_conflict(error: OperationalError) -> None:
    assert retried(failing(2, error), using="default") == "done"


def test_a_statement_raises_busy_if_every_attempt_conflicts() -> None:
    with pytest.raises(Busy):
        retried(failing(ATTEMPTS, conflict(None, 1213)), using="default")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(conflict(), id="without a code"),
        pytest.param(conflict(DriverError(sqlstate="57P01")), id="server shut down"),
        pytest.param(conflict(None, 2006, "Server has gone away"), id="server gone"),
        pytest.param(conflict(DriverError(sqlite_errorcode=11)), id="corrupt file"),
        pytest.param(ValueError("not a database error"), id="not a database error"),
    ],
)
def test_a_statement_is_not_retried_after_another_error(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        retried(failing(1, error), using="default")
    assert caught.value is error


@pytest.mark.django_db
def test_a_statement_is_not_retried_inside_a_transaction() -> None:
    """Expect Busy: the conflict rolls back the whole transaction, so only the caller can retry."""
    error = conflict(None, 1213)
    with transaction.atomic(), pytest.raises(Busy) as caught:
        retried(failing(1, error), using="default")
    assert caught.value.__cause__ is error


@pytest.mark.django_db
@pytest.mark.parametrize(("level", "misses"), MISSES_NEW_ROWS.items())
def test_only_a_transaction_above_read_committed_misses_new_rows_on_postgresql(
    level: str, misses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with like_postgresql(monkeypatch, level):
        assert misses_new_rows("default") == misses


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("level", MISSES_NEW_ROWS)
def test_isolation_level_that_sql_has_set_is_known(level: str) -> None:
    is_postgresql = connection.vendor == "postgresql"
    with transaction.atomic(), connection.cursor() as cursor:
        if is_postgresql:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        assert misses_new_rows("default") == (is_postgresql and MISSES_NEW_ROWS[level])


@pytest.mark.django_db(transaction=True)
def test_statement_outside_a_transaction_misses_no_rows(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Callable[..., Any]
) -> None:
    with like_postgresql(monkeypatch, "serializable"), django_assert_num_queries(0):
        assert not misses_new_rows("default")


@pytest.mark.django_db(transaction=True)
def test_in_transaction_is_true_only_inside_a_transaction() -> None:
    assert not in_transaction("default")
    with transaction.atomic():
        assert in_transaction("default")


def test_a_write_after_an_outdated_read_is_retried_on_sqlite(tmp_path: Path) -> None:
    """Test SQLITE_BUSY_SNAPSHOT, the error code that SQLite returns immediately in this case."""
    reader, writer = (
        sqlite3.connect(tmp_path / "file.sqlite3", isolation_level=None, timeout=0)
        for _ in range(2)
    )
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE one (number int)")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM one").fetchall()
    writer.execute("INSERT INTO one VALUES (1)")

    def statement() -> None:
        try:
            reader.execute("INSERT INTO one VALUES (2)")
        except sqlite3.OperationalError as error:
            reader.execute("ROLLBACK")
            raise OperationalError from error

    retried(statement, using="default")
    assert writer.execute("SELECT number FROM one ORDER BY number").fetchall() == [(1,), (2,)]
    reader.close()
    writer.close()


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor == "postgresql", reason="PostgreSQL stores and returns UTC")
def test_repeated_hour_at_the_end_of_summer_time_is_stored_exactly_without_use_tz(
    settings: Any, user: Any
) -> None:
    """Test the hour from 2:00 to 3:00 that occurred twice in Berlin on 2025-10-26."""
    settings.USE_TZ, settings.TIME_ZONE = False, "Europe/Berlin"
    first, second = (datetime.fromtimestamp(1_761_438_600 + n) for n in (0, 3600))  # noqa: DTZ006
    assert first.replace(fold=0) == second.replace(fold=0)
    for moment in (first, second):
        Session.objects.all().delete()
        set_row(open_session(user), refreshed_at=moment)
        assert Session.objects.get().refreshed_at.timestamp() == moment.timestamp()
