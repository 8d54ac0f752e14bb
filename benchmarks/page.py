"""Write `docs/benchmarks.md` and the short table in README from the results of a complete run."""

from __future__ import annotations

from typing import Any

from . import charts, table
from .processes import ROOT
from .scenarios import SCENARIOS

PAGE = ROOT / "docs" / "benchmarks.md"
FIGURES = ROOT / "docs" / "benchmarks"
README = ROOT / "README.md"

#: README contains the short table between these two lines.
_MARKS = ("<!-- from make bench -->", "<!-- to here -->")

_PAGE = """\
# Benchmarks

`make bench` wrote this page. It measured every figure in one run on {date}; the run took
{minutes:.0f} minutes. `make bench ONLY="storm storage"` repeats two scenarios only.

{machine}

All packages ran on the same Django and REST framework, with the same view, users and databases.
Each package ran in its own processes, and the rounds of the packages were interleaved. Figures are
medians of rounds, and ratios are medians of the ratios of neighbouring rounds. Compare the columns
with each other, not with runs on other machines. The column of simplejwt shows its default
settings; rows about rotation, storage, logout or memory use rotation and the blacklist. All
packages hash passwords with MD5, because this page does not compare password hashing. "–" means
that a package does not have the feature.

{charts}

## The table

{table}

## Where a peer is ahead

These are the rows in which a peer's figure is better than drf-signet's (for times: by more than
3 %), with the reasons.

{explanations}

## Bars that are missed

{missed}

## How it was measured

{methods}
"""


def rows(run: dict[str, Any]) -> list[table.Row]:
    """Return the rows of the results table for all scenarios of a run."""
    return [
        row
        for name, module in SCENARIOS.items()
        if name in run["scenarios"]
        for row in module.rows(run["scenarios"][name]["raw"])
    ]


def table_(run: dict[str, Any]) -> str:
    """Return the results table of a run in Markdown, followed by the explanations of its rows."""
    all_rows = rows(run)
    parts = [table.markdown(all_rows), *table.explanations(all_rows), *table.missed(all_rows)]
    return "\n".join(parts)


def write(run: dict[str, Any]) -> int:
    """Write the page, its charts and README's table. Return 1 if a row lacks an explanation."""
    all_rows = rows(run)
    explanations = "\n".join(table.explanations(all_rows)) or "None."
    missed = "\n".join(table.missed(all_rows)) or "None."
    drawn = charts.draw(
        {name: scenario["raw"] for name, scenario in run["scenarios"].items()}, FIGURES
    )
    text = _PAGE.format(
        date=run["date"],
        minutes=run["minutes"],
        machine=_machine(run),
        charts="\n\n".join(f"![{alt}](benchmarks/{name})" for name, alt in drawn.items()),
        table=table.markdown(all_rows),
        explanations=explanations,
        missed=missed,
        methods=_methods(run),
    )
    PAGE.write_text(text)
    _write_readme(table.headlines(all_rows))
    if table.UNEXPLAINED in explanations + missed:
        print(f"a row lacks its explanation:\n{explanations}\n{missed}")
        return 1
    return 0


def _write_readme(short: str) -> None:
    before, rest = README.read_text().split(_MARKS[0])
    _, after = rest.split(_MARKS[1])
    README.write_text(f"{before}{_MARKS[0]}\n{short}\n{_MARKS[1]}{after}")


def _machine(run: dict[str, Any]) -> str:
    lines = ["| part | version or value |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in run["machine"].items()]
    tool = run["scenarios"]["served"]["raw"]["tool"]
    lines.append(f"| load generator for the protected request | {tool} |")
    highest = max(scenario["load_before"] for scenario in run["scenarios"].values())
    lines.append(f"| highest load average before a scenario | {highest:.1f} |")
    return "\n".join(lines)


def _methods(run: dict[str, Any]) -> str:
    """Return the descriptions of all scenarios, which are the docstrings of their modules."""
    parts = []
    for name, module in SCENARIOS.items():
        seconds = run["scenarios"][name]["seconds"]
        text = (module.__doc__ or "").strip()
        parts.append(f"**{module.TITLE}** (`ONLY={name}`, {seconds:.0f} s). {text}")
    return "\n\n".join(parts)
