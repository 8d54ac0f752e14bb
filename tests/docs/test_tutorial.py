"""Test that docs/tutorial.md and the first steps in README.md work in an empty directory.

The tests use only the text of each page. They write the files that the page shows, run its commands
in bash, and compare the output of the commands with the output that the page shows.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import ANSWERS, DOCS, ROOT, Block, blocks
from tests.docs.walk import missing_programs, open_reader

TUTORIAL, README = DOCS / "tutorial.md", ROOT / "README.md"


def test_commands_of_the_tutorial_print_the_output_that_it_shows(tmp_path):
    page = blocks(TUTORIAL)
    outputs = [block for block in page if block.language in ANSWERS]
    assert {block.language for block in page} == {"python", "bash", "console", *ANSWERS}
    assert _follow(page, tmp_path) == len(outputs) > 20


def test_first_steps_of_readme_lead_to_a_protected_view_in_20_lines(tmp_path):
    """Count neither blank lines nor the lines that name a file: a reader does not type them."""
    page = blocks(README)
    lines = [
        line
        for block in page
        if block.language in ("python", "bash")
        for line in block.text.splitlines()[block.file is not None :]
        if line
    ]
    assert len(lines) <= 20
    assert _follow(page, tmp_path) == 1


def _follow(page: list[Block], directory: Path) -> int:
    if missing := missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    with open_reader(directory) as reader:
        return reader.read(page)
