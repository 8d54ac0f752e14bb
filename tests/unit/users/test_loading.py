"""Test `drf_signet.users.loading`: which user is loaded for a token, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User

from drf_signet import runtime
from drf_signet.errors import SessionEnded, UserInactive
from drf_signet.jose.claims import Claims
from drf_signet.users import loading
from drf_signet.users.lazyuser import is_unfetched
from tests import usermodels
from tests.usermodels.models import KeyedByText, KeyedByUUID, Member


@pytest.fixture(scope="module", autouse=True)
def _installed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), usermodels.installed():
        yield


def claims_of(key: Any) -> Claims:
    return Claims({}, expires_at=2_000_000_000, user_key=key, sid="s")


def refuse(claims: Claims) -> Any:
    """Raise SessionEnded instead of loading the user."""
    raise SessionEnded


def load(claims: Claims) -> Any:
    """Load the user with the default queryset."""
    return loading.load(claims, loading.all_users())


def only_staff(user: Any) -> bool:
    return bool(user.is_staff)


def test_the_identified_user_is_loaded_with_one_statement(
    user: Any, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        assert loading.load(claims_of(user.pk), loading.all_users()) == user


def test_a_deleted_user_raises_session_ended(user: Any) -> None:
    claims = claims_of(user.pk)
    user.delete()
    with pytest.raises(SessionEnded):
        loading.load(claims, loading.all_users())


def test_a_user_outside_the_queryset_raises_session_ended(user: Any) -> None:
    with pytest.raises(SessionEnded):
        loading.load(claims_of(user.pk), loading.all_users().filter(is_staff=True))


def test_an_inactive_user_raises_user_inactive(make_user: Callable[..., Any]) -> None:
    with pytest.raises(UserInactive):
        loading.load(claims_of(make_user(is_active=False).pk), loading.all_users())


@pytest.mark.parametrize(
    "rule", [only_staff, f"{__name__}.only_staff"], ids=["callable", "dotted path"]
)
def test_the_projects_rule_decides_who_may_authenticate(
    rule: Any, make_user: Callable[..., Any], settings: Any
) -> None:
    settings.SIGNET = {"USER_AUTHENTICATION_RULE": rule}
    staff, other = make_user(is_staff=True, is_active=False), make_user()
    assert loading.load(claims_of(staff.pk), loading.all_users()) == staff
    assert loading.may_authenticate(staff)
    assert not loading.may_authenticate(other)
    with pytest.raises(UserInactive):
        loading.load(claims_of(other.pk), loading.all_users())


def test_a_user_is_lazy_by_default(user: Any, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        lazy = loading.user_for_claims(claims_of(user.pk), refuse)
        assert lazy == user
    assert is_unfetched(lazy)
    with pytest.raises(SessionEnded):
        lazy.username  # noqa: B018


@pytest.mark.parametrize(
    "signet",
    [
        {"USER_LOADING": "fresh"},
        {"USER_ID_FIELD": "username"},
        {"USER_ID_FIELD": "username", "USER_LOADING": "lazy"},
    ],
    ids=lambda signet: ", ".join(signet.values()),
)
def test_a_user_is_loaded_at_once_if_the_settings_require_it(
    signet: dict[str, str], user: Any, settings: Any
) -> None:
    settings.SIGNET = signet
    loaded = loading.user_for_claims(claims_of(user.username), lambda claims: user)
    assert loaded is user
    with pytest.raises(SessionEnded):
        loading.user_for_claims(claims_of(user.username), refuse)


@pytest.mark.parametrize("name", ["pk", "id"])
def test_a_user_is_lazy_for_each_name_of_the_primary_key(
    name: str, user: Any, settings: Any
) -> None:
    settings.SIGNET = {"USER_ID_FIELD": name}
    assert is_unfetched(loading.user_for_claims(claims_of(user.pk), refuse))


def test_extra_arguments_are_passed_to_the_loader(user: Any) -> None:
    def load(claims: Claims, *more: Any) -> Any:
        return user if more == ("of", "the view") else None

    lazy = loading.user_for_claims(claims_of(user.pk), load, "of", "the view")
    assert lazy.username == user.username


@pytest.mark.parametrize("model", [User, KeyedByUUID, KeyedByText, Member])
@pytest.mark.parametrize("user_loading", ["lazy", "fresh"])
def test_the_user_is_an_instance_of_the_projects_user_model(
    user_loading: str, model: Any, db: None, settings: Any
) -> None:
    settings.AUTH_USER_MODEL = model._meta.label
    settings.SIGNET = {"USER_LOADING": user_loading}
    assert get_user_model() == model
    stored = model(username="ada", **({"code": "ada-1"} if model is KeyedByText else {}))
    stored.save()
    claims = claims_of(stored.pk)
    loaded = loading.user_for_claims(claims, load)
    assert isinstance(loaded, model)
    assert loaded == stored
    assert is_unfetched(loaded) is (user_loading == "lazy")
    assert loaded.username == "ada"
    assert type(loaded) is model


def test_a_token_belongs_to_the_user_whose_key_it_contains(
    user: Any, make_user: Callable[..., Any], settings: Any
) -> None:
    matches = runtime.current().subject.matches
    assert matches(user, claims_of(user.pk).user_key)
    assert not matches(make_user(), claims_of(user.pk).user_key)
    settings.SIGNET = {"USER_ID_FIELD": "username"}
    matches = runtime.current().subject.matches
    assert matches(user, claims_of(user.username).user_key)
    assert not matches(user, claims_of(str(user.pk)).user_key)
