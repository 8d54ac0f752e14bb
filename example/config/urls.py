"""The token endpoints, one protected view, the admin, and the demo page."""

from django.contrib import admin
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path

from hello.views import HelloView

urlpatterns = [
    path("api/token/", include("drf_signet.urls")),
    path("auth/", include("drf_signet.urls_browser")),
    path("hello/", HelloView.as_view(), name="hello"),
    path("admin/", admin.site.urls),
    path("", include("playground.urls")),
    # Only under DEBUG; runserver needs no such line, gunicorn and uvicorn do.
    *staticfiles_urlpatterns(),
]
