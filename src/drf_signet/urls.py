"""The URLs of the token endpoints: `path("api/token/", include("drf_signet.urls"))`."""

from __future__ import annotations

from django.urls import path

from . import views, views_wellknown

urlpatterns = [
    path("", views.TokenObtainPairView.as_view(), name="token_obtain_pair"),
    path("refresh/", views.TokenRefreshView.as_view(), name="token_refresh"),
    path("verify/", views.TokenVerifyView.as_view(), name="token_verify"),
    path("logout/", views.TokenLogoutView.as_view(), name="token_logout"),
    path("logout/all/", views.TokenLogoutAllView.as_view(), name="token_logout_all"),
    path("logout/others/", views.TokenLogoutOthersView.as_view(), name="token_logout_others"),
    path("sessions/", views.SessionListView.as_view(), name="session_list"),
    path("sessions/<str:session_id>/", views.SessionDetailView.as_view(), name="session_detail"),
    path("jwks/", views_wellknown.JWKSetView.as_view(), name="jwks"),
]
