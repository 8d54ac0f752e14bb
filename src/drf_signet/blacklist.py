"""The tables of djangorestframework-simplejwt's blacklist: read, never written.

By models of our own that belong to no app, so that what is in the tables counts whoever made them:
simplejwt, a replacement of its app, or a project that has taken the app out already.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.apps import apps
from django.apps.registry import Apps
from django.conf import settings
from django.db import connections, models, router

from .database import retried

#: The label of simplejwt's app.
LABEL = "token_blacklist"


class Outstanding(models.Model):
    """A refresh token that was issued, as far as its table is needed here."""

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
    """A refresh token that was logged out, or rotated."""

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
    """Return POSIX seconds as simplejwt stores `expires_at`: in UTC, also without USE_TZ."""
    instant = datetime.fromtimestamp(seconds, UTC)
    return instant if settings.USE_TZ else instant.replace(tzinfo=None)


def as_aware(stored: datetime) -> datetime:
    """Return an `expires_at` of simplejwt's with its time zone."""
    return stored if settings.USE_TZ else stored.replace(tzinfo=UTC)


def database() -> str:
    """Return the alias of the database that the tables are in, if they are anywhere."""
    return router.db_for_write(Blacklisted)


def model() -> type[models.Model] | None:
    """Return the model of blacklisted tokens that an installed app has, simplejwt's or another's.

    What else is called by this label has other tables, and is none.
    """
    try:
        found = apps.get_model(LABEL, "BlacklistedToken")
    except LookupError:
        return None
    return found if found._meta.db_table == Blacklisted._meta.db_table else None


def exists() -> bool:
    """Whether there is a blacklist: no statement if its app is installed, else one."""
    return model() is not None or is_left_behind()


def is_left_behind() -> bool:
    """Whether the tables are there without their app: one statement if it is not installed."""
    if model() is not None:
        return False
    using = database()
    tables = retried(connections[using].introspection.table_names, using=using)
    return {one._meta.db_table for one in (Outstanding, Blacklisted)} <= set(tables)


def holds(jti: str) -> bool:
    """Whether the blacklist holds a token: one statement, and that of `exists`."""
    if "\0" in jti:  # in no row, and not to be asked for: PostgreSQL takes none in a text
        return False
    using = database()
    rows = Blacklisted._base_manager.using(using).filter(token__jti=jti)
    return exists() and retried(rows.exists, using=using)
