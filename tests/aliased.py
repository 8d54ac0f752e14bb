"""A project on simplejwt's name: the app that stands in for it, its tables, and its routes.

`alias` is a fixture of one test, `alias_tables` and `migrated_tables` of a module.
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

from drf_signet.compat.simplejwt import alias as _alias  # the name is ours from here on
from tests.oldtables import tables_of
from tests.urls import HelloView

LABEL = "token_blacklist"
OLD = _alias.OLD


#: For a test that commits: naming the apps lets PostgreSQL empty their tables in spite of ours,
#: whose app is not installed any more by then.
committing = pytest.mark.django_db(transaction=True, available_apps=list(settings.INSTALLED_APPS))


@contextmanager
def _known_models() -> Iterator[Any]:
    others = apps.all_models.pop(LABEL, None)
    models = importlib.import_module(f"{OLD}.token_blacklist.models")
    made = (models.OutstandingToken, models.BlacklistedToken)
    apps.all_models[LABEL].update({one._meta.model_name: one for one in made})
    yield models
    ContentType.objects.filter(app_label=LABEL).delete()
    del apps.all_models[LABEL]
    if others is not None:
        apps.all_models[LABEL] = others


@pytest.fixture(scope="module")
def alias_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """Make the tables for a module of tests; return the module of their models."""
    with (
        django_db_blocker.unblock(),
        _known_models() as models,
        tables_of(models.OutstandingToken, models.BlacklistedToken),
    ):
        yield models


@pytest.fixture(scope="module")
def migrated_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """Make the tables as a project does, which takes longer; in place of `alias_tables`."""
    with django_db_blocker.unblock(), _known_models() as models:
        with installed():
            call_command("migrate", LABEL, verbosity=0)
        yield models
        with installed():
            call_command("migrate", LABEL, "zero", verbosity=0)


@contextmanager
def installed() -> Iterator[None]:
    """Put the apps into INSTALLED_APPS, and take them out of the admin again."""
    added = [OLD, f"{OLD}.token_blacklist"]
    every = ["drf_signet.compat.simplejwt", *settings.INSTALLED_APPS, *added]
    try:
        with override_settings(INSTALLED_APPS=every, ROOT_URLCONF=__name__):
            yield
    finally:
        for one in [one for one in site._registry if one._meta.app_label == LABEL]:
            site.unregister(one)
        for name in (OLD, "drf_signet.compat.simplejwt"):
            sys.modules.pop(f"{name}.token_blacklist.admin", None)


@pytest.fixture
def alias(alias_tables: Any, db: None) -> Iterator[Any]:
    """Install the apps for a test; return the module of the two models."""
    with installed():
        yield alias_tables
        if not connection.in_atomic_block:  # else they go with the transaction
            for one in (alias_tables.BlacklistedToken, alias_tables.OutstandingToken):
                one.objects.all().delete()


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
