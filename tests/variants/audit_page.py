"""The project from docs/howto/audit.md, with the audit packages that the page sets up."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.docs.pages import DOCS, blocks

PAGE = DOCS / "howto" / "audit.md"


def audited(apps: list[str], middleware: list[str]) -> dict[str, Any]:
    """Write the modules that the page shows to a directory, and make them importable.

    Returns:
        The settings that the page shows.
    """
    directory = Path(tempfile.mkdtemp())
    sys.path.insert(0, str(directory))
    settings: dict[str, Any] = {"INSTALLED_APPS": [*apps], "MIDDLEWARE": [*middleware]}
    for block in blocks(PAGE):
        if block.file and block.file.path == "mysite/settings.py":
            exec(compile(block.text, block.where, "exec"), settings)
        elif block.file:
            block.file.write(directory)
    (directory / "notes" / "__init__.py").touch()
    return {name: value for name, value in settings.items() if name.isupper()}
