"""Test when the alias writes the OutstandingToken row of a login, and that tokens match it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError
from django.utils import timezone
from rest_framework.test import APIClient

from drf_signet import Session
from drf_signet.compat.simplejwt import tables
from drf_signet.compat.simplejwt.exceptions import LoginRefused
from drf_signet.compat.simplejwt.tokens import AccessToken, RefreshToken, SlidingToken
from drf_signet.compat.simplejwt.utils import datetime_to_epoch, get_md5_hash_password
from drf_signet.models import EndReason
from tests.support.session_states import post
from tests.support.simplejwt_alias import alias, alias_tables, committing

__all__ = ["alias", "alias_tables"]  # fixtures, imported so that pytest finds them

pytestmark = pytest.mark.django_db

KINDS: list[Any] = [RefreshToken, SlidingToken]


@pytest.mark.parametrize("kind", KINDS)
def test_for_user_writes_the_row_and_no_session(kind: Any, alias: Any, user: Any) -> None:
    token = kind.for_user(user)
    row = alias.OutstandingToken.objects.get()
    assert (row.jti, row.user) == (token["jti"], user)
    assert not Session.objects.exists()
    str(token)
    assert Session.objects.get().pk.hex == row.jti
    assert alias.OutstandingToken.objects.get() == row


def test_access_token_has_no_row(alias: Any, user: Any) -> None:
    str(AccessToken.for_user(user))
    assert not alias.OutstandingToken.objects.exists()


def test_login_takes_two_inserts_and_one_select(
    alias: Any, user: Any, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        token = RefreshToken.for_user(user)
    with django_assert_num_queries(2):
        str(token)


@pytest.mark.parametrize("kind", KINDS)
def test_row_follows_a_token_whose_expiry_is_changed_before_it_is_signed(
    kind: Any, alias: Any, user: Any
) -> None:
    token = kind.for_user(user)
    claim = "exp" if kind is RefreshToken else "refresh_exp"
    token.set_exp(claim, lifetime=timedelta(days=40))
    str(token)
    row = alias.OutstandingToken.objects.get()
    assert datetime_to_epoch(row.expires_at) == token[claim]
    assert Session.objects.get().expires_at == row.expires_at
    RefreshToken(row.token).blacklist()
    assert Session.objects.get().end_reason == EndReason.LOGOUT


@pytest.mark.parametrize("kind", KINDS)
def test_session_ends_if_its_row_was_blacklisted_before_the_token_was_signed(
    kind: Any, alias: Any, user: Any, client: APIClient
) -> None:
    token = kind.for_user(user)
    alias.BlacklistedToken.objects.create(token=alias.OutstandingToken.objects.get())
    text = str(token)
    assert Session.objects.get().end_reason == EndReason.LOGOUT
    assert client.get("/hello/", headers={"authorization": f"Bearer {text}"}).status_code == 401
    assert post(client, "token_refresh", refresh=text).status_code == 401


@committing
@pytest.mark.parametrize("kind", KINDS)
def test_refused_login_leaves_no_row(kind: Any, alias: Any, user: Any) -> None:
    token = kind.for_user(user)
    get_user_model()._default_manager.update(password=make_password("another"))
    with pytest.raises(LoginRefused):
        str(token)
    assert not alias.OutstandingToken.objects.exists()
    deleted = get_user_model()._default_manager.get()
    get_user_model()._default_manager.all().delete()
    with pytest.raises(LoginRefused):
        str(kind.for_user(deleted))
    assert not alias.OutstandingToken.objects.exists()


def test_refresh_token_has_the_hash_of_the_current_password(
    alias: Any, user: Any, settings: Any, client: APIClient
) -> None:
    """With PASSWORD_CHANGE_ENDS="none", a session can outlive a new password."""
    settings.SIMPLE_JWT = {"CHECK_REVOKE_TOKEN": True, "ROTATE_REFRESH_TOKENS": True}
    settings.SIGNET = {"PASSWORD_CHANGE_ENDS": "none"}
    old = RefreshToken.for_user(user)
    old_access = str(old.access_token)
    user.set_password("another")
    user.save()
    answer = client.post("/api/token/refresh/", {"refresh": str(old)}).json()
    current = get_md5_hash_password(user.password)
    assert old["hash_password"] != current
    assert AccessToken(answer["access"])["hash_password"] == current
    assert RefreshToken(answer["refresh"])["hash_password"] == current
    headers = {"authorization": f"Bearer {old_access}"}
    assert client.get("/hello/", headers=headers).status_code == 200


@pytest.mark.parametrize("simple_jwt", [{}, {"CHECK_REVOKE_TOKEN": False}])
def test_token_has_no_hash_of_the_password_without_check_revoke_token(
    simple_jwt: Any, user: Any, settings: Any
) -> None:
    settings.SIMPLE_JWT = simple_jwt
    assert "hash_password" not in RefreshToken.for_user(user)


@committing
def test_row_of_a_user_who_is_deleted_meanwhile_has_no_user(alias: Any, user: Any) -> None:
    deleted = get_user_model()._default_manager.get()
    get_user_model()._default_manager.all().delete()
    times = {"created_at": timezone.now(), "expires_at": timezone.now()}
    row, created = tables.get_or_create_row("0" * 32, user=deleted, token="", **times)
    assert (row.user, created) == (None, True)


@committing
def test_row_that_the_database_refuses_is_an_error(alias: Any, user: Any) -> None:
    times = {"created_at": timezone.now(), "expires_at": None}
    for owner in (user, None):
        with pytest.raises(IntegrityError):
            tables.get_or_create_row("0" * 32, user=owner, token="", **times)
    with pytest.raises(IntegrityError):
        tables.create_row("0" * 32, user=user, token="", **times)
