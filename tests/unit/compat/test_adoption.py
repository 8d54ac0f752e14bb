"""Test the adoption of legacy refresh tokens: the first use of a token opens a session."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from drf_signet import runtime, tokens
from drf_signet.compat.simplejwt import adoption
from drf_signet.compat.simplejwt.utils import get_md5_hash_password
from drf_signet.models import EndReason, Session
from drf_signet.sessions import store
from tests.support.session_states import (
    ADOPTING,
    ROTATING,
    backdate_rotation,
    delete_row_of,
    generation_of,
    legacy_token,
    post,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _adopting(settings: Any) -> None:
    settings.SIGNET = {**ADOPTING, **ROTATING}


def test_legacy_token_becomes_a_session_at_its_first_refresh(client: APIClient, user: Any) -> None:
    answer = post(client, "token_refresh", refresh=legacy_token(user))
    assert answer.status_code == 200
    session = Session.objects.get()
    assert (session.user, session.generation) == (user, 1)
    assert generation_of(answer.data["refresh"]) == (session.pk, 1)


def test_legacy_token_used_repeatedly_becomes_one_session(client: APIClient, user: Any) -> None:
    token = legacy_token(user)
    answers = [post(client, "token_refresh", refresh=token) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({generation_of(answer.data["refresh"]) for answer in answers}) == 1
    assert Session.objects.count() == 1


def test_two_legacy_tokens_become_two_sessions(client: APIClient, user: Any) -> None:
    for _ in range(2):
        post(client, "token_refresh", refresh=legacy_token(user))
    assert Session.objects.count() == 2


def test_adopted_session_detects_reuse_after_rotations(client: APIClient, user: Any) -> None:
    token = legacy_token(user)
    first = post(client, "token_refresh", refresh=token).data["refresh"]
    assert post(client, "token_refresh", refresh=first).status_code == 200
    assert post(client, "token_refresh", refresh=token).data["reason"] == "reused"
    assert Session.objects.get().end_reason == EndReason.REUSE


def test_rotated_legacy_token_is_rejected_after_the_grace_period(
    client: APIClient, user: Any
) -> None:
    token = legacy_token(user)
    post(client, "token_refresh", refresh=token)
    backdate_rotation(Session.objects.get(), seconds=31)
    assert post(client, "token_refresh", refresh=token).status_code == 401


def test_legacy_token_can_be_refreshed_repeatedly_without_rotation(
    client: APIClient, user: Any, settings: Any
) -> None:
    settings.SIGNET = ADOPTING
    token = legacy_token(user)
    for _ in range(2):
        answer = post(client, "token_refresh", refresh=token)
        assert set(answer.data) == {"access"}
    assert Session.objects.get().generation == 0


def test_legacy_token_logged_out_before_its_adoption_is_rejected(
    client: APIClient, user: Any
) -> None:
    token = legacy_token(user)
    assert post(client, "token_logout", refresh=token).status_code == 204
    assert post(client, "token_refresh", refresh=token).data["reason"] == "ended"
    assert Session.objects.get().end_reason == EndReason.LOGOUT


def test_legacy_token_verifies_before_and_after_its_adoption(client: APIClient, user: Any) -> None:
    token = legacy_token(user)
    assert post(client, "token_verify", token=token).status_code == 200
    post(client, "token_refresh", refresh=token)
    assert post(client, "token_verify", token=token).status_code == 200
    post(client, "token_logout", refresh=token)
    assert post(client, "token_verify", token=token).status_code == 401


@pytest.mark.parametrize("use", ["token_refresh", "token_logout", "token_verify"])
def test_legacy_sliding_token_is_rejected_without_a_query(
    client: APIClient, user: Any, use: str, django_assert_num_queries: Callable[..., Any]
) -> None:
    token = legacy_token(user, token_type="sliding", refresh_exp=int(runtime.now()) + 9000)
    with django_assert_num_queries(0):
        answer = post(client, use, **{"token" if use == "token_verify" else "refresh": token})
        assert (answer.status_code, answer.data["reason"]) == (401, "invalid")
        answer = client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {token}")
        assert answer.status_code == 401


def test_legacy_access_token_is_accepted_by_a_protected_view(client: APIClient, user: Any) -> None:
    token = legacy_token(user, token_type="access")
    assert client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 200
    assert post(client, "token_verify", token=token).status_code == 200
    assert not Session.objects.exists()


@pytest.mark.parametrize("use", ["token_refresh", "token_logout"])
def test_legacy_token_is_rejected_after_adopt_tokens_until(
    client: APIClient,
    user: Any,
    settings: Any,
    use: str,
    django_assert_num_queries: Callable[..., Any],
) -> None:
    settings.SIGNET = {**ROTATING, "ADOPT_TOKENS_UNTIL": "2020-01-01T00:00:00Z"}
    token = legacy_token(user)
    with django_assert_num_queries(0):
        assert post(client, use, refresh=token).status_code == 401


def test_expired_legacy_token_is_rejected_without_a_query(
    client: APIClient, user: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    token = legacy_token(user, seconds=-1)
    with django_assert_num_queries(0):
        assert post(client, "token_refresh", refresh=token).data["reason"] == "expired"


@pytest.mark.parametrize("use", ["token_refresh", "token_logout", "token_verify"])
@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "inactive"])
def test_legacy_token_of_a_deleted_or_inactive_user_is_rejected(
    client: APIClient, user: Any, use: str, deleted: bool
) -> None:
    token = legacy_token(user)
    if deleted:
        delete_row_of(user)
    else:
        user.is_active = False
        user.save()
    answer = post(client, use, **{"token" if use == "token_verify" else "refresh": token})
    assert answer.status_code == 401
    assert answer.data["code"] == ("token_not_valid" if deleted else "user_inactive")
    assert not Session.objects.exists()


def test_adopted_session_ends_when_the_password_changes(client: APIClient, user: Any) -> None:
    """simplejwt accepts refresh tokens after a password change. drf-signet rejects them."""
    refresh = post(client, "token_refresh", refresh=legacy_token(user)).data["refresh"]
    user.set_password("another")
    user.save()
    assert post(client, "token_refresh", refresh=refresh).status_code == 401


@pytest.mark.parametrize(
    ("simple_jwt", "claim", "password", "status"),
    [
        ({}, "hash_password", "current", 200),
        ({}, "hash_password", "another", 401),
        ({"CHECK_REVOKE_TOKEN": True}, "hash_password", "current", 200),
        ({"CHECK_REVOKE_TOKEN": True}, "hash_password", "another", 401),
        ({"CHECK_REVOKE_TOKEN": True}, "other", "current", 401),
        ({"CHECK_REVOKE_TOKEN": True, "REVOKE_TOKEN_CLAIM": "other"}, "other", "current", 200),
        ({"REVOKE_TOKEN_CLAIM": "other"}, "other", "another", 401),
    ],
)
def test_legacy_token_with_a_password_hash_is_adopted_only_if_the_hash_is_current(
    client: APIClient,
    user: Any,
    settings: Any,
    simple_jwt: dict[str, Any],
    claim: str,
    password: str,
    status: int,
) -> None:
    settings.SIMPLE_JWT = simple_jwt
    password_hash: Any = get_md5_hash_password(user.password if password == "current" else password)
    refresh_token = legacy_token(user, **{claim: password_hash})
    assert post(client, "token_refresh", refresh=refresh_token).status_code == status
    assert Session.objects.exists() is (status == 200)


def test_legacy_token_with_a_string_user_id_is_adopted(client: APIClient, user: Any) -> None:
    """simplejwt 5.5.1 writes `user_id` as a string."""
    token = legacy_token(user, user_id=str(user.pk))
    assert post(client, "token_refresh", refresh=token).status_code == 200


def test_adopted_session_takes_its_auth_time_from_iat(client: APIClient, user: Any) -> None:
    issued = int(runtime.now()) - 1000
    post(client, "token_refresh", refresh=legacy_token(user, iat=issued))
    assert int(Session.objects.get().auth_time.timestamp()) == issued


def test_ended_session_is_kept_until_its_legacy_token_expires(client: APIClient, user: Any) -> None:
    """If the row were deleted earlier, the token could be adopted again."""
    year = timedelta(days=365)
    token = legacy_token(user, seconds=int(year.total_seconds()))
    post(client, "token_logout", refresh=token)
    assert store.clear_expired(now=runtime.now() + year.total_seconds() - 60) == 0
    assert post(client, "token_refresh", refresh=token).status_code == 401


def test_session_id_of_a_legacy_token_is_computed_from_its_jti_and_is_stable(user: Any) -> None:
    """If a later release computed a different id, the token could be adopted again."""
    claims = tokens.verify(legacy_token(user, jti="a"), "refresh", now=runtime.now())
    assert adoption.session_id_of(claims.jti) == uuid.UUID("cd71c9a3-6a24-5c06-a70d-616397ad20f4")


def test_first_adoption_takes_four_queries_and_later_ones_take_two(
    user: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    claims = tokens.verify(legacy_token(user), "refresh", now=runtime.now())
    with django_assert_num_queries(4 + 2):  # 2 queries create and release a savepoint
        adoption.adopt(claims, now=runtime.now())
    with django_assert_num_queries(2):
        adoption.adopt(claims, now=runtime.now())
