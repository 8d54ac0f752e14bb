"""The admin for sessions."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar, cast
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ..models import (
    EndReason,
    Session,
    SessionQuerySet,
    endable,
    sessions_for_write,
    write_database,
)
from ..sessions import endings, store
from .columns import SessionColumns
from .lists import MAX_COUNT, MAX_USERS, CappedPaginator, StateFilter, find_user, search

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Session]
else:
    ModelAdmin = admin.ModelAdmin

logger = logging.getLogger("drf_signet")


@admin.register(Session)
class SessionAdmin(SessionColumns, ModelAdmin):
    """The admin for sessions. Only the label can be edited. Staff can end sessions.

    Viewing needs the permission to view sessions. Ending needs the permission to change them.
    """

    list_display = ("who", "device", "state", "used", "expires", "ip_address")
    list_filter = (StateFilter, "transport", "end_reason")
    list_select_related = ("user",)
    search_fields = ("pk",)  # shows the field; `get_search_results` searches
    search_help_text = _("Username, e-mail address, IP address or session id")
    ordering = ("-id",)  # the time of the login
    sortable_by = ()  # no index has another order that is useful here
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ("end_selected",)
    fieldsets = (
        (None, {"fields": ("user", "state", "label")}),
        (_("Device"), {"fields": ("device", "user_agent", "ip_address", "transport")}),
        (_("Times"), {"fields": ("created_at", "auth_time", "refreshed_at", "expires_at")}),
        (_("End"), {"fields": ("ended_at", "end_reason")}),
        (_("Details"), {"fields": ("id", "generation")}),
    )

    class Media:
        css: ClassVar = {"all": ("drf_signet/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        """Return all sessions, from the database that they are written to."""
        sessions = cast("SessionQuerySet", super().get_queryset(request))
        return sessions.using(write_database()).with_state()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Session], search_term: str
    ) -> tuple[QuerySet[Session], bool]:
        """Return the sessions that the search finds: see `lists.search`."""
        if not search_term.strip():
            return queryset, False
        found, has_more = search(cast("SessionQuerySet", queryset), search_term)
        if has_more:
            text = _("More than %d users match. The list has sessions of %d of them.")
            self.message_user(request, text % (MAX_USERS, MAX_USERS), messages.WARNING)
        return found, False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Return the names of all fields on the form except `label`."""
        fields = (field.name for field in Session._meta.fields if field.editable)
        return ["id", "device", "state", *(name for name in fields if name != "label")]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False, because only a login opens a session."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: access tokens could stay valid after the row of their session is deleted.

        Administrators end the session instead.
        """
        return False

    def get_urls(self) -> list[Any]:
        """Return the URLs of the admin for sessions, and that of `end_all_view`."""
        view = self.admin_site.admin_view(self.end_all_view)
        return [path("end-all/", view, name="drf_signet_session_end_all"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list of sessions."""
        shown = {"may_end": self.has_change_permission(request), "max_count": MAX_COUNT}
        query = urlencode({"user": request.GET["user"]}) if "user" in request.GET else ""
        extra = {**shown, "end_all_query": query, **(extra_context or {})}
        return super().changelist_view(request, extra)

    def save_model(
        self, request: HttpRequest, obj: Session, form: ModelForm[Session], change: bool
    ) -> None:
        """Save the label, and no other column: a concurrent refresh may have changed them."""
        sessions_for_write().filter(pk=obj.pk).update(label=obj.label)

    def response_change(self, request: HttpRequest, obj: Session) -> HttpResponse:
        """End the session if the button "End this session" was pressed."""
        if "_end" not in request.POST:
            return super().response_change(request, obj)
        reason = EndReason.ENDED_BY_ADMIN
        ended = store.end(obj.pk, user_id=obj.user_id, reason=reason)
        self._report(request, int(ended), [obj])
        return HttpResponseRedirect(request.get_full_path())

    @admin.action(description=_("End selected sessions"), permissions=["change"])
    def end_selected(
        self, request: HttpRequest, queryset: QuerySet[Session]
    ) -> HttpResponse | None:
        """End the selected sessions that have not ended yet, and show how many were ended.

        If all sessions of the list are selected, which may be more than a page, ask first.
        """
        selected = cast("SessionQuerySet", queryset.using(write_database()).order_by())
        across = request.POST.get("select_across") == "1"
        if across and "confirmed" not in request.POST:
            more = {"action": "end_selected", "select_across": "1", "_selected_action": "all"}
            return self._ask(request, selected, _("all sessions of the list"), posted=more)
        logged = [] if across else list(endable(selected))
        ended = endings.end_selected(selected, reason=EndReason.ENDED_BY_ADMIN)
        self._report(request, ended, logged)
        return None

    def end_all_view(self, request: HttpRequest) -> HttpResponse:
        """End all sessions of the user whom the query names, or of everybody, after confirmation.

        Raises:
            PermissionDenied: the staff member may not change sessions.
            Http404: `get_queryset` returns no session of this user.
        """
        if not self.has_change_permission(request):
            raise PermissionDenied
        key = request.GET.get("user")
        user = None if key is None else find_user(key)
        sessions = cast("SessionQuerySet", self.get_queryset(request).order_by())
        if user is not None:
            sessions = sessions.filter(user=user)
        if key is not None and (user is None or not sessions.exists()):
            raise Http404
        if request.method != "POST":
            whose = _("all users") if user is None else str(user)
            return self._ask(request, sessions, _("all sessions of %s") % whose)
        ended = endings.end_selected(sessions, reason=EndReason.ENDED_BY_ADMIN)
        self._report(request, ended, [user] if user else [])
        listed = reverse("admin:drf_signet_session_changelist", current_app=self.admin_site.name)
        return HttpResponseRedirect(f"{listed}?{urlencode({'user': key})}" if user else listed)

    def _ask(
        self, request: HttpRequest, sessions: SessionQuerySet, what: Any, *, posted: Any = None
    ) -> HttpResponse:
        """Return a page that asks whether to end sessions."""
        context = {
            **self.admin_site.each_context(request),
            "title": _("Are you sure?"),
            "opts": self.opts,
            "what": what,
            "number": endable(sessions).count(),
            "max_count": MAX_COUNT,
            "posted": posted or {},
            "media": self.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/drf_signet/session/confirm_end.html", context)

    def _report(self, request: HttpRequest, ended: int, objects: list[Any]) -> None:
        """Tell the staff member how many sessions were ended, and log it for the given objects."""
        text = ngettext("%d session was ended.", "%d sessions were ended.", ended) % ended
        self.message_user(request, text, messages.SUCCESS)
        logger.warning("staff member %s: %s", request.user.pk, text)
        LogEntry.objects.log_actions(
            user_id=cast("Any", request.user.pk),
            queryset=cast("Any", objects),
            action_flag=CHANGE,
            change_message=text,
        )
