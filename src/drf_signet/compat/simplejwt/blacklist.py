"""Access to the tables of simplejwt's blacklist, which may not belong to an installed app.

The models below do not belong to an installed app. So the tables can be read regardless of which
app created them: simplejwt's own app, a replacement for it, or an app that was removed later.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.apps import apps
from django.apps.registry import Apps
from django.conf import settings
from django.db import connections, models, router
from django.utils import timezone

from drf_signet.db.database import retried
from drf_signet.models import write_database

#: The label of simplejwt's blacklist app.
LABEL = "token_blacklist"


class Outstanding(models.Model):
    """A refresh token that simplejwt issued. The model has only the fields that are read here."""

    id = models.BigAutoField(primary_key=True)
    jti = models.CharField(max_length=255, unique=True)
    token = models.TextField()
    expires_at = models.DateTimeField()

    class Meta:
        app_label = LABEL
        apps = Apps()
        db_table = "token_blacklist_outstandingtoken"
        managed = False

    def __str__(self) -> str:
        return self.jti


class Blacklisted(models.Model):
    """The blacklist row of a refresh token that was revoked by a logout or by rotation."""

    id = models.BigAutoField(primary_key=True)
    token = models.OneToOneField(Outstanding, models.DO_NOTHING, related_name="+")
    blacklisted_at = models.DateTimeField()

    class Meta:
        app_label = LABEL
        apps = Outstanding._meta.apps
        db_table = "token_blacklist_blacklistedtoken"
        managed = False

    def __str__(self) -> str:
        return str(self.pk)


def as_stored(seconds: float) -> datetime:
    """Convert POSIX seconds to a UTC datetime for `expires_at`; it is naive if USE_TZ is False."""
    utc = datetime.fromtimestamp(seconds, UTC)
    return utc if settings.USE_TZ else utc.replace(tzinfo=None)


def as_aware(stored: datetime) -> datetime:
    """Convert a stored `expires_at` to an aware datetime."""
    return stored if settings.USE_TZ else stored.replace(tzinfo=UTC)


def database() -> str:
    """Return the alias of the database that should contain the tables."""
    return router.db_for_write(Blacklisted)


def model() -> type[models.Model] | None:
    """Return the blacklist app's BlacklistedToken model, or None if the app is not installed.

    A model of this name with a different table belongs to an unrelated app, and is ignored.
    """
    try:
        installed = apps.get_model(LABEL, "BlacklistedToken")
    except LookupError:
        return None
    return installed if installed._meta.db_table == Blacklisted._meta.db_table else None


def exists() -> bool:
    """Return whether the blacklist's app is installed, or its tables exist without the app.

    Runs one statement if the app is not installed.
    """
    return model() is not None or is_left_behind()


def is_left_behind() -> bool:
    """Return whether the blacklist's tables exist although its app is not installed.

    Runs one statement if the app is not installed.
    """
    return model() is None and have_tables(Outstanding, Blacklisted, using=database())


def have_tables(*tables: type[models.Model], using: str) -> bool:
    """Return whether the tables of all given models exist. Runs one statement."""
    names = retried(connections[using].introspection.table_names, using=using)
    return {table._meta.db_table for table in tables} <= set(names)


def holds(jti: str) -> bool:
    """Return whether the blacklist contains a token with this `jti`. Runs up to two statements."""
    if "\0" in jti:  # PostgreSQL rejects queries that contain a NUL character
        return False
    using = database()
    rows = Blacklisted._base_manager.using(using).filter(token__jti=jti)
    return exists() and retried(rows.exists, using=using)


def add(jti: str, *, token: str, expires_at: float) -> None:
    """Add a token to the blacklist, if its tables exist. Safe to repeat.

    Args:
        jti: the token's id.
        token: what the row of the outstanding token keeps, if there is no row yet.
        expires_at: the time at which the token expires, in POSIX seconds.

    Raises:
        Busy: the write kept conflicting with other transactions.
    """
    if not exists():
        return
    using = database()
    tokens = Outstanding._base_manager.using(using)
    rows = Blacklisted._base_manager.using(using)
    values = {"token": token, "expires_at": as_stored(expires_at)}
    row, _ = retried(lambda: tokens.get_or_create(jti=jti, defaults=values), using=using)
    now = {"blacklisted_at": timezone.now()}
    retried(lambda: rows.get_or_create(token=row, defaults=now), using=using)


def knows(jti: str) -> bool:
    """Return whether the current tenant's own table of outstanding tokens contains this `jti`.

    Return False if this table is not in the same database and schema as the sessions. If the table
    is missing in the tenant's schema, a query would read the table in PostgreSQL's public schema,
    which other tenants may use, too.
    """
    using = database()
    if "\0" in jti or using != write_database():
        return False
    rows = Outstanding._base_manager.using(using).filter(jti=jti)
    return have_tables(Outstanding, using=using) and retried(rows.exists, using=using)
