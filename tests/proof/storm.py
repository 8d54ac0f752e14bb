"""The scenario `storm`: many clients send the same refresh token at the same moment."""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.storm import storm

from .databases import TITLES, Database, new_database
from .scenario import Figures, Scenario
from .servers import serve
from .site import Site
from .trees import Fault

PACKAGES = {"signet": "drf-signet", "simplejwt": "simplejwt"}


def measure(
    *,
    source: Path,
    rounds: int,
    clients: Sequence[int],
    servers: Sequence[str],
    databases: Sequence[str],
    packages: Sequence[Any],
) -> list[Figures]:
    """Return a row of figures for each database, package, server and number of clients."""
    rows: list[Figures] = []
    for vendor, package in itertools.product(databases, packages):
        with new_database(vendor) as database:
            site = _site(database, source, package)
            for kind, count in itertools.product(servers, clients):
                figures = _storm(site, kind, clients=count, rounds=rounds)
                rows.append({"database": TITLES[vendor], **figures})
    return rows


def _site(database: Database, source: Path, package: Any) -> Site:
    site = Site(database=database, source=source, package=package)
    site.prepare(users=100)  # each round of `benchmarks.storm` logs in one of these users
    return site


def _storm(site: Site, kind: str, *, clients: int, rounds: int) -> Figures:
    with serve(site, kind) as server:
        stack = f"{site.package}-rotating"
        job = storm(port=server.port, stack=stack, clients=clients, rounds=rounds)
        found = asyncio.run(job)["rounds"]
    distinct = [one["distinct"] for one in found]
    return {
        "package": PACKAGES[site.package],
        "server": kind,
        "clients": clients,
        "rounds": rounds,
        "distinct_median": statistics.median(distinct),
        "distinct_most": max(distinct),
        "refused": sum(one["refused"] for one in found),
        "refused_percent": 100 * sum(one["refused"] for one in found) / (clients * rounds),
        "rounds_lost": sum(not one["can_refresh"] for one in found),
    }


def failures(rows: Sequence[Figures]) -> list[str]:
    """Return a sentence for each failure of drf-signet. Ignore the rows of simplejwt."""
    found = []
    for row in rows:
        where = f"{row['clients']} clients, {row['server']}, {row['database']}"
        if row["package"] != PACKAGES["signet"]:
            continue
        if (row["distinct_median"], row["distinct_most"]) != (1, 1):
            found.append(f"{where}: up to {row['distinct_most']} distinct successors, not 1")
        if row["refused"]:
            found.append(f"{where}: {row['refused']} answers other than 200")
        if row["rounds_lost"]:
            found.append(f"{where}: nobody could refresh after {row['rounds_lost']} rounds")
    return found


SCENARIO = Scenario(
    name="storm",
    title="Storm: many clients, one refresh token",
    measure=measure,
    failures=failures,
    columns={
        "database": "database",
        "server": "server",
        "clients": "clients",
        "package": "package",
        "rounds": "rounds",
        "distinct_median": "distinct successors per round, median",
        "distinct_most": "most",
        "refused_percent": "answers other than 200, %",
        "rounds_lost": "rounds after which nobody could refresh",
    },
    full={
        "rounds": 200,
        "clients": (32, 100),
        "servers": ("gunicorn", "uvicorn"),
        "databases": tuple(TITLES),
        "packages": tuple(PACKAGES),
    },
    short={
        "rounds": 5,
        "clients": (32,),
        "servers": ("gunicorn",),
        "databases": ("sqlite",),
        "packages": ("signet",),
    },
    faults=(
        Fault(
            scenario="storm",
            before="for number in range(ATTEMPTS):",
            after="for number in range(1):",
            effect="A request that loses the race does not read the session again, and gets 503.",
            counts={"servers": ("uvicorn",), "rounds": 15},
        ),
        Fault(
            scenario="storm",
            before="issued = attempt.generation + (verdict",
            after="issued = session.generation + (verdict",
            effect="A retry gets the successor of the successor: a second chain of tokens.",
        ),
    ),
)
