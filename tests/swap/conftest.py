"""The two environments: one that has simplejwt, and this one, which has not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.services import SWAP, require

#: Each project brings its own database, so the suite's other runs need not come here again.
if os.environ.get("SIGNET_TEST_DATABASE", "sqlite") != "sqlite":
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def old_python() -> Path:
    """Return an interpreter that has simplejwt, and packages that are hard-wired to it."""
    require("swap")
    return SWAP


@pytest.fixture(scope="session")
def new_python() -> Path:
    """Return one that has no simplejwt."""
    return Path(sys.executable)
