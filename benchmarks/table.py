"""Rows of the one table, and what is said about those in which drf-signet is behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .stacks import COLUMNS

#: Share by which two measured times may differ without either being called the slower one.
NOISE = 0.03


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What drf-signet's figure, or its ratio to simplejwt's, ought to be.

    Args:
        why: the sentence for the case that it is not.
    """

    limit: float
    at: Literal["most", "least"] = "most"
    relative: bool = False
    why: str = ""

    def __str__(self) -> str:
        sign = "≤" if self.at == "most" else "≥"
        return f"{sign} {self.limit:g}{' × simplejwt' if self.relative else ''}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: a figure per column, as far as the package has the thing at all.

    Args:
        better: whether less or more of it is better; None where it is neither.
        counted: whether it is a count, so that every difference is one.
        why: the sentence for the case that a peer's figure is better than drf-signet's.
        ratio: for a relative bar, drf-signet's figure ÷ simplejwt's, from paired rounds.
    """

    group: str
    label: str
    cells: Mapping[str, float | None]
    unit: str = ""
    digits: int = 2
    better: Literal["less", "more"] | None = "less"
    counted: bool = False
    bar: Bar | None = None
    why: str = ""
    ratio: float | None = None

    @property
    def own(self) -> float | None:
        """drf-signet's figure."""
        return self.cells.get("signet")

    def against_bar(self) -> float | None:
        """Return the figure that the bar is about."""
        return self.ratio if self.bar and self.bar.relative else self.own

    def meets_bar(self) -> bool | None:
        """Return whether the bar is met; None if there is none."""
        figure = self.against_bar()
        if self.bar is None or figure is None:
            return None
        return figure <= self.bar.limit if self.bar.at == "most" else figure >= self.bar.limit

    def better_peers(self) -> list[str]:
        """Return the columns whose figure is better than drf-signet's, beyond the noise."""
        own, sign = self.own, {"less": 1, "more": -1, None: 0}[self.better]
        if own is None or not sign:
            return []
        room = 0 if self.counted else NOISE * abs(own)
        peers = {name: value for name, value in self.cells.items() if name != "signet"}
        return [
            n for n, value in peers.items() if value is not None and sign * (own - value) > room
        ]


def markdown(rows: list[Row]) -> str:
    """Return the table."""
    heading = ["", *[COLUMNS["signet"], "bar"], *list(COLUMNS.values())[1:]]
    lines = [_line(heading), _line(["---"] + ["---:"] * (len(heading) - 1))]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines.append(_line([f"**{group}**"] + [""] * (len(heading) - 1)))
        peers = [_cell(row, row.cells.get(name)) for name in list(COLUMNS)[1:]]
        lines.append(_line([row.label, f"**{_cell(row, row.own)}**", _bar(row), *peers]))
    return "\n".join(lines)


def explanations(rows: list[Row]) -> list[str]:
    """Return a list item for each sentence that the figures call for, with its rows."""
    behind: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if peers := row.better_peers():
            names = ", ".join(COLUMNS[name] for name in peers)
            reason = (row.group, row.why or UNEXPLAINED)
            behind.setdefault(reason, []).append(f"{row.label} (ahead: {names})")
    return [f"- *{group}:* {' · '.join(found)}. {why}" for (group, why), found in behind.items()]


#: What stands where a sentence is missing. A page with it is not to be published.
UNEXPLAINED = "Nobody has said why yet."


def missed(rows: list[Row]) -> list[str]:
    """Return a list item for each bar that is missed: by how much, and why."""
    return [
        f"- *{row.group}: {row.label}*: {row.against_bar():.3g}, the bar is {row.bar}. "
        f"{row.bar.why or UNEXPLAINED}"
        for row in rows
        if row.bar is not None and row.meets_bar() is False
    ]


def _cell(row: Row, value: float | None) -> str:
    if value is None:
        return "–"
    if value == float("inf"):
        return "until `exp`"
    return f"{value:,.{row.digits}f}".replace(",", " ") + (f" {row.unit}" if row.unit else "")


def _bar(row: Row) -> str:
    met, figure = row.meets_bar(), row.against_bar()
    if met is None or row.bar is None:
        return ""
    reached = f"{figure:.2g} ×, " if row.bar.relative else ""
    return f"{row.bar}: {reached}{'met' if met else '**missed**'}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
