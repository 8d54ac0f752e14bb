"""Tokens of old under the alias: blacklisted by each of the old ways, before and after adoption."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from drf_signet import Session, adoption, runtime
from drf_signet.compat.simplejwt.tokens import RefreshToken
from tests.aliased import alias, alias_tables
from tests.situations import ADOPTING, token_of_old

__all__ = ["alias", "alias_tables"]

pytestmark = pytest.mark.django_db

REFRESH = "/api/token/refresh/"
NATIVE = "/native/refresh/"


@pytest.fixture(autouse=True)
def _adopting(settings: Any) -> None:
    settings.SIGNET = {**ADOPTING, "ROTATE_REFRESH_TOKENS": True}


@pytest.fixture
def outstanding(alias: Any, user: Any) -> Any:
    """Return the row of a token that simplejwt has issued."""
    token = token_of_old(user)
    return alias.OutstandingToken.objects.create(
        user=user,
        jti=runtime.current().codec.decode(token)["jti"],
        token=token,
        created_at=timezone.now(),
        expires_at=timezone.now() + timedelta(hours=1),
    )


def by_saving(models: Any, row: Any) -> None:
    models.BlacklistedToken.objects.get_or_create(token=row)


def in_bulk(models: Any, row: Any) -> None:
    models.BlacklistedToken.objects.bulk_create([models.BlacklistedToken(token=row)])


def by_the_token(models: Any, row: Any) -> None:
    RefreshToken(row.token).blacklist()


def by_the_endpoint(models: Any, row: Any) -> None:
    answer = APIClient().post("/api/token/blacklist/", {"refresh": row.token})
    assert answer.status_code == 200


WAYS = [by_saving, in_bulk, by_the_token, by_the_endpoint]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("url", [REFRESH, NATIVE])
def test_a_token_of_old_that_is_blacklisted_is_dead_before_its_adoption(
    client: APIClient,
    alias: Any,
    outstanding: Any,
    way: Callable[..., None],
    url: str,
) -> None:
    way(alias, outstanding)
    assert client.post(url, {"refresh": outstanding.token}).status_code == 401
    assert not Session.objects.live().exists()


@pytest.mark.parametrize("way", [by_saving, in_bulk])
@pytest.mark.parametrize("url", [REFRESH, NATIVE])
def test_the_session_that_it_has_become_ends(
    client: APIClient,
    alias: Any,
    outstanding: Any,
    way: Callable[..., None],
    url: str,
    django_capture_on_commit_callbacks: Any,
) -> None:
    successor = client.post(url, {"refresh": outstanding.token}).data["refresh"]
    with django_capture_on_commit_callbacks(execute=True):
        way(alias, outstanding)
    for token in (outstanding.token, successor):
        assert client.post(url, {"refresh": token}).status_code == 401
    session = Session.objects.get()
    assert session.pk == adoption.session_id_of(outstanding.jti)
    assert session.end_reason == "logout"


def test_the_command_tells_rows_of_old_from_those_of_the_alias(
    alias: Any, outstanding: Any, user: Any
) -> None:
    str(RefreshToken.for_user(user))  # writes a row of its own
    out = StringIO()
    call_command("signet_migrate_from_simplejwt", stdout=out)
    said = out.getvalue()
    assert "1 live tokens became sessions" in said
    assert "1 are sessions already" in said
    assert Session.objects.count() == 2


def test_a_token_of_old_and_its_successors_have_the_row_that_it_had(
    alias: Any, outstanding: Any, client: APIClient
) -> None:
    assert RefreshToken(outstanding.token).outstand() == (outstanding, False)
    successor = outstanding.token
    for _ in range(2):
        successor = client.post(REFRESH, {"refresh": successor}).data["refresh"]
        assert RefreshToken(successor)["jti"] == outstanding.jti
        assert RefreshToken(successor).outstand() == (outstanding, False)
    entry, created = RefreshToken(successor).blacklist()
    assert (entry.token, created) == (outstanding, True)
    assert alias.OutstandingToken.objects.count() == 1
    assert Session.objects.get().end_reason == "logout"


def test_a_token_of_old_without_a_row_gets_one_of_its_own_id(alias: Any, user: Any) -> None:
    token = RefreshToken(token_of_old(user))
    row, created = token.outstand() or (None, False)
    assert row is not None
    assert (row.jti, row.user, created) == (token["jti"], user, True)
    assert RefreshToken(str(token)).outstand() == (row, False)
