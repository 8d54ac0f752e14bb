"""Two processes, of which one knows nothing but what the database holds."""

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
from tests.situations import ROTATING, let_pass

ROOT = Path(__file__).parents[2]

#: Argument 1 is the name of the database, argument 2 a refresh token.
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


def refreshed_elsewhere(token: str | None) -> str:
    """Refresh in a new process; return the name of what came of it."""
    name = str(connection.settings_dict["NAME"])
    command = [sys.executable, "-c", SCRIPT, name, str(token)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


@pytest.mark.django_db(transaction=True)
def test_a_process_knows_what_another_has_rotated(user: Any) -> None:
    """Restart forgets what was rotated: Keycloak CVE-2026-9802."""
    pair = drf_signet.issue(user)
    assert isinstance(flows.refresh(pair.refresh), drf_signet.TokenPair)
    assert refreshed_elsewhere(pair.refresh) == "TokenPair"  # within the grace
    let_pass(pair.session, seconds=31)
    assert refreshed_elsewhere(pair.refresh) == "TokenReused"
    assert Session.objects.get().end_reason == EndReason.REUSE
