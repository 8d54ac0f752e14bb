"""What holds for all pages: links lead somewhere, the map is complete, nothing local leaks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import drf_signet
from tests.docs.pages import DOCS, ROOT, blocks, table

PACKAGE = Path(drf_signet.__file__).parent
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])

_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[\w-]*)?\)")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_between_pages_lead_somewhere(path):
    targets = _LINK.findall(path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_a_page_has_one_title_and_names_no_machine(path):
    text = path.read_text(encoding="utf-8")
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^# ", outside, re.MULTILINE)
    assert len(titles) == (path != DOCS / "changelog.md")
    assert not re.search(r"/(?:home|root|tmp|Users|work)/", text)


def test_decisions_are_numbered_without_gaps():
    decisions = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    for number, path in enumerate(decisions, start=1):
        assert path.name.startswith(f"{number:04}-")
        assert path.read_text(encoding="utf-8").startswith(f"# {number}. ")


def test_the_map_names_every_module():
    modules = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "migrations" not in path.parts and path.stat().st_size
    }
    rows = table(DOCS / "structure.md", "One file for each concept")
    named = [row["file"].strip("`") for row in rows]
    assert sorted(named) == sorted(
        modules - {"__init__.py", "moving/__init__.py", "transports/__init__.py"}
    )


def test_the_layers_of_the_map_are_those_that_are_enforced():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = project["tool"]["importlinter"]["contracts"][0]
    enforced = [re.findall(r"(?<![\w(])\w+(?![\w)])", layer) for layer in contract["layers"]]
    drawing = next(block for block in blocks(DOCS / "structure.md") if block.language == "text")
    drawn = [re.findall(r"\w+", line[:56]) for line in drawing.text.splitlines()]
    assert drawn == enforced
