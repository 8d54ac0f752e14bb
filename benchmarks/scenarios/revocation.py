"""The time from a logout until each of four gunicorn processes rejects the access token.

The measured time starts when the logout is sent. In a second part, the logout runs in a transaction
that commits three seconds later, and the measured time starts at the commit. drf-signet polls for
ended sessions every second, which is its default. With Redis, it also sends them to all processes.
Each process gets a request every 20 ms.
"""

from __future__ import annotations

from typing import Any

from benchmarks import figures, processes
from benchmarks.lab import Lab
from benchmarks.table import Bar, Row

TITLE = "Logout until every process rejects the access token"

#: A token that is still accepted after this many seconds counts as accepted until it expires.
_PATIENCE = 3.0


def measure(lab: Lab) -> Any:
    """Return the results of all trials of drf-signet and of the other packages."""
    result = {"plain": _measure(lab, "signet-rotating", lab.pick(100, 4), 0.0)}
    result["held"] = _measure(lab, "signet-rotating", lab.pick(100, 2), lab.pick(3, 1))
    with processes.redis() as url:
        redis = "signet-redis"
        result["redis"] = _measure(lab, redis, lab.pick(100, 4), 0.0, url=url)
        result["redis held"] = _measure(lab, redis, lab.pick(100, 2), lab.pick(3, 1), url=url)
    result["knox"] = _measure(lab, "knox", lab.pick(30, 2), 0.0)
    result["oauth"] = _measure(lab, "oauth", lab.pick(30, 2), 0.0)
    result["simplejwt"] = _measure(lab, "simplejwt-rotating", lab.pick(5, 1), 0.0)
    return result


def _measure(lab: Lab, stack: str, count: int, hold: float, *, url: str = "") -> Any:
    number = lab.pick(4, 2)
    lab.say(f"revocation: {count} × {stack}, {hold:g} s before the commit")
    database = lab.databases.create("postgres", stack, f"revocation_{hold:g}")
    with lab.server(stack, database, workers=number, threads=12, redis=url) as server:
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
    """Return the rows of this scenario in the results table."""
    plain, held = _delays(raw["plain"]), _delays(raw["held"])
    redis, redis_held = _delays(raw["redis"]), _delays(raw["redis held"])
    peers = {name: _delays(raw[name]) for name in ("knox", "oauth", "simplejwt")}
    bar, redis_bar = Bar(limit=1.2), Bar(limit=0.1, why=_WHY_REDIS)
    return [
        _row(f"maximum of {len(raw['plain'])} trials", {"signet": plain} | peers, bar, worst=True),
        _row("median", {"signet": plain} | peers, None),
        _row(f"commit 3 s later: maximum of {len(raw['held'])} trials", {"signet": held}, bar,
             worst=True),
        _row("commit 3 s later: median", {"signet": held}, None),
        _row(f"with Redis: maximum of {len(raw['redis'])} trials", {"signet": redis}, redis_bar,
             worst=True),
        _row("with Redis: median", {"signet": redis}, None),
        _row(f"with Redis, commit 3 s later: maximum of {len(raw['redis held'])} trials",
             {"signet": redis_held}, redis_bar, worst=True),
        _row("with Redis, commit 3 s later: median", {"signet": redis_held}, None),
    ]  # fmt: skip


_WHY = (
    "These packages query the database at every request, and every request pays for that. A "
    "drf-signet process polls once per `REVOCATION_POLL_INTERVAL`; 0 polls at every request."
)
_WHY_REDIS = (
    "The delay includes the logout itself and up to 20 ms until the next request to a process, "
    "while several trials run at once on one machine."
)


def _delays(trials: Any) -> list[float]:
    """Return each trial's delay in seconds, or infinity if a process never rejected the token."""
    return [float("inf") if trial["delay"] is None else trial["delay"] for trial in trials]


def _row(
    label: str, delays: dict[str, list[float]], bar: Bar | None, *, worst: bool = False
) -> Row:
    cells = {name: max(times) if worst else figures.median(times) for name, times in delays.items()}
    return Row(group=TITLE, label=label, cells=cells, unit="s", bar=bar, why=_WHY)
