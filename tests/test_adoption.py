"""`drf_signet.adoption`: refresh tokens of simplejwt and the tutorial become sessions."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from drf_signet import adoption, runtime, sessions, tokens
from drf_signet.models import EndReason, Session
from drf_signet.shared import get_md5_hash_password
from tests.situations import (
    ADOPTING,
    ROTATING,
    delete_row_of,
    generation_of,
    let_pass,
    post,
    token_of_old,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _adopting(settings: Any) -> None:
    settings.SIGNET = {**ADOPTING, **ROTATING}


def test_a_token_of_old_becomes_a_session_at_its_first_refresh(
    client: APIClient, user: Any
) -> None:
    answer = post(client, "token_refresh", refresh=token_of_old(user))
    assert answer.status_code == 200
    session = Session.objects.get()
    assert (session.user, session.generation) == (user, 1)
    assert generation_of(answer.data["refresh"]) == (session.pk, 1)


def test_a_token_of_old_is_one_session_however_often_it_comes(client: APIClient, user: Any) -> None:
    token = token_of_old(user)
    answers = [post(client, "token_refresh", refresh=token) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({generation_of(answer.data["refresh"]) for answer in answers}) == 1
    assert Session.objects.count() == 1


def test_two_tokens_of_old_are_two_sessions(client: APIClient, user: Any) -> None:
    for _ in range(2):
        post(client, "token_refresh", refresh=token_of_old(user))
    assert Session.objects.count() == 2


def test_an_adopted_session_goes_on_like_any_other(client: APIClient, user: Any) -> None:
    token = token_of_old(user)
    first = post(client, "token_refresh", refresh=token).data["refresh"]
    assert post(client, "token_refresh", refresh=first).status_code == 200
    assert post(client, "token_refresh", refresh=token).data["reason"] == "reused"
    assert Session.objects.get().end_reason == EndReason.REUSE


def test_a_token_of_old_is_refused_after_its_grace(client: APIClient, user: Any) -> None:
    token = token_of_old(user)
    post(client, "token_refresh", refresh=token)
    let_pass(Session.objects.get(), seconds=31)
    assert post(client, "token_refresh", refresh=token).status_code == 401


def test_a_token_of_old_serves_until_it_expires_where_nothing_rotates(
    client: APIClient, user: Any, settings: Any
) -> None:
    settings.SIGNET = ADOPTING
    token = token_of_old(user)
    for _ in range(2):
        answer = post(client, "token_refresh", refresh=token)
        assert set(answer.data) == {"access"}
    assert Session.objects.get().generation == 0


def test_a_token_of_old_that_was_logged_out_before_it_was_adopted_is_dead(
    client: APIClient, user: Any
) -> None:
    token = token_of_old(user)
    assert post(client, "token_logout", refresh=token).status_code == 204
    assert post(client, "token_refresh", refresh=token).data["reason"] == "ended"
    assert Session.objects.get().end_reason == EndReason.LOGOUT


def test_a_token_of_old_verifies_before_and_after_it_was_adopted(
    client: APIClient, user: Any
) -> None:
    token = token_of_old(user)
    assert post(client, "token_verify", token=token).status_code == 200
    post(client, "token_refresh", refresh=token)
    assert post(client, "token_verify", token=token).status_code == 200
    post(client, "token_logout", refresh=token)
    assert post(client, "token_verify", token=token).status_code == 401


@pytest.mark.parametrize("use", ["token_refresh", "token_logout", "token_verify"])
def test_a_sliding_token_of_old_is_neither_kind_and_refused(
    client: APIClient, user: Any, use: str, django_assert_num_queries: Callable[..., Any]
) -> None:
    token = token_of_old(user, token_type="sliding", refresh_exp=int(runtime.now()) + 9000)
    with django_assert_num_queries(0):
        answer = post(client, use, **{"token" if use == "token_verify" else "refresh": token})
        assert (answer.status_code, answer.data["reason"]) == (401, "invalid")
        answer = client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {token}")
        assert answer.status_code == 401


def test_an_access_token_of_old_opens_a_protected_view(client: APIClient, user: Any) -> None:
    token = token_of_old(user, token_type="access")
    assert client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 200
    assert post(client, "token_verify", token=token).status_code == 200
    assert not Session.objects.exists()


@pytest.mark.parametrize("use", ["token_refresh", "token_logout"])
def test_a_token_of_old_is_refused_when_adoption_is_over(
    client: APIClient,
    user: Any,
    settings: Any,
    use: str,
    django_assert_num_queries: Callable[..., Any],
) -> None:
    settings.SIGNET = {**ROTATING, "ADOPT_TOKENS_UNTIL": "2020-01-01T00:00:00Z"}
    token = token_of_old(user)
    with django_assert_num_queries(0):
        assert post(client, use, refresh=token).status_code == 401


def test_an_expired_token_of_old_is_refused_before_the_database_is_asked(
    client: APIClient, user: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    token = token_of_old(user, seconds=-1)
    with django_assert_num_queries(0):
        assert post(client, "token_refresh", refresh=token).data["reason"] == "expired"


@pytest.mark.parametrize("use", ["token_refresh", "token_logout", "token_verify"])
@pytest.mark.parametrize("gone", [True, False])
def test_a_token_of_old_opens_nothing_for_a_user_who_is_gone_or_inactive(
    client: APIClient, user: Any, use: str, gone: bool
) -> None:
    token = token_of_old(user)
    if gone:
        delete_row_of(user)
    else:
        user.is_active = False
        user.save()
    answer = post(client, use, **{"token" if use == "token_verify" else "refresh": token})
    assert answer.status_code == 401
    assert answer.data["code"] == ("token_not_valid" if gone else "user_inactive")
    assert not Session.objects.exists()


def test_an_adopted_session_ends_when_the_password_changes(client: APIClient, user: Any) -> None:
    """A password reset leaves refresh tokens: of old ones too, from their adoption on."""
    refresh = post(client, "token_refresh", refresh=token_of_old(user)).data["refresh"]
    user.set_password("another")
    user.save()
    assert post(client, "token_refresh", refresh=refresh).status_code == 401


@pytest.mark.parametrize(
    ("simple_jwt", "claim", "said", "status"),
    [
        ({}, "hash_password", "today's", 200),
        ({}, "hash_password", "another", 401),
        ({"CHECK_REVOKE_TOKEN": True}, "hash_password", "today's", 200),
        ({"CHECK_REVOKE_TOKEN": True}, "hash_password", "another", 401),
        ({"CHECK_REVOKE_TOKEN": True}, "other", "today's", 401),
        ({"CHECK_REVOKE_TOKEN": True, "REVOKE_TOKEN_CLAIM": "other"}, "other", "today's", 200),
        ({"REVOKE_TOKEN_CLAIM": "other"}, "other", "another", 401),
    ],
)
def test_a_token_of_old_that_says_its_password_is_adopted_under_no_other(
    client: APIClient,
    user: Any,
    settings: Any,
    simple_jwt: dict[str, Any],
    claim: str,
    said: str,
    status: int,
) -> None:
    settings.SIMPLE_JWT = simple_jwt
    stamp: Any = get_md5_hash_password(user.password if said == "today's" else said)
    refresh = token_of_old(user, **{claim: stamp})
    assert post(client, "token_refresh", refresh=refresh).status_code == status
    assert Session.objects.exists() is (status == 200)


def test_the_user_may_be_named_as_a_text_as_the_field_s_newer_tokens_do(
    client: APIClient, user: Any
) -> None:
    token = token_of_old(user, user_id=str(user.pk))
    assert post(client, "token_refresh", refresh=token).status_code == 200


def test_an_adopted_session_has_the_time_of_the_login_where_the_token_tells_it(
    client: APIClient, user: Any
) -> None:
    issued = int(runtime.now()) - 1000
    post(client, "token_refresh", refresh=token_of_old(user, iat=issued))
    assert int(Session.objects.get().auth_time.timestamp()) == issued


def test_the_row_outlives_its_token_so_that_an_ended_session_is_not_adopted_twice(
    client: APIClient, user: Any
) -> None:
    """Clean-up brings ended tokens back: simplejwt, whose flush forgets the blacklist."""
    year = timedelta(days=365)
    token = token_of_old(user, seconds=int(year.total_seconds()))
    post(client, "token_logout", refresh=token)
    assert sessions.clear_expired(now=runtime.now() + year.total_seconds() - 60) == 0
    assert post(client, "token_refresh", refresh=token).status_code == 401


def test_the_session_s_id_follows_from_the_token_alone_and_never_changes(user: Any) -> None:
    """Another id would adopt ended sessions again. MariaDB's type takes not every UUIDv8."""
    claims = tokens.verify_refresh(token_of_old(user, jti="a"), now=runtime.now())
    assert adoption.session_id(claims) == uuid.UUID("cd71c9a3-6a24-5c06-a70d-616397ad20f4")


def test_adopting_is_four_statements_and_one_from_then_on(
    user: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    claims = tokens.verify_refresh(token_of_old(user), now=runtime.now())
    with django_assert_num_queries(4 + 2):  # a test is a transaction: it takes a savepoint
        adoption.adopt(claims, now=runtime.now())
    with django_assert_num_queries(1):
        adoption.adopt(claims, now=runtime.now())
