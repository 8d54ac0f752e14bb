"""Projects that differ in what one process cannot change: each is a pytest of its own.

The user model, the installed apps and the databases are fixed once Django has started.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Variant of `tests.variants.settings` → what is run on it.
VARIANTS = {
    "uuid key": "user_model.py",
    "text key": "user_model.py",
    "inherited key": "user_model.py",
    "axes": "axes_lockout.py",
    "databases": "two_databases.py",
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_project_works_with(variant: str) -> None:
    tests = f"tests/variants/{VARIANTS[variant]}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, "--ds=tests.variants.settings", tests],
        cwd=ROOT,
        env={**os.environ, "SIGNET_TEST_VARIANT": variant},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
