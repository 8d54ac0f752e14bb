"""Test short runs of the scenarios `storm`, `tabs`, `lost` and `theft` on real servers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.proof import lost, storm, tabs, theft
from tests.proof.scenario import Scenario
from tests.proof.trees import Fault, faulty_tree
from tests.support.services import require

SCENARIOS = (storm.SCENARIO, tabs.SCENARIO, lost.SCENARIO, theft.SCENARIO)
FAULTS = [
    pytest.param(scenario, fault, id=f"{scenario.name}: {fault.before}")
    for scenario in SCENARIOS
    for fault in scenario.faults
]


def short(scenario: Scenario, **counts: Any) -> list[str]:
    """Run the short form of a scenario, and return its failures."""
    return scenario.failures(scenario.run(short=True, **counts))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_short_run_has_no_failures(scenario: Scenario) -> None:
    assert short(scenario) == []


@pytest.mark.parametrize(("database", "kind"), [("postgres", "uvicorn"), ("mariadb", "gunicorn")])
def test_storm_on_a_database_server_issues_one_successor(database: str, kind: str) -> None:
    require(database)
    counts = {"rounds": 3, "servers": (kind,), "databases": (database,)}
    assert short(storm.SCENARIO, **counts) == []


@pytest.mark.parametrize(("scenario", "fault"), FAULTS)
def test_scenario_fails_with_a_planted_fault(scenario: Scenario, fault: Fault) -> None:
    with faulty_tree(fault) as tree:
        assert short(scenario, source=tree, **fault.counts) != []
