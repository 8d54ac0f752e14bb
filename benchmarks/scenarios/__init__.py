"""The measurements of the benchmarks, one in each module.

Each module has a TITLE, a function `measure(lab)` that returns JSON values, and a function
`rows(raw)` that turns these values into rows of the results table.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from . import (
    capacity,
    exchange,
    feed,
    growth,
    hostile,
    logins,
    memory,
    protected,
    revocation,
    served,
    statements,
    storage,
    storm,
)

#: Name of a scenario → its module, in the order of the results table.
SCENARIOS: Mapping[str, ModuleType] = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        protected,
        served,
        statements,
        exchange,
        logins,
        capacity,
        storm,
        storage,
        growth,
        revocation,
        feed,
        memory,
        hostile,
    )
}
