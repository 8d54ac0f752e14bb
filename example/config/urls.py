"""The token endpoints, one protected view, and the admin."""

from django.contrib import admin
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path

from hello.views import HelloView

urlpatterns = [
    path("api/token/", include("drf_signet.urls")),
    path("auth/", include("drf_signet.urls_browser")),
    path("hello/", HelloView.as_view(), name="hello"),
    path("admin/", admin.site.urls),
    # Only under DEBUG; runserver needs no such line, gunicorn and uvicorn do.
    *staticfiles_urlpatterns(),
]
