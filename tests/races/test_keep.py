"""Test that a refresh at the same moment does not end a session that `drf_signet.keep` keeps."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

import drf_signet
from drf_signet.models import Session
from tests.support.session_states import post

from .crew import Act, Crew

pytestmark = pytest.mark.django_db(transaction=True)

#: The number of clients that refresh while the password changes.
CLIENTS = 3
ROUNDS = int(os.environ.get("SIGNET_TEST_RACES", "200")) // 8


def refreshing(token: str | None, times: int) -> Act[int]:
    def act(client: APIClient) -> int:
        statuses = [post(client, "token_refresh", refresh=token).status_code for _ in range(times)]
        assert set(statuses) <= {200, 503}, statuses
        return 0

    return act


def changing(access: str, order: str) -> Act[int]:
    def act(client: APIClient) -> int:
        url = f"/drf/?order={order}&save=set_password"
        return int(client.post(url, headers={"authorization": f"Bearer {access}"}).status_code)

    return act


@pytest.mark.parametrize("order", ["keep_before_in_a_transaction", "keep_in_the_same_transaction"])
def test_refresh_at_the_same_moment_does_not_end_a_session_that_is_kept(
    order: str,
    make_user: Callable[[], Any],
    assemble: Callable[[int], Crew],
    settings: Any,
) -> None:
    settings.ROOT_URLCONF = "tests.support.password_views"
    crew = assemble(CLIENTS + 1)
    changed = 0
    for number in range(ROUNDS):
        user = make_user()
        pair = drf_signet.issue(user)
        acts = [refreshing(pair.refresh, times=1 + number % 5) for _ in range(CLIENTS)]
        *_, status = crew.act([*acts, changing(pair.access, order)])
        changed += status == 200
        assert Session.objects.get(pk=pair.session.pk).end_reason == ""
        assert get_user_model().objects.get(pk=user.pk).password != user.password or status != 200
        assert post(APIClient(), "token_refresh", refresh=pair.refresh).status_code == 200
    # A conflict with a refresh may fail the change, and then nothing has changed.
    assert changed
