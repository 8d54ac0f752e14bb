"""URLs of the token endpoints, a protected view, OpenAPI, the admin and the demo page."""

from django.contrib import admin
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from hello.views import HelloView

urlpatterns = [
    path("api/token/", include("drf_signet.urls")),
    path("auth/", include("drf_signet.urls_browser")),
    path("hello/", HelloView.as_view(), name="hello"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(), name="docs"),
    path("admin/", admin.site.urls),
    path("api-auth/", include("rest_framework.urls")),  # "Log in" in the web interface
    path("", include("playground.urls")),
    # gunicorn and uvicorn need these URLs to serve static files if DEBUG is on. runserver does
    # not need them.
    *staticfiles_urlpatterns(),
]
