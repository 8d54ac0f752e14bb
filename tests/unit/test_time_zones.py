"""Test that all times of a session are in one time zone, regardless of the project's settings.

The tests compare times of the database's clock with times of the application's clock. Within one
test, these times differ by seconds. If they were in two time zones, they would differ by hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.core import serializers
from django.db import connection, connections
from django.db.models import Max
from django.test import Client
from django.utils import formats, timezone

from drf_signet import TokenPair, flows, runtime
from drf_signet.models import EndReason, Session
from drf_signet.sessions import store
from drf_signet.sessions.sources import DatabaseSource
from tests.conftest import PASSWORD
from tests.support.session_states import ROTATING, open_session, refresh_token, set_row

pytestmark = pytest.mark.django_db

CLOSE = timedelta(minutes=50)
DAY = timedelta(days=1)

#: The project's USE_TZ and TIME_ZONE, and the database's TIME_ZONE, which requires USE_TZ = True.
ZONES = [
    (False, "Pacific/Auckland", None),
    (False, "America/Los_Angeles", None),
    (False, "Asia/Kathmandu", None),
    (False, "UTC", None),
    (True, "Pacific/Auckland", None),
    (True, "UTC", "Asia/Tokyo"),
    (True, "America/Los_Angeles", "Asia/Tokyo"),
]


@pytest.fixture(params=ZONES, ids=str, autouse=True)
def _zones(request: Any, db: None, settings: Any) -> Iterator[None]:
    """Set the time zones of the project and of the database connection."""
    settings.USE_TZ, settings.TIME_ZONE, of_database = request.param
    settings.SIGNET = ROTATING
    before = connection.settings_dict["TIME_ZONE"]
    _set_zone_of_connection(of_database)
    yield
    _set_zone_of_connection(before)


def _set_zone_of_connection(name: str | None) -> None:
    connection.settings_dict["TIME_ZONE"] = name
    for cached in ("timezone", "timezone_name"):
        vars(connections["default"]).pop(cached, None)
    connection.ensure_timezone()


@pytest.fixture
def session(user: Any) -> Session:
    """Open, rotate and end a session; return its row."""
    opened = open_session(user)
    flows.refresh(refresh_token(opened))
    store.end(opened.pk, user_id=user.pk, reason=EndReason.LOGOUT)
    return Session.objects.get()


def assert_close(*times: Any) -> None:
    for one, other in pairwise(times):
        assert abs(one - other) < CLOSE


def times_of(row: Any) -> list[datetime]:
    names = ("created_at", "auth_time", "refreshed_at", "ended_at")
    return [*(getattr(row, name) for name in names), row.expires_at - DAY]


def test_times_of_a_row_are_in_the_zone_of_the_application(session: Session) -> None:
    assert_close(timezone.now(), *times_of(session))


def test_times_of_a_query_without_instances_are_in_the_same_zone(session: Session) -> None:
    values: Any
    (values,) = Session.objects.values_list("created_at", "refreshed_at", "ended_at")
    latest = Session.objects.aggregate(latest=Max("ended_at"))["latest"]
    assert_close(*values, latest)


def test_times_in_the_list_of_sessions_are_in_one_zone(client: Any, user: Any) -> None:
    tokens = client.post("/api/token/", {"username": "vitor", "password": PASSWORD}).json()
    client.post("/api/token/refresh/", {"refresh": tokens["refresh"]})
    answer = client.get("/api/token/sessions/", HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    (listed,) = answer.json()
    names = ("created_at", "refreshed_at", "expires_at")
    times = [datetime.fromisoformat(listed[name]) for name in names]
    assert_close(*times[:2], times[2] - runtime.current().settings.SESSION_LIFETIME)
    assert len({moment.utcoffset() for moment in times}) == 1


def test_times_in_the_admin_are_in_one_zone(admin_client: Client, session: Session) -> None:
    page = admin_client.get(f"/admin/drf_signet/session/{session.pk}/change/").content.decode()
    for shown in times_of(session)[:4]:
        assert (
            formats.localize(shown if timezone.is_naive(shown) else timezone.localtime(shown))
            in page
        )


def test_times_can_be_written_and_compared_in_the_zone_of_the_application(session: Session) -> None:
    now = timezone.now()
    set_row(session, refreshed_at=now, ended_at=now)
    stored = Session.objects.get()
    assert_close(now, stored.refreshed_at, stored.ended_at)
    around = {"refreshed_at__gt": now - CLOSE, "refreshed_at__lt": now + CLOSE}
    assert Session.objects.filter(**around, ended_at__range=(now - CLOSE, now + CLOSE)).exists()
    stored.save()
    assert times_of(Session.objects.get()) == times_of(stored)
    assert session.pk.int in DatabaseSource().ended_within(CLOSE.total_seconds()).each()


def test_time_of_a_deletion_is_in_the_zone_of_the_application(user: Any) -> None:
    """The deletion reads the time once, and writes the same time to all sessions."""
    session = open_session(user)
    user.delete()
    stored = Session.objects.get()
    assert stored.ended_at is not None
    assert_close(timezone.now(), stored.refreshed_at, stored.ended_at)
    assert session.pk.int in DatabaseSource().ended_within(CLOSE.total_seconds()).each()


def test_pages_of_ended_sessions_continue_where_the_page_before_ended(make_user: Any) -> None:
    ended = [open_session(make_user()).pk for _ in range(3)]
    for session_id in ended:
        store.end(session_id, user_id=None, reason=EndReason.LOGOUT)
    source = DatabaseSource(page=1)
    page = source.ended_within(CLOSE.total_seconds())
    found: list[int] = []
    while page.following:
        found += page.each()
        page = source.page_after(page.following)
    assert sorted(found) == sorted(session_id.int for session_id in ended)


def test_times_survive_a_fixture(session: Session) -> None:
    text = serializers.serialize("json", [session])
    Session.objects.all().delete()
    for restored in serializers.deserialize("json", text):
        restored.save()
    for one, other in zip(times_of(session), times_of(Session.objects.get()), strict=True):
        assert abs(one - other) < timedelta(seconds=1)  # Django's JSON keeps only milliseconds


def test_empty_time_stays_empty(user: Any) -> None:
    open_session(user)
    assert Session.objects.get().ended_at is None
    assert Session.objects.filter(ended_at=None).exists()


def test_sessions_are_live_and_rotate_within_the_grace_period(user: Any) -> None:
    session = open_session(user)
    assert Session.objects.live().get() == session
    token = refresh_token(session)
    for _ in range(2):
        assert isinstance(flows.refresh(token), TokenPair)
    assert Session.objects.get().generation == 1


def test_a_recent_logout_is_detected(session: Session) -> None:
    """Test what a refresh needs to know before it deletes the cookie of an ended session."""
    assert store.was_just_logged_out(session, now=runtime.now())
