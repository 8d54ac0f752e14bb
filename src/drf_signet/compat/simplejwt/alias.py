"""The old name: imports of `rest_framework_simplejwt` and below it are answered with these modules.

Not copies: the same module objects under a second name, so that a class exists once, a patch of
either name changes both, and submodules are still imported at their first use.
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

from django.core.checks import CheckMessage, Error, Tags, register

OLD = "rest_framework_simplejwt"
NEW = __name__.rpartition(".")[0]


class Finder(MetaPathFinder):
    """Finds, for a module below the old name, the one of the same name here."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec whose loader returns our module; None for every other name."""
        if fullname.partition(".")[0] != OLD or preempted_by():
            return None
        name = NEW + fullname.removeprefix(OLD)
        found = importlib.util.find_spec(name)
        if found is None:
            return None
        spec = ModuleSpec(fullname, _Loader(name), origin=found.origin)
        spec.submodule_search_locations = found.submodule_search_locations
        return spec


class _Loader(Loader):
    """Loads a module that is, or will be, loaded under its own name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module itself."""
        module = importlib.import_module(self._name)
        self._own = module.__spec__  # which the import system is about to replace
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own spec back; it has been executed already."""
        module.__spec__ = self._own


def install() -> None:
    """Answer imports of the old name from now on, before any package that is installed."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())


def preempted_by() -> ModuleType | None:
    """Return another package that was imported under the old name before; it then answers."""
    found = sys.modules.get(OLD)
    return None if found is sys.modules.get(NEW) else found


@register(Tags.compatibility)
def check_alias(**kwargs: Any) -> list[CheckMessage]:
    """Report that the package itself was imported first, and answers to its name (E004)."""
    other = preempted_by()
    if other is None:
        return []
    text = (
        f"{OLD} was imported before {NEW}: the package in {other.__file__} answers, not this one."
    )
    hint = f"Put {NEW!r} before every app that imports it, and import neither in the settings."
    return [Error(text, hint=hint, id="signet.E004")]
