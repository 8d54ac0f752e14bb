"""Claims → user: which row they name, and when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User

from drf_signet import users
from drf_signet.claims import Claims
from drf_signet.errors import SessionEnded, UserInactive
from drf_signet.lazyuser import is_unfetched

from . import usermodels
from .usermodels.models import KeyedByText, KeyedByUUID, Member


@pytest.fixture(scope="module", autouse=True)
def _installed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), usermodels.installed():
        yield


def naming(key: Any) -> Claims:
    return Claims({}, expires_at=2_000_000_000, user_key=key, sid="s")


def refuse(claims: Claims) -> Any:
    """Load no user."""
    raise SessionEnded


def load(claims: Claims) -> Any:
    """Load the user as a view without a queryset of its own does."""
    return users.load(claims, users.all_users())


def only_staff(user: Any) -> bool:
    return bool(user.is_staff)


def test_the_named_user_is_loaded_with_one_statement(
    user: Any, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        assert users.load(naming(user.pk), users.all_users()) == user


def test_a_user_who_is_gone_is_the_end_of_the_session(user: Any) -> None:
    claims = naming(user.pk)
    user.delete()
    with pytest.raises(SessionEnded):
        users.load(claims, users.all_users())


def test_a_user_whom_the_queryset_leaves_out_is_gone(user: Any) -> None:
    with pytest.raises(SessionEnded):
        users.load(naming(user.pk), users.all_users().filter(is_staff=True))


def test_an_inactive_user_is_refused(make_user: Callable[..., Any]) -> None:
    with pytest.raises(UserInactive):
        users.load(naming(make_user(is_active=False).pk), users.all_users())


@pytest.mark.parametrize("rule", [only_staff, f"{__name__}.only_staff"], ids=["itself", "its path"])
def test_who_may_authenticate_is_the_projects_rule(
    rule: Any, make_user: Callable[..., Any], settings: Any
) -> None:
    settings.SIGNET = {"USER_AUTHENTICATION_RULE": rule}
    staff, other = make_user(is_staff=True, is_active=False), make_user()
    assert users.load(naming(staff.pk), users.all_users()) == staff
    assert users.may_authenticate(staff)
    assert not users.may_authenticate(other)
    with pytest.raises(UserInactive):
        users.load(naming(other.pk), users.all_users())


def test_a_user_is_lazy_by_default(user: Any, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        named = users.named_by(naming(user.pk), refuse)
        assert named == user
    assert is_unfetched(named)
    with pytest.raises(SessionEnded):
        named.username  # noqa: B018


@pytest.mark.parametrize(
    "signet",
    [
        {"USER_LOADING": "fresh"},
        {"USER_ID_FIELD": "username"},
        {"USER_ID_FIELD": "username", "USER_LOADING": "lazy"},
    ],
    ids=lambda signet: ", ".join(signet.values()),
)
def test_a_user_is_loaded_at_once_where_the_settings_say_so(
    signet: dict[str, str], user: Any, settings: Any
) -> None:
    settings.SIGNET = signet
    named = users.named_by(naming(user.username), lambda claims: user)
    assert named is user
    with pytest.raises(SessionEnded):
        users.named_by(naming(user.username), refuse)


@pytest.mark.parametrize("name", ["pk", "id"])
def test_a_user_is_lazy_under_each_name_of_the_primary_key(
    name: str, user: Any, settings: Any
) -> None:
    settings.SIGNET = {"USER_ID_FIELD": name}
    assert is_unfetched(users.named_by(naming(user.pk), refuse))


def test_what_the_loader_needs_more_is_handed_on(user: Any) -> None:
    def load(claims: Claims, *more: Any) -> Any:
        return user if more == ("of", "the view") else None

    named = users.named_by(naming(user.pk), load, "of", "the view")
    assert named.username == user.username


@pytest.mark.parametrize("model", [User, KeyedByUUID, KeyedByText, Member])
@pytest.mark.parametrize("loading", ["lazy", "fresh"])
def test_the_user_is_of_the_projects_model(
    loading: str, model: Any, db: None, settings: Any
) -> None:
    settings.AUTH_USER_MODEL = model._meta.label
    settings.SIGNET = {"USER_LOADING": loading}
    assert get_user_model() == model
    stored = model(username="ada", **({"code": "ada-1"} if model is KeyedByText else {}))
    stored.save()
    claims = naming(stored.pk)
    named = users.named_by(claims, load)
    assert isinstance(named, model)
    assert named == stored
    assert is_unfetched(named) is (loading == "lazy")
    assert named.username == "ada"
    assert type(named) is model


def test_a_token_is_the_users_whose_key_it_names(
    user: Any, make_user: Callable[..., Any], settings: Any
) -> None:
    assert users.is_named_by(naming(user.pk), user)
    assert not users.is_named_by(naming(user.pk), make_user())
    settings.SIGNET = {"USER_ID_FIELD": "username"}
    assert users.is_named_by(naming(user.username), user)
    assert not users.is_named_by(naming(str(user.pk)), user)
