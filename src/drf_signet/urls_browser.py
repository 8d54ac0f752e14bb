"""The URLs of the endpoints for browsers: `path("auth/", include("drf_signet.urls_browser"))`."""

from __future__ import annotations

from django.urls import path

from . import views_browser as views

app_name = "signet_browser"

urlpatterns = [
    path("login/", views.CookieLoginView.as_view(), name="login"),
    path("refresh/", views.CookieRefreshView.as_view(), name="refresh"),
    path("logout/", views.CookieLogoutView.as_view(), name="logout"),
    path("logout/all/", views.CookieLogoutAllView.as_view(), name="logout_all"),
    path("logout/others/", views.CookieLogoutOthersView.as_view(), name="logout_others"),
    path("sessions/", views.CookieSessionListView.as_view(), name="session_list"),
    path(
        "sessions/<str:session_id>/", views.CookieSessionDetailView.as_view(), name="session_detail"
    ),
]
