"""Which of these tests there are."""

from __future__ import annotations

import os

from tests.docs.pages import DOCS

# The suite runs once per database; a page that makes its own project need be followed only once.
# A source distribution has no pages.
if not DOCS.is_dir():
    collect_ignore_glob = ["test_*.py"]
elif os.environ.get("SIGNET_TEST_DATABASE", "sqlite") != "sqlite":
    collect_ignore_glob = ["test_tutorial.py"]
