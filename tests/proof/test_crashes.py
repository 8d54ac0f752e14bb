"""Test short runs of the scenario `crashes`: workers and a temporary PostgreSQL are killed."""

from __future__ import annotations

import pytest

from tests.proof.cluster import running
from tests.proof.crashes import SCENARIO
from tests.proof.needs import need
from tests.proof.trees import Fault, faulty_tree


@pytest.mark.parametrize("drill", SCENARIO.short)
def test_every_session_survives_crashes(drill: str) -> None:
    need("cluster", *(["pgbouncer"] if drill.startswith("pooled") else []))
    assert SCENARIO.failures(SCENARIO.measure(**{drill: SCENARIO.short[drill]})) == []


@pytest.mark.parametrize("fault", SCENARIO.faults, ids=lambda fault: fault.before)
def test_scenario_fails_with_a_planted_fault(fault: Fault) -> None:
    need("cluster")
    with faulty_tree(fault) as tree:
        assert SCENARIO.failures(SCENARIO.run(short=True, source=tree, **fault.counts)) != []


def test_cluster_flushes_each_commit_to_disk() -> None:
    need("cluster")
    with running() as own, own.connect("postgres") as connection:
        shown = [
            connection.execute(f"SHOW {one}".encode()) for one in ("fsync", "synchronous_commit")
        ]
        assert [row.fetchone() for row in shown] == [("on",), ("on",)]
