"""Test that all public names of version 0.1.0 still exist, with the same signatures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support import public_api

RECORDED = Path(__file__).parents[1] / "vectors" / "public_api.json"
#: Renamed members of the token classes: old name → new name. simplejwt does not have these members.
RENAMED = {"as_ours": "as_refresh_payload", "unasked": "read_without_database"}


def _renamed(members: Any) -> Any:
    if not isinstance(members, dict):
        return members
    return {RENAMED.get(name, name): signature for name, signature in members.items()}


def test_public_names_keep_their_modules_and_signatures() -> None:
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    current = public_api.describe()
    assert current.keys() >= recorded.keys()
    for module, names in recorded.items():
        kept = {name: _renamed(value) for name, value in names.items()}
        found = {name: _within(current[module].get(name), value) for name, value in kept.items()}
        assert found == kept, module


def _within(found: Any, recorded: Any) -> Any:
    """Return only what is recorded: new members and new optional keyword arguments are allowed."""
    if isinstance(found, dict) and isinstance(recorded, dict):
        return {name: _within(found.get(name), value) for name, value in recorded.items()}
    if isinstance(found, str) and isinstance(recorded, str) and ", *, " in recorded:
        known = recorded.strip("()").split(", ")
        kept = [each for each in found.strip("()").split(", ") if each in known or "=" not in each]
        return f"({', '.join(kept)})"
    return found
