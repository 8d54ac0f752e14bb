"""The command `python -m benchmarks [--quick] [SCENARIO...]`, which `make bench` runs.

A complete run writes `docs/benchmarks.md` and its charts. A quick run, or a run of selected
scenarios, only prints the results table.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from typing import Any

from . import machine, page
from .lab import Lab
from .processes import ROOT
from .scenarios import SCENARIOS

RESULTS = ROOT / "benchmarks" / "results"


def main() -> int:
    """Run the chosen scenarios. Return 1 if a row of the page lacks an explanation, else 0."""
    options = _options()
    if options.page:
        return page.write(json.loads((RESULTS / "run.json").read_text()))
    # Raise SystemExit, so that `Lab` stops its processes and drops its databases.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    started = time.monotonic()
    run: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "quick": options.quick,
        "scenarios": {},
    }
    with Lab(quick=options.quick) as lab:
        run["machine"] = machine.describe() | {"PostgreSQL": lab.databases.version()}
        for name in options.scenarios or SCENARIOS:
            run["scenarios"][name] = _measure(lab, name)
            run["minutes"] = (time.monotonic() - started) / 60
            _keep(run)
    if options.quick or options.scenarios:
        print(page.table_(run))
        return 0
    return page.write(run)


def _measure(lab: Lab, name: str) -> dict[str, Any]:
    lab.say(name)
    load, started = machine.load_average(), time.monotonic()
    raw = SCENARIOS[name].measure(lab)
    return {"load_before": load, "seconds": time.monotonic() - started, "raw": raw}


def _keep(run: dict[str, Any]) -> None:
    """Write the raw results so far to a JSON file, which git ignores."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / ".gitignore").write_text("*\n")
    name = (
        "quick" if run["quick"] else "run" if len(run["scenarios"]) == len(SCENARIOS) else "partial"
    )
    (RESULTS / f"{name}.json").write_text(json.dumps(run, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        default=bool(os.environ.get("BENCH_QUICK")),
        help="run every step once, without meaningful figures (also: BENCH_QUICK=1)",
    )
    parser.add_argument(
        "--page", action="store_true", help="write the page again from the last complete run"
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    options = parser.parse_args()
    if unknown := set(options.scenarios) - SCENARIOS.keys():
        parser.error(
            f"unknown scenarios: {', '.join(sorted(unknown))}; choose from {', '.join(SCENARIOS)}"
        )
    return options


if __name__ == "__main__":
    sys.exit(main())
