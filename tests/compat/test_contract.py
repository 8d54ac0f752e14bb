"""The same code on simplejwt 5.5.1 and on what stands in for it: it has to see the same."""

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

from tests.services import SWAP, require
from tests.situations import SIMPLE_JWT_DEFAULTS

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = Path(__file__).with_name("contract.py")

_SCENARIO = re.compile(r'^@scenario(?:_of\("(.*)"\))?\ndef (\w+)', re.MULTILINE)
SCENARIOS = [
    (match[1] or "plain", match[2])
    for match in _SCENARIO.finditer(CONTRACT.read_text(encoding="utf-8"))
]


@functools.cache
def seen(package: str, settings: str) -> dict[str, Any]:
    """Return what every scenario of these settings sees on a package."""
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
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("settings", "name"), SCENARIOS, ids=lambda value: value)
def test_what_code_sees_is_what_it_saw(settings: str, name: str) -> None:
    require("swap")
    assert seen("alias", settings)[name] == seen("real", settings)[name]


def test_the_defaults_that_tests_use_are_those_of_simplejwt_itself() -> None:
    require("swap")
    found = seen("real", "plain")["defaults_of_settings"]
    assert found == {name: repr(value) for name, value in SIMPLE_JWT_DEFAULTS.items()}


@pytest.mark.parametrize(("settings", "name"), SCENARIOS, ids=lambda value: value)
def test_no_scenario_breaks_off(settings: str, name: str) -> None:
    assert not isinstance(seen("alias", settings)[name], str)
