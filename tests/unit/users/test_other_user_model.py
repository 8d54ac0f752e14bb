"""Test that users of another model than the sessions' model are saved, and cannot log in.

A test suite may override AUTH_USER_MODEL, as djoser's suite does. The foreign key of the table of
sessions still refers to the model with which Django was started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import MD5PasswordHasher, make_password
from django.contrib.auth.models import User

import drf_signet
from drf_signet import Session
from drf_signet.compat.simplejwt.tokens import AccessToken, RefreshToken, SlidingToken
from drf_signet.models import session_user_model
from drf_signet.testing import auth_client, token_for
from tests import usermodels
from tests.support.session_states import NewHasher
from tests.usermodels.models import KeyedByText, KeyedByUUID, Member

pytestmark = pytest.mark.django_db

MODELS = [KeyedByUUID, KeyedByText, Member]


@pytest.fixture(scope="module", autouse=True)
def _installed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), usermodels.installed():
        yield


@pytest.fixture(params=MODELS)
def other(request: pytest.FixtureRequest, settings: Any) -> Any:
    """Override AUTH_USER_MODEL with another model; return a saved user of it."""
    model: Any = request.param
    settings.AUTH_USER_MODEL = model._meta.label
    assert get_user_model() is model
    assert session_user_model() is User
    settings.PASSWORD_HASHERS = [_path(NewHasher), _path(MD5PasswordHasher)]
    hash_ = make_password("correct horse", hasher="md5")
    key = {"code": "1"} if model._meta.pk.name == "code" else {}
    other = model(username="grace", password=hash_, **key)
    other.save()
    return other


def _path(hasher: type[Any]) -> str:
    return f"{hasher.__module__}.{hasher.__qualname__}"


def by_save(other: Any) -> None:
    other.save()


def by_save_of_the_password(other: Any) -> None:
    other.set_password("another")
    other.save(update_fields=["password"])


def by_deactivation(other: Any) -> None:
    other.is_active = False
    other.save()


def by_asave(other: Any) -> None:
    other.set_password("another")
    async_to_sync(other.asave)()


def by_checking_an_outdated_hash(other: Any) -> None:
    assert other.check_password("correct horse")
    assert other.password.startswith("new$")


def by_deletion(other: Any) -> None:
    other.delete()


def by_deletion_of_a_queryset(other: Any) -> None:
    type(other).objects.all().delete()


def by_bulk_update(other: Any) -> None:
    other.is_active = False
    type(other).objects.bulk_update([other], ["is_active"])


CHANGES = [
    by_save,
    by_save_of_the_password,
    by_deactivation,
    by_asave,
    by_checking_an_outdated_hash,
    by_deletion,
    by_deletion_of_a_queryset,
    by_bulk_update,
]


@pytest.mark.parametrize("change", CHANGES)
def test_change_of_a_user_of_another_model_ends_no_session(
    change: Callable[[Any], None], user: Any, other: Any
) -> None:
    drf_signet.issue(user)
    change(other)
    assert Session.objects.live().count() == 1


def test_change_of_a_session_user_still_ends_the_sessions(user: Any, other: Any) -> None:
    drf_signet.issue(user)
    user.set_password("another")
    user.save()
    # Django does not follow relations to a model that is swapped out, so a deletion ends nothing.
    assert Session.objects.get().end_reason == "password_changed"


@pytest.mark.parametrize("call", [drf_signet.issue, drf_signet.end_all, auth_client, token_for])
def test_user_of_another_model_is_refused_with_a_reason(call: Any, other: Any) -> None:
    with pytest.raises(TypeError, match=r"is an instance of auth\.User, not <\w+: "):
        call(other)
    assert not Session.objects.exists()


@pytest.mark.parametrize("token_class", [AccessToken, RefreshToken, SlidingToken])
def test_token_for_a_user_of_another_model_is_refused_with_a_reason(
    token_class: Any, other: Any
) -> None:
    with pytest.raises(TypeError, match=r"is an instance of auth\.User, not <\w+: "):
        token_class.for_user(other)
    assert not Session.objects.exists()


def test_user_of_the_session_model_logs_in_although_another_model_is_configured(
    user: Any, other: Any
) -> None:
    assert isinstance(user, User)
    assert drf_signet.issue(user).session.user == user
