"""`drf_signet.rotation`: who may have the successor of a generation, and what a replay costs.

The generations of the examples: a session in `generation` 5, whose rotation is some seconds ago.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import F

from drf_signet import rotation, sessions
from drf_signet.claims import MAX_GENERATION
from drf_signet.database import ATTEMPTS
from drf_signet.errors import Busy
from drf_signet.models import EndReason, Session, Transport
from drf_signet.rotation import Presented, Rotation, Verdict
from tests.situations import delete_row_of, expire, let_pass, open_session, set_row

pytestmark = pytest.mark.django_db

GRACE = 30


@pytest.fixture
def session(user: Any) -> Session:
    """Return a session that was rotated five times, the last time just now."""
    session = open_session(user, generation=5)
    session.refresh_from_db()
    return session


def present(session: Session, generation: int = 5) -> Presented:
    return Presented(
        session_id=session.pk,
        generation=generation,
        belongs_to=lambda user: True,
        allows=lambda user: user.is_active,
        transport=Transport.TOKEN,
        rotates=True,
        grace=timedelta(seconds=GRACE),
    )


def successor(session: Session, generation: int) -> int:
    """Prepare nothing but the number of the generation."""
    return generation


def rotate(presented: Presented) -> Rotation[int]:
    return rotation.rotate(presented, successor)


def row(session: Session) -> dict[str, Any]:
    return dict(Session.objects.filter(pk=session.pk).values().get())


def change_password() -> None:
    """Change it past the model's signals: so that a refresh is the first to notice."""
    user = get_user_model().objects.get()
    user.set_password("another")
    get_user_model().objects.update(password=user.password)


def outcome(presented: Presented) -> tuple[Verdict, int | None, str, int]:
    """Rotate; return the verdict, what was prepared, the row's end reason and generation."""
    found = rotate(presented)
    after = Session.objects.get(pk=presented.session_id)
    return found.verdict, found.prepared, after.end_reason, after.generation


# What is served ------------------------------------------------------------------------------


def test_the_generation_in_force_is_traded_for_its_successor(session: Session) -> None:
    let_pass(session, seconds=3600)
    before = row(session)
    assert outcome(present(session)) == (Verdict.ADVANCED, 6, "", 6)
    assert row(session)["refreshed_at"] > before["refreshed_at"]


def test_a_rotation_is_two_statements(
    session: Session, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(2):
        rotate(present(session))


def test_the_previous_generation_gets_the_same_successor_within_the_grace(
    session: Session,
) -> None:
    let_pass(session, seconds=GRACE - 1)
    assert outcome(present(session, 4)) == (Verdict.REPEATED, 5, "", 5)


def test_a_retry_is_one_statement_and_changes_nothing(
    session: Session, django_assert_num_queries: Callable[..., Any]
) -> None:
    before = row(session)
    with django_assert_num_queries(1):
        rotate(present(session, 4))
    assert row(session) == before


def test_a_retry_does_not_prolong_the_grace(session: Session) -> None:
    """Sliding grace: Supabase #1901."""
    for seconds in (GRACE / 3, GRACE * 2 / 3, GRACE - 1):
        let_pass(session, seconds=seconds)
        before = row(session)
        assert rotate(present(session, 4)).verdict is Verdict.REPEATED
        assert row(session) == before
    let_pass(session, seconds=GRACE + 1)
    assert rotate(present(session, 4)).verdict is Verdict.REUSED


def test_the_generation_in_force_is_kept_where_nothing_rotates(
    session: Session, django_assert_num_queries: Callable[..., Any]
) -> None:
    before = row(session)
    with django_assert_num_queries(1):
        found = rotate(replace(present(session), rotates=False))
    assert (found.verdict, found.prepared) == (Verdict.KEPT, 5)
    assert row(session) == before


@pytest.mark.parametrize("rotates", [True, False])
def test_a_generation_one_ahead_advances_since_a_failover_lost_its_rotation(
    session: Session, rotates: bool, caplog: pytest.LogCaptureFixture
) -> None:
    presented = replace(present(session, 6), rotates=rotates)
    assert outcome(presented) == (Verdict.ADVANCED, 7, "", 7)
    assert f"session {session.pk}: a rotation was lost" in caplog.text
    assert outcome(presented)[:2] == (Verdict.REPEATED, 7)


def test_the_last_generation_is_reached_and_not_passed(session: Session) -> None:
    set_row(session, generation=MAX_GENERATION - 1)
    last = present(session, MAX_GENERATION - 1)
    assert outcome(last) == (Verdict.ADVANCED, MAX_GENERATION, "", MAX_GENERATION)
    beyond = present(session, MAX_GENERATION)
    assert outcome(beyond) == (Verdict.ENDED, None, "", MAX_GENERATION)


def test_the_successor_is_prepared_before_anything_is_written(session: Session) -> None:
    class HookError(Exception):
        pass

    def prepare(read: Session, generation: int) -> None:
        assert (read.pk, generation) == (session.pk, 6)
        raise HookError

    before = row(session)
    with pytest.raises(HookError):
        rotation.rotate(present(session), prepare)
    assert row(session) == before
    assert rotate(present(session)).verdict is Verdict.ADVANCED


def test_rotations_within_one_second_are_told_apart(session: Session) -> None:
    """Keycloak #50999."""
    assert [rotate(present(session, number)).prepared for number in (5, 6, 7)] == [6, 7, 8]
    assert rotate(present(session, 5)).verdict is Verdict.REUSED


# What is replayed ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("generation", "seconds", "behind"),
    [
        pytest.param(4, GRACE + 1, 1, id="n-1 after the grace"),
        pytest.param(3, 0, 2, id="n-2 inside the grace"),  # django-oauth-toolkit #1617
        pytest.param(3, GRACE + 1, 2, id="n-2 after the grace"),
        pytest.param(0, 0, 5, id="the first"),
    ],
)
@pytest.mark.parametrize("rotates", [True, False])
def test_a_replay_ends_the_session(
    session: Session, generation: int, seconds: float, behind: int, rotates: bool
) -> None:
    let_pass(session, seconds=seconds)
    presented = replace(present(session, generation), rotates=rotates)
    found = rotate(presented)
    assert (found.verdict, found.prepared, found.behind) == (Verdict.REUSED, None, behind)
    assert row(session)["end_reason"] == EndReason.REUSE


def test_a_replay_is_two_statements(
    session: Session, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(2):
        rotate(present(session, 0))


def test_a_replay_raises_no_second_alarm(session: Session) -> None:
    assert rotate(present(session, 0)).verdict is Verdict.REUSED
    before = row(session)
    assert rotate(present(session, 0)).verdict is Verdict.ENDED
    assert row(session) == before


def test_a_replay_that_another_overtook_raises_no_alarm(session: Session) -> None:
    overtaking = [lambda: sessions.end(session.pk, user_id=session.user_id, reason="reuse")]

    def before_writing(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and overtaking:
            overtaking.pop()()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(before_writing):
        assert rotate(present(session, 0)).verdict is Verdict.ENDED
    assert not overtaking


def test_there_is_no_grace_when_its_period_is_zero(session: Session) -> None:
    presented = replace(present(session, 4), grace=timedelta(0))
    assert rotate(presented).verdict is Verdict.REUSED


# What is refused -----------------------------------------------------------------------------


def test_a_session_that_does_not_exist_is_over(user: Any) -> None:
    unsaved = Session(id=sessions.new_id(0), user=user)
    found = rotate(present(unsaved))
    assert (found.verdict, found.session) == (Verdict.ENDED, None)


@pytest.mark.parametrize("generation", [3, 4, 5, 6, 7])
def test_an_ended_session_serves_no_generation(session: Session, generation: int) -> None:
    """Grace revives an ended session: django-oauth-toolkit #1816."""
    sessions.end(session.pk, user_id=session.user_id, reason=EndReason.LOGOUT)
    before = row(session)
    assert rotate(present(session, generation)).verdict is Verdict.ENDED
    assert row(session) == before


@pytest.mark.parametrize("generation", [3, 4, 5, 6, 7])
def test_an_expired_session_serves_no_generation(session: Session, generation: int) -> None:
    """Expiry enforced only by the clean-up job."""
    expire(session)
    before = row(session)
    assert rotate(present(session, generation)).verdict is Verdict.ENDED
    assert row(session) == before


@pytest.mark.parametrize("generation", [7, 5 + 2**20])
def test_a_generation_further_ahead_is_refused_and_changes_nothing(
    session: Session, generation: int
) -> None:
    assert outcome(present(session, generation)) == (Verdict.INVALID, None, "", 5)


@pytest.mark.parametrize("generation", [0, 5])
@pytest.mark.parametrize("stamp", [{}, {"password_stamp": "of another"}])
def test_a_token_that_came_by_another_transport_is_refused_and_changes_nothing(
    session: Session, generation: int, stamp: dict[str, str]
) -> None:
    set_row(session, transport=Transport.COOKIE, **stamp)
    assert outcome(present(session, generation)) == (Verdict.INVALID, None, "", 5)


@pytest.mark.parametrize("generation", [0, 5])
def test_a_token_of_another_user_is_refused_and_changes_nothing(
    session: Session, generation: int
) -> None:
    presented = replace(present(session, generation), belongs_to=lambda user: False)
    assert outcome(presented) == (Verdict.INVALID, None, "", 5)


def test_a_deleted_user_is_refused(session: Session) -> None:
    get_user_model().objects.get().delete()
    assert outcome(present(session)) == (Verdict.ENDED, None, EndReason.USER_DELETED, 5)


def test_a_user_whose_row_is_gone_is_refused_and_the_session_ends(session: Session) -> None:
    delete_row_of(session.user)
    assert outcome(present(session)) == (Verdict.ENDED, None, EndReason.USER_DELETED, 5)


def test_a_deactivated_user_is_refused_and_the_session_ends(session: Session) -> None:
    """A deactivated user keeps tokens: django-allauth CVE-2025-65430."""
    get_user_model().objects.update(is_active=False)
    assert outcome(present(session)) == (Verdict.INACTIVE, None, EndReason.USER_INACTIVE, 5)


def test_a_changed_password_is_refused_and_the_session_ends(session: Session) -> None:
    change_password()
    assert outcome(present(session)) == (Verdict.ENDED, None, EndReason.PASSWORD_CHANGED, 5)


def test_a_replay_after_a_changed_password_is_no_alarm(session: Session) -> None:
    change_password()
    assert outcome(present(session, 0)) == (Verdict.ENDED, None, EndReason.PASSWORD_CHANGED, 5)


def test_an_expired_session_of_a_user_who_is_gone_is_refused(session: Session) -> None:
    expire(session)
    delete_row_of(session.user)
    assert outcome(present(session))[:2] == (Verdict.ENDED, None)


# The stamp of the password -------------------------------------------------------------------


def test_a_stamp_under_a_former_secret_key_counts_and_is_renewed_by_the_rotation(
    session: Session, settings: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key, which is long enough for every one of the algorithms"
    with django_assert_num_queries(2):
        assert rotate(present(session)).verdict is Verdict.ADVANCED
    assert row(session)["password_stamp"] == sessions.password_stamp(session.user)
    settings.SECRET_KEY_FALLBACKS = []
    assert rotate(present(session, 6)).verdict is Verdict.ADVANCED


def test_a_stamp_under_a_forgotten_secret_key_does_not_count(
    session: Session, settings: Any
) -> None:
    settings.SECRET_KEY = "another key, which is long enough for every one of the algorithms"
    assert outcome(present(session))[2] == EndReason.PASSWORD_CHANGED


# What happens between reading and writing ----------------------------------------------------


def interrupted(session: Session, *acts: Callable[[], object]) -> Rotation[int]:
    """Rotate, with something else happening after each time that the row was read."""
    left = list(acts)

    def prepare(read: Session, generation: int) -> int:
        if left:
            left.pop(0)()
        return generation

    return rotation.rotate(present(session), prepare)


def test_a_lost_race_gets_the_same_successor_as_the_winner(session: Session) -> None:
    """Check-then-write lets both win: Keycloak CVE-2026-1035, simplejwt #985."""
    winners = []
    found = interrupted(session, lambda: winners.append(rotate(present(session))))
    assert (winners[0].verdict, winners[0].prepared) == (Verdict.ADVANCED, 6)
    assert (found.verdict, found.prepared) == (Verdict.REPEATED, 6)
    assert row(session)["generation"] == 6


def test_a_lost_race_is_a_replay_when_the_session_went_on_twice(session: Session) -> None:
    found = interrupted(
        session, lambda: [rotate(present(session, generation)) for generation in (5, 6)]
    )
    assert found.verdict is Verdict.REUSED


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(
            lambda one: sessions.end(one.pk, user_id=one.user_id, reason=EndReason.LOGOUT),
            id="logout",
        ),
        pytest.param(lambda one: get_user_model().objects.all().delete(), id="user deleted"),
        pytest.param(lambda one: Session.objects.all().delete(), id="row cleared"),
    ],
)
def test_an_end_between_reading_and_writing_wins(
    session: Session, act: Callable[[Session], object]
) -> None:
    """Refresh interleaved with revocation: Keycloak #51312."""
    found = interrupted(session, lambda: act(session))
    assert (found.verdict, found.prepared) == (Verdict.ENDED, None)
    assert not Session.objects.filter(end_reason="").exists()


def test_a_password_changed_between_reading_and_writing_ends_the_session_at_the_next_refresh(
    session: Session,
) -> None:
    assert interrupted(session, change_password).verdict is Verdict.ADVANCED
    assert rotate(present(session, 6)).verdict is Verdict.ENDED


def test_a_token_is_still_good_when_its_race_was_lost_too_often(session: Session) -> None:
    """Only a failover that comes and goes makes a generation be in force again and again."""
    steps = [-1, 1] * ATTEMPTS

    def flip() -> None:
        Session.objects.update(generation=F("generation") + steps.pop())

    set_row(session, generation=4)
    with pytest.raises(Busy):
        interrupted(session, *[flip] * ATTEMPTS)
    assert rotate(present(session)).verdict is Verdict.ADVANCED


@pytest.mark.django_db(transaction=True)
def test_a_lost_race_is_read_again_inside_the_callers_transaction(session: Session) -> None:
    with transaction.atomic():
        found = interrupted(session, lambda: rotate(present(session)))
    assert (found.verdict, found.prepared) == (Verdict.REPEATED, 6)


# Looking, without touching -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("generation", "accepted"), [(3, False), (4, True), (5, True), (6, True), (7, False)]
)
def test_checking_tells_what_a_refresh_would_do_and_changes_nothing(
    session: Session,
    generation: int,
    accepted: bool,
    django_assert_num_queries: Callable[..., Any],
) -> None:
    before = row(session)
    with django_assert_num_queries(1):
        assert bool(rotation.check(present(session, generation))) is accepted
    assert row(session) == before
