"""The project from docs/howto/tenants.md in which each tenant has its own database."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.docs.pages import DOCS, Block, blocks

PAGE = DOCS / "howto" / "tenants.md"


def blocks_below(heading: str) -> list[Block]:
    """Return the code blocks of the section with this heading."""
    text = PAGE.read_text(encoding="utf-8")
    start = text.index(f"## {heading}\n")
    end = text.find("\n## ", start)
    first, last = (text.count("\n", 0, place) for place in (start, end))
    return [block for block in blocks(PAGE) if first < block.line <= last]


def database_for_each_tenant(middleware: list[str]) -> tuple[list[str], list[str], dict[str, Any]]:
    """Write the modules that the page shows to a directory, and make them importable.

    Returns:
        The settings that the page shows: MIDDLEWARE, DATABASE_ROUTERS and SIGNET.
    """
    directory = Path(tempfile.mkdtemp())
    sys.path.insert(0, str(directory))
    settings: dict[str, Any] = {"MIDDLEWARE": middleware}
    shown = [*blocks_below("Name the tenant"), *blocks_below("A database for each tenant")]
    for block in shown:
        assert block.file is not None
        if block.file.path == "mysite/settings.py":
            exec(compile(block.text, block.where, "exec"), settings)
        else:
            block.file.write(directory)
    return settings["MIDDLEWARE"], settings["DATABASE_ROUTERS"], settings["SIGNET"]
