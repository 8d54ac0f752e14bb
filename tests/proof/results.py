"""Store the figures of each scenario's last full run in JSON files, which git ignores."""

from __future__ import annotations

import json
from typing import Any

from .trees import ROOT

_FOLDER = ROOT / "tests" / "proof" / "results"


def keep(name: str, run: dict[str, Any]) -> None:
    """Store the figures of one run of a scenario."""
    _FOLDER.mkdir(exist_ok=True)
    (_FOLDER / ".gitignore").write_text("*\n")
    (_FOLDER / f"{name}.json").write_text(json.dumps(run, indent=1))


def kept(name: str) -> Any:
    """Return the stored figures of a scenario, or None if no figures are stored."""
    path = _FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None
