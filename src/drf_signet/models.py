"""The one table: a `Session` row is a login. Tokens are statements about it and are not stored."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models, router
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from . import conf
from .database import DbNow

if not apps.is_installed("drf_signet"):
    raise ImproperlyConfigured(
        "(signet.E003) Add 'drf_signet' to INSTALLED_APPS and run `manage.py migrate`."
    )

#: Longest user agent that is kept, in characters.
USER_AGENT_LENGTH = 160


class EndReason(models.TextChoices):
    """Why a session ended. The empty text, which is no member, means that it is alive."""

    LOGOUT = "logout", _("logged out")
    LOGOUT_ALL = "logout_all", _("logged out everywhere")
    ENDED_BY_USER = "ended_by_user", _("ended by the user")
    ENDED_BY_ADMIN = "ended_by_admin", _("ended by an administrator")
    REUSE = "reuse", _("a rotated refresh token was reused")
    PASSWORD_CHANGED = "password_changed", _("the password was changed")
    USER_INACTIVE = "user_inactive", _("the user was deactivated")
    USER_DELETED = "user_deleted", _("the user was deleted")
    EVICTED = "evicted", _("too many sessions")


class Transport(models.TextChoices):
    """How the refresh token travels."""

    TOKEN = "token", _("in a JSON body")
    COOKIE = "cookie", _("in a cookie")


def END_SESSIONS(collector: Any, field: Any, sub_objs: Any, using: str) -> None:  # noqa: N802
    """`on_delete`: end the user's sessions, forget what identified the user, keep the rows.

    A constant number of UPDATEs, whether one user or a queryset is deleted.
    """
    alive = sub_objs.filter(end_reason="")
    collector.add_field_update(_field(field, "ended_at"), DbNow(), alive)
    collector.add_field_update(_field(field, "end_reason"), EndReason.USER_DELETED.value, alive)
    for name in ("user_agent", "label"):
        collector.add_field_update(_field(field, name), "", sub_objs)
    collector.add_field_update(_field(field, "ip_address"), None, sub_objs)
    collector.add_field_update(field, None, sub_objs)  # last: it is how the others find their rows


END_SESSIONS.lazy_sub_objs = True  # type: ignore[attr-defined]  # Django's name: nothing is fetched


def _field(sibling: Any, name: str) -> Any:
    return sibling.model._meta.get_field(name)


class SessionQuerySet(models.QuerySet["Session"]):
    """Sessions, with the one question that is asked everywhere."""

    def live(self) -> SessionQuerySet:
        """Return the sessions that can still be refreshed.

        Not ended, not past their absolute end, and not idle for longer than a refresh token lives
        by the settings of today.
        """
        used = models.Q()
        for transport in Transport:
            idle_since = DbNow() - conf.current().idle_lifetime(transport)
            used |= models.Q(transport=transport, refreshed_at__gt=idle_since)
        return self.filter(used, end_reason="", expires_at__gt=timezone.now())


class Session(models.Model):
    """One login of one user on one client.

    `generation` counts rotations: the refresh token in force is (id, generation). `refreshed_at`
    and `ended_at` are written and compared with the database's clock, everything else with the
    application's. "Alive" is an empty `end_reason`; `ended_at` decides nothing.
    """

    # In the order of the columns: what PostgreSQL aligns stands together, what varies comes last.
    id = models.UUIDField(primary_key=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        db_constraint=False,
        on_delete=END_SESSIONS,
        related_name="signet_sessions",
        verbose_name=_("user"),
    )
    created_at = models.DateTimeField(_("created at"))
    auth_time = models.DateTimeField(_("authenticated at"))
    refreshed_at = models.DateTimeField(_("last refreshed at"))
    expires_at = models.DateTimeField(_("expires at"), db_index=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True, db_index=True)
    generation = models.IntegerField(_("generation"), default=0)
    end_reason = models.CharField(
        _("end reason"), max_length=16, choices=EndReason, blank=True, default=""
    )
    password_stamp = models.CharField(max_length=11, default="", editable=False)
    transport = models.CharField(
        _("transport"), max_length=6, choices=Transport, default=Transport.TOKEN
    )
    ip_address = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    label = models.CharField(_("label"), max_length=64, blank=True, default="")
    user_agent = models.CharField(
        _("user agent"), max_length=USER_AGENT_LENGTH, blank=True, default=""
    )

    objects = SessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")

    def __str__(self) -> str:
        return str(self.pk)


def write_database() -> str:
    """Return the alias that sessions are written to, and read from where a read decides."""
    return router.db_for_write(Session)


def written() -> SessionQuerySet:
    """Return all sessions, from that database."""
    return Session.objects.using(write_database())
