"""Test that code written for simplejwt 5.5.1 returns the same results with drf-signet."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.services import SWAP, require
from tests.support.session_states import SIMPLE_JWT_DEFAULTS

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = Path(__file__).with_name("contract.py")

_SCENARIO = re.compile(r'^@scenario(?:_of\("(.*)"\))?\ndef (\w+)', re.MULTILINE)
SCENARIOS = [
    (match[1] or "plain", match[2])
    for match in _SCENARIO.finditer(CONTRACT.read_text(encoding="utf-8"))
]


@functools.cache
def results(package: str, settings: str) -> dict[str, Any]:
    """Run the scenarios for these settings with one package; return their results by name."""
    python = SWAP if package == "real" else sys.executable
    done = subprocess.run(
        [python, "-W", "ignore", "-m", "tests.compat.contract"],
        cwd=ROOT,
        env={**os.environ, "COMPAT_PACKAGE": package, "COMPAT_SETTINGS": settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    by_scenario: dict[str, Any] = json.loads(done.stdout)
    return by_scenario


@pytest.mark.parametrize(("settings", "name"), SCENARIOS, ids=lambda value: value)
def test_scenario_has_the_same_result_with_simplejwt_and_the_alias(
    settings: str, name: str
) -> None:
    require("swap")
    assert results("alias", settings)[name] == results("real", settings)[name]


def test_simple_jwt_defaults_of_the_tests_are_those_of_simplejwt() -> None:
    require("swap")
    defaults = results("real", "plain")["defaults_of_settings"]
    assert defaults == {name: repr(value) for name, value in SIMPLE_JWT_DEFAULTS.items()}


@pytest.mark.parametrize(("settings", "name"), SCENARIOS, ids=lambda value: value)
def test_scenario_raises_no_exception_with_the_alias(settings: str, name: str) -> None:
    assert not isinstance(results("alias", settings)[name], str)
