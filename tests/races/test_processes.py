"""Test refreshes in two processes that share only the database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

import drf_signet
from drf_signet import flows
from drf_signet.models import EndReason, Session
from tests.support.session_states import ROTATING, backdate_rotation

ROOT = Path(__file__).parents[2]

#: A script that refreshes a session. Its arguments are a database name and a refresh token.
SCRIPT = f"""
import sys
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
settings.SIGNET = {ROTATING!r}
import django
django.setup()
from drf_signet import flows
print(type(flows.refresh(sys.argv[2])).__name__)
"""


def refresh_in_new_process(token: str | None) -> str:
    """Refresh a session in a new process; return the class name of the result."""
    name = str(connection.settings_dict["NAME"])
    command = [sys.executable, "-c", SCRIPT, name, str(token)]
    completed = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
    )
    return completed.stdout.strip()


@pytest.mark.django_db(transaction=True)
def test_a_process_knows_the_rotations_of_another_process(user: Any) -> None:
    """In CVE-2026-9802, a Keycloak server forgot earlier rotations when it was restarted."""
    pair = drf_signet.issue(user)
    assert isinstance(flows.refresh(pair.refresh), drf_signet.TokenPair)
    assert refresh_in_new_process(pair.refresh) == "TokenPair"  # within the grace period
    backdate_rotation(pair.session, seconds=31)
    assert refresh_in_new_process(pair.refresh) == "TokenReused"
    assert Session.objects.get().end_reason == EndReason.REUSE
