"""Test a short run of the scenario `keys`, and that it fails with a planted fault."""

from __future__ import annotations

import pytest

from tests.proof.keyturns import SCENARIO
from tests.proof.trees import Fault, faulty_tree


def test_keys_rotate_under_load_and_a_retired_key_is_refused_by_all_processes() -> None:
    assert SCENARIO.failures(SCENARIO.run(short=True)) == []


@pytest.mark.parametrize("fault", SCENARIO.faults, ids=lambda fault: fault.before)
def test_scenario_fails_with_a_planted_fault(fault: Fault) -> None:
    with faulty_tree(fault) as tree:
        assert SCENARIO.failures(SCENARIO.run(short=True, source=tree, **fault.counts)) != []
