"""Test that the endpoints run outside transactions if two databases have ATOMIC_REQUESTS.

`test_variants` runs this module.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.urls import resolve
from django.utils import timezone

import drf_signet
from drf_signet import EndReason, Session
from tests.conftest import PASSWORD
from tests.support.endpoint_table import ALL, LOGOUT, OBTAIN, REFRESH


@pytest.mark.parametrize("endpoint", ALL, ids=str)
def test_endpoint_runs_outside_the_transactions_of_all_databases(endpoint) -> None:
    view: Any = resolve(endpoint.url).func
    assert view._non_atomic_requests == {"default", "archive"}


@pytest.mark.django_db(transaction=True, databases=["default", "archive"])
def test_login_refresh_and_reuse_run_without_a_transaction(client, make_user, settings) -> None:
    in_transaction: list[bool] = []

    def claims(user, session):
        in_transaction.extend(connections[alias].in_atomic_block for alias in connections)
        return {}

    settings.SIGNET = {"CLAIMS": claims, "ROTATE_REFRESH_TOKENS": True}
    make_user(username="vitor")
    pair = client.post(OBTAIN.url, {"username": "vitor", "password": PASSWORD}).json()
    assert client.post(REFRESH.url, {"refresh": pair["refresh"]}).status_code == 200
    assert in_transaction == [False] * 4
    Session.objects.update(refreshed_at=timezone.now() - timedelta(hours=1))
    assert client.post(REFRESH.url, {"refresh": pair["refresh"]}).json()["reason"] == "reused"
    assert Session.objects.get().end_reason == EndReason.REUSE
    assert client.post(LOGOUT.url, {"refresh": pair["refresh"]}).status_code == 204


@pytest.mark.django_db(transaction=True, databases=["default", "archive"])
def test_other_views_stay_inside_the_transactions(client, make_user) -> None:
    view: Any = resolve("/hello/").func
    assert not getattr(view, "_non_atomic_requests", None)
    token = drf_signet.issue(make_user()).access
    assert client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 200
