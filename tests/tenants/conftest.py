"""Run these tests only if SIGNET_TEST_DATABASE is `sqlite` or is not set.

They always use PostgreSQL, so they need not run once for each database.
"""

from __future__ import annotations

import os

if os.environ.get("SIGNET_TEST_DATABASE", "sqlite") != "sqlite":
    collect_ignore_glob = ["test_*.py"]
