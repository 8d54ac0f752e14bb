"""Test `drf_signet.sessions.opening`, which writes a session only if its user is unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, User
from django.db import IntegrityError, connection, models, transaction
from django.test.utils import CaptureQueriesContext, isolate_apps

from drf_signet.db.database import DbNow
from drf_signet.models import Session, Transport
from drf_signet.sessions import opening, store
from drf_signet.sessions.opening import UserCheck
from drf_signet.sessions.store import Client
from tests.support.session_states import delete_row_of

pytestmark = pytest.mark.django_db

NOW = 1_800_000_000.25
USERS = get_user_model()._default_manager


def draft(user: Any, **fields: Any) -> Session:
    given = {"id": store.new_id(NOW), "user": user, "now": NOW, "lifetime": timedelta(days=1)}
    session = store.draft(**given | fields)
    session.refreshed_at = DbNow()
    return session


def by_columns(user: Any, **columns: Any) -> UserCheck:
    """Return a check that compares columns. Its `is_unchanged` always returns False."""
    given = {"password": user.password, "is_active": user.is_active}
    return UserCheck(columns=given | columns, is_unchanged=lambda stored: False)


def in_python(*, unchanged: bool = True, users: Any = None) -> UserCheck:
    return UserCheck(columns=None, is_unchanged=lambda stored: unchanged, users=users)


@pytest.fixture
def locking(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Record the first word of each statement that locks rows.

    On SQLite, make Django add FOR UPDATE, and remove it before the statement runs.
    """
    locked: list[str] = []
    if connection.vendor == "sqlite":
        monkeypatch.setattr(connection.features, "has_select_for_update", True)

    def note(execute: Any, sql: str, *args: Any) -> Any:
        locks = sql.endswith((" FOR UPDATE", " FOR NO KEY UPDATE"))
        if locks:
            locked.append(sql.split(maxsplit=1)[0])
        if connection.vendor == "sqlite":
            sql = sql.removesuffix(" FOR UPDATE")
        return execute(sql, *args)

    with connection.execute_wrapper(note):
        yield locked


def test_session_of_an_unchanged_user_is_written_with_one_statement(
    user: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    session = draft(user)
    with django_assert_num_queries(1):
        assert opening.insert(session, by_columns(user))
    assert Session.objects.get() == session
    assert (session._state.adding, session._state.db) == (False, "default")


def test_both_ways_to_write_a_session_store_the_same_values(user: Any) -> None:
    client = Client(user_agent="curl/8 ' \" % \\ \N{SNOWMAN}", ip_address="2001:db8::1")
    fields = {"client": client, "transport": Transport.COOKIE}
    assert opening.insert(draft(user, **fields), by_columns(user))
    assert opening.insert(draft(user, **fields), in_python())
    names = {field.attname for field in Session._meta.concrete_fields} - {"id", "refreshed_at"}
    first, second = Session.objects.values(*names)
    assert first == second
    assert (first["user_agent"], first["ip_address"]) == (client.user_agent, client.ip_address)
    assert Session.objects.filter(refreshed_at__gt=DbNow() - timedelta(hours=1)).count() == 2


def test_session_can_be_changed_after_it_was_written(user: Any) -> None:
    session = draft(user)
    opening.insert(session, by_columns(user))
    session.refreshed_at = datetime.fromtimestamp(NOW, UTC)
    session.label = "the phone"
    session.save()
    assert Session.objects.get().label == "the phone"


@pytest.mark.parametrize(
    "columns", [{"password": "another"}, {"is_active": False}, {"password": None}], ids=str
)
def test_session_of_a_user_with_another_value_of_a_column_is_not_written(
    user: Any, columns: dict[str, Any]
) -> None:
    assert not opening.insert(draft(user), by_columns(user, **columns))
    assert not Session.objects.exists()


@pytest.mark.parametrize("columns", [{}, {"password": "another"}, {"is_active": False}], ids=str)
def test_session_of_a_user_without_a_row_is_not_written(user: Any, columns: Any) -> None:
    check = UserCheck(columns={"password": "", **columns}, is_unchanged=lambda stored: True)
    session = draft(user)
    delete_row_of(user)
    assert not opening.insert(session, check)
    assert not opening.insert(session, in_python())
    assert not Session.objects.exists()


def test_session_of_an_unsaved_user_is_not_written(db: None) -> None:
    user = User(username="ada")
    assert not opening.insert(draft(user), by_columns(user))
    assert not opening.insert(draft(user), in_python())


def test_column_that_the_database_does_not_compare_as_python_does_is_compared_in_python(
    user: Any,
) -> None:
    """For example, an encrypted column has one value in the database and another in Python."""
    columns = {"password": "decrypted"}
    check = UserCheck(columns=columns, is_unchanged=lambda stored: stored == user)
    assert opening.insert(draft(user), check)
    assert Session.objects.get().user == user


@pytest.mark.parametrize("unchanged", [True, False])
def test_check_in_python_gets_the_stored_user(user: Any, unchanged: bool) -> None:
    USERS.filter(pk=user.pk).update(first_name="Ada")
    seen: list[str] = []

    def is_unchanged(stored: Any) -> bool:
        seen.append(stored.first_name)
        return unchanged

    check = UserCheck(columns=None, is_unchanged=is_unchanged)
    assert opening.insert(draft(user), check) == unchanged
    assert seen == ["Ada"]
    assert Session.objects.exists() == unchanged


@pytest.mark.parametrize("hidden", [True, False])
def test_session_of_a_user_whom_the_project_hides_is_not_written(user: Any, hidden: bool) -> None:
    users = USERS.exclude(pk=user.pk) if hidden else USERS.all()
    assert opening.insert(draft(user), in_python(users=users)) != hidden
    assert Session.objects.exists() != hidden


@pytest.mark.parametrize("check", [by_columns, lambda user: in_python()], ids=["sql", "python"])
def test_writing_the_same_id_twice_is_an_integrity_error(user: Any, check: Any) -> None:
    session = draft(user)
    assert opening.insert(session, check(user))
    with pytest.raises(IntegrityError), transaction.atomic():
        opening.insert(session, check(user))


@pytest.mark.parametrize(
    ("check", "verb"),
    [(by_columns, "INSERT"), (lambda user: in_python(), "SELECT")],
    ids=["sql", "python"],
)
def test_user_is_locked_when_the_session_is_written(
    user: Any, locking: list[str], check: Any, verb: str
) -> None:
    opening._statement.cache_clear()
    try:
        assert opening.insert(draft(user), check(user))
    finally:
        opening._statement.cache_clear()
    assert locking == [verb]


def test_deletion_locks_all_users_once_before_their_sessions_end(
    make_user: Callable[..., Any], locking: list[str]
) -> None:
    users = [make_user() for _ in range(3)]
    for user in users:
        store.open(draft(user))
    with CaptureQueriesContext(connection) as captured:
        USERS.filter(pk__in=[user.pk for user in users]).delete()
    statements = [query["sql"].replace('"', "`") for query in captured.captured_queries]
    locks = [sql for sql in statements if sql.endswith("FOR UPDATE") and "auth_user" in sql]
    first_end = next(sql for sql in statements if sql.startswith("UPDATE `drf_signet_session`"))
    assert locking == ["SELECT", "SELECT"]  # locks users, then sessions
    if connection.vendor != "sqlite":  # on SQLite, `locking` removes FOR UPDATE
        assert len(locks) == 1
        assert statements.index(locks[0]) < statements.index(first_end)


def test_deletion_in_batches_locks_all_users_once(
    make_user: Callable[..., Any], locking: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection.ops, "bulk_batch_size", lambda fields, objs: 2)
    for _ in range(5):
        store.open(draft(make_user()))
    USERS.all().delete()
    assert locking == ["SELECT", "SELECT"]  # locks users, then sessions
    assert list(Session.objects.filter(end_reason="user_deleted", user=None)) == list(
        Session.objects.all()
    )


# The columns that are enough to tell whether a user is unchanged


@isolate_apps()
def test_columns_decide_only_if_they_are_all_that_the_default_rule_depends_on() -> None:
    class Always(AbstractBaseUser):
        """`is_active` is not a column. It is the class attribute of AbstractBaseUser: True."""

        class Meta:
            app_label = "accounts"

    class Renamed(AbstractBaseUser):
        password = models.CharField(db_column="secret", max_length=9)
        is_active = models.BooleanField(db_column="state", default=True)

        class Meta:
            app_label = "accounts"

    class Computed(AbstractBaseUser):
        state = models.CharField(max_length=10)

        @property
        def is_active(self) -> bool:  # type: ignore[override]
            return self.state == "active"

        class Meta:
            app_label = "accounts"

    class OwnHash(AbstractBaseUser):
        is_active = models.BooleanField(default=True)

        def get_session_auth_hash(self) -> str:
            return "of more than the password"

        class Meta:
            app_label = "accounts"

    class Elsewhere(models.Model):  # noqa: DJ008
        """This table has no password column."""

        is_active = models.BooleanField(default=True)
        get_session_auth_hash = AbstractBaseUser.get_session_auth_hash

        class Meta:
            app_label = "accounts"

    class Unrelated(models.Model):  # noqa: DJ008
        password = models.CharField(max_length=10)
        is_active = models.BooleanField(default=True)

        class Meta:
            app_label = "accounts"

    decided = {
        model.__name__: opening.deciding_columns(model)
        for model in (User, Always, Renamed, Computed, OwnHash, Elsewhere, Unrelated)
    }
    assert decided == {
        "User": ["password", "is_active"],
        "Always": ["password"],
        "Renamed": ["password", "is_active"],
        "Computed": None,
        "OwnHash": None,
        "Elsewhere": None,
        "Unrelated": None,
    }
