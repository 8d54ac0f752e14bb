"""Which of these tests there are."""

from __future__ import annotations

import os

# They bring databases of their own: to run them once is enough.
if os.environ.get("SIGNET_TEST_DATABASE", "sqlite") != "sqlite":
    collect_ignore_glob = ["test_*.py"]
