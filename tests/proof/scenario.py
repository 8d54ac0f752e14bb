"""The class `Scenario`, which measures figures, checks them, and shows them in a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .trees import SOURCE, Fault

#: The figures of one row of a scenario's table, as JSON values.
Figures = Mapping[str, Any]
#: Keyword arguments of a scenario's `measure`, for example the number of rounds.
Counts = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A measurement on real servers, a check of its figures, and a table of them.

    Args:
        name: the scenario's name on the command line, and in the HTML comments of
            `docs/reliability.md`.
        title: the heading that the command prints.
        measure: a function that returns a row of figures for each configuration. Its arguments are
            `source` (the source tree that the servers run), the counts, and `commit` if
            `takes_commit` is set.
        failures: a function that returns a sentence for each figure that shows an error.
        columns: key of a figure → heading of its column, in the order of the table.
        full, short: the counts for `make proof`, and the counts for the tests.
        faults: errors that a test adds to a copy of the package. The scenario must fail with each
            of these errors.
        takes_commit: whether the scenario also runs an older commit, besides the source tree.
    """

    name: str
    title: str
    measure: Callable[..., list[Figures]]
    failures: Callable[[Sequence[Figures]], list[str]]
    columns: Mapping[str, str]
    full: Counts = field(default_factory=dict)
    short: Counts = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    takes_commit: bool = False

    def run(
        self, *, short: bool, source: Path = SOURCE, commit: str = "", **counts: Any
    ) -> list[Figures]:
        """Measure with the short or the full counts. `counts` overrides some of these counts."""
        older = {"commit": commit} if self.takes_commit else {}
        return self.measure(
            source=source, **{**(self.short if short else self.full), **counts}, **older
        )

    def table(self, rows: Sequence[Figures]) -> str:
        """Return a Markdown table of the figures."""
        lines = [list(self.columns.values()), ["---"] * len(self.columns)]
        lines += [[_cell(row.get(key)) for key in self.columns] for row in rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else str(value)
