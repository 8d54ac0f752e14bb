"""What the adapters cost those who do not use them: nothing, but for keeping the tables in step."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from drf_signet import Session
from tests.aliased import alias_tables, committing, installed
from tests.conftest import PASSWORD

__all__ = ["alias_tables"]  # a fixture, here by its import


def costs(base: str) -> dict[str, int]:
    """Return how many statements each of our own endpoints takes, from a login to its end."""
    client, counted = APIClient(), {}

    def post(path: str, **data: Any) -> Any:
        with CaptureQueriesContext(connection) as queries:
            answer = client.post(f"{base}{path}", data)
        assert answer.status_code in (200, 204), answer.data
        counted[path] = len(queries)
        return answer.data

    pair = post("", username="vitor", password=PASSWORD)
    pair |= post("refresh/", refresh=pair["refresh"])
    post("verify/", token=pair["refresh"])
    with CaptureQueriesContext(connection) as queries:
        header = f"Bearer {pair['access']}"
        assert client.get(f"{base}sessions/", HTTP_AUTHORIZATION=header).status_code == 200
    counted["sessions/"] = len(queries)
    post("logout/", refresh=pair["refresh"])
    assert not Session.objects.live().exists()
    return counted


@pytest.mark.django_db
@pytest.mark.parametrize("rotates", [True, False])
def test_our_own_endpoints_take_the_statements_that_they_take_without_the_alias(
    user: Any, settings: Any, rotates: bool
) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": rotates}
    without = costs("/api/token/")
    assert without["refresh/"] == 1 + rotates
    every = ["drf_signet.compat.simplejwt", *django_settings.INSTALLED_APPS]
    with override_settings(INSTALLED_APPS=every):
        assert costs("/api/token/") == without


@committing  # where sessions end
def test_with_the_app_of_the_tables_the_end_of_a_session_looks_for_its_row(
    user: Any, settings: Any, alias_tables: Any
) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True}
    without = costs("/api/token/")
    with installed():
        found = costs("/native/")
    assert found == without | {"logout/": without["logout/"] + 1}
    assert not alias_tables.OutstandingToken.objects.exists()
