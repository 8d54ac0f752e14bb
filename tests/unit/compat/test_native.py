"""Test how many queries drf-signet's own endpoints run while the alias is installed."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from drf_signet import Session
from tests.conftest import PASSWORD
from tests.support.simplejwt_alias import alias_tables, committing, installed

__all__ = ["alias_tables"]  # a fixture, imported so that pytest finds it


def count_queries(base: str) -> dict[str, int]:
    """Log in, use each endpoint and log out; return a dict: path → number of queries."""
    client, counts = APIClient(), {}

    def post(path: str, **data: Any) -> Any:
        with CaptureQueriesContext(connection) as queries:
            answer = client.post(f"{base}{path}", data)
        assert answer.status_code in (200, 204), answer.data
        counts[path] = len(queries)
        return answer.data

    pair = post("", username="vitor", password=PASSWORD)
    pair |= post("refresh/", refresh=pair["refresh"])
    post("verify/", token=pair["refresh"])
    with CaptureQueriesContext(connection) as queries:
        header = f"Bearer {pair['access']}"
        assert client.get(f"{base}sessions/", HTTP_AUTHORIZATION=header).status_code == 200
    counts["sessions/"] = len(queries)
    post("logout/", refresh=pair["refresh"])
    assert not Session.objects.live().exists()
    return counts


@pytest.mark.django_db
@pytest.mark.parametrize("rotates", [True, False])
def test_alias_without_the_blacklist_app_adds_no_query(
    user: Any, settings: Any, rotates: bool
) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": rotates}
    without_alias = count_queries("/api/token/")
    assert without_alias["refresh/"] == 1 + rotates
    apps = ["drf_signet.compat.simplejwt", *django_settings.INSTALLED_APPS]
    with override_settings(INSTALLED_APPS=apps):
        assert count_queries("/api/token/") == without_alias


@committing  # after the commit, the alias looks up the OutstandingToken row
def test_blacklist_app_adds_one_query_to_logout(
    user: Any, settings: Any, alias_tables: Any
) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True}
    without_alias = count_queries("/api/token/")
    with installed():
        with_alias = count_queries("/native/")
    assert with_alias == without_alias | {"logout/": without_alias["logout/"] + 1}
    assert not alias_tables.OutstandingToken.objects.exists()
