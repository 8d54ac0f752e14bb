"""The number of SQL statements of each operation on PostgreSQL, as `assertNumQueries` counts them.

BEGIN, COMMIT and savepoints count too, because each of them is a round trip.
"""

from __future__ import annotations

from typing import Any

from benchmarks.lab import Lab
from benchmarks.table import Bar, Row

TITLE = "SQL statements"

_STACKS = (
    "signet",
    "signet-rotating",
    "simplejwt",
    "simplejwt-rotating",
    "stateless",
    "token",
    "knox",
    "oauth",
)


def measure(lab: Lab) -> Any:
    """Return the number of SQL statements of every operation of every stack, on PostgreSQL."""
    result = {}
    for stack in _STACKS:
        database = lab.databases.create("postgres", stack, "statements")
        with lab.worker(stack, database) as worker:
            result[stack] = worker.run("operations.count")
    return result


def rows(raw: Any) -> list[Row]:
    """Return the rows of this scenario in the results table."""
    plain = {"signet": "signet", "simplejwt": "simplejwt"}
    others = {"token": "token", "knox": "knox", "oauth": "oauth"}
    rotating = {"signet": "signet-rotating", "simplejwt": "simplejwt-rotating", "oauth": "oauth"}
    return [
        _row(raw, "request", "request", plain | others | {"stateless": "stateless"}, 0),
        _row(raw, "login", "login", plain | others, 3, _LOGIN),
        _row(raw, "refresh", "refresh", plain, 1),
        _row(raw, "refresh with rotation", "refresh", rotating, 2),
        _row(raw, "logout", "logout", rotating | {"knox": "knox"}, 2, _LOGOUT),
    ]


_LOGIN = (
    "drf-signet reads the user, writes the session and sends `user_logged_in`, so that Django "
    "updates `last_login`. Without a blacklist, simplejwt stores nothing. Neither simplejwt nor "
    "DRF's token view sends the signal."
)
_LOGOUT = (
    "A drf-signet logout checks that the token belongs to the session before it ends the session."
)


def _row(
    raw: Any, label: str, operation: str, stacks: dict[str, str], limit: float, why: str = ""
) -> Row:
    cells = {
        column: raw[stack][operation]["statements"]
        for column, stack in stacks.items()
        if operation in raw[stack]
    }
    bar = Bar(limit=limit)
    return Row(group=TITLE, label=label, cells=cells, digits=0, counted=True, bar=bar, why=why)
