"""A rule for pytest: collect these tests only in the test run on SQLite."""

from __future__ import annotations

import os

# These tests always use their own SQLite databases, so running them once is enough.
if os.environ.get("SIGNET_TEST_DATABASE", "sqlite") != "sqlite":
    collect_ignore_glob = ["test_*.py"]
