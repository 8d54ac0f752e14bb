"""Run the rolling deploy from simplejwt briefly, and the way back."""

from __future__ import annotations

import pytest

from tests.proof import rolling
from tests.proof.trees import Fault, faulty_tree
from tests.support.services import require

SCENARIO = rolling.SCENARIO


@pytest.fixture(autouse=True)
def _services() -> None:
    require("postgres")
    require("swap")


def test_no_request_fails_during_a_rolling_deploy_and_on_the_way_back() -> None:
    assert SCENARIO.failures(SCENARIO.run(short=True)) == []


@pytest.mark.parametrize("fault", SCENARIO.faults, ids=lambda fault: fault.before)
def test_scenario_fails_with_a_planted_fault(fault: Fault) -> None:
    with faulty_tree(fault) as tree:
        rows = SCENARIO.run(short=True, source=tree, **fault.counts)
    assert SCENARIO.failures(rows) != []
