"""Fixtures for two Python interpreters: one has simplejwt, and the current one does not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.services import SWAP, require

# Each project uses its own SQLite database, so runs with other databases would only repeat these
# tests.
if os.environ.get("SIGNET_TEST_DATABASE", "sqlite") != "sqlite":
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def old_python() -> Path:
    """Return the interpreter with simplejwt and the other packages that the projects use."""
    require("swap")
    return SWAP


@pytest.fixture(scope="session")
def new_python() -> Path:
    """Return the current interpreter, which does not have simplejwt installed."""
    return Path(sys.executable)
