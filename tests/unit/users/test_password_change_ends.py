"""Test the setting PASSWORD_CHANGE_ENDS: which sessions a new password ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from rest_framework.test import APIClient

import drf_signet
from drf_signet import Session, flows
from drf_signet.compat.simplejwt.utils import get_md5_hash_password
from drf_signet.errors import SessionEnded, UserChanged
from drf_signet.models import Transport
from drf_signet.testing import browser_client
from drf_signet.tokens import TokenPair
from tests.conftest import PASSWORD
from tests.support.changing_backend import change_after_authentication
from tests.support.session_states import ADOPTING, expire, legacy_token, post

__all__ = ["change_after_authentication"]  # a fixture, imported so that pytest finds it

pytestmark = pytest.mark.django_db

LOGINS = ["/api/token/", "/auth/login/", "/alias/", "/alias/sliding/"]


@pytest.fixture(autouse=True)
def _none(settings: Any) -> None:
    settings.SIGNET = {"PASSWORD_CHANGE_ENDS": "none"}


def by_save(user: Any) -> None:
    user.set_password("another")
    user.save()


def by_queryset(user: Any) -> None:
    get_user_model()._default_manager.filter(pk=user.pk).update(password=make_password("another"))


CHANGES: list[Callable[[Any], None]] = [by_save, by_queryset]


def refreshed(pair: TokenPair) -> Any:
    return flows.refresh(pair.refresh, transport=pair.session.transport)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("rotates", [True, False])
@pytest.mark.parametrize("transport", Transport)
def test_session_stays_valid_after_a_new_password(
    change: Callable[[Any], None], rotates: bool, transport: str, user: Any, settings: Any
) -> None:
    settings.SIGNET |= {"ROTATE_REFRESH_TOKENS": rotates}
    pair = drf_signet.issue(user, transport=transport)
    change(user)
    headers = {"authorization": f"Bearer {pair.access}"}
    assert APIClient().get("/hello/", headers=headers).status_code == 200
    first = refreshed(pair)
    assert isinstance(first, TokenPair)
    assert isinstance(refreshed(first if first.refresh else pair), TokenPair)
    assert Session.objects.get().end_reason == ""


@pytest.mark.parametrize("change", CHANGES)
def test_refresh_of_an_expired_session_does_not_end_it_for_its_password(
    change: Callable[[Any], None], user: Any
) -> None:
    pair = drf_signet.issue(user)
    change(user)
    expire(pair.session)
    assert isinstance(refreshed(pair), SessionEnded)
    assert Session.objects.get().end_reason == ""


def test_deactivation_and_deletion_still_end_the_sessions(
    make_user: Callable[[], Any],
) -> None:
    inactive, deleted = make_user(), make_user()
    pairs = [drf_signet.issue(inactive), drf_signet.issue(deleted)]
    inactive.is_active = False
    inactive.set_password("another")
    inactive.save()
    deleted.delete()
    assert not any(isinstance(refreshed(pair), TokenPair) for pair in pairs)


@pytest.mark.parametrize("change", CHANGES)
def test_session_of_an_old_password_ends_at_its_refresh_after_a_change_back_to_all(
    change: Callable[[Any], None], user: Any, settings: Any
) -> None:
    pair = drf_signet.issue(user)
    change(user)
    settings.SIGNET = {"PASSWORD_CHANGE_ENDS": "all"}
    assert isinstance(refreshed(pair), SessionEnded)
    assert Session.objects.get().end_reason == "password_changed"


@pytest.mark.parametrize("path", LOGINS)
@pytest.mark.parametrize("change", CHANGES)
def test_login_that_began_with_the_old_password_succeeds(
    path: str,
    change: Callable[[Any], None],
    user: Any,
    settings: Any,
    change_after_authentication: Any,
) -> None:
    settings.ROOT_URLCONF = "tests.support.every_login"
    change_after_authentication(lambda user: change(get_user_model().objects.get(pk=user.pk)))
    credentials = {"username": user.username, "password": PASSWORD}
    assert browser_client().post(path, credentials).status_code == 200
    assert Session.objects.live().count() == 1


@pytest.mark.parametrize("change", CHANGES)
def test_issue_for_a_user_with_an_old_password_succeeds_with_a_rule_of_the_project(
    change: Callable[[Any], None], user: Any, settings: Any
) -> None:
    settings.SIGNET |= {"USER_AUTHENTICATION_RULE": lambda user: user is not None}
    stale = get_user_model()._default_manager.get(pk=user.pk)
    change(user)
    assert isinstance(refreshed(drf_signet.issue(stale)), TokenPair)
    settings.SIGNET |= {"PASSWORD_CHANGE_ENDS": "all"}
    with pytest.raises(UserChanged):
        drf_signet.issue(stale)


@pytest.mark.parametrize("change", CHANGES)
def test_legacy_token_with_the_hash_of_an_old_password_stays_refused(
    change: Callable[[Any], None], user: Any, settings: Any, client: APIClient
) -> None:
    settings.SIGNET |= ADOPTING
    settings.SIMPLE_JWT = {"CHECK_REVOKE_TOKEN": True}
    old = legacy_token(user, hash_password=get_md5_hash_password(user.password))
    change(user)
    assert post(client, "token_refresh", refresh=old).status_code == 401
    user.refresh_from_db()
    new = legacy_token(user, hash_password=get_md5_hash_password(user.password))
    assert post(client, "token_refresh", refresh=new).status_code == 200


def test_keep_changes_nothing_if_a_new_password_ends_no_session(user: Any, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.support.password_views"
    pair = drf_signet.issue(user)
    url = "/drf/?order=keep_after&save=set_password"
    answer = APIClient().post(url, headers={"authorization": f"Bearer {pair.access}"})
    assert answer.json() == {"kept": True}
    assert isinstance(refreshed(pair), TokenPair)
