"""The import hook that makes `rest_framework_simplejwt` an alias of this package.

A module is the same object under both names. So each class exists only once, and if `mock.patch`
replaces an attribute under one name, the attribute is also replaced under the other name. A
submodule is imported only when it is first used.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

#: The import name of simplejwt.
OLD = "rest_framework_simplejwt"
#: The package that is imported instead of simplejwt.
NEW = __name__.rpartition(".")[0]


class Finder(MetaPathFinder):
    """An import finder that finds simplejwt's modules in this package."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a simplejwt module. Return None if the import is not redirected."""
        if fullname.partition(".")[0] != OLD or preempted_by():
            return None
        name = NEW + fullname.removeprefix(OLD)
        own_spec = importlib.util.find_spec(name)
        if own_spec is None:
            return None
        spec = ModuleSpec(fullname, _Loader(name), origin=own_spec.origin)
        spec.submodule_search_locations = own_spec.submodule_search_locations
        return spec


class _Loader(Loader):
    """An import loader that returns this package's module if a simplejwt module is imported."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Import the module under its name in this package, and return the module."""
        module = importlib.import_module(self._name)
        self._own_spec = module.__spec__  # saved, because the import system replaces it
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Restore the module's own spec. `create_module` has already executed the module."""
        module.__spec__ = self._own_spec


def install() -> None:
    """Redirect later imports of simplejwt, even if simplejwt is installed. Safe to repeat."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())


def preempted_by() -> ModuleType | None:
    """Return the real simplejwt if it was imported before the alias, else None.

    If the real simplejwt is already imported, imports are not redirected.
    """
    imported = sys.modules.get(OLD)
    return None if imported is sys.modules.get(NEW) else imported


def in_installed_apps() -> bool:
    """Return whether INSTALLED_APPS lists this package or an app inside it."""
    return any(app.startswith(NEW) for app in settings.INSTALLED_APPS)


@register(Tags.compatibility)
def check_alias(**kwargs: Any) -> list[CheckMessage]:
    """Report E004 if the real simplejwt was imported first, so that the alias has no effect."""
    other = preempted_by() if in_installed_apps() else None
    if other is None:
        return []
    text = f"{OLD} was imported before {NEW}: the package in {other.__file__} is used instead."
    hint = f"Put {NEW!r} before every app that imports {OLD}, and import neither in the settings."
    return [Error(text, hint=hint, id="signet.E004")]
