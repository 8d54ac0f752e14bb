"""The URLs for services that verify tokens, below the root of the host.

They belong there: `path(".well-known/", include("drf_signet.urls_wellknown"))` (RFC 8615).
"""

from __future__ import annotations

from django.urls import path

from . import views_wellknown as views

app_name = "signet_wellknown"

urlpatterns = [
    path("jwks.json", views.JWKSetView.as_view(), name="jwks"),
    path("oauth-authorization-server", views.MetadataView.as_view(), name="metadata"),
    path(
        "oauth-authorization-server/<path:path>", views.MetadataView.as_view(), name="metadata_of"
    ),
]
