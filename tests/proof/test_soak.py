"""Test a short run of the scenario `soak`, and that the scenario reports growth in a long run."""

from __future__ import annotations

from typing import Any

from tests.proof.needs import need
from tests.proof.soak import LEAST, SCENARIO

LONG: dict[str, Any] = {"minutes": LEAST, "failed": 0, "examples": [], "most": 1.0}


def test_short_run_samples_two_workers_without_failures() -> None:
    need("cluster")
    rows = SCENARIO.run(short=True)
    assert SCENARIO.failures(rows) == []
    assert {row["series"] for row in rows} >= {"connections", "memory of worker 2, MiB"}
    assert all(row["samples"] > 1 for row in rows)
    assert all(rows[0][work] for work in ("logins", "refreshes", "requests"))


def test_scenario_fails_if_a_value_grows_in_a_long_run() -> None:
    flat = {**LONG, "series": "memory of worker 1, MiB", "growth": 9.0}
    assert SCENARIO.failures([flat]) == []
    assert SCENARIO.failures([{**flat, "growth": 11.0}]) != []


def test_scenario_fails_if_there_are_more_connections_than_threads() -> None:
    connections = {**LONG, "series": "connections", "growth": 900.0}
    assert SCENARIO.failures([{**connections, "most": 16.0}]) == []
    assert SCENARIO.failures([{**connections, "most": 17.0}]) != []
