"""Test the adapter for django-tenants, which does not have to be installed for these tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connection

from drf_signet import runtime, tenants
from drf_signet.contrib import django_tenants
from drf_signet.middleware import JWTMiddleware
from tests.support.tenant_hosts import request_to

SHARED = ["django.contrib.contenttypes", "customers"]
USERS, SESSIONS = "django.contrib.auth", "drf_signet"
OURS = "drf_signet.middleware.JWTMiddleware"


@pytest.fixture(autouse=True)
def _no_tenants() -> Iterator[None]:
    before = tenants.register(None)
    yield
    tenants.register(before)


@pytest.mark.parametrize(
    "tenant_apps",
    [[USERS, SESSIONS], [SESSIONS], [USERS], ["drf_signet.apps.SignetConfig"]],
    ids=["both", "sessions", "users", "path of the configuration"],
)
def test_schema_is_the_tenant_if_users_or_sessions_are_the_tenants_own(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tenant_apps: list[str]
) -> None:
    settings.TENANT_APPS = tenant_apps
    monkeypatch.setattr(connection, "schema_name", "a", raising=False)
    django_tenants.connect()
    tenant_of = runtime.current().tenant_of
    assert tenant_of is not None
    assert tenant_of(None) == tenant_of(request_to("b")) == "a"


def test_refresh_tokens_without_tenant_are_accepted_only_beside_own_sessions(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "schema_name", "a", raising=False)
    for tenant_apps, own in {(USERS, SESSIONS): True, (SESSIONS,): True, (USERS,): False}.items():
        settings.TENANT_APPS = tenant_apps
        django_tenants.connect()
        assert tenants.has_own_table("a") is own


def test_there_are_no_tenants_if_all_schemas_share_users_and_sessions(settings: Any) -> None:
    settings.TENANT_APPS = ["blog"]
    django_tenants.connect()
    assert runtime.current().tenant_of is None


def test_schema_is_the_tenant_if_a_type_of_tenant_has_its_own_sessions(settings: Any) -> None:
    settings.HAS_MULTI_TYPE_TENANTS = True
    settings.TENANT_TYPES = {"public": {"APPS": [USERS, SESSIONS]}, "shop": {"APPS": ["blog"]}}
    django_tenants.connect()
    assert runtime.current().tenant_of is None
    settings.TENANT_TYPES = {"public": {"APPS": []}, "shop": {"APPS": [USERS, SESSIONS]}}
    django_tenants.connect()
    assert runtime.current().tenant_of is not None


def test_app_connects_the_adapter_if_django_tenants_is_installed(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TENANT_APPS = [USERS, SESSIONS]
    config = apps.get_app_config("drf_signet")
    config.ready()
    assert tenants.registered() is None
    is_installed = apps.is_installed
    known = lambda name: name == "django_tenants" or is_installed(name)  # noqa: E731
    monkeypatch.setattr(apps, "is_installed", known)
    config.ready()
    assert tenants.registered() is django_tenants.schema_name


def test_schema_is_unknown_in_an_event_loop() -> None:
    async def ask() -> Any:
        return django_tenants.schema_name(None)

    with pytest.raises(SynchronousOnlyOperation, match="sync_to_async"):
        async_to_sync(ask)()


@pytest.mark.parametrize(
    ("shared", "own", "ids"),
    [
        ([USERS, SESSIONS], [USERS, SESSIONS], []),
        ([], [USERS, SESSIONS], []),
        ([USERS, SESSIONS], ["blog"], []),
        ([USERS], [SESSIONS], []),
        ([USERS, SESSIONS], [USERS], ["signet.E007"]),
        ([SESSIONS], [USERS], ["signet.E007"]),
    ],
)
def test_sessions_that_tenants_share_beside_their_own_users_are_an_error(
    settings: Any, shared: list[str], own: list[str], ids: list[str]
) -> None:
    settings.SHARED_APPS, settings.TENANT_APPS = [*SHARED, *shared], [*own, "blog"]
    assert [message.id for message in django_tenants.check_apps()] == ids


def test_each_type_of_tenant_is_checked(settings: Any) -> None:
    settings.HAS_MULTI_TYPE_TENANTS = True
    good, bad = {"APPS": [USERS, SESSIONS]}, {"APPS": [USERS]}
    settings.TENANT_TYPES = {"public": bad, "shop": good}
    assert django_tenants.check_apps() == []
    settings.TENANT_TYPES = {"public": good, "shop": good, "bank": bad}
    assert [message.id for message in django_tenants.check_apps()] == ["signet.E007"]
    settings.PUBLIC_SCHEMA_NAME = "bank"
    assert django_tenants.check_apps() == []


@pytest.fixture
def tenant_middleware(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the import path of a class that inherits from a middleware of django-tenants."""
    theirs, own = ModuleType("django_tenants.middleware"), ModuleType("mysite_middleware")
    base = type("TenantMainMiddleware", (), {"__module__": theirs.__name__})
    own.TenantMiddleware = type("TenantMiddleware", (base,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, own.__name__, own)
    return "mysite_middleware.TenantMiddleware"


@pytest.mark.parametrize(
    ("order", "ids"),
    [
        (["tenants"], []),
        (["ours"], []),
        (["tenants", "ours"], []),
        (["ours", "tenants"], ["signet.E008"]),
        (["subclass", "tenants"], ["signet.E008"]),
    ],
    ids=["only theirs", "only ours", "theirs first", "ours first", "a subclass of ours first"],
)
def test_middleware_before_that_of_django_tenants_is_an_error(
    settings: Any, tenant_middleware: str, order: list[str], ids: list[str]
) -> None:
    subclass = f"{__name__}.{OwnMiddleware.__name__}"
    paths = {"ours": OURS, "tenants": tenant_middleware, "subclass": subclass}
    common = "django.middleware.common.CommonMiddleware"
    settings.MIDDLEWARE = [*(paths[name] for name in order), common]
    assert [message.id for message in django_tenants.check_middleware()] == ids


class OwnMiddleware(JWTMiddleware):
    """A subclass, as a project has."""
