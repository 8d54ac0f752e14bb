"""The Django admin for outstanding and blacklisted tokens. Staff can view and blacklist logins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from .models import BlacklistedToken, OutstandingToken

if TYPE_CHECKING:
    _OutstandingAdmin = admin.ModelAdmin[OutstandingToken]
    _BlacklistedAdmin = admin.ModelAdmin[BlacklistedToken]
else:
    _OutstandingAdmin = _BlacklistedAdmin = admin.ModelAdmin


@admin.register(OutstandingToken)
class OutstandingTokenAdmin(_OutstandingAdmin):
    """A read-only list of logins."""

    list_display = ("jti", "user", "created_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("user__id", "jti")
    ordering = ("user",)
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Return all fields, so that no field can be edited."""
        return [field.name for field in self.model._meta.fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: only logins create rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: deleting a row would not end the session."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for requests that save changes. For others, check the user's permission."""
        is_read = request.method in ("GET", "HEAD")
        return is_read and super().has_change_permission(request, obj)


@admin.register(BlacklistedToken)
class BlacklistedTokenAdmin(_BlacklistedAdmin):
    """A list of blacklisted logins. Adding a row ends the session of the login."""

    list_display = (
        "token_jti",
        "token_user",
        "token_created_at",
        "token_expires_at",
        "blacklisted_at",
    )
    search_fields = ("token__user__id", "token__jti")
    ordering = ("token__user",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[BlacklistedToken]:
        """Return the rows with their tokens and users, all loaded by one query."""
        return super().get_queryset(request).select_related("token__user")

    @admin.display(description=_("jti"), ordering="token__jti")
    def token_jti(self, obj: BlacklistedToken) -> str:
        """Return the `jti` of the login's OutstandingToken row."""
        return str(obj.token.jti)

    @admin.display(description=_("user"), ordering="token__user")
    def token_user(self, obj: BlacklistedToken) -> Any:
        """Return the user who logged in."""
        return obj.token.user

    @admin.display(description=_("created at"), ordering="token__created_at")
    def token_created_at(self, obj: BlacklistedToken) -> Any:
        """Return the time of the login."""
        return obj.token.created_at

    @admin.display(description=_("expires at"), ordering="token__expires_at")
    def token_expires_at(self, obj: BlacklistedToken) -> Any:
        """Return the time at which the session expires."""
        return obj.token.expires_at
