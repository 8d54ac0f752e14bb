"""An app with custom user models. Tests install the app when they need these models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection
from django.test import override_settings


@contextmanager
def installed() -> Iterator[None]:
    """Install the app and create its tables for a `with` block.

    The block must not be inside a transaction.
    """
    from . import models

    concrete = (
        models.KeyedByUUID,
        models.KeyedByText,
        models.Person,
        models.Member,
        models.Employee,
    )
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, __name__]):
        with connection.schema_editor() as editor:
            for model in concrete:
                editor.create_model(model)
        try:
            yield
        finally:
            with connection.schema_editor() as editor:
                for model in reversed(concrete):
                    editor.delete_model(model)
