"""Collect the tests of this folder only if the test run uses SQLite."""

from __future__ import annotations

import os

#: The test suite runs once for each database. The tests of this folder choose their databases
#: themselves, so it is enough to run them once.
DATABASE = os.environ.get("SIGNET_TEST_DATABASE", "sqlite")
collect_ignore_glob = [] if DATABASE == "sqlite" else ["test_*.py"]
