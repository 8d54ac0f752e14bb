"""Where the project's own code names simplejwt: read as text, never imported."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.apps import apps
from django.conf import settings

from .names import is_of_old

#: This package, wherever it is installed.
_OURS = Path(__file__).resolve().parents[1]
#: Directories of other people's code.
_FOREIGN = frozenset({"site-packages", "dist-packages", "node_modules", "__pycache__"})


@dataclass(frozen=True, kw_only=True)
class Mention:
    """One place in a file that names simplejwt; without a name, a file that cannot be read."""

    path: Path
    line: int = 0
    name: str = ""


def own_directories() -> list[Path]:
    """Return where the project's own code is: `BASE_DIR`, and apps outside of site-packages."""
    homes = [Path(one.path) for one in apps.get_app_configs()]
    homes = [home for home in homes if not home.is_relative_to(_OURS)]
    if base := getattr(settings, "BASE_DIR", None):
        homes.append(Path(base))
    own = sorted({home.resolve() for home in homes if _FOREIGN.isdisjoint(home.resolve().parts)})
    return [one for one in own if not any(parent in own for parent in one.parents)]


def mentions(directories: Iterable[Path]) -> Iterator[Mention]:
    """Yield each import and each dotted text that names simplejwt, in the order of the files."""
    for directory in directories:
        for path in _modules(directory):
            try:
                tree = ast.parse(path.read_bytes())
            except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
                yield Mention(path=path)
                continue
            found = {(line, name) for line, name in _names(tree) if is_of_old(name)}
            for line, name in sorted(found):
                yield Mention(path=path, line=line, name=name)


def _modules(directory: Path) -> Iterator[Path]:
    for place, below, files in os.walk(directory):
        if "pyvenv.cfg" in files:
            below.clear()
            continue
        below[:] = sorted(one for one in below if one not in _FOREIGN and not one.startswith("."))
        yield from (Path(place, name) for name in sorted(files) if name.endswith(".py"))


def _names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.lineno, f"{node.module}.{one.name}") for one in node.names)
        elif isinstance(node, ast.Constant) and _is_dotted_name(node.value):
            yield node.lineno, str(node.value)


def _is_dotted_name(value: object) -> bool:
    return isinstance(value, str) and value.replace(".", "").isidentifier()  # and no sentence
