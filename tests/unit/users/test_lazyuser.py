"""Tests of the lazy user, whose row is loaded on first access, with several user models."""

from __future__ import annotations

import copy
import pickle
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.contrib.auth.models import AnonymousUser, Group, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import models
from django.db.models.signals import (
    class_prepared,
    post_delete,
    post_init,
    post_save,
    pre_delete,
    pre_init,
    pre_save,
)
from django.template import engines
from django.test import AsyncRequestFactory
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import IsAdminUser, IsAuthenticated
from rest_framework.test import APIRequestFactory

from drf_signet.users.lazyuser import fetch, is_unfetched, lazy_user
from tests import usermodels
from tests.usermodels.models import Employee, KeyedByText, KeyedByUUID, Member, Person, Staff

MODELS: list[type[Any]] = [User, KeyedByUUID, KeyedByText, Member, Employee, Staff]

Statements = Any


class Vanished(AuthenticationFailed):
    """The exception that the loader raises for a deleted user."""


@pytest.fixture(scope="module", autouse=True)
def _installed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), usermodels.installed():
        yield


@pytest.fixture(params=MODELS, ids=lambda model: model.__name__)
def model(request: pytest.FixtureRequest) -> type[Any]:
    """Return a user model; the test runs once for each model."""
    user_model: type[Any] = request.param
    return user_model


@pytest.fixture
def stored(db: None, model: type[Any]) -> Any:
    """Return a saved user."""
    key = {"code": "ada-1"} if model is KeyedByText else {}
    user = model(username="ada", email="ada@example.com", **key)
    user.set_password("correct horse")
    user.save()
    return user


@pytest.fixture
def lazy(stored: Any) -> Any:
    """Return a lazy user for the row of `stored`, which is not loaded yet."""
    return make_lazy(stored)


def make_lazy(stored: Any, model: type[Any] | None = None) -> Any:
    cls = model or type(stored)
    key = stored.pk
    return lazy_user(cls, key, lambda: cls._default_manager.get(pk=key))


def lazy_user_with_failing_loader(stored: Any) -> Any:
    """Return a lazy user whose loader raises an exception, as for a deleted row."""

    def load() -> Any:
        raise Vanished

    return lazy_user(type(stored), stored.pk, load)


def lazy_user_without_row(stored: Any) -> Any:
    """Return a lazy user whose loader returns None, as for a deleted row."""
    return lazy_user(type(stored), stored.pk, lambda: None)


# Before the row is loaded

#: Operations that do not need the row.
KEY_ONLY: dict[str, Callable[[Any, Any], bool]] = {
    "isinstance": lambda lazy, stored: isinstance(lazy, (type(stored), models.Model)),
    "pk": lambda lazy, stored: lazy.pk == stored.pk and type(lazy.pk) is type(stored.pk),
    "equality": lambda lazy, stored: lazy == stored and stored == lazy,
    "inequality": lambda lazy, stored: lazy != type(stored)() and lazy != stored.pk,
    "hash": lambda lazy, stored: hash(lazy) == hash(stored),
    "set": lambda lazy, stored: {lazy, stored} == {stored} == {lazy},
    "dict": lambda lazy, stored: {stored: 1}[lazy] == 1,
    "is_authenticated": lambda lazy, stored: lazy.is_authenticated is True,
    "is_anonymous": lambda lazy, stored: lazy.is_anonymous is False,
    "class": lambda lazy, stored: lazy.__class__.__name__ == type(stored).__name__,
    "module": lambda lazy, stored: type(lazy).__module__ == type(stored).__module__,
    "meta": lambda lazy, stored: lazy._meta is stored._meta,
    "class attribute": lambda lazy, stored: lazy.USERNAME_FIELD == "username",
    "exception": lambda lazy, stored: lazy.DoesNotExist is type(stored).DoesNotExist,
    "state": lambda lazy, stored: not lazy._state.adding and lazy._state.db == "default",
    "content type": lambda lazy, stored: (
        ContentType.objects.get_for_model(lazy) == ContentType.objects.get_for_model(stored)
    ),
    "bool": lambda lazy, stored: bool(lazy),
    "IsAuthenticated": lambda lazy, stored: permits(IsAuthenticated, lazy),
}


def test_operations_on_the_key_send_no_statement(
    lazy: Any, stored: Any, django_assert_num_queries: Statements
) -> None:
    ContentType.objects.get_for_model(stored)
    with django_assert_num_queries(0):
        answers = {name: question(lazy, stored) for name, question in KEY_ONLY.items()}
    assert answers == dict.fromkeys(KEY_ONLY, True)
    assert is_unfetched(lazy)


def permits(permission: type[Any], user: Any) -> bool:
    request = APIRequestFactory().get("/")
    request.user = user
    return bool(permission().has_permission(request, None))


def test_a_lazy_user_filters_querysets_without_loading_its_row(
    lazy: Any, stored: Any, django_assert_num_queries: Statements
) -> None:
    with django_assert_num_queries(2):
        assert list(type(stored).objects.filter(pk=lazy.pk)) == [stored]
        assert type(stored).objects.contains(lazy)
    assert is_unfetched(lazy)


@pytest.mark.parametrize("model", [KeyedByUUID, KeyedByText, Member], indirect=True)
def test_a_lazy_user_is_a_foreign_key_value_without_loading_its_row(
    model: type[Any], lazy: Any, stored: Any, django_assert_num_queries: Statements
) -> None:
    friend: Any = (Person if model is Member else model)(username="bob", friend=lazy)
    if model is KeyedByText:
        friend.code = "bob-1"
    with django_assert_num_queries(3):
        friend.save(force_insert=True)
        assert list(type(friend).objects.filter(friend=lazy)) == [friend]
        assert list(type(friend).objects.filter(friend__in=[lazy])) == [friend]
    assert is_unfetched(lazy)
    friend.refresh_from_db()
    assert friend.friend_id == stored.pk


@pytest.mark.parametrize("model", [User], indirect=True)
def test_reverse_relations_work_without_loading_the_row(
    lazy: Any, stored: Any, django_assert_num_queries: Statements
) -> None:
    group = Group.objects.create(name="readers")
    with django_assert_num_queries(3):
        lazy.groups.add(group)
        assert list(lazy.groups.all()) == [group]
        assert not lazy.signet_sessions.exists()
    assert is_unfetched(lazy)


@pytest.mark.parametrize("model", [Employee], indirect=True)
def test_an_inherited_key_is_known_by_each_of_its_names(
    lazy: Any, stored: Any, django_assert_num_queries: Statements
) -> None:
    with django_assert_num_queries(0):
        assert lazy.account_id == lazy.id == stored.id
    assert is_unfetched(lazy)


def test_creating_a_lazy_user_sends_no_signal_and_registers_no_model(stored: Any) -> None:
    models_before, received = set(apps.get_models()), []
    registered_before = {model for label in apps.all_models.values() for model in label.values()}

    def receive(**sent: Any) -> None:
        received.append(sent)

    for signal in (pre_init, post_init, class_prepared):
        signal.connect(receive)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            lazy = make_lazy(stored)
            assert lazy.pk
    finally:
        for signal in (pre_init, post_init, class_prepared):
            signal.disconnect(receive)
    assert received == []
    assert set(apps.get_models()) == models_before
    registered = {model for label in apps.all_models.values() for model in label.values()}
    assert registered == registered_before
    assert type(lazy) not in registered


@pytest.mark.parametrize("model", [User], indirect=True)
def test_the_system_checks_pass_while_a_lazy_user_exists(lazy: Any) -> None:
    assert is_unfetched(lazy)
    call_command("check", fail_level="WARNING")
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


# After the row is loaded

#: Operations that need the row.
LOADING: dict[str, Callable[[Any], object]] = {
    "field": lambda lazy: lazy.email,
    "str": str,
    "repr": repr,
    "method": lambda lazy: lazy.get_username(),
    "password": lambda lazy: lazy.check_password("correct horse"),
    "refresh_from_db": lambda lazy: lazy.refresh_from_db(),
    "refresh_from_db of a field": lambda lazy: lazy.refresh_from_db(fields=["email"]),
    "getattr": lambda lazy: getattr(lazy, "is_active", None),
    "serializable_value": lambda lazy: lazy.serializable_value("email"),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "fetch": fetch,
}


def test_any_other_operation_loads_the_row_once_and_makes_a_plain_user(
    stored: Any, django_assert_num_queries: Statements
) -> None:
    columns = {field.attname for field in stored._meta.concrete_fields}
    for name, question in LOADING.items():
        lazy = make_lazy(stored)
        with django_assert_num_queries(1, info=name):
            question(lazy)
            assert type(lazy) is type(stored), name
            assert (lazy.username, lazy.email) == ("ada", "ada@example.com")
            assert lazy == stored
            assert lazy._state.db == "default"
            assert not lazy._state.adding
            assert lazy.get_deferred_fields() == set()
        assert lazy.__dict__.keys() == columns | {"_state"}, name


def test_an_async_view_loads_the_row(
    lazy: Any, stored: Any, django_assert_num_queries: Statements
) -> None:
    with django_assert_num_queries(1):
        async_to_sync(lazy.arefresh_from_db)()
    assert type(lazy) is type(stored)
    assert lazy.email == "ada@example.com"


def test_fetch_returns_a_loaded_user_unchanged(
    stored: Any, django_assert_num_queries: Statements
) -> None:
    with django_assert_num_queries(0):
        assert fetch(stored) is stored
        assert fetch(anonymous := AnonymousUser()) is anonymous


def test_refresh_from_db_reloads_a_loaded_user(
    lazy: Any, stored: Any, django_assert_num_queries: Statements
) -> None:
    assert lazy.email
    type(stored).objects.update(email="new@example.com")
    with django_assert_num_queries(1):
        lazy.refresh_from_db()
    assert lazy.email == "new@example.com"


def test_a_field_that_the_loader_deferred_is_loaded_on_access(
    stored: Any, django_assert_num_queries: Statements
) -> None:
    cls = type(stored)
    lazy = lazy_user(cls, stored.pk, lambda: cls.objects.only("username").get(pk=stored.pk))
    with django_assert_num_queries(1):
        assert lazy.username == "ada"
    with django_assert_num_queries(1):
        assert lazy.email == "ada@example.com"


@pytest.mark.parametrize("model", [KeyedByUUID, Member], indirect=True)
def test_a_relation_that_the_loader_selected_costs_no_statement(
    model: type[Any], stored: Any, django_assert_num_queries: Statements
) -> None:
    friend = (Person if model is Member else model).objects.create(username="bob")
    model.objects.filter(pk=stored.pk).update(friend=friend)
    rows = model.objects.select_related("friend")
    lazy = lazy_user(model, stored.pk, lambda: rows.get(pk=stored.pk))
    assert type(lazy).friend is model.friend
    with django_assert_num_queries(1):
        assert lazy.friend.username == "bob"
        assert lazy.username == "ada"


def test_a_copy_is_a_plain_user(stored: Any) -> None:
    for copied in (copy.copy, copy.deepcopy):
        twin = copied(lazy := make_lazy(stored))
        assert type(twin) is type(stored)
        assert twin == stored
        assert twin is not lazy
        assert twin.email == "ada@example.com"


def test_unpickling_returns_a_plain_user(stored: Any) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        thawed = pickle.loads(pickle.dumps(make_lazy(stored), protocol))
        assert type(thawed) is type(stored)
        assert thawed == stored
        assert thawed.email == "ada@example.com"


def test_a_template_renders_a_lazy_user(
    lazy: Any, stored: Any, django_assert_num_queries: Statements
) -> None:
    source = "{% if u.is_authenticated %}{{ u.pk }}{% endif %}"
    with django_assert_num_queries(0):
        assert engines["django"].from_string(source).render({"u": lazy}) == str(stored.pk)
    source = "{{ u }} {{ u.email }} {{ u.get_username }} {{ u.nothing }}{{ u.delete }}{{ u.save }}"
    with django_assert_num_queries(1):
        assert engines["django"].from_string(source).render({"u": lazy}) == (
            "ada ada@example.com ada "
        )
    assert type(stored).objects.count() == 1


def test_a_template_cannot_delete_an_unloaded_user(lazy: Any, stored: Any) -> None:
    assert engines["django"].from_string("{{ u.delete }}{{ u.save }}").render({"u": lazy}) == ""
    assert is_unfetched(lazy)
    assert type(stored).objects.count() == 1


@pytest.mark.parametrize("model", [User], indirect=True)
def test_a_template_reads_the_permissions_of_a_lazy_user(lazy: Any, stored: Any) -> None:
    User.objects.update(is_superuser=True)
    request = APIRequestFactory().get("/")
    request.user = lazy
    source = "{% if perms.auth.delete_user %}may{% endif %} {{ user.email }}"
    rendered = engines["django"].from_string(source).render({}, request)
    assert rendered == "may ada@example.com"


@pytest.mark.parametrize("model", [User, Member, KeyedByUUID], indirect=True)
@pytest.mark.parametrize("is_staff", [True, False])
def test_is_admin_user_takes_one_statement(
    is_staff: bool, lazy: Any, stored: Any, django_assert_num_queries: Statements
) -> None:
    type(stored).objects.update(is_staff=is_staff)
    with django_assert_num_queries(1):
        assert permits(IsAdminUser, lazy) is is_staff


@pytest.mark.parametrize("model", [User], indirect=True)
def test_a_lazy_user_has_the_permissions_of_the_user(
    lazy: Any, stored: Any, django_assert_num_queries: Statements
) -> None:
    group = Group.objects.create(name="readers")
    content_type = ContentType.objects.get_for_model(User)
    group.permissions.add(content_type.permission_set.get(codename="view_user"))
    stored.groups.add(group)
    with django_assert_num_queries(3):
        assert lazy.has_perm("auth.view_user")
        assert not lazy.has_perm("auth.delete_user")


# Changing, saving and deleting


def test_an_attribute_assigned_before_loading_is_kept(
    lazy: Any, stored: Any, django_assert_num_queries: Statements
) -> None:
    with django_assert_num_queries(0):
        lazy.email = "new@example.com"
        lazy.note = "of the view"
        assert lazy.email == "new@example.com"
    assert lazy.username == "ada"
    assert lazy.email == "new@example.com"
    assert lazy.note == "of the view"
    lazy.save()
    stored.refresh_from_db()
    assert (stored.email, stored.username) == ("new@example.com", "ada")


@pytest.mark.parametrize("model", [KeyedByUUID, Member], indirect=True)
@pytest.mark.parametrize("by", ["friend", "friend_id"])
def test_a_relation_assigned_before_loading_is_kept(by: str, model: type[Any], stored: Any) -> None:
    people: Any = Person if model is Member else model
    old, new = people.objects.create(username="old"), people.objects.create(username="new")
    model.objects.filter(pk=stored.pk).update(friend=old)
    rows = model.objects.select_related("friend")
    lazy = lazy_user(model, stored.pk, lambda: rows.get(pk=stored.pk))
    setattr(lazy, by, new if by == "friend" else new.pk)
    assert lazy.username == "ada"
    assert lazy.friend_id == new.pk
    assert lazy.friend == new
    lazy.save()
    assert model.objects.get(pk=stored.pk).friend == new


def test_save_writes_all_fields_and_sends_signals_for_the_user_model(
    lazy: Any, stored: Any
) -> None:
    with receiving(type(stored), pre_save, post_save) as received:
        lazy.email = "new@example.com"
        lazy.save()
    assert received == [(pre_save, type(stored)), (post_save, type(stored))]
    stored.refresh_from_db()
    assert stored.email == "new@example.com"
    assert stored.check_password("correct horse")


def test_save_with_update_fields_writes_only_these_fields(lazy: Any, stored: Any) -> None:
    lazy.email = "new@example.com"
    type(stored).objects.update(username="elsewhere")
    lazy.save(update_fields=["email"])
    stored.refresh_from_db()
    assert (stored.email, stored.username) == ("new@example.com", "elsewhere")


def test_set_password_and_save_keep_the_other_fields(lazy: Any, stored: Any) -> None:
    lazy.set_password("battery staple")
    assert is_unfetched(lazy)
    lazy.save()
    stored.refresh_from_db()
    assert stored.check_password("battery staple")
    assert stored.email == "ada@example.com"


def test_delete_deletes_the_user_and_sends_signals_for_the_user_model(
    lazy: Any, stored: Any
) -> None:
    with receiving(type(stored), pre_delete, post_delete) as received:
        lazy.delete()
    assert received == [(pre_delete, type(stored)), (post_delete, type(stored))]
    assert not type(stored).objects.exists()
    assert lazy.pk is None


def test_an_async_view_saves_and_deletes_a_lazy_user(lazy: Any, stored: Any) -> None:
    async def use() -> None:
        lazy.email = "new@example.com"
        await lazy.asave()
        assert (await type(stored).objects.aget()).email == "new@example.com"
        await make_lazy(stored).adelete()

    async_to_sync(use)()
    assert not type(stored).objects.exists()


@contextmanager
def receiving(sender: type[Any], *signals: Any) -> Iterator[list[Any]]:
    """Record the signals of a sender; yield the list of (signal, sender) pairs."""
    received: list[Any] = []

    def receive(*, signal: Any, sender: Any, instance: Any, **sent: Any) -> None:
        assert type(instance) is sender
        received.append((signal, sender))

    for signal in signals:
        signal.connect(receive, sender=sender)
    try:
        yield received
    finally:
        for signal in signals:
            signal.disconnect(receive, sender=sender)


# Lazy users whose row was deleted

#: Operations that need the row, and operations that write the row.
ROW_ACCESSES: dict[str, Callable[[Any], object]] = {
    **LOADING,
    "save": lambda lazy: lazy.save(),
    "delete": lambda lazy: lazy.delete(),
    "IsAdminUser": lambda lazy: permits(IsAdminUser, lazy),
    "template": lambda lazy: engines["django"].from_string("{{ u.email }}").render({"u": lazy}),
}


def test_every_access_raises_the_exception_of_the_loader(stored: Any) -> None:
    lazy = lazy_user_with_failing_loader(stored)
    for access in ROW_ACCESSES.values():
        with pytest.raises(Vanished):
            access(lazy)
        assert is_unfetched(lazy)
        assert lazy.pk == stored.pk


def test_an_async_view_gets_the_exception_of_the_loader(stored: Any) -> None:
    with pytest.raises(Vanished):
        async_to_sync(lazy_user_with_failing_loader(stored).arefresh_from_db)()


def test_a_lazy_user_becomes_anonymous_if_the_loader_returns_none(stored: Any) -> None:
    # Not all of these methods work on AnonymousUser.
    model_methods = {"save", "delete", "method", "password", "serializable_value"}
    for name in ROW_ACCESSES.keys() - model_methods:
        lazy = lazy_user_without_row(stored)
        ROW_ACCESSES[name](lazy)
        assert isinstance(lazy, AnonymousUser), name
        assert not lazy.is_authenticated
        assert lazy.is_anonymous
        user: Any = lazy
        assert (user.pk, user.email, user.is_active, user.is_staff) == (None, None, False, False)
        assert str(lazy) == "AnonymousUser"
        assert lazy == AnonymousUser()
        assert not permits(IsAuthenticated, lazy)


def test_every_field_of_an_anonymous_lazy_user_can_be_read(stored: Any) -> None:
    lazy = lazy_user_without_row(stored)
    assert lazy.username == ""
    for field in stored._meta.concrete_fields:
        assert getattr(lazy, field.attname) in (None, "", False)


@pytest.mark.parametrize("model", [User], indirect=True)
def test_methods_of_an_anonymous_lazy_user_do_not_fail(stored: Any) -> None:
    assert lazy_user_without_row(stored).get_username() == ""
    assert lazy_user_without_row(stored).has_perm("auth.view_user") is False
    assert isinstance(lazy_user_without_row(stored).get_full_name(), str)
    assert isinstance(pickle.loads(pickle.dumps(lazy_user_without_row(stored))), AnonymousUser)


def test_a_request_loads_its_lazy_user_on_access(
    stored: Any, django_assert_num_queries: Statements
) -> None:
    request: Any = AsyncRequestFactory().get("/")
    request.user = make_lazy(stored)
    with django_assert_num_queries(1):
        assert request.user.username == "ada"


def test_lazy_users_of_a_model_share_only_their_class() -> None:
    first, second = (lazy_user(User, key, lambda: None) for key in (1, 2))
    assert type(first) is type(second)
    assert first._state is not second._state
    assert type(first)._state not in (first._state, second._state)
    assert first != second
    assert lazy_user(KeyedByUUID, uuid.uuid4(), lambda: None) != first
