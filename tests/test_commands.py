"""`manage.py signet_clear_expired`."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from drf_signet import runtime, sessions
from drf_signet.models import Session
from drf_signet.sessions import KEPT_AFTER_END
from tests.situations import open_session, set_row

pytestmark = pytest.mark.django_db


def clear_expired() -> str:
    out = StringIO()
    call_command("signet_clear_expired", stdout=out)
    return out.getvalue()


def expired_session(user: Any, *, seconds_ago: float) -> Session:
    """Return a session whose row could go since so long ago."""
    session = open_session(user)
    kept = KEPT_AFTER_END.total_seconds()
    set_row(session, expires_at=sessions.as_datetime(runtime.now() - kept - seconds_ago))
    return session


def test_the_command_deletes_what_expired_and_says_how_much(user: Any) -> None:
    expired_session(user, seconds_ago=60)
    expired_session(user, seconds_ago=3600)
    alive = open_session(user)
    assert clear_expired() == "2 expired sessions deleted\n"
    assert Session.objects.get() == alive


def test_the_command_waits_for_clocks_that_may_differ(user: Any, settings: Any) -> None:
    """Flush brings ended tokens back within leeway: simplejwt."""
    settings.SIGNET = {"LEEWAY": 120}
    expired_session(user, seconds_ago=60)
    assert clear_expired() == "0 expired sessions deleted\n"
    settings.SIGNET = {}
    assert clear_expired() == "1 expired sessions deleted\n"
