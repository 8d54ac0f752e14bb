"""Run tests with other user models, apps and databases, each in a separate pytest process.

Django cannot change the user model, the installed apps or the databases once it has started.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Name of a variant in `tests.variants.settings` → the module that tests the variant.
VARIANTS = {
    "uuid key": "user_model.py",
    "text key": "user_model.py",
    "inherited key": "user_model.py",
    "soft deletion": "soft_deletion.py",
    "own columns": "own_columns.py",
    "axes": "axes_lockout.py",
    "audit": "audit_packages.py",
    "databases": "two_databases.py",
    "tenants": "tenant_databases.py",
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_tests_of_a_variant_pass(variant: str) -> None:
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
