"""The fixture `run_page`, and rules for pytest: which tests of this folder are collected.

All tests are ignored if the docs folder is missing. Projects of the pages run only on SQLite.
"""

from __future__ import annotations

import os

from tests.docs.pages import DOCS
from tests.docs.snippets import run_page

__all__ = ["run_page"]

# A source distribution contains no docs folder. The test suite runs once for each database, but the
# projects in these files do not use its database, so these files run only once.
if not DOCS.is_dir():
    collect_ignore_glob = ["test_*.py"]
elif os.environ.get("SIGNET_TEST_DATABASE", "sqlite") != "sqlite":
    collect_ignore_glob = ["test_celery.py", "test_deploying.py", "test_tutorial.py"]
