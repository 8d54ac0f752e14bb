"""Create the tables of simplejwt's blacklist app, and insert rows as simplejwt does.

The fixture `blacklist_tables` creates empty tables once for each test module, without installing an
app. For one test, the fixture `installed` installs an app that has these tables.
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
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from drf_signet import runtime
from drf_signet.compat.simplejwt import blacklist
from drf_signet.models import Session
from tests.support.session_states import legacy_token

APP = "tests.tokenblacklist"


@contextmanager
def temporary_tables(*models: Any) -> Iterator[None]:
    """Create the tables of these models, and drop the tables afterwards.

    A model must come after the models to which its foreign keys refer.
    """
    with connection.schema_editor() as editor:
        for model in models:
            editor.create_model(model)
    yield
    with connection.schema_editor() as editor:
        for model in reversed(models):
            editor.delete_model(model)


@pytest.fixture(scope="module")
def blacklist_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """Create simplejwt's tables for one test module; yield the module that defines their models."""
    former = apps.all_models.pop(blacklist.LABEL, None)
    models = importlib.import_module(f"{APP}.models")  # `from … import` may return the former one
    created = (models.OutstandingToken, models.BlacklistedToken)
    with django_db_blocker.unblock(), temporary_tables(*created):
        yield models
    for name in [name for name in sys.modules if name.startswith(f"{APP}.")]:
        del sys.modules[name]
    apps.all_models.pop(blacklist.LABEL, None)
    if former is not None:
        apps.all_models[blacklist.LABEL] = former


@pytest.fixture
def empty_tables(blacklist_tables: Any, db: None) -> Iterator[Any]:
    """Yield the module that defines simplejwt's models; afterwards, delete all rows of the models.

    A rollback would not delete the rows of a test that commits.
    """
    yield blacklist_tables
    for model in (blacklist_tables.BlacklistedToken, blacklist_tables.OutstandingToken):
        model.objects.all().delete()


@pytest.fixture
def installed(empty_tables: Any) -> Iterator[None]:
    """Install an app with the same models and tables as simplejwt's blacklist app."""
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, APP]):
        yield


def outstanding_token(user: Any, *, seconds: int = 3600, text: str = "", **claims: Any) -> Any:
    """Insert a row for an outstanding token that is valid for `seconds` seconds. Return the row."""
    from tests.tokenblacklist.models import OutstandingToken

    token = text or legacy_token(user, seconds=seconds, **claims)
    return OutstandingToken.objects.create(
        user=user,
        jti=text or runtime.current().codec.decode(token)["jti"],
        token=token,
        created_at=timezone.now(),
        expires_at=blacklist.as_stored(runtime.now() + seconds),
    )


def put_on_blacklist(outstanding: Any) -> None:
    """Insert a row that blacklists an outstanding token."""
    from tests.tokenblacklist.models import BlacklistedToken

    row = BlacklistedToken(token=outstanding, blacklisted_at=timezone.now())
    BlacklistedToken.objects.bulk_create([row])  # save() would send signals


def adopted_session(outstanding: Any) -> Session | None:
    """Return the session that was created from an outstanding token, or None."""
    from drf_signet.compat.simplejwt import adoption

    return Session.objects.filter(pk=adoption.session_id_of(outstanding.jti)).first()
