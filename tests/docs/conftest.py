"""Ignore all tests if the docs folder is missing, and run `test_tutorial.py` only on SQLite."""

from __future__ import annotations

import os

from tests.docs.pages import DOCS

# A source distribution contains no docs folder. The test suite runs once for each database, but the
# projects in test_tutorial.py always use their own SQLite database, so that file runs only once.
if not DOCS.is_dir():
    collect_ignore_glob = ["test_*.py"]
elif os.environ.get("SIGNET_TEST_DATABASE", "sqlite") != "sqlite":
    collect_ignore_glob = ["test_tutorial.py"]
