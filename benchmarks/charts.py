"""The charts: SVG files, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from . import figures
from .scenarios import protected
from .stacks import COLUMNS

# By name: the types of a library that only `make bench` installs are no matter of `make lint`.
mpl: Any = import_module("matplotlib")
mpl.use("svg")
plt: Any = import_module("matplotlib.pyplot")

_COLOURS = dict(
    zip(COLUMNS, ("#0b7285", "#e8590c", "#f4a261", "#868e96", "#adb5bd", "#ced4da"), strict=True)
)
_STYLE = {
    "svg.hashsalt": "drf-signet",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(raw: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Draw every chart; return file name → what it shows."""
    folder.mkdir(exist_ok=True)
    drawn = {}
    for name, (alt, chart) in _CHARTS.items():
        with mpl.rc_context(_STYLE):
            figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
            chart(axes, raw)
            axes.set_title(alt, loc="left", fontsize=11)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            plt.close(figure)
        drawn[f"{name}.svg"] = alt
    return drawn


def _request(axes: Any, raw: Mapping[str, Any]) -> None:
    """Bars: the ratio of each package, and drf-signet's with a token never seen."""
    ratios = protected.ratios(raw["protected"], "postgres", "")
    cold = protected.ratios(raw["protected"], "postgres", "", "cold")["signet"]
    bars = [("drf-signet", ratios["signet"], "signet"), ("… a token never seen", cold, "signet")]
    bars += [(COLUMNS[name], ratios[name], name) for name in list(COLUMNS)[1:] if name in ratios]
    labels, values, names = zip(*bars[::-1], strict=True)
    drawn = axes.barh(labels, values, color=[_COLOURS[name] for name in names])
    axes.bar_label(drawn, fmt="%.2f", padding=3)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("× the same view without authentication")


def _refresh(axes: Any, raw: Mapping[str, Any]) -> None:
    """Groups of bars: rotating refreshes per second, by clients, near and far."""
    groups = [
        (f"{clients} client{'s' if clients != '1' else ''}\n{where}", samples)
        for distance, where in (("near", "loopback"), ("far", "+ 1 ms"))
        for clients, samples in raw["exchange"]["rotating"].get(distance, {}).items()
    ]
    columns = list(groups[0][1])
    width = 0.8 / len(columns)
    for index, column in enumerate(columns):
        values = [figures.median([one["rate"] for one in found[column]]) for _, found in groups]
        at = [position + index * width for position in range(len(groups))]
        drawn = axes.bar(at, values, width, label=COLUMNS[column], color=_COLOURS[column])
        axes.bar_label(drawn, fmt="%.0f", fontsize=8)
    middle = [position + 0.4 - width / 2 for position in range(len(groups))]
    axes.set_xticks(middle, [label for label, _ in groups])
    axes.set_ylabel("refreshes per second")
    axes.margins(y=0.2)  # room for the legend above the bars
    axes.legend(frameon=False, loc="upper right", ncols=len(columns))


def _storm(axes: Any, raw: Mapping[str, Any]) -> None:
    """Distribution: distinct successors per round."""
    for column, found in raw["storm"].items():
        _distribution(axes, [one["distinct"] for one in found["rounds"]], column, width=3)
    axes.set_xlabel("distinct successors of one refresh token")
    axes.set_ylabel("% of rounds, at most")
    axes.set_xlim(0, 33)
    axes.legend(frameon=False)


def _storage(axes: Any, raw: Mapping[str, Any]) -> None:
    """Bars: megabytes of the logins."""
    filled = raw["storage"]["filled"]
    names = list(filled)[::-1]
    values = [filled[name]["bytes"] / 1e6 for name in names]
    labels, colours = [COLUMNS[name] for name in names], [_COLOURS[name] for name in names]
    axes.bar_label(axes.barh(labels, values, color=colours), fmt="%.0f", padding=3)
    axes.set_xlabel("MB with indexes")


def _growth(axes: Any, raw: Mapping[str, Any]) -> None:
    """Lines: milliseconds of a refresh, by the number of sessions."""
    for column, sizes in raw["growth"]["samples"].items():
        at = [int(size) for size in sizes]
        values = [figures.median(found) for found in sizes.values()]
        axes.plot(at, values, marker="o", label=COLUMNS[column], color=_COLOURS[column])
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("sessions in the table")
    axes.set_ylabel("median, ms")
    axes.legend(frameon=False)


def _revocation(axes: Any, raw: Mapping[str, Any]) -> None:
    """Distribution: seconds from the logout until every process refuses."""
    for name, label, style in (("plain", "logout", "-"), ("held", "commit 3 s later", "--")):
        delays = [one["delay"] for one in raw["revocation"][name] if one["delay"] is not None]
        _distribution(axes, delays, "signet", label=label, style=style)
    axes.axvline(1.2, color="black", linewidth=0.8)
    axes.set_xlabel("seconds (the line is the bar: interval + 0.2 s)")
    axes.set_ylabel("% of trials, at most")
    axes.legend(frameon=False)


def _distribution(
    axes: Any,
    values: list[float],
    column: str,
    *,
    label: str = "",
    style: str = "-",
    width: float = 1.5,
) -> None:
    """Draw which share of the values is no larger than what stands below."""
    ordered = sorted(values)
    share = [100 * index / len(ordered) for index in range(len(ordered) + 1)]
    style = "--" if column == "oauth" else style  # it may lie on another one
    axes.step([ordered[0], *ordered], share, style, where="post", linewidth=width,
              label=label or COLUMNS[column], color=_COLOURS[column])  # fmt: skip


_CHARTS: dict[str, tuple[str, Callable[[Any, Mapping[str, Any]], None]]] = {
    "request": ("A protected request, in process, PostgreSQL", _request),
    "refresh": ("Refresh with rotation, PostgreSQL", _refresh),
    "storm": ("32 clients present one refresh token at once", _storm),
    "storage": ("100 000 logins on PostgreSQL", _storage),
    "growth": ("Refresh with rotation beside many sessions", _growth),
    "revocation": ("From logout until four processes refuse the access token", _revocation),
}
