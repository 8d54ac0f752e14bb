"""The URLs of the test project: the tested package's endpoints and two views.

The endpoints have the paths that `benchmarks.wire` uses. The browser endpoints exist only in
drf-signet.
"""

from __future__ import annotations

from importlib.util import find_spec

from django.apps import apps
from django.urls import include, path
from django.utils.module_loading import import_string

from . import views
from .settings import STACK

urlpatterns = [
    path("open/", views.OpenView.as_view()),
    path("protected/", views.ProtectedView.as_view()),
    *(
        path(route, import_string(view).as_view(**arguments))
        for route, (view, arguments) in STACK.endpoints.items()
    ),
]
if apps.is_installed("drf_signet"):
    urlpatterns += [path("browser/", include("drf_signet.urls_browser"))]
    if find_spec("drf_signet.urls_wellknown"):  # version 0.1.0 does not have it
        urlpatterns += [path(".well-known/", include("drf_signet.urls_wellknown"))]
