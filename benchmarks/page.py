"""The page: `docs/benchmarks.md`, made from one complete run."""

from __future__ import annotations

from typing import Any

from . import charts, table
from .processes import ROOT
from .scenarios import SCENARIOS

PAGE = ROOT / "docs" / "benchmarks.md"
FIGURES = ROOT / "docs" / "benchmarks"

_PAGE = """\
# Benchmarks

Written by `make bench`; every figure was measured in one run on {date}, which took {minutes:.0f}
minutes. `make bench ONLY="storm storage"` repeats some of it and prints the rows.

{machine}

All packages ran on the same Django and REST framework, with the same view, users and databases;
each in processes of its own, their rounds interleaved. Figures are medians of rounds, and ratios
are medians of the ratios of neighbouring rounds: compare columns, not runs on other machines.
simplejwt's column is the package as it comes, and with rotation and its blacklist where a row is
about rotation, storage, logout or memory. Passwords are hashed with MD5 everywhere, since hashing
is not what is compared. "–" is what a package does not have.

{charts}

## The table

{table}

## Where a peer is ahead

Each row in which a peer's figure is better than drf-signet's (times by more than 3 %), and why.

{explanations}

## Bars that are missed

{missed}

## How it was measured

{methods}
"""


def rows(run: dict[str, Any]) -> list[table.Row]:
    """Return the rows of all scenarios of a run."""
    return [
        row
        for name, module in SCENARIOS.items()
        if name in run["scenarios"]
        for row in module.rows(run["scenarios"][name]["raw"])
    ]


def table_(run: dict[str, Any]) -> str:
    """Return the table of a run, with what has to be said about it."""
    found = rows(run)
    parts = [table.markdown(found), *table.explanations(found), *table.missed(found)]
    return "\n".join(parts)


def write(run: dict[str, Any]) -> int:
    """Write page and charts; return 1 if a row has no explanation and needs one."""
    found = rows(run)
    explanations = "\n".join(table.explanations(found)) or "None."
    missed = "\n".join(table.missed(found)) or "None."
    drawn = charts.draw({name: one["raw"] for name, one in run["scenarios"].items()}, FIGURES)
    text = _PAGE.format(
        date=run["date"],
        minutes=run["minutes"],
        machine=_machine(run),
        charts="\n\n".join(f"![{alt}](benchmarks/{name})" for name, alt in drawn.items()),
        table=table.markdown(found),
        explanations=explanations,
        missed=missed,
        methods=_methods(run),
    )
    PAGE.write_text(text)
    if table.UNEXPLAINED in explanations + missed:
        print(f"a row lacks its explanation:\n{explanations}\n{missed}")
        return 1
    return 0


def _machine(run: dict[str, Any]) -> str:
    lines = ["| | |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in run["machine"].items()]
    tool = run["scenarios"]["served"]["raw"]["tool"]
    lines.append(f"| load tool of the protected request | {tool} |")
    highest = max(one["load_before"] for one in run["scenarios"].values())
    lines.append(f"| highest load average before a scenario | {highest:.1f} |")
    return "\n".join(lines)


def _methods(run: dict[str, Any]) -> str:
    """Return what each scenario does: its module's own words."""
    parts = []
    for name, module in SCENARIOS.items():
        seconds = run["scenarios"][name]["seconds"]
        text = (module.__doc__ or "").strip()
        parts.append(f"**{module.TITLE}** (`ONLY={name}`, {seconds:.0f} s). {text}")
    return "\n\n".join(parts)
