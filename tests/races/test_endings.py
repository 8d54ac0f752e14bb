"""Test that all tokens are invalid after a session has ended during concurrent refreshes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError
from rest_framework.test import APIClient

import drf_signet
from drf_signet.models import Session
from drf_signet.tokens import TokenPair
from tests.support.session_states import post

from .crew import Act, Crew, refreshing

pytestmark = pytest.mark.django_db(transaction=True)

REFRESHING = 3

Ending = Callable[[Any, TokenPair], Act[Any]]


def logout(user: Any, pair: TokenPair) -> Act[Any]:
    """Return a function that logs out.

    In Keycloak issue #51312, a refresh during a logout returned valid tokens.
    """
    return lambda client: post(client, "token_logout", refresh=pair.refresh).status_code


def logout_everywhere(user: Any, pair: TokenPair) -> Act[Any]:
    def act(client: APIClient) -> int:
        header = f"Bearer {pair.access}"
        return client.post("/api/token/logout/all/", HTTP_AUTHORIZATION=header).status_code

    return act


def change_of_password(user: Any, pair: TokenPair) -> Act[Any]:
    def act(client: APIClient) -> int:
        user.set_password("another")
        user.save()
        return 204

    return act


def deactivation(user: Any, pair: TokenPair) -> Act[Any]:
    def act(client: APIClient) -> int:
        get_user_model().objects.filter(pk=user.pk).update(is_active=False)
        return 204

    return act


def deletion(user: Any, pair: TokenPair) -> Act[Any]:
    def act(client: APIClient) -> int:
        while True:
            try:
                get_user_model().objects.get(pk=user.pk).delete()
            except OperationalError:  # the deletion conflicted with a refresh
                continue
            return 204

    return act


@pytest.mark.parametrize(
    ("ending", "rounds"),
    [
        (logout, 200),
        (logout_everywhere, 30),
        (change_of_password, 30),
        (deactivation, 30),
        (deletion, 30),
    ],
)
def test_no_refresh_token_is_valid_after_its_session_ended_during_refreshes(
    ending: Ending,
    rounds: int,
    make_user: Callable[..., Any],
    assemble: Callable[[int], Crew],
    client: APIClient,
) -> None:
    crew = assemble(REFRESHING + 1)
    for _ in range(rounds):
        user = make_user()
        pair = drf_signet.issue(user)
        answers = crew.act([ending(user, pair), *[refreshing(pair.refresh)] * REFRESHING])
        assert answers[0] == 204
        assert {answer.status_code for answer in answers[1:]} <= {200, 401}
        issued = [answer.data["refresh"] for answer in answers[1:] if answer.status_code == 200]
        tokens = {pair.refresh, *issued}
        afterwards = [post(client, "token_refresh", refresh=token) for token in tokens]
        assert {answer.status_code for answer in afterwards} == {401}
    assert not Session.objects.filter(end_reason="").exists()


def test_concurrent_replays_of_a_token_send_refresh_reused_once(
    user: Any, assemble: Callable[[int], Crew], client: APIClient, signals: dict[str, list[Any]]
) -> None:
    crew = assemble(16)
    for _ in range(10):
        signals.clear()
        stolen_token = drf_signet.issue(user).refresh
        newest_token = post(client, "token_refresh", refresh=stolen_token).data["refresh"]
        newest_token = post(client, "token_refresh", refresh=newest_token).data["refresh"]
        answers = crew.act([*[refreshing(stolen_token)] * 12, *[refreshing(newest_token)] * 4])
        assert {answer.status_code for answer in answers[:12]} == {401}
        assert {answer.status_code for answer in answers[12:]} <= {200, 401}
        assert len(signals["refresh_reused"]) == 1
        assert len(signals["session_ended"]) == 1
        issued = [answer.data["refresh"] for answer in answers if answer.status_code == 200]
        tokens = {newest_token, *issued}
        afterwards = [post(client, "token_refresh", refresh=token) for token in tokens]
        assert {answer.status_code for answer in afterwards} == {401}
