"""The rows of the results table, and explanations of rows in which another package is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .stacks import COLUMNS

#: Two figures count as equal if they differ by at most this fraction of drf-signet's figure.
NOISE = 0.03

#: The rows of README's short table: a row's label in the full table → its label in README, which
#: has to be clear without the name of a group.
HEADLINES = {
    "HS256, a token seen before; PostgreSQL": "protected request ÷ the view without authentication",
    "refreshes with rotation, 4 clients; loopback": "refreshes with rotation, 4 clients",
    "answers other than 200": "32 clients, one refresh token: answers other than 200",
    "100 000 logins: MB with indexes": "100 000 logins: MB with indexes",
    "maximum of 100 trials": "logout until no process accepts the access token",
    "of 280: status 500": "280 forged or malformed inputs: answers of 500",
}


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A target for a figure of drf-signet. The table calls it "bar".

    Args:
        at: whether the figure must be at most or at least `limit`.
        relative: whether the target applies to the ratio of drf-signet's figure to simplejwt's.
        why: the explanation to print if the target is missed.
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
    """One row of the table: a figure for each package that has the feature.

    Args:
        better: whether less or more is better, or None if neither is better.
        counted: whether the figure is a count, so that any difference matters.
        why: the explanation to print if another package's figure is better than drf-signet's.
        ratio: for a relative bar, the ratio of drf-signet's figure to simplejwt's, as the median of
            all rounds.
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
        """drf-signet's figure in this row, or None."""
        return self.cells.get("signet")

    def against_bar(self) -> float | None:
        """Return the figure to compare with the target (`bar`)."""
        return self.ratio if self.bar and self.bar.relative else self.own

    def meets_bar(self) -> bool | None:
        """Return whether the target is met, or None if there is no target or no figure."""
        figure = self.against_bar()
        if self.bar is None or figure is None:
            return None
        return figure <= self.bar.limit if self.bar.at == "most" else figure >= self.bar.limit

    def better_peers(self) -> list[str]:
        """Return the columns of the packages whose figure is better than drf-signet's.

        Differences of up to NOISE are ignored, except between counts.
        """
        own, sign = self.own, {"less": 1, "more": -1, None: 0}[self.better]
        if own is None or not sign:
            return []
        tolerance = 0 if self.counted else NOISE * abs(own)
        peers = {name: value for name, value in self.cells.items() if name != "signet"}
        return [
            n
            for n, value in peers.items()
            if value is not None and sign * (own - value) > tolerance
        ]


def markdown(rows: list[Row]) -> str:
    """Return the full table in Markdown, with the groups and the column "bar" (the targets)."""
    own, *peers = COLUMNS.values()
    lines = _heading([own, "bar", *peers])
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines.append(_line([f"**{group}**"] + [""] * (len(COLUMNS) + 1)))
        own, *peers = _cells(row)
        lines.append(_line([row.label, own, _bar(row), *peers]))
    return "\n".join(lines)


def headlines(rows: list[Row]) -> str:
    """Return README's table in Markdown: the rows of HEADLINES, without groups and targets."""
    chosen = [row for row in rows if row.label in HEADLINES]
    lines = [_line([HEADLINES[row.label], *_cells(row)]) for row in chosen]
    return "\n".join(_heading(list(COLUMNS.values())) + lines)


def explanations(rows: list[Row]) -> list[str]:
    """Return Markdown list items that explain the rows in which another package is better."""
    behind: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if peers := row.better_peers():
            names = ", ".join(COLUMNS[name] for name in peers)
            reason = (row.group, row.why or UNEXPLAINED)
            behind.setdefault(reason, []).append(f"{row.label} (ahead: {names})")
    return [f"- *{group}:* {' · '.join(labels)}. {why}" for (group, why), labels in behind.items()]


#: The text that replaces a missing explanation. A page with this text must not be published.
UNEXPLAINED = "This row has no explanation yet."


def missed(rows: list[Row]) -> list[str]:
    """Return a Markdown list item for each missed target, with the figure and the explanation."""
    return [
        f"- *{row.group}: {row.label}*: {row.against_bar():.3g}, the bar is {row.bar}. "
        f"{row.bar.why or UNEXPLAINED}"
        for row in rows
        if row.bar is not None and row.meets_bar() is False
    ]


def _heading(columns: list[str]) -> list[str]:
    return [_line(["measured", *columns]), _line(["---"] + ["---:"] * len(columns))]


def _cells(row: Row) -> list[str]:
    """Return the figures of all packages. drf-signet's figure is the first, in bold type."""
    own, *peers = [_cell(row, row.cells.get(name)) for name in COLUMNS]
    return [f"**{own}**", *peers]


def _cell(row: Row, value: float | None) -> str:
    if value is None:
        return "–"
    if value == float("inf"):
        return "until `exp`"
    return f"{value:,.{row.digits}f}".replace(",", " ") + (f" {row.unit}" if row.unit else "")


def _bar(row: Row) -> str:
    is_met, figure = row.meets_bar(), row.against_bar()
    if is_met is None or row.bar is None:
        return ""
    ratio = f"{figure:.2g} ×, " if row.bar.relative else ""
    return f"{row.bar}: {ratio}{'met' if is_met else '**missed**'}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
