"""Create the tables and users of a new database."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.utils.module_loading import import_string

from benchmarks.project.settings import STACK
from benchmarks.wire import CLIENT_ID, PASSWORD, username

#: The number of users in every database.
USERS = 1000


def database() -> None:
    """Create the tables and the users. For django-oauth-toolkit, also create an application."""
    call_command("migrate", verbosity=0)
    model = get_user_model()
    password = make_password(PASSWORD)
    model._default_manager.bulk_create(
        model(username=username(number), password=password) for number in range(USERS)
    )
    if STACK.family == "oauth":
        application = import_string("oauth2_provider.models.Application")
        application.objects.create(
            name="Benchmark",
            client_id=CLIENT_ID,
            client_type=application.CLIENT_PUBLIC,
            authorization_grant_type=application.GRANT_PASSWORD,
        )
