"""Where the keys come from if not from the settings: the interface `KeyProvider`, and a table."""

from __future__ import annotations

from ..jose.keys import Key
from .provider import KeyProvider, Keys

__all__ = ["Key", "KeyProvider", "Keys"]
