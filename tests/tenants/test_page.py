"""Run the system checks with the settings in docs/howto/tenants.md, and with mistakes in them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.variants.tenants_page import blocks_below

ROOT = Path(__file__).parents[2]
#: Prints the name of the function that returns the tenant's name, and runs the system checks.
SCRIPT = """
import django
from django.core.management import call_command
django.setup()
from drf_signet import tenants
print(tenants.registered().__name__)
call_command("check")
"""
AUTHENTICATION = '    "drf_signet.middleware.JWTMiddleware",\n'
TENANTS = '    "django_tenants.middleware.main.TenantMainMiddleware",\n'


@pytest.fixture(autouse=True)
def _django_tenants() -> None:
    if importlib.util.find_spec("django_tenants") is None:
        pytest.skip("django-tenants is not installed")


def check(directory: Path, before: str = "", after: str = "") -> str:
    """Replace `before` in the page's settings with `after`, run `SCRIPT`, and return its output."""
    (block,) = blocks_below("A schema for each tenant")
    assert before in block.text
    text = block.text.replace(before, after, 1).replace('"customers"', '"tests.tenants.customers"')
    settings = f"from tests.tenants.settings import *\n{text}\nROOT_URLCONF = 'drf_signet.urls'\n"
    directory.joinpath("page_settings.py").write_text(settings, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(directory), *sys.path]),
            "DJANGO_SETTINGS_MODULE": "page_settings",
            "SIGNET_TENANTS_DATABASE": "unused",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_settings_of_the_page_are_accepted_and_the_schema_is_the_tenant(tmp_path: Path) -> None:
    printed = check(tmp_path)
    assert printed.splitlines()[0] == "schema_name"
    assert "no issues" in printed


def test_users_of_tenants_beside_shared_sessions_are_refused(tmp_path: Path) -> None:
    assert "signet.E007" in check(
        tmp_path, '"django.contrib.auth", "drf_signet"]', '"django.contrib.auth"]'
    )


def test_jwt_middleware_before_that_of_django_tenants_is_refused(tmp_path: Path) -> None:
    assert "signet.E008" in check(tmp_path, TENANTS, AUTHENTICATION + TENANTS)
    printed = check(tmp_path, TENANTS, TENANTS + AUTHENTICATION)
    assert "no issues" in printed
