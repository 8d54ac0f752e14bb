"""Compute the tables of docs/howto/mobile.md: what a longer ROTATION_GRACE_PERIOD costs.

Thefts happen in virtual time. The package's own `judge` decides about each refresh, so only the
clock and the table of sessions are replaced.
"""

from __future__ import annotations

import statistics
import uuid
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from drf_signet import Session
from drf_signet.models import EndReason, Transport
from drf_signet.sessions.rotation import RefreshAttempt, Verdict, judge
from tests.conftest import PASSWORD
from tests.docs.pages import DOCS, table
from tests.support.session_states import backdate_rotation

PAGE = DOCS / "howto" / "mobile.md"
KILLED, STOLEN = table(PAGE, "An app that is killed"), table(PAGE, "A stolen refresh token")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
GRACES = {
    "30 seconds (default)": timedelta(seconds=30),
    "2 minutes": 2 * MINUTE,
    "1 hour": HOUR,
    "1 day": DAY,
}
ABSENCES = {
    "back after 10 s": timedelta(seconds=10),
    "back after 1 h": HOUR,
    "back after 1 day": DAY,
}
IN_USE, OPENED_DAILY = 5 * MINUTE, 4 * HOUR
THEFTS = 2000


@dataclass(kw_only=True)
class Login:
    """A session in virtual time, whose refresh token several parties have. Times are in seconds."""

    grace: timedelta
    session: Session
    attempt: RefreshAttempt
    rotated_at: float = float("-inf")
    tokens: dict[str, int] = field(default_factory=lambda: {"owner": 0})

    def refresh(self, party: str, at: float) -> Verdict:
        self.session.in_grace = at - self.rotated_at < self.grace.total_seconds()  # type: ignore[attr-defined]
        verdict = judge(replace(self.attempt, generation=self.tokens[party]), self.session)
        if verdict is Verdict.ADVANCED:
            self.session.generation += 1
            self.rotated_at = at
        if verdict in (Verdict.ADVANCED, Verdict.REPEATED):
            self.tokens[party] += 1
        return verdict


@dataclass(frozen=True, kw_only=True)
class Theft:
    """What happened from the theft until the session ended. None: it did not end."""

    noticed_after: float | None
    refreshes_of_thief: int


def new_login(grace: timedelta, user: Any) -> Login:
    attempt = RefreshAttempt(
        session_id=uuid.uuid4(),
        generation=0,
        belongs_to=lambda user: True,
        allows=lambda user: True,
        transport=Transport.TOKEN,
        rotates=True,
        grace=grace,
        compares_password=False,
    )
    session = Session(user=user, expires_at=timezone.now() + DAY, transport=Transport.TOKEN)
    return Login(grace=grace, session=session, attempt=attempt)


def at_random(login: Login, interval: timedelta, random: Random) -> Theft:
    """Let owner and thief refresh after pauses of 0 to 2 intervals, as `tests/proof/theft.py`."""
    average = interval.total_seconds()

    def pause() -> float:
        return random.uniform(0, 2 * average)

    stolen_at, next_refresh = random.uniform(0, 3 * average), {"owner": pause()}
    while next_refresh["owner"] < stolen_at:
        login.refresh("owner", next_refresh["owner"])
        next_refresh["owner"] += pause()
    login.tokens["thief"] = login.tokens["owner"]
    next_refresh["thief"] = stolen_at + pause()
    served = 0
    while True:
        party = min(next_refresh, key=lambda one: next_refresh[one])
        if login.refresh(party, next_refresh[party]) is Verdict.REUSED:
            noticed_after = next_refresh[party] - stolen_at
            return Theft(noticed_after=noticed_after, refreshes_of_thief=served)
        served += party == "thief"
        next_refresh[party] += pause()


def in_rhythm(login: Login, interval: timedelta, phase: float) -> Theft:
    """Let the owner refresh every interval, and the thief `phase` intervals later, for a week."""
    login.tokens["thief"] = 0
    seconds = interval.total_seconds()
    for number in range(7 * DAY // interval):
        for party, moment in (("owner", number * seconds), ("thief", (number + phase) * seconds)):
            if login.refresh(party, moment) is Verdict.REUSED:
                return Theft(noticed_after=moment, refreshes_of_thief=number)
    return Theft(noticed_after=None, refreshes_of_thief=number)


def thefts(grace: timedelta, interval: timedelta, user: Any) -> list[Theft]:
    """Return the same thefts for each grace period, so that the rows can be compared."""
    return [
        at_random(new_login(grace, user), interval, Random(f"{interval} {number}"))
        for number in range(THEFTS)
    ]


def shown(found: list[Theft], unit: timedelta) -> str:
    """Return the median, and the time within which 95 % are noticed, with two digits."""
    times = sorted((one.noticed_after or 0) / unit.total_seconds() for one in found)
    name = {MINUTE: "min", HOUR: "h"}[unit]
    numbers = [
        f"{float(f'{x:.2g}'):g} {name}"
        for x in (statistics.median(times), times[THEFTS * 95 // 100])
    ]
    return "{} ({})".format(*numbers)


@pytest.mark.parametrize("rows", [KILLED, STOLEN], ids=["killed", "stolen"])
def test_tables_have_a_row_for_each_grace_period(rows: list[dict[str, str]]) -> None:
    assert [row["grace period"] for row in rows] == [*GRACES]


@pytest.mark.parametrize("row", STOLEN, ids=lambda row: str(row["grace period"]))
def test_thefts_are_noticed_as_the_table_says(row: dict[str, str], django_user_model: Any) -> None:
    user, grace = django_user_model(pk=1), GRACES[row["grace period"]]
    in_use, daily = (thefts(grace, interval, user) for interval in (IN_USE, OPENED_DAILY))
    served = statistics.mean(one.refreshes_of_thief for one in in_use)
    phases = [
        in_rhythm(new_login(grace, user), IN_USE, (one + 0.5) / 20).noticed_after is None
        for one in range(20)
    ]
    assert row == {
        "grace period": row["grace period"],
        "noticed, app in use": shown(in_use, MINUTE),
        "noticed, app opened daily": shown(daily, HOUR),
        "thief gets": f"{served:.1g}",
        "never noticed": f"{100 * statistics.mean(phases):.0f} %",
    }


def test_median_agrees_with_the_thefts_measured_over_http(django_user_model: Any) -> None:
    """The reliability page gives times in grace periods of 30 s."""
    found = thefts(GRACES["30 seconds (default)"], IN_USE, django_user_model(pk=1))
    median = statistics.median(one.noticed_after or 0 for one in found)
    rows = table(DOCS / "reliability.md", "Theft")
    (measured,) = [row for row in rows if row["when the thief refreshes"] == "at random"]
    assert median == pytest.approx(
        30 * float(measured["time to detection in grace periods, median"]), rel=0.1
    )


@pytest.mark.parametrize("absence", ABSENCES)
@pytest.mark.parametrize("row", KILLED, ids=lambda row: str(row["grace period"]))
def test_app_killed_before_it_stores_the_answer_returns_as_the_table_says(
    row: dict[str, str], absence: str, user: Any, client: APIClient, settings: Any
) -> None:
    grace = GRACES[row["grace period"]]
    settings.SIGNET = {
        "ROTATE_REFRESH_TOKENS": True,
        "ROTATION_GRACE_PERIOD": grace,
        "REFRESH_TOKEN_LIFETIME": timedelta(days=30),
    }
    login = client.post("/api/token/", {"username": user.username, "password": PASSWORD})
    stored = {"refresh": login.json()["refresh"]}
    # The server replaces the token, and the app is killed before it stores the answer.
    assert client.post("/api/token/refresh/", stored).status_code == 200
    session = Session.objects.get()
    backdate_rotation(session, seconds=ABSENCES[absence].total_seconds())

    answer = client.post("/api/token/refresh/", stored)
    session.refresh_from_db()
    if row[absence] == "logged in":
        assert (answer.status_code, session.end_reason) == (200, "")
        stored = {"refresh": answer.json()["refresh"]}
        assert client.post("/api/token/refresh/", stored).status_code == 200
    else:
        assert row[absence] == "logged out"
        assert (answer.status_code, answer.json()["reason"]) == (401, "reused")
        assert session.end_reason == EndReason.REUSE
