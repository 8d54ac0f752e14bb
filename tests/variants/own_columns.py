"""Test logins of users whose `is_active` is a property and whose password may be NULL.

`test_variants` runs this module.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.hashers import make_password

import drf_signet
from drf_signet import EndReason, Session, runtime
from drf_signet.errors import UserChanged
from drf_signet.testing import browser_client
from tests.accounts.models import Guest
from tests.conftest import PASSWORD
from tests.support.changing_backend import change_after_authentication
from tests.support.endpoint_table import REFRESH

__all__ = ["change_after_authentication"]  # a fixture, imported so that pytest finds it

CREDENTIALS = {"username": "vitor", "password": PASSWORD}
LOGINS = ["/api/token/", "/auth/login/", "/alias/", "/alias/sliding/"]


@pytest.fixture(autouse=True)
def _every_login(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.support.every_login"


@pytest.fixture
def user(db: None) -> Any:
    """Create a user."""
    return Guest.objects.create_user(username="vitor", password=PASSWORD)


def new_password(user: Any) -> None:
    Guest.objects.update(password=make_password("another"))


def no_password(user: Any) -> None:
    Guest.objects.update(password=None)


def blocked(user: Any) -> None:
    Guest.objects.update(state="blocked")


def deleted(user: Any) -> None:
    Guest.objects.all().delete()


CHANGES = [new_password, no_password, blocked, deleted]


def test_columns_alone_do_not_decide_about_such_a_user(db: None) -> None:
    assert runtime.current().login_columns is None


@pytest.mark.parametrize("path", LOGINS)
def test_login_and_refresh_succeed(client: Any, user: Any, path: str) -> None:
    assert browser_client().post(path, CREDENTIALS).status_code == 200
    pair = drf_signet.issue(user)
    assert client.post(REFRESH.url, {"refresh": pair.refresh}).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", LOGINS)
@pytest.mark.parametrize("change", CHANGES)
def test_login_of_a_user_changed_meanwhile_opens_no_session(
    user: Any, path: str, change: Any, change_after_authentication: Any
) -> None:
    change_after_authentication(change)
    assert browser_client().post(path, CREDENTIALS).status_code == 401
    assert not Session.objects.exists()


def test_login_of_a_user_whose_other_columns_change_meanwhile_succeeds(
    user: Any, change_after_authentication: Any
) -> None:
    change_after_authentication(lambda user: Guest.objects.update(username="ana"))
    assert browser_client().post("/auth/login/", CREDENTIALS).status_code == 200


@pytest.mark.parametrize("password", [None, "", "!"])
def test_issue_opens_a_session_for_a_user_without_a_password(user: Any, password: Any) -> None:
    Guest.objects.update(password=password)
    with pytest.raises(UserChanged):
        drf_signet.issue(user)
    user.refresh_from_db()
    assert drf_signet.issue(user).session == Session.objects.get()


def test_blocking_a_user_ends_the_sessions(user: Any) -> None:
    drf_signet.issue(user)
    user.state = "blocked"
    user.save()
    assert Session.objects.get().end_reason == EndReason.USER_INACTIVE
