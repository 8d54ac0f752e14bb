"""Run the `python` blocks of a documentation page: the fixture `run_page`.

`tests.docs.pages` describes the kinds of blocks. This module runs them as follows:

- A file is imported. If the file contains tests, they are run.
- A `mysite/settings.py` block changes the settings for the rest of the page. A block for the end of
  that file adds to the settings before it. Its `SIGNET` setting and its signing keys must be valid,
  and Django's system checks must not report an error.
- A snippet is executed. It can use `user`, `request` and the names that earlier snippets on the
  same page have defined.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
import unittest
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings as django_settings
from django.contrib import admin
from django.core import checks
from django.db import transaction
from django.test import Client, RequestFactory, TestCase, override_settings
from django.utils.module_loading import import_string

from drf_signet import (
    refresh_reused,
    runtime,
    session_ended,
    session_opened,
    session_refreshed,
)
from drf_signet.conf import settings as conf
from tests.docs.pages import DOCS, Block, blocks

PAGES = {
    page.relative_to(DOCS).as_posix(): page
    for page in sorted(DOCS.rglob("*.md"))
    if page.name != "tutorial.md" and any(block.language == "python" for block in blocks(page))
}
#: Pages whose examples import `rest_framework_simplejwt`. `tests.docs.test_compat` runs these
#: pages.
ALIASED = frozenset({"howto/simplejwt-code.md"})
SETTINGS = "mysite/settings.py"
DEPLOYING = "howto/deploying.md"

#: Settings that a block overrides for the rest of its page. Other settings in a block, such as
#: `DATABASES`, do not replace the settings of the test project.
OVERRIDABLE = frozenset(
    {
        "ALLOWED_HOSTS",
        "AUTHENTICATION_BACKENDS",
        "CORS_ALLOWED_ORIGINS",
        "CORS_ALLOW_CREDENTIALS",
        "CORS_EXPOSE_HEADERS",
        "CSRF_TRUSTED_ORIGINS",
        "MIDDLEWARE",
        "REST_FRAMEWORK",
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
        "SIGNET",
        "SIMPLE_JWT",
    }
)
SIGNALS = (session_opened, session_refreshed, session_ended, refresh_reused)


@dataclass(kw_only=True)
class Page:
    """A documentation page, with the names, modules and settings that its blocks define."""

    directory: Path
    fixture: Callable[[str], Any]
    names: dict[str, Any]
    overrides: contextlib.ExitStack
    modules: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def run(self, block: Block) -> None:
        if block.file is None:
            exec(compile(block.text, block.where, "exec"), self.names)
        elif block.file.path == SETTINGS:
            self._apply_settings(block)
        else:
            self._import(block)

    def _apply_settings(self, block: Block) -> None:
        lists = {
            name: list(getattr(django_settings, name)) for name in ("INSTALLED_APPS", "MIDDLEWARE")
        }
        names = {
            "BASE_DIR": self.directory,
            "DEBUG": True,
            "SECRET_KEY": django_settings.SECRET_KEY,
            "__file__": str(self.directory / SETTINGS),
            **lists,
        }
        if block.file is not None and block.file.appended:
            names |= self.settings
        exec(compile(block.text, block.where, "exec"), names)
        given: dict[str, Any] = {name: value for name, value in names.items() if name.isupper()}
        self.settings = given
        if "SIGNET" in given:
            conf.parse(given["SIGNET"], {})
        chosen = {name: value for name, value in given.items() if name in OVERRIDABLE}
        self.overrides.enter_context(override_settings(**chosen))
        runtime.current()
        assert [m for m in checks.run_checks() if m.level >= checks.ERROR] == [], block.where
        for cache in given.get("CACHES", {}).values():
            import_string(cache["BACKEND"])

    def _import(self, block: Block) -> None:
        assert block.file is not None
        block.file.write(self.directory)
        name = block.file.path.removesuffix(".py").replace("/", ".")
        sys.modules.pop(name, None)  # a page can contain several versions of a file
        self.modules[name] = module = importlib.import_module(name)
        if name.endswith(".urls"):
            self.overrides.enter_context(override_settings(ROOT_URLCONF=name))
        for value in list(vars(module).values()):
            if inspect.isfunction(value) and value.__name__.startswith("test_"):
                fixtures = inspect.signature(value).parameters
                _run_test(value, **{fixture: self.fixture(fixture) for fixture in fixtures})
            elif (
                inspect.isclass(value) and value.__module__ == name and issubclass(value, TestCase)
            ):
                _run_test_case(value)


@pytest.fixture
def run_page(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_user: Any
) -> Iterator[Callable[[str], Page]]:
    """Yield a function that runs the `python` blocks of a page and returns the `Page`."""
    _prepare(tmp_path, monkeypatch)
    before, receivers = set(sys.modules), [list(signal.receivers) for signal in SIGNALS]
    with contextlib.ExitStack() as overrides:
        overrides.enter_context(mock.patch.dict(admin.site._registry))  # a page registers an admin

        def run(name: str) -> Page:
            names = {"user": make_user(), "request": RequestFactory().post("/"), "__name__": "page"}
            page = Page(
                directory=tmp_path,
                fixture=request.getfixturevalue,
                names=names,
                overrides=overrides,
            )
            for block in [*_settings_before(name), *blocks(PAGES[name])]:
                if block.language == "python":
                    page.run(block)
            return page

        yield run
    for signal, kept in zip(SIGNALS, receivers, strict=True):
        signal.receivers = kept
        signal.sender_receivers_cache.clear()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def _settings_before(name: str) -> list[Block]:
    """Return the settings file to whose end the blocks of a page go: that of the page Deploying."""
    if name != "howto/production.md":
        return []
    return [one for one in blocks(PAGES[DEPLOYING]) if one.file and one.file.path == SETTINGS]


def _prepare(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create the signing keys, environment variables and `sys.path` entry that the pages need."""
    (directory / "keys").mkdir()
    for name in ("2026-11", "2026-05"):
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (directory / "keys" / f"{name}.pem").write_bytes(pem)
    monkeypatch.setenv("ALLOWED_HOSTS", "testserver")
    monkeypatch.setenv("SECRET_KEY", "s" * 64)
    monkeypatch.setenv("SIGNET_SIGNING_KEY", "a secret for the tokens of the pages alone")
    monkeypatch.syspath_prepend(directory)


def _run_test(function: Callable[..., Any], **arguments: Any) -> None:
    with transaction.atomic():
        function(**arguments)
        transaction.set_rollback(True)


def _run_test_case(case: type[TestCase]) -> None:
    """Run the test methods of a `TestCase`, each in a transaction that is rolled back.

    `TestCase.tearDownClass` would close the database connection that the current test uses.
    """
    names = unittest.defaultTestLoader.getTestCaseNames(case)
    assert names
    for name in names:
        test = case(name)
        test.client = Client()
        try:
            _run_test(
                lambda test, name: (test.setUp(), getattr(test, name)()), test=test, name=name
            )
        finally:
            test.doCleanups()
