"""The model `Session`, with one row per login. Tokens refer to a session and are not stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models, router
from django.db.models.functions import Abs
from django.dispatch import Signal
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .conf import settings as conf
from .db.collector import CollectedUsers
from .db.database import DbClockField, DbNow, SecondsAgo, unique_time

if not apps.is_installed("drf_signet"):
    raise ImproperlyConfigured(
        "(signet.E003) Add 'drf_signet' to INSTALLED_APPS and run `manage.py migrate`."
    )

from .keys.models import SigningKey as SigningKey  # noqa: PLC0414 - needs an installed app

#: How long after its expiry a session can still be ended. Twice the leeway is added to this time.
CLOCKS_DIFFER = timedelta(minutes=1)
#: Maximum length of a stored user agent, in characters.
USER_AGENT_LENGTH = 160


class EndReason(models.TextChoices):
    """The reasons why sessions end. A session that has not ended has an empty `end_reason`."""

    LOGOUT = "logout", _("logged out")
    LOGOUT_ALL = "logout_all", _("logged out everywhere")
    ENDED_BY_USER = "ended_by_user", _("ended by the user")
    ENDED_BY_ADMIN = "ended_by_admin", _("ended by an administrator")
    REUSE = "reuse", _("a rotated refresh token was reused")
    PASSWORD_CHANGED = "password_changed", _("the password was changed")
    USER_INACTIVE = "user_inactive", _("the user was deactivated")
    USER_DELETED = "user_deleted", _("the user was deleted")
    EVICTED = "evicted", _("too many sessions")


class State(models.TextChoices):
    """Whether a session can still be refreshed. The methods of `SessionQuerySet` select by it."""

    LIVE = "live", _("live")
    ENDED = "ended", _("ended")
    EXPIRED = "expired", _("expired")


class Transport(models.TextChoices):
    """How the client sends the refresh token."""

    TOKEN = "token", _("in a JSON body")
    COOKIE = "cookie", _("in a cookie")


#: Field with personal data → the value of the field after the user has been deleted.
PERSONAL_DATA: Mapping[str, Any] = {
    "user_agent": "",
    "label": "",
    "ip_address": None,
    "password_stamp": "",
    "user": None,
}


#: Sent in the transaction of a deletion, after the sessions of the deleted users were ended. The
#: argument is `ended_at`, which is the same for all these sessions.
ended_by_deletion = Signal()


def END_SESSIONS(collector: Any, field: Any, sub_objs: Any, using: str) -> None:  # noqa: N802
    """End the sessions of a deleted user and erase the personal data, but keep the rows.

    This is the `on_delete` function of `Session.user`. It runs the same number of statements for
    one user and for a queryset of users.
    """
    users = CollectedUsers(field.remote_field.model, using=using)
    users.collector = collector
    collector.add_field_update(field.target_field, None, users)
    ending = _SessionsOfDeletedUsers(sub_objs.model, query=endable(sub_objs).query, using=using)
    collector.add_field_update(_field(field, "ended_at"), DbNow(), ending)
    for name, empty in PERSONAL_DATA.items():  # `user` is last, as all UPDATEs filter by `user`
        collector.add_field_update(_field(field, name), empty, sub_objs)


END_SESSIONS.lazy_sub_objs = True  # type: ignore[attr-defined]  # Django's name: do not fetch the rows


class _SessionsOfDeletedUsers(models.QuerySet[Any]):
    """The sessions of users who are being deleted. `update` ends the sessions."""

    def update(self, **fields: Any) -> int:
        """End the sessions with one UPDATE, which also sets `end_reason`.

        `fields` contains only `ended_at`, but a session with an empty `end_reason` has not ended.
        All sessions get the same `ended_at`.
        """
        # Lock the rows. At MariaDB's default isolation level, a SELECT without FOR UPDATE would
        # miss new sessions.
        now = self.select_for_update().values_list(DbNow(), flat=True).first()
        if now is None:
            return 0
        ended_at = unique_time(now)
        stamp = models.Value(ended_at, output_field=DbClockField())
        ended = super().update(ended_at=stamp, end_reason=EndReason.USER_DELETED)
        ended_by_deletion.send(self.model, ended_at=ended_at)
        return ended


def endable(rows: Any) -> Any:
    """Return the sessions of a queryset that have neither ended nor expired.

    An expired session need not be ended, because its tokens are not valid. The clocks of servers
    may differ, so sessions that expired very recently are included.
    """
    settings = conf.current()
    tolerated = 2 * timedelta(seconds=settings.LEEWAY) + CLOCKS_DIFFER
    return rows.filter(end_reason="", expires_at__gt=timezone.now() - tolerated)


def end_fields(reason: str, *, user_exists: bool = False) -> dict[str, Any]:
    """Return the fields that change when a session ends, with their new values.

    If the user was deleted, the personal data of the session is erased.

    Args:
        reason: an `EndReason`.
        user_exists: whether the user's row still exists although the reason is USER_DELETED,
            because the default manager only hides the user. The personal data is then kept.
    """
    erased = PERSONAL_DATA if reason == EndReason.USER_DELETED and not user_exists else {}
    return {"ended_at": DbNow(), "end_reason": reason, **erased}


def _field(sibling: Any, name: str) -> Any:
    return sibling.model._meta.get_field(name)


def _unexpired() -> models.Q:
    """Return the condition that a session has not expired, and has not been idle for too long."""
    own = SecondsAgo(Abs("idle_seconds"))
    used = models.Q(idle_seconds__isnull=False, refreshed_at__gt=own)
    for transport in Transport:
        idle_since = DbNow() - conf.current().idle_lifetime(transport)
        used |= models.Q(
            transport=transport, idle_seconds__isnull=True, refreshed_at__gt=idle_since
        )
    return models.Q(used, expires_at__gt=timezone.now())


class SessionQuerySet(models.QuerySet["Session"]):
    """A queryset of sessions."""

    def live(self) -> SessionQuerySet:
        """Return the sessions that can still be refreshed.

        They have not ended, have not expired, and have not been idle for longer than their refresh
        token is valid.
        """
        return self.filter(_unexpired(), end_reason="")

    def expired(self) -> SessionQuerySet:
        """Return the sessions that have not ended, but cannot be refreshed any more."""
        return self.filter(~_unexpired(), end_reason="")

    def ended(self) -> SessionQuerySet:
        """Return the sessions that have ended."""
        return self.exclude(end_reason="")

    def with_state(self) -> SessionQuerySet:
        """Annotate each session with its `state`, one of `State`."""
        has_ended, is_live = ~models.Q(end_reason=""), _unexpired()
        state = models.Case(
            models.When(has_ended, then=models.Value(State.ENDED)),
            models.When(is_live, then=models.Value(State.LIVE)),
            default=models.Value(State.EXPIRED),
            output_field=models.CharField(),
        )
        return self.annotate(state=state)

    def last_used_first(self, *, after: Session | None = None) -> SessionQuerySet:
        """Return the sessions in the order of their last use, the most recent first.

        Args:
            after: return only the sessions that come after this session in that order.
        """
        ordered = self.order_by("-refreshed_at", "-id")
        if after is None:
            return ordered
        # Compare with the time in the database, not with a time from Python: SQLite stores times as
        # text, and Python could write the same time with a different number of digits.
        used = models.Subquery(self.model.objects.filter(pk=after.pk).values("refreshed_at")[:1])
        older = models.Q(refreshed_at__lt=used)
        return ordered.filter(older | models.Q(refreshed_at=used, pk__lt=after.pk))


class Session(models.Model):
    """One login of one user on one client.

    `generation` counts rotations. The current refresh token has the same number in its `gen` claim.
    `refreshed_at` and `ended_at` use the database's clock; all other times use the application's
    clock. A session has ended if its `end_reason` is not empty, regardless of `ended_at`.
    `idle_seconds` is the lifetime of each refresh token; None if the settings decide. If it is
    negative, its amount counts, and the browser deletes the cookie when it closes.
    """

    # Fixed-size columns come first, grouped by alignment, to avoid padding in PostgreSQL's rows.
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
    refreshed_at: models.DateTimeField[Any, datetime] = DbClockField(_("last refreshed at"))
    expires_at = models.DateTimeField(_("expires at"), db_index=True)
    ended_at: models.DateTimeField[Any, datetime | None] = DbClockField(
        _("ended at"), null=True, blank=True
    )
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
    # Added by a migration, so it is the last column. PostgreSQL stores nothing for None.
    idle_seconds = models.IntegerField(_("idle lifetime"), null=True, blank=True, editable=False)

    objects = SessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        indexes = (
            # The revocation feed uses this index. It reads only these two columns, and only for
            # ended sessions. MySQL and MariaDB ignore the condition.
            models.Index(
                fields=["ended_at", "id"],
                condition=models.Q(ended_at__isnull=False),
                name="drf_signet_ended",
            ),
        )

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def ends_with_browser(self) -> bool:
        """Whether the browser deletes the refresh cookie when it closes."""
        return self.idle_seconds is not None and self.idle_seconds < 0


def session_user_model() -> type[models.Model]:
    """Return the user model that sessions belong to.

    This is the model that AUTH_USER_MODEL named when Django loaded the apps. A test may override
    the setting later, but the foreign key of the table still refers to this model.
    """
    model: type[models.Model] = Session._meta.get_field("user").remote_field.model
    return model


def require_session_user(user: Any) -> None:
    """Raise TypeError if a user is not of the model that sessions belong to."""
    if not isinstance(user, session_user_model()):
        expected = session_user_model()._meta.label
        raise TypeError(
            f"the user of a session is an instance of {expected}, not {user!r}: sessions belong to "
            "the AUTH_USER_MODEL with which Django was started"
        )


def write_database() -> str:
    """Return the alias of the database that sessions are written to."""
    return router.db_for_write(Session)


def sessions_for_write() -> SessionQuerySet:
    """Return a queryset of all sessions in the database that sessions are written to."""
    return Session.objects.using(write_database())
