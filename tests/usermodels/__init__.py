"""User models of other shapes than Django's own, in an application that a test installs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection
from django.test import override_settings


@contextmanager
def installed() -> Iterator[None]:
    """Install the application and make its tables; undo both at the end. In no transaction."""
    from . import models

    made = (models.KeyedByUUID, models.KeyedByText, models.Person, models.Member, models.Employee)
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, __name__]):
        with connection.schema_editor() as editor:
            for model in made:
                editor.create_model(model)
        try:
            yield
        finally:
            with connection.schema_editor() as editor:
                for model in reversed(made):
                    editor.delete_model(model)
