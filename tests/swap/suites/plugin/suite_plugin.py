"""A pytest plugin for the suites of other packages: use the alias, and write down the results.

SUITE_RESULTS is the file for the results. If SUITE_USES_ALIAS is set, the alias is installed as the
guide for moving from simplejwt says. This directory is on the PYTHONPATH of the suite's process.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import django
from django.conf import settings

USES_ALIAS = bool(os.environ.get("SUITE_USES_ALIAS"))
OLD_APP = "rest_framework_simplejwt"
APPS = ["drf_signet", "drf_signet.compat.simplejwt"]

_real_setup = django.setup
_passed: set[str] = set()
_failed: set[str] = set()
_failed_subtests: Counter[str] = Counter()


def _setup(*args: Any, **kwargs: Any) -> None:
    """Change the suite's settings before Django reads INSTALLED_APPS."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    if USES_ALIAS:
        others = [app for app in settings.INSTALLED_APPS if app != OLD_APP]
        settings.INSTALLED_APPS = [*APPS, *others]
        until = datetime.now(UTC) + timedelta(days=1)
        settings.SIGNET = {"ADOPT_TOKENS_UNTIL": until.isoformat()}
    _real_setup(*args, **kwargs)


django.setup = _setup
if USES_ALIAS:  # before the suite imports simplejwt, which some do before `django.setup`
    from drf_signet.compat.simplejwt import alias

    alias.install()


def pytest_runtest_logreport(report: Any) -> None:
    """Remember the outcome of a test or of a subtest."""
    subtest = getattr(report, "context", None)
    if subtest is not None:
        if report.failed:
            _failed_subtests[f"{report.nodeid} [{subtest.msg}]"] += 1
    elif report.failed:
        _failed.add(report.nodeid)
    elif report.when == "call" and report.passed:
        _passed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write the results to the file."""
    results = {"passed": sorted(_passed - _failed), "failed_subtests": dict(_failed_subtests)}
    Path(os.environ["SUITE_RESULTS"]).write_text(json.dumps(results), encoding="utf-8")
