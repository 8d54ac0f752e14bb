"""The command `python -m tests.proof [SCENARIO...]`, which `make proof` runs.

The command prints a table of figures for each scenario. It exits with status 1 if a scenario fails.
After a full run of the working tree, it also stores the figures in a JSON file and writes the table
into `docs/reliability.md`.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import commit

from . import page, results
from .scenario import Scenario
from .scenarios import SCENARIOS
from .trees import SOURCE, commit_tree, faulty_tree


def main() -> int:
    """Run the scenarios that the command line selects. Return 1 if a scenario fails, else 0.

    With `--page`, write the tables of the stored figures into `docs/reliability.md` instead.
    """
    options = _options()
    # Raise SystemExit, so that the `with` blocks stop the servers and delete temporary folders.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    names = options.scenarios or list(SCENARIOS)
    if options.page:
        page.write({name: run for name in names if (run := results.kept(name))}, SCENARIOS)
        return 0
    failed = False
    with ExitStack() as stack:
        source = _source(options, stack)
        for name in names:
            failed |= _run(SCENARIOS[name], source, options)
    return int(failed)


def _source(options: argparse.Namespace, stack: ExitStack) -> Path:
    """Return the directory from which the servers import the `drf_signet` package."""
    if options.plant:
        fault = SCENARIOS[options.scenarios[0]].faults[options.plant - 1]
        return stack.enter_context(faulty_tree(fault))
    if options.tree:
        return stack.enter_context(commit_tree(options.tree))
    return SOURCE


def _run(scenario: Scenario, source: Path, options: argparse.Namespace) -> bool:
    """Measure one scenario and print its table. Return whether the scenario failed.

    Only a full run of the working tree stores its figures and writes its table into
    `docs/reliability.md`.
    """
    print(f"== {scenario.title}", flush=True)
    started = time.monotonic()
    counts = scenario.faults[options.plant - 1].counts if options.plant else {}
    short = options.short or bool(options.plant)
    counts = {**counts, **dict(options.count)}
    rows = scenario.run(short=short, source=source, commit=options.commit, **counts)
    run = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "minutes": (time.monotonic() - started) / 60,
        "command": _command(scenario, options),
        "rows": rows,
    }
    failures = scenario.failures(rows)
    print(scenario.table(rows), *(f"FAILED: {one}" for one in failures), sep="\n", flush=True)
    if not (short or options.tree):
        results.keep(scenario.name, run)
        page.write({scenario.name: run}, SCENARIOS)
    return bool(failures)


def _command(scenario: Scenario, options: argparse.Namespace) -> str:
    """Return the shell command that repeats this run of a scenario."""
    if not options.count:
        return f"make proof ONLY={scenario.name}"
    counts = "".join(f" --count {name}={value}" for name, value in options.count)
    return f"python -m tests.proof {scenario.name}{counts}"


def _count(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    return name, int(number)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__)
    parser.add_argument("--short", action="store_true", help="the counts of the tests")
    parser.add_argument(
        "--commit", default="0.1.0", help="the older commit that the upgrade begins with"
    )
    parser.add_argument("--tree", metavar="COMMIT", help="serve this commit, not what is here")
    parser.add_argument(
        "--plant", type=int, metavar="N", help="short, with the scenario's N-th fault"
    )
    parser.add_argument(
        "--count",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        type=_count,
        help="another number for a count of the scenario, as rounds=20",
    )
    parser.add_argument("--page", action="store_true", help="write the kept figures again")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    options = parser.parse_args()
    if unknown := set(options.scenarios) - SCENARIOS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(SCENARIOS)}")
    if options.plant and len(options.scenarios) != 1:
        parser.error("--plant needs one scenario")
    return options


if __name__ == "__main__":
    sys.exit(main())
