"""The checks of databases and their tables."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections, router
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from ..keys import database, encryption, succession
from ..models import Session, write_database

_MIGRATE = "Run `manage.py migrate`."


@register(Tags.models)
def check_databases(**kwargs: Any) -> list[CheckMessage]:
    """Report if sessions and users are written to different databases (E006)."""
    sessions, users = write_database(), router.db_for_write(get_user_model())
    if sessions == users:
        return []
    message = f"Sessions are written to the database {sessions!r}, and users to {users!r}."
    hint = (
        "Route drf_signet to the database of the users: a refresh reads both in one statement, and "
        "the deletion of a user ends the user's sessions in one transaction."
    )
    return [Error(message, hint=hint, id="signet.E006")]


@register(Tags.database)
def check_table(*, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Report the databases in which migrations of this app have not been applied (W002)."""
    found = (_unmigrated(alias) for alias in databases or () if _holds_sessions(alias))
    return [Warning(text, hint=_MIGRATE, id="signet.W002") for text in found if text]


@register(Tags.database)
def check_signing_keys(
    *, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Report signing keys that cannot be decrypted (W025)."""
    try:
        if write_database() not in (databases or ()) or not database.is_in_use():
            return []
        used = succession.read().in_use()
    except (DatabaseError, ImproperlyConfigured):
        return []  # W002 reports a missing table, and E001 an invalid setting
    lost = [row.kid for row in used if row.private_key and not _can_decrypt(row.private_key)]
    if not lost:
        return []
    message = f"Signing keys cannot be decrypted with SECRET_KEY: {', '.join(lost)}."
    hint = (
        "Add the former SECRET_KEY to SECRET_KEY_FALLBACKS, or retire these keys: "
        f"`manage.py signet_retire_key {lost[0]} --now`."
    )
    return [Warning(message, hint=hint, id="signet.W025")]


def _can_decrypt(private_key: str) -> bool:
    try:
        return bool(encryption.decrypt(private_key))
    except ValueError:
        return False


def _holds_sessions(alias: str) -> bool:
    return bool(router.allow_migrate_model(alias, Session))


def _unmigrated(alias: str) -> str | None:
    """Describe what a database lacks. Return None if it lacks nothing or cannot be read."""
    connection, table = connections[alias], Session._meta.db_table
    try:
        tables = connection.introspection.table_names()
        # Report nothing before the first `migrate`, because that command creates the table.
        if MigrationRecorder.Migration._meta.db_table not in tables:
            return None
        applied = MigrationRecorder(connection).applied_migrations()
    except DatabaseError:
        return None  # Django itself reports that a database is unreachable
    if table not in tables:
        return f"The table {table} is not in the database {alias!r} yet."
    app = Session._meta.app_label
    pending = [name for name in _migrations(app) if (app, name) not in applied]
    names = ", ".join(pending)
    return f"Migrations of {app} are not applied to {alias!r}: {names}." if pending else None


def _migrations(app: str) -> list[str]:
    """Return the names of the app's migrations; none if MIGRATION_MODULES disables them."""
    path, _ = MigrationLoader.migrations_module(app)
    if path is None:
        return []
    names = (name for _, name, is_package in iter_modules(import_module(path).__path__))
    return sorted(name for name in names if name[0] not in "_~")
