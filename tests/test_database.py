"""`drf_signet.database`: the database's clock, and another try after a conflict."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from drf_signet.database import ATTEMPTS, DbNow, in_transaction, retried
from drf_signet.errors import Busy
from drf_signet.models import Session
from tests.situations import open_session

#: How a connection is told its time zone; SQLite knows UTC alone.
SET_TIME_ZONE = {"postgresql": "SET TIME ZONE", "mysql": "SET SESSION time_zone ="}


@pytest.fixture
def _far_east(db: None) -> Iterator[None]:
    """Let the database believe that it is in Tokyo."""
    if statement := SET_TIME_ZONE.get(connection.vendor):
        with connection.cursor() as cursor:
            cursor.execute(f"{statement} '+09:00'")
            yield
            cursor.execute(f"{statement} DEFAULT")
    else:
        yield


class DriverError(Exception):
    """What a driver raises, with its code in the attribute where that driver has it."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        vars(self).update(attributes)


def conflict(cause: Exception | None = None, *args: Any) -> OperationalError:
    error = OperationalError(*args)
    error.__cause__ = cause
    return error


def failing(times: int, error: Exception) -> Callable[[], str]:
    """Return a statement that fails so often before it succeeds."""
    left = [error] * times

    def statement() -> str:
        if left:
            raise left.pop()
        return "done"

    return statement


@pytest.mark.usefixtures("_far_east")
def test_db_now_is_utc_whatever_the_time_zone_of_the_connection(user: Any) -> None:
    session = open_session(user)
    hour, now = timedelta(hours=1), timezone.now()
    written = Session.objects.get(pk=session.pk).refreshed_at
    assert now - hour < written < now + hour
    assert Session.objects.filter(refreshed_at__gt=DbNow() - hour).exists()
    assert not Session.objects.filter(refreshed_at__gt=DbNow() + hour).exists()


def test_db_now_asks_mysql_for_utc_with_microseconds() -> None:
    compiler = Session.objects.all().query.get_compiler("default")
    sql, parameters = DbNow().as_mysql(compiler, connection)
    assert (sql, list(parameters)) == ("UTC_TIMESTAMP(6)", [])


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
def test_a_statement_is_tried_again_after_a_conflict(error: OperationalError) -> None:
    assert retried(failing(2, error), using="default") == "done"


def test_a_statement_gives_up_when_the_conflicts_do_not_end() -> None:
    with pytest.raises(Busy):
        retried(failing(ATTEMPTS, conflict(None, 1213)), using="default")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(conflict(), id="without a code"),
        pytest.param(conflict(DriverError(sqlstate="57P01")), id="server shut down"),
        pytest.param(conflict(None, 2006, "Server has gone away"), id="server gone"),
        pytest.param(conflict(DriverError(sqlite_errorcode=11)), id="corrupt file"),
        pytest.param(ValueError("no error of a database"), id="no error of a database"),
    ],
)
def test_a_statement_is_tried_once_when_its_error_is_no_conflict(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        retried(failing(1, error), using="default")
    assert caught.value is error


@pytest.mark.django_db
def test_a_statement_is_tried_once_inside_a_transaction() -> None:
    """A conflict there has undone what came before; only the transaction can be tried again."""
    error = conflict(None, 1213)
    with transaction.atomic(), pytest.raises(Busy) as caught:
        retried(failing(1, error), using="default")
    assert caught.value.__cause__ is error


@pytest.mark.django_db(transaction=True)
def test_in_transaction_is_true_inside_a_transaction_alone() -> None:
    assert not in_transaction("default")
    with transaction.atomic():
        assert in_transaction("default")


def test_a_write_upon_an_outdated_read_is_a_conflict_for_sqlite(tmp_path: Path) -> None:
    """SQLite says so by an extended code (SQLITE_BUSY_SNAPSHOT), and at once."""
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
