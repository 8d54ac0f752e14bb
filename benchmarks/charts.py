"""Draw the charts of `docs/benchmarks.md` as SVG files with matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

from . import figures
from .scenarios import protected
from .stacks import COLUMNS
from .svg import slim

# With `import_module`, mypy does not need matplotlib, which only `make bench` installs.
mpl: Any = import_module("matplotlib")
mpl.use("svg")
plt: Any = import_module("matplotlib.pyplot")

_COLOURS = dict(
    zip(COLUMNS, ("#0b7285", "#e8590c", "#f4a261", "#868e96", "#adb5bd", "#ced4da"), strict=True)
)
_STYLE = {
    "svg.fonttype": "none",  # write labels as text, not as paths
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(raw: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Write all charts to a folder. Return a dict: file name → title of the chart."""
    folder.mkdir(exist_ok=True)
    drawn = {}
    for name, (alt, chart) in _CHARTS.items():
        with new_chart(folder / f"{name}.svg", alt) as axes:
            chart(axes, raw)
        drawn[f"{name}.svg"] = alt
    return drawn


@contextmanager
def new_chart(path: Path, title: str) -> Iterator[Any]:
    """Yield the axes of an empty chart, and write the chart to `path` when the block ends."""
    with mpl.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
        yield axes
        axes.set_title(title, loc="left", fontsize=11)
        drawing = StringIO()
        figure.savefig(drawing, format="svg")
        plt.close(figure)
    path.write_text(slim(drawing.getvalue()), encoding="utf-8")


def _request(axes: Any, raw: Mapping[str, Any]) -> None:
    """Draw one bar for each package: how much longer a request takes with authentication.

    A bar shows the time of a request divided by the time of a request to the same view without
    authentication. drf-signet has a second bar, for tokens that are not in its cache.
    """
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
    """Draw the number of refreshes per second, by added latency and number of clients."""
    groups = [
        (f"{clients} client{'s' if clients != '1' else ''}\n{where}", samples)
        for distance, where in (("near", "loopback"), ("far", "+ 1 ms"))
        for clients, samples in raw["exchange"]["rotating"].get(distance, {}).items()
    ]
    columns = list(groups[0][1])
    width = 0.8 / len(columns)
    for index, column in enumerate(columns):
        values = [
            figures.median([sample["rate"] for sample in samples[column]]) for _, samples in groups
        ]
        at = [position + index * width for position in range(len(groups))]
        drawn = axes.bar(at, values, width, label=COLUMNS[column], color=_COLOURS[column])
        axes.bar_label(drawn, fmt="%.0f", fontsize=8)
    middle = [position + 0.4 - width / 2 for position in range(len(groups))]
    axes.set_xticks(middle, [label for label, _ in groups])
    axes.set_ylabel("refreshes per second")
    axes.margins(y=0.2)  # leave room for the legend above the bars
    axes.legend(frameon=False, loc="upper right", ncols=len(columns))


def _storm(axes: Any, raw: Mapping[str, Any]) -> None:
    """Draw the distribution of the number of different refresh tokens issued in a round."""
    for column, results in raw["storm"].items():
        _distribution(axes, [r["distinct"] for r in results["rounds"]], column, width=3)
    axes.set_xlabel("distinct successors of one refresh token")
    axes.set_ylabel("% of rounds, at most")
    axes.set_xlim(0, 33)
    axes.legend(frameon=False)


def _storage(axes: Any, raw: Mapping[str, Any]) -> None:
    """Draw one bar for each package: the size of its logins in the database, in megabytes."""
    filled = raw["storage"]["filled"]
    names = list(filled)[::-1]
    values = [filled[name]["bytes"] / 1e6 for name in names]
    labels, colours = [COLUMNS[name] for name in names], [_COLOURS[name] for name in names]
    axes.bar_label(axes.barh(labels, values, color=colours), fmt="%.0f", padding=3)
    axes.set_xlabel("MB with indexes")


def _growth(axes: Any, raw: Mapping[str, Any]) -> None:
    """Draw one line for each package: the time of a refresh, by number of sessions in the table."""
    for column, sizes in raw["growth"]["samples"].items():
        at = [int(size) for size in sizes]
        values = [figures.median(samples) for samples in sizes.values()]
        axes.plot(at, values, marker="o", label=COLUMNS[column], color=_COLOURS[column])
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda at, _: f"{at:,.0f}".replace(",", " "))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("sessions in the table")
    axes.set_ylabel("median, ms")
    axes.legend(frameon=False)


def _revocation(axes: Any, raw: Mapping[str, Any]) -> None:
    """Draw the distribution of the time from a logout until every process rejects the token."""
    for name, label, style in (("plain", "logout", "-"), ("held", "commit 3 s later", "--")):
        trials = raw["revocation"][name]
        delays = [trial["delay"] for trial in trials if trial["delay"] is not None]
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
    """Draw the cumulative distribution of the values."""
    ordered = sorted(values)
    share = [100 * index / len(ordered) for index in range(len(ordered) + 1)]
    style = "--" if column == "oauth" else style  # dashed, because this line may cover another
    axes.step([ordered[0], *ordered], share, style, where="post", linewidth=width,
              label=label or COLUMNS[column], color=_COLOURS[column])  # fmt: skip


_CHARTS: dict[str, tuple[str, Callable[[Any, Mapping[str, Any]], None]]] = {
    "request": ("A protected request, in process, PostgreSQL", _request),
    "refresh": ("Refresh with rotation, PostgreSQL", _refresh),
    "storm": ("32 clients send one refresh token at once", _storm),
    "storage": ("100 000 logins on PostgreSQL", _storage),
    "growth": ("Refresh with rotation beside many sessions", _growth),
    "revocation": ("From logout until four processes reject the access token", _revocation),
}
