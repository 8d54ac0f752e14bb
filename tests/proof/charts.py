"""Draw the charts of `docs/reliability.md` from the stored figures: `python -m tests.proof.charts`.

The command needs matplotlib, which is installed only in the benchmarks' virtual environment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.charts import new_chart

from .results import kept
from .scenario import Figures
from .trees import ROOT

FOLDER = ROOT / "docs" / "reliability"
_COLOURS = {"drf-signet": "#0b7285", "simplejwt": "#e8590c"}


def main() -> None:
    """Draw each chart whose scenario has stored figures."""
    FOLDER.mkdir(exist_ok=True)
    for name, (title, draw) in _CHARTS.items():
        if run := kept(name):
            with new_chart(FOLDER / f"{name}.svg", title) as axes:
                draw(axes, run["rows"])


def _storm(axes: Any, rows: Sequence[Figures]) -> None:
    """Draw the number of different refresh tokens that 32 clients received for the same token.

    The chart has one bar for each combination of database, server and package.
    """
    shown = [row for row in rows if row["clients"] == min(one["clients"] for one in rows)]
    places = list(dict.fromkeys((row["database"], row["server"]) for row in shown))
    for index, (package, colour) in enumerate(_COLOURS.items()):
        values = {
            (row["database"], row["server"]): row["distinct_median"]
            for row in shown
            if row["package"] == package
        }
        at = [place + 0.4 * index for place in range(len(places))]
        heights = [values.get(place, 0) for place in places]
        drawn = axes.bar(at, heights, 0.4, label=package, color=colour)
        axes.bar_label(drawn, fmt="%g", fontsize=8)
    middle = [place + 0.2 for place in range(len(places))]
    axes.set_xticks(middle, [f"{database}\n{server}" for database, server in places])
    axes.set_ylabel("distinct successors")
    axes.margins(y=0.2)  # leave room for the legend above the bars
    axes.legend(frameon=False, loc="upper right", ncols=2)


def _theft(axes: Any, rows: Sequence[Figures]) -> None:
    """Draw the percentage of thefts that are detected within a given number of grace periods."""
    for row, style in zip(rows, ("-", "--"), strict=False):
        times = [0.0, *sorted(row["times"])]
        share = [100 * index / row["runs"] for index in range(len(times))]
        if len(times) == 1:
            times, share = [0.0, 30.0], [0.0, 0.0]
        label = f"thief refreshes {row['thief']}"
        axes.step(times, share, style, where="post", label=label, color=_COLOURS["drf-signet"])
    axes.set_xlabel("graces since the theft")
    axes.set_ylabel("% detected")
    axes.legend(frameon=False, loc="center right")


_CHARTS: dict[str, tuple[str, Callable[[Any, Sequence[Figures]], None]]] = {
    "storm": ("32 clients present one refresh token: distinct successors, median", _storm),
    "theft": ("From the theft of a refresh token until the session ends", _theft),
}

if __name__ == "__main__":
    main()
