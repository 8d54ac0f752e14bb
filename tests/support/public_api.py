"""Describe the public names of the package and their signatures as JSON.

`python -m tests.support.public_api` prints this description. `tests/vectors/public_api.json`
contains the description of version 0.1.0, which `tests/unit/test_public_api.py` compares with the
description of the current code.
"""

from __future__ import annotations

import importlib
import inspect
import json
from types import ModuleType
from typing import Any

_SIMPLEJWT = "drf_signet.compat.simplejwt"
#: Modules whose names are public. docs/reference/python.md and docs/reference/compat.md list them.
MODULES = [
    "drf_signet",
    *(
        f"drf_signet.{name}"
        for name in (
            *("authentication", "claims", "errors", "middleware", "models", "serializers"),
            *("signals", "testing", "testing.pytest", "throttling", "urls", "urls_browser"),
            *("views", "views_browser"),
        )
    ),
    *(
        f"{_SIMPLEJWT}.{name}"
        for name in (
            *("authentication", "backends", "exceptions", "models", "serializers", "settings"),
            *("state", "tokens", "utils", "views"),
        )
    ),
]
#: Internal modules of `compat.simplejwt`, which have no counterpart in simplejwt.
_INTERNAL = ("logins", "refreshing", "tables", "wire")
#: The public names of modules that also contain undocumented names.
_ONLY = {"drf_signet.claims": {"Claims"}, "drf_signet.models": {"Session", "EndReason"}}


def describe() -> dict[str, dict[str, Any]]:
    """Return the signatures of functions and the members of classes, by module and public name."""
    return {name: _module(importlib.import_module(name)) for name in MODULES}


def _module(module: ModuleType) -> dict[str, Any]:
    listed = getattr(module, "__all__", None)
    names = listed if module.__name__ == "drf_signet" else dir(module)
    only = _ONLY.get(module.__name__)
    found: dict[str, Any] = {}
    for name in sorted(names or ()):
        if name.startswith("_") or (only is not None and name not in only):
            continue
        value = getattr(module, name)
        if not isinstance(value, ModuleType) and _belongs_to(module, value):
            found[name] = _value(value)
    return found


def _belongs_to(module: ModuleType, value: object) -> bool:
    """Return whether a value is part of the public API of a module.

    A value that a module imports is not part of the module's API, except in `drf_signet`,
    `drf_signet.claims`, `drf_signet.views` and the modules of `compat.simplejwt`: these modules
    re-export values of other drf-signet modules.
    """
    home = str(getattr(value, "__module__", module.__name__))
    exports = ("drf_signet", "drf_signet.claims", "drf_signet.views")
    if module.__name__ in exports or _SIMPLEJWT in module.__name__:
        return home.startswith("drf_signet") and home.rpartition(".")[2] not in _INTERNAL
    return home == module.__name__


def _value(value: Any) -> Any:
    if inspect.isclass(value):
        return {name: _member(getattr(value, name, None)) for name in sorted(_members(value))}
    return _member(value)


def _members(cls: type[Any]) -> set[str]:
    own = [base for base in cls.__mro__ if base.__module__.startswith("drf_signet")]
    names = {name for base in own for name in vars(base) if not name.startswith("_")}
    return names | ({"__init__"} if any("__init__" in vars(base) for base in own) else set())


def _member(value: Any) -> str:
    if callable(value) and not inspect.isclass(value):
        try:
            return _signature(value)
        except (TypeError, ValueError):
            pass
    return "value"


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    parameters = [
        one.replace(
            annotation=inspect.Parameter.empty,
            default=one.default if one.default in (one.empty, None, True, False) else "…",
        )
        for one in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


def main() -> None:
    """Print the public names and their signatures as JSON."""
    import django

    django.setup()
    print(json.dumps(describe(), indent=1, sort_keys=True, ensure_ascii=False))


if __name__ == "__main__":
    main()
