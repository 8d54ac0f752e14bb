"""Write tables into `docs/reliability.md`, between marks (HTML comments).

The text outside the marks does not change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .scenario import Scenario
from .trees import ROOT, Fault, faulty_file

PAGE = ROOT / "docs" / "reliability.md"


def write(runs: Mapping[str, Mapping[str, Any]], scenarios: Mapping[str, Scenario]) -> None:
    """Write the tables of these runs and the table of planted faults into the page."""
    text = PAGE.read_text("utf-8")
    for name, run in runs.items():
        text = between_marks(text, name, f"{scenarios[name].table(run['rows'])}\n\n{_told(run)}")
    PAGE.write_text(between_marks(text, "faults", faults_table(scenarios)), "utf-8")


def between_marks(text: str, name: str, content: str) -> str:
    """Replace the content between the two marks with this name, and return the new text.

    Raises:
        LookupError: the page does not contain these two marks exactly once.
    """
    begin, end = f"<!-- proof: {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(rf"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise LookupError(f"{PAGE.name} must have {begin} and {end} once")
    return pattern.sub(lambda _: f"{begin}\n{content}\n{end}", text)


def faults_table(scenarios: Mapping[str, Scenario]) -> str:
    """Return a Markdown table of all planted faults: the errors that tests add to the package."""
    lines = ["| scenario | file | the line | with the fault | effect |", "|---|---|---|---|---|"]
    for scenario in scenarios.values():
        lines += [_fault(one) for one in scenario.faults]
    return "\n".join(lines)


def _fault(fault: Fault) -> str:
    file = faulty_file(fault).name
    return f"| {fault.scenario} | {file} | `{fault.before}` | `{fault.after}` | {fault.effect} |"


def _told(run: Mapping[str, Any]) -> str:
    return (
        f"Measured on {run['date']} at commit {run['commit']} in {run['minutes']:.0f} minutes, "
        f"with `{run['command']}`."
    )
