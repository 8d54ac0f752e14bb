"""Test that OutstandingToken rows are found by the tokens of their logins."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from drf_signet.compat.simplejwt.backends import TokenBackend
from drf_signet.compat.simplejwt.tokens import AccessToken, RefreshToken
from tests.support.session_states import legacy_token
from tests.support.simplejwt_alias import alias, alias_tables

__all__ = ["alias", "alias_tables"]  # fixtures, imported so that pytest finds them


@pytest.fixture
def token(alias: Any, user: Any) -> RefreshToken:
    """Return a signed refresh token. There is the row of another login, too."""
    str(RefreshToken.for_user(user))
    token = RefreshToken.for_user(user)
    str(token)
    return token


def test_row_is_found_by_the_client_s_token_and_by_the_token_object(alias, token):
    rows = alias.OutstandingToken.objects
    assert rows.get(token=str(token)) == rows.get(token=token) == rows.get(jti=token["jti"])
    assert rows.filter(Q(token__exact=token)).count() == 1
    assert rows.exclude(token=str(token)).count() == 1
    assert rows.get_or_create(token=token) == (rows.get(jti=token["jti"]), False)


def test_row_is_found_by_a_token_that_has_been_refreshed(alias, client, token, settings):
    settings.SIMPLE_JWT = {"ROTATE_REFRESH_TOKENS": True}
    answer = client.post("/api/token/refresh/", {"refresh": str(token)}).json()
    row = alias.OutstandingToken.objects.get(token=answer["refresh"])
    assert row.jti == token["jti"]


def test_blacklisted_row_is_found_by_the_client_s_token(alias, token):
    token.blacklist()
    assert alias.BlacklistedToken.objects.filter(token__token=str(token)).count() == 1
    assert alias.BlacklistedToken.objects.filter(token__token=token).count() == 1


def test_row_is_found_by_its_own_string(alias, token):
    rows = alias.OutstandingToken.objects
    row = rows.get(token=token)
    assert rows.get(token=row.token) == row
    assert rows.filter(token=F("token")).count() == 2


def test_row_of_simplejwt_is_found_by_its_token(alias, user):
    raw_token, jti = legacy_token(user, jti="0" * 32), "0" * 32
    rows = alias.OutstandingToken.objects
    with_live_key = rows.create(jti=jti, token=raw_token, expires_at=timezone.now())
    with_former_key = rows.create(jti="1", token="former.key.token", expires_at=timezone.now())
    assert rows.get(token=raw_token) == with_live_key
    assert rows.get(token="former.key.token") == with_former_key


@pytest.mark.parametrize("other", ["", "x", "a.b.c", None, 5])
def test_other_values_find_no_row(alias, token, other):
    assert not alias.OutstandingToken.objects.filter(token=other).exists()


def test_function_of_the_column_is_compared_with_the_string(alias, token):
    rows = alias.OutstandingToken.objects.annotate(lower=Lower("token"))
    assert not rows.filter(lower=str(token)).exists()
    assert rows.filter(lower=rows.first().lower).count() == 1


def test_token_that_was_not_verified_finds_a_row_by_its_signature_only(alias, token):
    rows = alias.OutstandingToken.objects
    forged = TokenBackend("HS256", "f" * 32).encode(token.payload)
    assert not rows.filter(token=RefreshToken(forged, verify=False)).exists()
    assert rows.get(token=RefreshToken(str(token), verify=False)).jti == token["jti"]
    changed = RefreshToken(forged, verify=False)
    changed.payload["jti"] = token["jti"]
    assert not rows.filter(token=changed).exists()


def test_token_of_another_tenant_finds_no_row(alias, token, settings):
    raw_token = str(token)
    settings.SIGNET = {"TENANT": lambda request: "other"}
    assert not alias.OutstandingToken.objects.filter(token=raw_token).exists()


def test_forged_token_and_access_token_find_no_row(alias, token):
    forged = TokenBackend("HS256", "f" * 32).encode(token.payload)
    access: AccessToken = token.access_token
    rows = alias.OutstandingToken.objects
    assert not rows.filter(token=forged).exists()
    assert not rows.filter(token=str(access)).exists()
    assert not rows.filter(token=access).exists()
