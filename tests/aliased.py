"""A project on simplejwt's name: the app that stands in for it, its tables, and its routes.

`alias` is a fixture of one test, `alias_tables` of a module.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.test import override_settings
from django.urls import include, path

from drf_signet.compat.simplejwt import alias as _alias  # the name is ours from here on
from tests.urls import HelloView

LABEL = "token_blacklist"
OLD = _alias.OLD


@pytest.fixture(scope="module")
def alias_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """Make the tables for a module of tests; return the module of their models."""
    others = apps.all_models.pop(LABEL, None)
    models = importlib.import_module(f"{OLD}.token_blacklist.models")
    made = (models.OutstandingToken, models.BlacklistedToken)
    apps.all_models[LABEL].update({one._meta.model_name: one for one in made})
    with django_db_blocker.unblock():
        with connection.schema_editor() as editor:
            for one in made:
                editor.create_model(one)
        yield models
        with connection.schema_editor() as editor:
            for one in reversed(made):
                editor.delete_model(one)
    del apps.all_models[LABEL]
    if others is not None:
        apps.all_models[LABEL] = others


@pytest.fixture
def alias(alias_tables: Any, db: None) -> Iterator[Any]:
    """Put the apps into INSTALLED_APPS; return the module of the two models."""
    added = [f"{OLD}", f"{OLD}.token_blacklist"]
    with override_settings(
        INSTALLED_APPS=["drf_signet.compat.simplejwt", *settings.INSTALLED_APPS, *added],
        ROOT_URLCONF=__name__,
    ):
        yield alias_tables


class ProtectedView(HelloView):
    """A view that names its authentication by the old name's class."""

    def get_authenticators(self) -> Any:
        module = importlib.import_module(f"{OLD}.authentication")
        return [module.JWTAuthentication()]


def _view(name: str) -> Any:
    return getattr(importlib.import_module(f"{OLD}.views"), name).as_view()


urlpatterns = [
    path("api/token/", _view("TokenObtainPairView")),
    path("api/token/refresh/", _view("TokenRefreshView")),
    path("api/token/verify/", _view("TokenVerifyView")),
    path("api/token/blacklist/", _view("TokenBlacklistView")),
    path("api/sliding/", _view("TokenObtainSlidingView")),
    path("api/sliding/refresh/", _view("TokenRefreshSlidingView")),
    path("native/", include("drf_signet.urls")),
    path("hello/", ProtectedView.as_view()),
]
