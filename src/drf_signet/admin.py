"""Sessions in Django's admin: to look at, and to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import ngettext

from . import sessions
from .models import EndReason, Session

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Session]
else:
    ModelAdmin = admin.ModelAdmin


@admin.register(Session)
class SessionAdmin(ModelAdmin):
    """Read-only but for the label; sessions are ended by an action, never edited or deleted."""

    list_display = ("user", "created_at", "refreshed_at", "end_reason", "ip_address", "user_agent")
    list_filter = ("end_reason", "transport")
    list_select_related = ("user",)
    search_fields = ("=id", "ip_address")
    ordering = ("-created_at",)
    actions = ("end_selected",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Return every field but the label."""
        return [one.name for one in Session._meta.fields if one.editable and one.name != "label"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Sessions are opened by a login."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A deleted row could not refuse its tokens in the name of its end: end it instead."""
        return False

    @admin.action(description="End selected sessions", permissions=["change"])
    def end_selected(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        """End the selected sessions that are alive."""
        selected = queryset.filter(end_reason="").values_list("id", "user_id")
        ended = sum(
            sessions.end(pk, user_id=user_id, reason=EndReason.ENDED_BY_ADMIN)
            for pk, user_id in selected
        )
        text = ngettext("%d session was ended.", "%d sessions were ended.", ended) % ended
        self.message_user(request, text, messages.SUCCESS)
