"""URL patterns of a project whose admin site has users, and no sessions."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.urls import path

from drf_signet.admin import SessionInline


class UserWithSessionsAdmin(UserAdmin):  # type: ignore[type-arg]
    inlines = (SessionInline,)


site = admin.AdminSite()
site.register(User, UserWithSessionsAdmin)
urlpatterns = [path("admin/", site.urls)]
