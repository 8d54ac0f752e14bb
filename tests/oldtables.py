"""simplejwt's tables in the test's database, filled as simplejwt fills them.

`old_tables` is a fixture of a module: its tests begin with empty tables whose app is not installed.
`installed` installs an app of theirs for one test.
"""

from __future__ import annotations

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

from drf_signet import blacklist, runtime
from drf_signet.models import Session
from tests.situations import token_of_old

APP = "tests.tokenblacklist"


@contextmanager
def tables_of(*models: Any) -> Iterator[None]:
    """Make the tables of models, and drop them afterwards; what others refer to comes first."""
    with connection.schema_editor() as editor:
        for one in models:
            editor.create_model(one)
    yield
    with connection.schema_editor() as editor:
        for one in reversed(models):
            editor.delete_model(one)


@pytest.fixture(scope="module")
def old_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """Make the tables for a module of tests; return the module of their models."""
    others = apps.all_models.pop(blacklist.LABEL, None)
    from tests.tokenblacklist import models

    made = (models.OutstandingToken, models.BlacklistedToken)
    with django_db_blocker.unblock(), tables_of(*made):
        yield models
    for name in [name for name in sys.modules if name.startswith(f"{APP}.")]:
        del sys.modules[name]
    del apps.all_models[blacklist.LABEL]
    if others is not None:
        apps.all_models[blacklist.LABEL] = others


@pytest.fixture
def empty_tables(old_tables: Any, db: None) -> Iterator[Any]:
    """Empty them after the test too, which its transaction may not do."""
    yield old_tables
    for one in (old_tables.BlacklistedToken, old_tables.OutstandingToken):
        one.objects.all().delete()


@pytest.fixture
def installed(empty_tables: Any) -> Iterator[None]:
    """Install an app with these tables, as simplejwt's is."""
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, APP]):
        yield


def outstand(user: Any, *, seconds: int = 3600, text: str = "", **claims: Any) -> Any:
    """Write a token that was issued to a user, valid for that long; return its row."""
    from tests.tokenblacklist.models import OutstandingToken

    token = text or token_of_old(user, seconds=seconds, **claims)
    return OutstandingToken.objects.create(
        user=user,
        jti=text or runtime.current().codec.decode(token)["jti"],
        token=token,
        created_at=timezone.now(),
        expires_at=blacklist.as_stored(runtime.now() + seconds),
    )


def put_on_blacklist(outstanding: Any) -> None:
    """Blacklist a token as a process does that knows nothing of this package."""
    from tests.tokenblacklist.models import BlacklistedToken

    row = BlacklistedToken(token=outstanding, blacklisted_at=timezone.now())
    BlacklistedToken.objects.bulk_create([row])  # no signal


def adopted(outstanding: Any) -> Session | None:
    """Return the session that a token has become."""
    from drf_signet import adoption

    return Session.objects.filter(pk=adoption.session_id_of(outstanding.jti)).first()
