"""Search the project's own code for uses of simplejwt. Files are parsed, but never imported."""

from __future__ import annotations

import ast
import importlib.util
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.apps import apps
from django.conf import settings

from . import readers
from .names import is_simplejwt_name

#: The directory of the package drf_signet.
_DRF_SIGNET = Path(__file__).resolve().parents[3]
#: Names of directories that do not contain the project's own code.
_THIRD_PARTY = frozenset({"site-packages", "dist-packages", "node_modules", "__pycache__"})


@dataclass(frozen=True, kw_only=True, order=True)
class Place:
    """A line of a file; line 0 is the file as a whole."""

    path: Path
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else str(self.path)

    @property
    def is_test(self) -> bool:
        """Whether the file belongs to the project's tests, according to its name or its folder."""
        return self.path.name.startswith(("test", "conftest")) or "tests" in self.path.parts


@dataclass(kw_only=True)
class Code:
    """What the project's own code uses.

    Args:
        mentions: the places that name simplejwt, with the name.
        unreadable: files that cannot be parsed.
        readers: a key of SIMPLE_JWT → the places where the code reads the key itself.
        words: the name of an attribute, a function, a variable or an imported module → the places
            that use the name.
    """

    mentions: list[tuple[Place, str]] = field(default_factory=list)
    unreadable: list[Place] = field(default_factory=list)
    readers: dict[str, list[Place]] = field(default_factory=lambda: defaultdict(list))
    words: dict[str, list[Place]] = field(default_factory=lambda: defaultdict(list))

    def uses(self, *words: str, in_tests: bool = False) -> bool:
        """Return whether the code, or the code of its tests, uses one of some names."""
        places = [place for word in words for place in self.words.get(word, ())]
        return any(place.is_test or not in_tests for place in places)


def own_directories() -> list[Path]:
    """Return the directories of the project's own code.

    These are `BASE_DIR`, the packages of the settings and of the URLs, and apps outside of them.
    The list contains no third-party apps, and no directory inside another directory of the list.
    """
    candidates = [Path(app.path) for app in apps.get_app_configs()]
    candidates = [path for path in candidates if not path.is_relative_to(_DRF_SIGNET)]
    candidates += _packages_of_the_project()
    if base := getattr(settings, "BASE_DIR", None):
        candidates.append(Path(base))
    resolved = {path.resolve() for path in candidates}
    own = sorted(path for path in resolved if _THIRD_PARTY.isdisjoint(path.parts))
    return [path for path in own if not any(parent in own for parent in path.parents)]


def _packages_of_the_project() -> Iterator[Path]:
    """Yield the directories of the packages that contain the settings and the URLs."""
    for name in (getattr(settings, "SETTINGS_MODULE", None), getattr(settings, "ROOT_URLCONF", "")):
        top = name.partition(".")[0] if isinstance(name, str) else ""
        try:
            spec = importlib.util.find_spec(top) if top else None
        except ValueError:  # the module `__main__` of a script
            continue
        if spec is not None and spec.submodule_search_locations is not None:
            yield from map(Path, spec.submodule_search_locations)
        elif spec is not None:  # a module next to manage.py
            yield Path(str(spec.origin)).parent


def scan(directories: Iterable[Path]) -> Code:
    """Return what the Python files of some directories use. Each file is parsed once."""
    code = Code()
    for directory in directories:
        for path in _python_files(directory):
            try:
                tree = ast.parse(path.read_bytes())
                _note(code, path, tree)
            except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
                code.unreadable.append(Place(path=path))
    return code


def _note(code: Code, path: Path, tree: ast.AST) -> None:
    hits = {(line, name) for line, name in _names(tree) if is_simplejwt_name(name)}
    code.mentions += [(Place(path=path, line=line), name) for line, name in sorted(hits)]
    for line, key in readers.reads(tree):
        code.readers[key].append(Place(path=path, line=line))
    for line, word in sorted({*_words(tree)}):
        code.words[word].append(Place(path=path, line=line))


def _python_files(directory: Path) -> Iterator[Path]:
    for parent, subdirectories, files in os.walk(directory):
        if "pyvenv.cfg" in files:  # a virtual environment
            subdirectories.clear()
            continue
        subdirectories[:] = sorted(
            name for name in subdirectories if name not in _THIRD_PARTY and name[0] != "."
        )
        yield from (Path(parent, name) for name in sorted(files) if name.endswith(".py"))


def _names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Constant) and _is_dotted_name(node.value):
            yield node.lineno, str(node.value)


def _words(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):  # a fixture of pytest
            yield node.lineno, node.arg
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            yield from ((node.lineno, name.partition(".")[0]) for name in names)
            if isinstance(node, ast.ImportFrom) and node.module:
                yield node.lineno, node.module.partition(".")[0]


def _is_dotted_name(value: object) -> bool:
    # Ignore strings that mention simplejwt in a longer text, such as sentences and templates.
    return isinstance(value, str) and value.replace(".", "").isidentifier()
