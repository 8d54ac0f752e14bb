"""What is measured: a module each, with TITLE, `measure(lab)` → JSON, and `rows(raw)` → rows."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from . import (
    exchange,
    growth,
    hostile,
    memory,
    protected,
    revocation,
    served,
    statements,
    storage,
    storm,
)

#: Name → module, in the order of the table.
SCENARIOS: Mapping[str, ModuleType] = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        protected,
        served,
        statements,
        exchange,
        storm,
        storage,
        growth,
        revocation,
        memory,
        hostile,
    )
}
