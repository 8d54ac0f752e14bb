"""The admin for signing keys, which shows them without the private keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Case, CharField, QuerySet, Value, When
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..keys import succession
from ..keys.database import is_in_use
from ..keys.models import KeyState, SigningKey
from ..models import write_database

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[SigningKey]
else:
    ModelAdmin = admin.ModelAdmin


@admin.register(SigningKey)
class SigningKeyAdmin(ModelAdmin):
    """The admin for signing keys. Nothing can be changed: the management commands do that."""

    list_display = ("kid", "algorithm", "state", "not_before", "signs_until", "retired_at")
    ordering = ("-id",)
    sortable_by = ()
    fields = (
        *("kid", "algorithm", "state", "created_at", "not_before", "signs_until", "retired_at"),
        "token_lifetime",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[SigningKey]:
        """Return all keys without their private keys, from the database they are written to."""
        current = succession.read()
        states = [When(pk=row.id, then=Value(current.state(row))) for row in current.rows]
        used_for = Case(*states, default=Value(KeyState.STANDBY), output_field=CharField())
        keys = super().get_queryset(request).using(write_database())
        return keys.defer("private_key").annotate(used_for=used_for)

    @admin.display(description=_("state"))
    def state(self, key: Any) -> Any:
        """Return what the key is used for."""
        return KeyState(key.used_for).label

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether to list the keys on the index page of the admin: if they are used."""
        return is_in_use() and super().has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: without the row, the times of the other keys would be wrong."""
        return False
