"""Test the blacklisting of legacy tokens before and after their adoption, with the alias."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from drf_signet import Session, runtime
from drf_signet.compat.simplejwt import adoption
from drf_signet.compat.simplejwt.tokens import RefreshToken
from tests.support.session_states import ADOPTING, legacy_token
from tests.support.simplejwt_alias import alias, alias_tables

__all__ = ["alias", "alias_tables"]

pytestmark = pytest.mark.django_db

REFRESH = "/api/token/refresh/"
NATIVE = "/native/refresh/"


@pytest.fixture(autouse=True)
def _adopting(settings: Any) -> None:
    settings.SIGNET = {**ADOPTING, "ROTATE_REFRESH_TOKENS": True}


@pytest.fixture
def outstanding(alias: Any, user: Any) -> Any:
    """Create the OutstandingToken row of a token that simplejwt issued."""
    token = legacy_token(user)
    return alias.OutstandingToken.objects.create(
        user=user,
        jti=runtime.current().codec.decode(token)["jti"],
        token=token,
        created_at=timezone.now(),
        expires_at=timezone.now() + timedelta(hours=1),
    )


def blacklist_by_saving(models: Any, row: Any) -> None:
    models.BlacklistedToken.objects.get_or_create(token=row)


def blacklist_by_bulk_create(models: Any, row: Any) -> None:
    models.BlacklistedToken.objects.bulk_create([models.BlacklistedToken(token=row)])


def blacklist_by_token_method(models: Any, row: Any) -> None:
    RefreshToken(row.token).blacklist()


def blacklist_by_endpoint(models: Any, row: Any) -> None:
    answer = APIClient().post("/api/token/blacklist/", {"refresh": row.token})
    assert answer.status_code == 200


BLACKLISTING = [
    blacklist_by_saving,
    blacklist_by_bulk_create,
    blacklist_by_token_method,
    blacklist_by_endpoint,
]


@pytest.mark.parametrize("blacklist", BLACKLISTING)
@pytest.mark.parametrize("url", [REFRESH, NATIVE])
def test_legacy_token_blacklisted_before_its_adoption_is_rejected(
    client: APIClient,
    alias: Any,
    outstanding: Any,
    blacklist: Callable[..., None],
    url: str,
) -> None:
    blacklist(alias, outstanding)
    assert client.post(url, {"refresh": outstanding.token}).status_code == 401
    assert not Session.objects.live().exists()


@pytest.mark.parametrize("blacklist", [blacklist_by_saving, blacklist_by_bulk_create])
@pytest.mark.parametrize("url", [REFRESH, NATIVE])
def test_blacklisting_an_adopted_token_ends_its_session(
    client: APIClient,
    alias: Any,
    outstanding: Any,
    blacklist: Callable[..., None],
    url: str,
    django_capture_on_commit_callbacks: Any,
) -> None:
    successor = client.post(url, {"refresh": outstanding.token}).data["refresh"]
    with django_capture_on_commit_callbacks(execute=True):
        blacklist(alias, outstanding)
    for token in (outstanding.token, successor):
        assert client.post(url, {"refresh": token}).status_code == 401
    session = Session.objects.get()
    assert session.pk == adoption.session_id_of(outstanding.jti)
    assert session.end_reason == "logout"


def test_command_distinguishes_legacy_rows_from_rows_of_the_alias(
    alias: Any, outstanding: Any, user: Any
) -> None:
    str(RefreshToken.for_user(user))  # signing writes an OutstandingToken row
    out = StringIO()
    call_command("signet_migrate_from_simplejwt", stdout=out)
    output = out.getvalue()
    assert "1 live tokens became sessions" in output
    assert "1 are sessions already" in output
    assert Session.objects.count() == 2


def test_legacy_token_and_its_successors_share_the_outstanding_row(
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


def test_legacy_token_without_a_row_gets_a_row_with_its_jti(alias: Any, user: Any) -> None:
    token = RefreshToken(legacy_token(user))
    row, created = token.outstand() or (None, False)
    assert row is not None
    assert (row.jti, row.user, created) == (token["jti"], user, True)
    assert RefreshToken(str(token)).outstand() == (row, False)
