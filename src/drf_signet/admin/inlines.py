"""The live sessions of a user, on the page of the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..models import Session, SessionQuerySet, write_database
from .columns import SessionColumns

if TYPE_CHECKING:
    TabularInline = admin.TabularInline[Session, Any]
    FormSet = BaseInlineFormSet[Session, Any, Any]
else:
    TabularInline, FormSet = admin.TabularInline, BaseInlineFormSet

#: Maximum number of sessions on the page of a user.
MAX_SHOWN = 20


class _NewestSessions(FormSet):
    """The sessions that were used last. Django's class cannot limit the number of rows."""

    _queryset: QuerySet[Session]

    def get_queryset(self) -> QuerySet[Session]:
        """Return at most `MAX_SHOWN` sessions. Repeated calls return the same rows."""
        if not hasattr(self, "_queryset"):
            self._queryset = super().get_queryset()[:MAX_SHOWN]
        return self._queryset


class SessionInline(SessionColumns, TabularInline):
    """The user's live sessions, the most recently used first, with links to end them.

    Add this class to `inlines` of the admin for users. It only shows facts: nothing is saved with
    the user. Staff see it with the permission to view sessions, and can end sessions with the
    permission to change them.
    """

    model = Session
    formset = _NewestSessions
    template = "admin/drf_signet/session/inline.html"
    fields = readonly_fields = ("device", "ip_address", "opened", "used", "expires")
    verbose_name_plural = _("live sessions")
    show_change_link = True
    can_delete = False

    class Media:
        css: ClassVar = {"all": ("drf_signet/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        """Return the live sessions, the most recently used first."""
        sessions = cast("SessionQuerySet", super().get_queryset(request))
        return sessions.using(write_database()).live().last_used_first()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False, because only a login opens a session."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False, so that saving a user saves no session."""
        return False
