"""Count the files and lines in each folder of `src/drf_signet`, for docs/structure.md.

`python -m tests.support.chapters` prints the table of counts and writes it to docs/structure.md.
`tests/docs/test_pages.py` checks that the page contains the current table.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import drf_signet

PACKAGE = Path(drf_signet.__file__).parent
PROJECT = Path(__file__).parents[2] / "pyproject.toml"

#: Folders that have no row in the table, because they contain no Python source code.
_NO_CHAPTERS = ("static", "locale", "__pycache__")


def table() -> str:
    """Return the table in Markdown. The first row counts the modules that are not in a folder."""
    folders = sorted(path for path in PACKAGE.iterdir() if path.is_dir())
    rows = [_row("root", list(PACKAGE.glob("*.py")))]
    rows += [_row(f.name, list(f.rglob("*.py"))) for f in folders if f.name not in _NO_CHAPTERS]
    return "\n".join(["| chapter | files | lines | may import |", "|---|---|---|---|", *rows])


def layers() -> list[list[str]]:
    """Return the layers of the first import-linter contract, from the highest to the lowest."""
    return [re.findall(r"(?<![\w(])\w+(?![\w)])", layer) for layer in _contract()]


def _contract() -> list[str]:
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    found: list[str] = project["tool"]["importlinter"]["contracts"][0]["layers"]
    return found


def _row(chapter: str, files: list[Path]) -> str:
    full = [path for path in files if path.stat().st_size]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in full)
    return f"| `{chapter}` | {len(full)} | {lines} | {_may_import(chapter)} |"


def _may_import(chapter: str) -> str:
    if chapter == "root":
        return "see the diagram"
    names = layers()
    number = next((n for n, layer in enumerate(names) if chapter in layer), None)
    if number is None:
        return "Django alone"
    beside = [one for one in names[number] if one != chapter and ":" in _contract()[number]]
    below = names[number + 1 : number + 2]
    told = [f"`{one}`" for one in beside]
    told += [f"the line of `{layer[0]}` and all lines below it" for layer in below]
    return ", ".join(told) or "nothing of the package"


def paste() -> str:
    """Write the current table to docs/structure.md, and return the table."""
    figures, page = table(), PROJECT.with_name("docs") / "structure.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(
        re.sub(r"(?m)^\| chapter \|.*\n(\|.*\n)+", figures + "\n", text), encoding="utf-8"
    )
    return figures


if __name__ == "__main__":
    print(paste())
