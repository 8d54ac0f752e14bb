"""Test how long modules and functions are, and how deeply their blocks are nested."""

from __future__ import annotations

import ast
import functools
import statistics
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

import drf_signet

MAX_MODULE_LINES = 300
#: Modules that may have more lines, with the reason. At most two modules may be listed here.
LONGER_MODULES = {
    "compat/simplejwt/tokens.py": "one family of classes, patched and imported from one module",
}
MAX_FUNCTION_LINES = 40
P90_FUNCTION_LINES = 15
MAX_NESTING = 3

PACKAGE = Path(drf_signet.__file__).parent
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if "migrations" not in path.parts]

Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (
    ast.If
    | ast.For
    | ast.AsyncFor
    | ast.While
    | ast.With
    | ast.AsyncWith
    | ast.Try
    | ast.TryStar
    | ast.Match
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A function's name, its number of code lines, and how deeply its blocks are nested."""

    name: str
    lines: int
    nesting: int


def measure(source: str) -> list[Measured]:
    """Measure every function of a module, including methods and nested functions."""
    text = source.splitlines()
    return [
        Measured(name=node.name, lines=_code_lines(node, text), nesting=_nesting(node))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, Function)
    ]


def _code_lines(function: Function, text: list[str]) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    lines = (line.strip() for line in text[body[0].lineno - 1 : body[-1].end_lineno])
    return sum(1 for line in lines if line and not line.startswith("#"))


def _nesting(node: ast.AST) -> int:
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Function):  # a nested function is measured separately
            opens = isinstance(child, BLOCKS) and not _is_elif(child, node)
            deepest = max(deepest, opens + _nesting(child))
    return deepest


def _is_elif(node: ast.AST, parent: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(parent, ast.If) and parent.orelse == [node]


@functools.cache
def _functions() -> list[tuple[str, Measured]]:
    return [
        (f"{path.relative_to(PACKAGE)}: {function.name}", function)
        for path in MODULES
        for function in measure(path.read_text(encoding="utf-8"))
    ]


def test_modules_are_short() -> None:
    lines = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in MODULES
    }
    longer = {path for path, n in lines.items() if n > MAX_MODULE_LINES}
    assert longer == LONGER_MODULES.keys()
    assert len(longer) <= 2


def test_functions_are_short() -> None:
    lines = [(where, function.lines) for where, function in _functions()]
    assert [(where, n) for where, n in lines if n > MAX_FUNCTION_LINES] == []


def test_nine_functions_in_ten_fit_in_fifteen_lines() -> None:
    lines = [function.lines for _, function in _functions()]
    assert statistics.quantiles(lines, n=10, method="inclusive")[-1] <= P90_FUNCTION_LINES


def test_blocks_nest_at_most_three_deep() -> None:
    nesting = [(where, function.nesting) for where, function in _functions()]
    assert [(where, n) for where, n in nesting if n > MAX_NESTING] == []


#: Functions that only forward their parameters, with the reason why they exist.
PASS_THROUGHS = {
    "api.py: set_cookie": "public",
    "api.py: delete_cookie": "public",
    "authentication.py: get_user_queryset": "a hook for subclasses",
    "compat/simplejwt/tokens.py: get": "simplejwt's public API",
    "compat/simplejwt/serializers.py: get_token": "a hook of simplejwt's",
    "compat/simplejwt/tokens.py: _check_session": "another class checks otherwise",
    "compat/simplejwt/backends.py: _sign": "another class signs otherwise",
    "compat/simplejwt/backends.py: _read": "another class reads otherwise",
    "runtime.py: now": "the one place that reads the clock",
    "users/lazyuser.py: __set__": "Python's protocol",
}


def forwards(function: Function) -> bool:
    """Return whether the function only calls another function with its own parameters."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if len(body) != 1 or not isinstance(body[0], ast.Return | ast.Expr):
        return False
    call = body[0].value.value if isinstance(body[0].value, ast.Await) else body[0].value
    if not isinstance(call, ast.Call) or any(
        isinstance(one, ast.Call) for one in ast.walk(call.func)
    ):
        return False
    named = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    own = {one.arg for one in named} - {"self", "cls"}
    passed = [*call.args, *(keyword.value for keyword in call.keywords)]
    names = {one.id for one in passed if isinstance(one, ast.Name)}
    return len(names) == len(passed) and names == own


def test_no_function_only_forwards_its_parameters_without_a_reason() -> None:
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}: {node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, Function) and forwards(node)
    }
    assert found == PASS_THROUGHS.keys()


@pytest.mark.parametrize(
    ("body", "lines", "nesting"),
    [
        ("pass", 1, 0),
        ('"""Docstrings\n\n    are free."""', 0, 0),
        ('"""One."""\n# a comment\n\nx = (\n    1\n)\nreturn x', 4, 0),
        ("if a:\n    pass", 2, 1),
        ("if a:\n    pass\nelif b:\n    pass\nelse:\n    pass", 6, 1),
        ("if a:\n    pass\nelif b:\n    for c in d:\n        pass", 5, 2),
        ("if a:\n    pass\nelse:\n    x = 1\n    if b:\n        pass", 6, 2),
        ("try:\n    pass\nexcept E:\n    while a:\n        pass", 5, 2),
        ("match a:\n    case 1:\n        with b:\n            pass", 4, 2),
        ("for a in b:\n    if a:\n        with c:\n            if d:\n                pass", 5, 4),
        ("def inner():\n    if a:\n        pass", 3, 0),
    ],
)
def test_measure_counts_code_lines_and_blocks(body: str, lines: int, nesting: int) -> None:
    source = f"class C:\n    async def f(self):\n{textwrap.indent(body, ' ' * 8)}\n"
    assert measure(source)[0] == Measured(name="f", lines=lines, nesting=nesting)


def test_measure_finds_functions_inside_functions() -> None:
    names = [function.name for function in measure("def a():\n    def b(): pass\n    return b\n")]
    assert names == ["a", "b"]
