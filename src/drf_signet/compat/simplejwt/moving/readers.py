"""Find the keys of SIMPLE_JWT that the project's own code reads, such as the names of cookies."""

from __future__ import annotations

import ast
from collections.abc import Iterator

#: Names of variables and attributes that contain the settings: Django's setting, simplejwt's
#: object, and an attribute of this object.
_SETTINGS = frozenset({"SIMPLE_JWT", "api_settings", "user_settings"})
#: Methods of a dict that read the key in their first argument.
_METHODS = frozenset({"get", "pop", "setdefault", "__getitem__"})


def reads(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the key of each expression that reads a key of SIMPLE_JWT.

    It finds `settings.SIMPLE_JWT["KEY"]`, `.get("KEY")`, `"KEY" in settings.SIMPLE_JWT`,
    `api_settings.KEY` and `getattr(api_settings, "KEY")`, also through variables to which one of
    these objects was assigned.
    """
    names = _SETTINGS | _aliases(tree)
    for node in ast.walk(tree):
        for settings, key in _read_by(node):
            if key is not None and _contains(settings, names):
                yield node.lineno, key  # type: ignore[attr-defined]  # expressions have a line


def _read_by(node: ast.AST) -> Iterator[tuple[ast.expr, str | None]]:
    """Yield the object that an expression reads, and the key."""
    match node:
        case ast.Subscript(value=settings, slice=key, ctx=ast.Load()):
            yield settings, _string(key)
        case ast.Call(func=ast.Attribute(value=settings, attr=method), args=[key, *_]):
            if method in _METHODS:
                yield settings, _string(key)
        case ast.Call(func=ast.Name(id="getattr"), args=[settings, key, *_]):
            yield settings, _string(key)
        case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()], comparators=[settings]):
            yield settings, _string(key)
        case ast.Attribute(value=ast.Name() as settings, attr=attribute, ctx=ast.Load()):
            yield settings, attribute if attribute.isupper() else None


def _aliases(tree: ast.AST) -> frozenset[str]:
    """Return the variables to which an object with the settings is assigned or imported."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if _is_settings(value):
                    found.add(name)
            case ast.ImportFrom(names=names):
                found |= {each.asname for each in names if each.asname and each.name in _SETTINGS}
    return frozenset(found)


def _is_settings(value: ast.expr) -> bool:
    """Return whether an expression is an object with the settings, and not one of its values."""
    match value:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name in _SETTINGS
        case ast.Call(func=ast.Name(id="getattr"), args=[_, key, *_]):
            return _string(key) in _SETTINGS
        case ast.BoolOp(values=[first, *_]):
            return _is_settings(first)
    return False


def _contains(expression: ast.expr, names: frozenset[str]) -> bool:
    """Return whether an expression is a name, or an attribute with a name, from `names`."""
    match expression:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in names
    return _is_settings(expression)


def _string(node: ast.expr) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
    return None
