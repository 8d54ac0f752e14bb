"""Run two scenarios briefly: an upgrade from version 0.1.0, and migrations during refreshes."""

from __future__ import annotations

import subprocess

import pytest

from tests.proof import migrating, upgrade
from tests.proof.trees import ROOT, SOURCE, Fault, faulty_tree
from tests.support.services import require


@pytest.fixture(autouse=True)
def _history() -> None:
    """Skip the tests if the git history is missing, for example in a shallow clone."""
    known = subprocess.run(
        ["git", "cat-file", "-e", upgrade.RELEASES["0.1.0"]],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if known.returncode:
        pytest.skip("the git history is not available")


def test_no_refresh_fails_during_an_upgrade_and_a_downgrade() -> None:
    require("postgres")
    assert upgrade.SCENARIO.failures(upgrade.SCENARIO.run(short=True, commit="0.1.0")) == []


@pytest.mark.parametrize("fault", upgrade.SCENARIO.faults, ids=lambda fault: fault.before)
def test_scenario_fails_with_a_planted_fault(fault: Fault) -> None:
    require("postgres")
    scenario = upgrade.SCENARIO
    with faulty_tree(fault) as tree:
        rows = scenario.run(short=True, commit="0.1.0", source=tree, **fault.counts)
    assert scenario.failures(rows) != []


@pytest.mark.parametrize("vendor", ["postgres", "mariadb"])
def test_no_refresh_waits_for_a_migration(vendor: str) -> None:
    require(vendor)
    scenario = migrating.SCENARIO
    assert scenario.failures(scenario.run(short=True, commit="0.1.0", vendors=[vendor])) == []


@pytest.mark.parametrize("vendor", ["postgres", "mariadb"])
def test_scenario_fails_with_a_migration_that_locks_the_table(vendor: str) -> None:
    """Check that the scenario reports a migration that locks the table and cannot be reversed."""
    require(vendor)
    scenario, counts = migrating.SCENARIO, {"rows": 10, "seconds": 0.1, "vendors": [vendor]}
    with migrating.planted(SOURCE, migrating.LOCKING) as tree:
        rows = scenario.run(short=True, commit="0.1.0", source=tree, **counts)
    failures = scenario.failures(rows)
    assert [one for one in failures if "for a lock" in one]
    assert [one for one in failures if "not reversible" in one]
