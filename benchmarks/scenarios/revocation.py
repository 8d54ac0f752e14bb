"""From a logout until each of four gunicorn processes refuses the access token.

A logout counts from when it was sent. Where it happens inside a transaction that commits three
seconds later, the commit counts. The interval of the feed is the default, 1 s; each process is
asked every 20 ms.
"""

from __future__ import annotations

from typing import Any

from benchmarks import figures, processes
from benchmarks.lab import Lab
from benchmarks.table import Bar, Row

TITLE = "Logout until every process refuses the access token"

#: Seconds after which a peer's token counts as accepted until it expires.
_PATIENCE = 3.0


def measure(lab: Lab) -> Any:
    """Return the seconds of each trial."""
    result = {"plain": _measure(lab, "signet-rotating", lab.pick(100, 4), 0.0)}
    result["held"] = _measure(lab, "signet-rotating", lab.pick(100, 2), lab.pick(3, 1))
    result["knox"] = _measure(lab, "knox", lab.pick(30, 2), 0.0)
    result["oauth"] = _measure(lab, "oauth", lab.pick(30, 2), 0.0)
    result["simplejwt"] = _measure(lab, "simplejwt-rotating", lab.pick(5, 1), 0.0)
    return result


def _measure(lab: Lab, stack: str, count: int, hold: float) -> Any:
    number = lab.pick(4, 2)
    lab.say(f"revocation: {count} × {stack}, {hold:g} s before the commit")
    database = lab.databases.create("postgres", stack, f"revocation_{hold:g}")
    with lab.server(stack, database, workers=number, threads=12) as server:
        return processes.load(
            kind="revocation",
            port=server.port,
            stack=stack,
            processes=number,
            count=count,
            at_once=10 if hold else 5,
            hold=hold,
            patience=_PATIENCE,
        )


def rows(raw: Any) -> list[Row]:
    """Return the rows of the table."""
    plain, held = _delays(raw["plain"]), _delays(raw["held"])
    peers = {name: _delays(raw[name]) for name in ("knox", "oauth", "simplejwt")}
    bar = Bar(limit=1.2)
    return [
        _row(f"most of {len(raw['plain'])} trials", {"signet": plain} | peers, bar, most=True),
        _row("median", {"signet": plain} | peers, None),
        _row(f"commit 3 s later: most of {len(raw['held'])} trials", {"signet": held}, bar,
             most=True),
        _row("commit 3 s later: median", {"signet": held}, None),
    ]  # fmt: skip


_WHY = (
    "They ask the database at every request, which is what each of their requests pays for; here "
    "a process asks once per `REVOCATION_POLL_INTERVAL` (0 asks at every request)."
)


def _delays(trials: Any) -> list[float]:
    """Return the seconds of each trial; infinite where the token was never refused."""
    return [float("inf") if one["delay"] is None else one["delay"] for one in trials]


def _row(label: str, delays: dict[str, list[float]], bar: Bar | None, *, most: bool = False) -> Row:
    cells = {name: max(found) if most else figures.median(found) for name, found in delays.items()}
    return Row(group=TITLE, label=label, cells=cells, unit="s", bar=bar, why=_WHY)
