"""docs/tutorial.md and the README's first steps, followed from an empty directory.

The page is the only source: the project is made from its blocks, its commands are run by bash, and
what they print is compared with what it shows.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import ANSWERS, DOCS, ROOT, Block, blocks
from tests.docs.walk import missing_programs, reader

TUTORIAL, README = DOCS / "tutorial.md", ROOT / "README.md"


def test_every_command_of_the_tutorial_answers_as_it_shows(tmp_path):
    page = blocks(TUTORIAL)
    shown = [block for block in page if block.language in ANSWERS]
    assert {block.language for block in page} == {"python", "bash", *ANSWERS}
    assert _follow(page, tmp_path) == len(shown) > 20


def test_the_first_steps_of_the_readme_lead_to_an_authenticated_request(tmp_path):
    page = blocks(README)
    typed = [block for block in page if block.language in ("python", "bash")]
    assert sum(len(block.text.splitlines()) for block in typed) <= 20
    assert _follow(page, tmp_path) == 1


def _follow(page: list[Block], directory: Path) -> int:
    if missing := missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    with reader(directory) as one:
        return one.read(page)
