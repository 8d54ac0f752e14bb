"""Test the links, titles and pictures of all pages, and the content of docs/structure.md."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

import drf_signet
from tests.docs.pages import DOCS, MAX_PICTURE_BYTES, ROOT, blocks, table
from tests.support import chapters

PACKAGE = Path(drf_signet.__file__).parent
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
PICTURES = {".gif", ".jpeg", ".jpg", ".png", ".svg", ".webp"}

_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[\w-]*)?\)")


def relative_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", PAGES, ids=relative_name)
def test_links_between_pages_have_targets(path):
    targets = _LINK.findall(path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=relative_name)
def test_page_has_one_title_and_no_local_path(path):
    text = path.read_text(encoding="utf-8")
    without_blocks = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^# ", without_blocks, re.MULTILINE)
    assert len(titles) == (path != DOCS / "changelog.md")
    assert not re.search(r"/(?:home|root|tmp|Users|work)/", text)


def test_pictures_in_docs_have_at_most_80_kilobytes():
    """Ignore `_build`: this folder contains generated files, which are not in the repository."""
    pictures = [path for path in DOCS.rglob("*") if path.suffix.lower() in PICTURES]
    sizes = {
        relative_name(path): path.stat().st_size for path in pictures if "_build" not in path.parts
    }
    assert sizes
    assert {path: n for path, n in sizes.items() if n > MAX_PICTURE_BYTES} == {}


@pytest.mark.parametrize("light", sorted(DOCS.glob("_static/*[!k].svg")), ids=relative_name)
def test_dark_picture_differs_from_its_light_picture_in_colours_only(light):
    dark = light.with_stem(f"{light.stem}-dark")
    if light.stem in {"favicon", "social"}:  # one file serves both colour schemes
        assert not dark.exists()
        return
    colour = re.compile(r"#[0-9a-f]{6}\b")
    texts = [path.read_text(encoding="utf-8") for path in (light, dark)]
    assert texts[0] != texts[1]
    assert colour.sub("", texts[0]) == colour.sub("", texts[1])


def test_docstrings_contain_no_mistakes_that_sphinx_lint_finds():
    """Sphinx shows docstrings of public names as reStructuredText."""
    sphinxlint = pytest.importorskip("sphinxlint", reason="not installed: the group docs")
    checkers = import_module("sphinxlint.checkers").all_checkers.values()
    enabled = [checker for checker in checkers if checker.enabled]
    found = [
        f"{relative_name(path)}: {error.checker_name}"
        for path in PACKAGE.rglob("*.py")
        for docstring in docstrings(path)
        for error in sphinxlint.check_text("docstring.rst", f"{docstring}\n", enabled)
    ]
    assert found == []


def docstrings(path: Path) -> list[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [ast.get_docstring(node) or "" for node in nodes if isinstance(node, kinds)]


def test_decisions_are_numbered_without_gaps():
    decisions = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    for number, path in enumerate(decisions, start=1):
        assert path.name.startswith(f"{number:04}-")
        assert path.read_text(encoding="utf-8").startswith(f"# {number}. ")


def test_structure_page_lists_every_module():
    modules = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "migrations" not in path.parts and path.stat().st_size
    }
    folders = {f"{path.name}/__init__.py" for path in PACKAGE.iterdir() if path.is_dir()}
    rows = table(DOCS / "structure.md", "One file for each concept")
    named = {row["file"].strip("`") for row in rows}
    assert len(named) == len(rows)
    assert modules - named <= folders | {"__init__.py"}
    assert named - modules == set()


def test_structure_page_shows_the_layers_of_import_linter():
    drawing = next(block for block in blocks(DOCS / "structure.md") if block.language == "text")
    drawn = [re.findall(r"\w+", line.partition("   ")[0]) for line in drawing.text.splitlines()]
    assert drawn == chapters.layers()


def test_structure_page_shows_the_current_file_and_line_counts():
    """Compare the page's table with the current counts. `make chapters` updates the table."""
    assert chapters.table() in (DOCS / "structure.md").read_text(encoding="utf-8")


def test_root_has_at_most_24_modules_and_12_layers():
    assert len(list(PACKAGE.glob("*.py"))) <= 24
    assert len(chapters.layers()) <= 12


def test_only_compat_apps_and_one_command_mention_simplejwt():
    mentions = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"simple_?jwt", path.read_text(encoding="utf-8"), re.IGNORECASE)
    }
    outside = {name for name in mentions if not name.startswith("compat/")}
    assert outside == {"apps.py", "management/commands/signet_migrate_from_simplejwt.py"}
