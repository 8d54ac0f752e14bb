"""Refreshes beside whatever ends their session: afterwards nobody holds a token that works."""

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
from tests.situations import post

from .crew import Act, Crew, refreshing

pytestmark = pytest.mark.django_db(transaction=True)

REFRESHING = 3

Ending = Callable[[Any, TokenPair], Act[Any]]


def logout(user: Any, pair: TokenPair) -> Act[Any]:
    """Refresh interleaved with revocation: Keycloak #51312."""
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
            except OperationalError:  # the application's transaction lost to a refresh
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
def test_no_refresh_token_is_usable_once_its_session_was_ended(
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
        held = {a.data["refresh"] for a in answers[1:] if a.status_code == 200} | {pair.refresh}
        afterwards = [post(client, "token_refresh", refresh=one) for one in held]
        assert {answer.status_code for answer in afterwards} == {401}
    assert not Session.objects.filter(end_reason="").exists()


def test_one_alarm_is_raised_however_many_replay_a_token_at_once(
    user: Any, assemble: Callable[[int], Crew], client: APIClient, signals: dict[str, list[Any]]
) -> None:
    crew = assemble(16)
    for _ in range(10):
        signals.clear()
        stolen = drf_signet.issue(user).refresh
        newest = post(client, "token_refresh", refresh=stolen).data["refresh"]
        newest = post(client, "token_refresh", refresh=newest).data["refresh"]
        answers = crew.act([*[refreshing(stolen)] * 12, *[refreshing(newest)] * 4])
        assert {answer.status_code for answer in answers[:12]} == {401}
        assert {answer.status_code for answer in answers[12:]} <= {200, 401}
        assert len(signals["refresh_reused"]) == 1
        assert len(signals["session_ended"]) == 1
        held = {a.data["refresh"] for a in answers if a.status_code == 200} | {newest}
        afterwards = [post(client, "token_refresh", refresh=one) for one in held]
        assert {answer.status_code for answer in afterwards} == {401}
