"""Describe everything that code can read of `rest_framework_simplejwt`, as JSON on stdout.

`differences` runs this module twice: with simplejwt, and with the alias, which has the same import
paths. The alias also receives simplejwt's names on stdin, because it computes some names only when
they are read. A description is a dict: dotted name, without the package → what the name is.

    COMPAT_PACKAGE=real COMPAT_SETTINGS=rotating python -m tests.compat.surface
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
import sys
import typing
from collections.abc import Iterator
from datetime import timedelta
from types import ModuleType
from typing import Any

import django
from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from django.db.models import Field
from django.dispatch import Signal
from django.utils.functional import Promise

PACKAGE = "rest_framework_simplejwt"
#: The names of the two packages in `__module__` and in reprs.
_HOMES = ("drf_signet.compat.simplejwt", PACKAGE)
#: Types whose values are part of the description.
_PLAIN = (str, int, bytes, bool, type(None), timedelta)
_CONTAINERS = (tuple, list, set, frozenset)
_MISSING = object()


def describe(names: list[str]) -> dict[str, str]:
    """Describe all modules of the package, and the names that the caller adds."""
    surface: dict[str, str] = dict(_migrations())
    for name in modules():
        surface[name or "the package"] = "module"
        module = importlib.import_module(f"{PACKAGE}.{name}" if name else PACKAGE)
        own = [member for member in dir(module) if _is_public(member)]
        for member in sorted({*own, *_members_of(name, names)}):
            surface |= _describe_member(name, module, member, names)
    return surface | dict(_instances(names))


def _instances(names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the attributes that instances have in addition to those of their classes."""
    from rest_framework_simplejwt import backends, exceptions, models, tokens

    instances = {
        "tokens.RefreshToken()": tokens.RefreshToken(),
        "tokens.SlidingToken()": tokens.SlidingToken(),
        "models.TokenUser()": models.TokenUser(tokens.AccessToken()),
        "backends.TokenBackend()": backends.TokenBackend("HS256", "s" * 32),
        "exceptions.AuthenticationFailed()": exceptions.AuthenticationFailed("x"),
        "exceptions.InvalidToken()": exceptions.InvalidToken("x"),
        "exceptions.TokenError()": exceptions.TokenError("x"),
    }
    for dotted, instance in instances.items():
        own = [name for name in vars(instance) if not name.startswith("_")]
        for name in sorted({*own, *_members_of(dotted, names)}):
            if hasattr(instance, name):
                yield f"{dotted}.{name}", "attribute"


def _migrations() -> Iterator[tuple[str, str]]:
    """Yield each migration with the migrations of the same app on which it depends."""
    graph = MigrationLoader(None).graph
    for key in sorted(graph.nodes):
        if key[0] == "token_blacklist":
            parents = [parent.key[1] for parent in sorted(graph.node_map[key].parents)]
            own = [parent for parent in parents if parent[0].isdigit()]
            yield f"migration {key[1]}", f"after {', '.join(own)}"


def modules() -> Iterator[str]:
    """Yield the names of the package and of all modules in it, without the package's name."""
    package = importlib.import_module(PACKAGE)
    yield ""
    for info in pkgutil.walk_packages(package.__path__, f"{PACKAGE}."):
        if ".migrations." not in info.name:  # described by `_migrations`
            yield info.name.removeprefix(f"{PACKAGE}.")


def _members_of(module: str, names: list[str]) -> set[str]:
    """Return the last part of the names that are directly in a module."""
    return {name.rpartition(".")[2] for name in names if name.rpartition(".")[0] == module}


def _describe_member(
    name: str, module: ModuleType, member: str, names: list[str]
) -> dict[str, str]:
    value = getattr(module, member, _MISSING)
    if value is _MISSING or _is_noise(module, value):
        return {}
    dotted = f"{name}.{member}" if name else member
    home = getattr(value, "__module__", "") or ""
    if isinstance(value, type) and _own(home) == module.__name__.replace(*_HOMES):
        members = _class_members(dotted, value, _members_of(dotted, names))
        return {dotted: _class(value)} | dict(members)
    return {dotted: _value(value)}


def _is_noise(module: ModuleType, value: Any) -> bool:
    """Return whether a value is only imported for type annotations, or is a submodule."""
    if isinstance(value, ModuleType):
        return value.__name__.startswith(_HOMES) or value is typing
    home = getattr(value, "__module__", None)
    return home in ("typing", "collections.abc", "__future__") or isinstance(
        value, type(sys.flags) | type(importlib)
    )


def _is_public(name: str) -> bool:
    return not name.startswith("_") or name == "__version__"


def _own(text: str) -> str:
    return text.replace(*_HOMES)


def _class(cls: type) -> str:
    """Name the bases that code can rely on in `isinstance` and `except`."""
    bases = [_own(f"{base.__module__}.{base.__qualname__}") for base in cls.__mro__[1:-1]]
    return "class: " + ", ".join(base for base in bases if base != "typing.Generic")


def _class_members(dotted: str, cls: type, others: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the members that the package itself defines, also in base classes, and others."""
    own = [base for base in cls.__mro__ if base.__module__.startswith((*_HOMES, "drf_signet"))]
    names = {name for base in own for name in vars(base)}
    for name in sorted(names | others):
        if name.startswith("__") and name not in ("__init__", "__str__", "__eq__", "__hash__"):
            continue
        value = inspect.getattr_static(cls, name, _MISSING)
        if value is not _MISSING:
            yield f"{dotted}.{name}", _attribute(cls, name, value)


def _attribute(cls: type, name: str, value: Any) -> str:
    if isinstance(value, classmethod | staticmethod):
        return f"{type(value).__name__} {_signature(value.__func__)}"
    if isinstance(value, property) or type(value).__name__ == "cached_property":
        return "property"
    if isinstance(value, Field):
        return f"field {value.deconstruct()[1:]!r}"
    if name in ("objects", "_default_manager") or not callable(value):
        return _value(getattr(cls, name, _MISSING))
    return _value(value)


def _value(value: Any) -> str:
    if isinstance(value, Signal):
        return "signal"
    if hasattr(value, "view_class") or hasattr(value, "cls"):
        return "view"
    if isinstance(value, type):
        return _own(f"{value.__module__}.{value.__qualname__}")
    if isinstance(value, Promise):
        return f"text {str(value)!r}"
    if isinstance(value, _PLAIN) or (
        isinstance(value, _CONTAINERS) and all(isinstance(item, _PLAIN) for item in value)
    ):
        return f"value {_sorted_repr(value)}"
    if callable(value) and not isinstance(value, typing.TypeVar):
        return _signature(value)
    return "object"


def _sorted_repr(value: Any) -> str:
    is_set = isinstance(value, set | frozenset)
    return _own(f"{{{', '.join(sorted(map(repr, value)))}}}" if is_set else repr(value))


def _signature(function: Any) -> str:
    """Return the parameters without annotations and without the values of their defaults."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return "callable"
    parameters = [
        one.replace(
            annotation=inspect.Parameter.empty,
            default=one.default if one.default in (one.empty, None, True, False) else "…",
        )
        for one in signature.parameters.values()
    ]
    text = str(signature.replace(parameters=parameters, return_annotation=signature.empty))
    return "callable " + text.replace("'", "")


def main() -> None:
    """Print the description of the package that COMPAT_PACKAGE selects."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.compat.project.settings"
    apps = ["django.contrib.admin", "django.contrib.messages", "django.contrib.sessions"]
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, *apps]
    django.setup()
    names = [] if sys.stdin.isatty() else json.loads(sys.stdin.read() or "[]")
    print(json.dumps(describe(names), indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
