"""Test short runs of the scenario `clocks`: two workers and PostgreSQL with different clocks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.proof.clocks import SCENARIO
from tests.proof.needs import need
from tests.proof.trees import Fault, faulty_tree
from tests.proof.wallclock import WallClock

_READ = "import time, datetime as d; print(int(time.time() - d.datetime.now().timestamp() + 0.5))"
_READ_YEAR = "import datetime; print(datetime.datetime.now().year)"


@pytest.mark.parametrize("situation", SCENARIO.short["situations"])
def test_sessions_survive_when_clocks_differ(situation: str) -> None:
    need("cluster", "clock")
    assert SCENARIO.failures(SCENARIO.run(short=True, situations=[situation])) == []


@pytest.mark.parametrize("fault", SCENARIO.faults, ids=lambda fault: fault.before)
def test_scenario_fails_with_a_planted_fault(fault: Fault) -> None:
    need("cluster", "clock")
    with faulty_tree(fault) as tree:
        assert SCENARIO.failures(SCENARIO.run(short=True, source=tree, **fault.counts)) != []


@pytest.mark.parametrize("years", [13, 20])
def test_process_reads_the_shifted_clock(years: int, tmp_path: Path) -> None:
    need("clock")
    clock = WallClock(tmp_path, "own", offset=years * 365.25 * 86400)
    command = [sys.executable, "-S", "-c"]
    true = subprocess.run([*command, _READ_YEAR], capture_output=True, check=True)
    shifted = subprocess.run(
        [*command, _READ_YEAR], capture_output=True, check=True, env=clock.variables()
    )
    assert int(shifted.stdout) == int(true.stdout) + years
    agreed = subprocess.run(
        [*command, _READ], capture_output=True, check=True, env=clock.variables()
    )
    assert int(agreed.stdout) == 0
