"""All scenarios, in the order of `docs/reliability.md`."""

from __future__ import annotations

from . import clocks, crashes, keyturns, lost, migrating, rolling, soak, storm, tabs, theft, upgrade
from .scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    one.name: one
    for one in (
        storm.SCENARIO,
        tabs.SCENARIO,
        lost.SCENARIO,
        theft.SCENARIO,
        crashes.SCENARIO,
        clocks.SCENARIO,
        keyturns.SCENARIO,
        upgrade.SCENARIO,
        migrating.SCENARIO,
        rolling.SCENARIO,
        soak.SCENARIO,
    )
}
