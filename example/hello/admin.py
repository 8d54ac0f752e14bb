"""The admin for users, with the sessions of each user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User

from drf_signet.admin import SessionInline

if TYPE_CHECKING:
    BaseUserAdmin = UserAdmin[User]
else:
    BaseUserAdmin = UserAdmin

admin.site.unregister(User)


@admin.register(User)
class UserWithSessionsAdmin(BaseUserAdmin):
    """The admin for users of `django.contrib.auth`, with one more inline."""

    inlines = (SessionInline,)
