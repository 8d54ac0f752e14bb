"""Skip tests whose programs are not installed: PostgreSQL, pgbouncer or a C compiler."""

from __future__ import annotations

import pytest

from tests.support.services import required

from . import cluster, pooler, wallclock

_MISSING = {
    "cluster": cluster.missing,
    "pgbouncer": pooler.missing,
    "clock": wallclock.missing,
}


def need(*names: str) -> None:
    """Skip the test if one of the named programs is missing.

    Fail the test instead if SIGNET_REQUIRE contains postgres.
    """
    for name in names:
        if reason := _MISSING[name]():
            (pytest.fail if "postgres" in required() else pytest.skip)(reason)
