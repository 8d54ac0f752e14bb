"""The apps, tables and URLs of a project that imports drf-signet as `rest_framework_simplejwt`.

The fixture `alias` has function scope. The fixtures `alias_tables` and `migrated_tables` have
module scope.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.admin import site
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.urls import include, path

from drf_signet.compat.simplejwt import alias as _alias
from drf_signet.signals import session_ended
from tests.support.simplejwt_tables import temporary_tables
from tests.urls import HelloView

LABEL = "token_blacklist"
OLD = _alias.OLD
RECEIVERS = "drf_signet.compat.simplejwt.token_blacklist.receivers"

_alias.install()  # required before `rest_framework_simplejwt` can be imported


#: The mark for a test that commits. Django truncates the tables of the installed apps after the
#: test. `available_apps` makes Django use CASCADE. Without CASCADE, PostgreSQL would not truncate
#: the users table, because tables of the alias app refer to the users table, and the alias app is
#: no longer installed.
committing = pytest.mark.django_db(transaction=True, available_apps=list(settings.INSTALLED_APPS))


@contextmanager
def _known_models() -> Iterator[Any]:
    former = apps.all_models.pop(LABEL, None)
    models = importlib.import_module(f"{OLD}.token_blacklist.models")
    created = (models.OutstandingToken, models.BlacklistedToken)
    apps.all_models[LABEL].update({model._meta.model_name: model for model in created})
    yield models
    ContentType.objects.filter(app_label=LABEL).delete()
    del apps.all_models[LABEL]
    if former is not None:
        apps.all_models[LABEL] = former


@pytest.fixture(scope="module")
def alias_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """Create the tables of the alias app for one test module, and yield its `models` module."""
    with (
        django_db_blocker.unblock(),
        _known_models() as models,
        temporary_tables(models.OutstandingToken, models.BlacklistedToken),
    ):
        yield models


@pytest.fixture(scope="module")
def migrated_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """Create the same tables as `alias_tables`, but with `migrate`, as a project does."""
    with django_db_blocker.unblock(), _known_models() as models:
        with installed():
            call_command("migrate", LABEL, verbosity=0)
        yield models
        with installed():
            call_command("migrate", LABEL, "zero", verbosity=0)


@contextmanager
def installed() -> Iterator[None]:
    """Install the alias apps. Afterwards, remove the apps, their admin classes and receiver."""
    added = [OLD, f"{OLD}.token_blacklist"]
    every = ["drf_signet.compat.simplejwt", *settings.INSTALLED_APPS, *added]
    try:
        with override_settings(INSTALLED_APPS=every, ROOT_URLCONF=__name__):
            apps.clear_cache()  # otherwise, the user model may lack reverse relations
            yield
    finally:
        for model in [model for model in site._registry if model._meta.app_label == LABEL]:
            site.unregister(model)
        for name in (OLD, "drf_signet.compat.simplejwt"):
            sys.modules.pop(f"{name}.token_blacklist.admin", None)
        # Disconnect the receiver of the app, so that it does not run in tests without the app.
        session_ended.disconnect(dispatch_uid=f"{RECEIVERS}.list")


@pytest.fixture
def alias(alias_tables: Any, db: None) -> Iterator[Any]:
    """Install the alias apps for one test, and yield the module of their models."""
    with installed():
        yield alias_tables
        if not connection.in_atomic_block:  # in a transaction, the rollback deletes the rows
            for model in (alias_tables.BlacklistedToken, alias_tables.OutstandingToken):
                model.objects.all().delete()


class ProtectedView(HelloView):
    """A view that imports its authentication class from `rest_framework_simplejwt`."""

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
