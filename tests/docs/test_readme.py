"""Test the form of README that the package index shows, and the addresses in pyproject.toml."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib

import pytest

from tests.docs.pages import DOCS, ROOT

#: The name that stands for the project's address until there is one.
PLACEHOLDER = "drf-signet.example"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")

_TARGETS = re.compile(r'\]\(([^)]+)\)|(?:src|srcset)="([^"]+)"')


def targets(text: str) -> list[str]:
    """Return the targets of all links and pictures."""
    return [link or picture for link, picture in _TARGETS.findall(text)]


@pytest.fixture(scope="module")
def published() -> str:
    """Return README as the package's metadata contains it."""
    pytest.importorskip("hatch_fancy_pypi_readme", reason="not installed: the group test")
    command = [sys.executable, "-m", "hatchling", "metadata"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["readme"]["text"])


def test_links_of_the_published_readme_lead_to_the_same_files_of_the_repository(published):
    version, repository = PROJECT["version"], PROJECT["urls"]["Repository"]
    expected = [
        f"{repository}/{'raw' if target.endswith('.svg') else 'blob'}/v{version}/{target}"
        for target in targets(README)
    ]
    assert targets(published) == expected
    assert len(expected) > 20


def test_published_readme_differs_from_readme_in_targets_only(published):
    assert _TARGETS.sub("", published) == _TARGETS.sub("", README)


def test_files_linked_by_readme_exist():
    assert [target for target in targets(README) if not (ROOT / target).is_file()] == []


def test_first_code_block_of_readme_follows_within_one_screen():
    before, _, _ = README.partition("```")
    assert len(before.splitlines()) <= 15


def test_address_of_the_project_is_in_pyproject_only():
    """`docs/conf.py` reads the address, and exempts its placeholder from the check of links."""
    sources = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("src/**/*.py")]
    named = [path for path in sources if PLACEHOLDER in path.read_text(encoding="utf-8")]
    assert [path for path in named if path.parent != DOCS / "decisions"] == []
    home = "/".join(PROJECT["urls"]["Repository"].split("/")[:3])
    assert [url for url in PROJECT["urls"].values() if not url.startswith(home)] == []
