"""The URLs of the benchmark project: the tested package's endpoints and this project's views."""

from __future__ import annotations

from django.urls import path
from django.utils.module_loading import import_string

from . import views
from .settings import STACK

urlpatterns = [
    path("open/", views.OpenView.as_view()),
    path("protected/", views.ProtectedView.as_view()),
    path("protected/idle/", views.IdleView.as_view()),
    path("lab/statements/", views.StatementsView.as_view()),
    path("lab/slow-logout/", views.SlowLogoutView.as_view()),
    *(
        path(route, import_string(view).as_view(**arguments))
        for route, (view, arguments) in STACK.endpoints.items()
    ),
]
