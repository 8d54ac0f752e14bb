"""Tests of `drf_signet.sessions.rotation`: refreshing, and ending the session after a replay.

In most tests, the session has been rotated five times, so its generation is 5.
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

from drf_signet.db.database import ATTEMPTS
from drf_signet.errors import Busy
from drf_signet.jose.claims import MAX_GENERATION
from drf_signet.models import EndReason, Session, Transport
from drf_signet.sessions import rotation, stamps, store
from drf_signet.sessions.rotation import RefreshAttempt, Rotation, Verdict
from tests.support.session_states import (
    backdate_rotation,
    delete_row_of,
    expire,
    open_session,
    set_row,
)

pytestmark = pytest.mark.django_db

GRACE = 30


@pytest.fixture
def session(user: Any) -> Session:
    """Return a session with generation 5 that was rotated just now."""
    session = open_session(user, generation=5)
    session.refresh_from_db()
    return session


def attempt(session: Session, generation: int = 5) -> RefreshAttempt:
    """Return an attempt to refresh the session with the token of the given generation."""
    return RefreshAttempt(
        session_id=session.pk,
        generation=generation,
        belongs_to=lambda user: True,
        allows=lambda user: user.is_active,
        transport=Transport.TOKEN,
        rotates=True,
        grace=timedelta(seconds=GRACE),
    )


def successor(session: Session, generation: int) -> int:
    """Return the generation. The function that is used in production creates tokens."""
    return generation


def rotate(refresh: RefreshAttempt) -> Rotation[int]:
    return rotation.rotate(refresh, successor)


def row(session: Session) -> dict[str, Any]:
    return dict(Session.objects.filter(pk=session.pk).values().get())


def change_password() -> None:
    """Change the password without signals, so that the next refresh must detect the change."""
    user = get_user_model().objects.get()
    user.set_password("another")
    get_user_model().objects.update(password=user.password)


def outcome(refresh: RefreshAttempt) -> tuple[Verdict, int | None, str, int]:
    """Rotate; return (verdict, prepared generation, stored end reason, stored generation)."""
    result = rotate(refresh)
    after = Session.objects.get(pk=refresh.session_id)
    return result.verdict, result.prepared, after.end_reason, after.generation


# Accepted attempts ---------------------------------------------------------------------------


def test_the_current_generation_is_exchanged_for_its_successor(session: Session) -> None:
    backdate_rotation(session, seconds=3600)
    before = row(session)
    assert outcome(attempt(session)) == (Verdict.ADVANCED, 6, "", 6)
    assert row(session)["refreshed_at"] > before["refreshed_at"]


def test_a_rotation_takes_two_statements(
    session: Session, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(2):
        rotate(attempt(session))


def test_the_previous_generation_gets_the_same_successor_within_the_grace_period(
    session: Session,
) -> None:
    backdate_rotation(session, seconds=GRACE - 1)
    assert outcome(attempt(session, 4)) == (Verdict.REPEATED, 5, "", 5)


def test_a_retry_takes_one_statement_and_does_not_change_the_row(
    session: Session, django_assert_num_queries: Callable[..., Any]
) -> None:
    before = row(session)
    with django_assert_num_queries(1):
        rotate(attempt(session, 4))
    assert row(session) == before


def test_a_retry_does_not_extend_the_grace_period(session: Session) -> None:
    """Guard against bug #1901 of Supabase: each retry extended the grace period."""
    for seconds in (GRACE / 3, GRACE * 2 / 3, GRACE - 1):
        backdate_rotation(session, seconds=seconds)
        before = row(session)
        assert rotate(attempt(session, 4)).verdict is Verdict.REPEATED
        assert row(session) == before
    backdate_rotation(session, seconds=GRACE + 1)
    assert rotate(attempt(session, 4)).verdict is Verdict.REUSED


def test_the_current_generation_is_kept_without_rotation(
    session: Session, django_assert_num_queries: Callable[..., Any]
) -> None:
    before = row(session)
    with django_assert_num_queries(1):
        result = rotate(replace(attempt(session), rotates=False))
    assert (result.verdict, result.prepared) == (Verdict.KEPT, 5)
    assert row(session) == before


@pytest.mark.parametrize("rotates", [True, False])
def test_a_token_one_generation_ahead_is_accepted_after_a_failover_lost_its_rotation(
    session: Session, rotates: bool, caplog: pytest.LogCaptureFixture
) -> None:
    refresh = replace(attempt(session, 6), rotates=rotates)
    assert outcome(refresh) == (Verdict.ADVANCED, 7, "", 7)
    assert f"session {session.pk}: a rotation was lost" in caplog.text
    assert outcome(refresh)[:2] == (Verdict.REPEATED, 7)


def test_the_largest_generation_has_no_successor(session: Session) -> None:
    set_row(session, generation=MAX_GENERATION - 1)
    last = attempt(session, MAX_GENERATION - 1)
    assert outcome(last) == (Verdict.ADVANCED, MAX_GENERATION, "", MAX_GENERATION)
    beyond = attempt(session, MAX_GENERATION)
    assert outcome(beyond) == (Verdict.ENDED, None, "", MAX_GENERATION)


def test_the_successor_is_prepared_before_the_row_is_written(session: Session) -> None:
    class HookError(Exception):
        pass

    def prepare(read: Session, generation: int) -> None:
        assert (read.pk, generation) == (session.pk, 6)
        raise HookError

    before = row(session)
    with pytest.raises(HookError):
        rotation.rotate(attempt(session), prepare)
    assert row(session) == before
    assert rotate(attempt(session)).verdict is Verdict.ADVANCED


def test_rotations_within_one_second_are_distinguished(session: Session) -> None:
    """Guard against bug #50999 of Keycloak: rotations within one second were treated as one."""
    assert [rotate(attempt(session, number)).prepared for number in (5, 6, 7)] == [6, 7, 8]
    assert rotate(attempt(session, 5)).verdict is Verdict.REUSED


# Replays -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("generation", "seconds", "behind"),
    [
        pytest.param(4, GRACE + 1, 1, id="n-1 after the grace period"),
        pytest.param(3, 0, 2, id="n-2 within the grace period"),  # see django-oauth-toolkit #1617
        pytest.param(3, GRACE + 1, 2, id="n-2 after the grace period"),
        pytest.param(0, 0, 5, id="first generation"),
    ],
)
@pytest.mark.parametrize("rotates", [True, False])
def test_a_replay_ends_the_session(
    session: Session, generation: int, seconds: float, behind: int, rotates: bool
) -> None:
    backdate_rotation(session, seconds=seconds)
    refresh = replace(attempt(session, generation), rotates=rotates)
    result = rotate(refresh)
    assert (result.verdict, result.prepared, result.behind) == (Verdict.REUSED, None, behind)
    assert row(session)["end_reason"] == EndReason.REUSE


def test_a_replay_takes_two_statements(
    session: Session, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(2):
        rotate(attempt(session, 0))


def test_a_second_replay_is_not_reported_as_reuse(session: Session) -> None:
    assert rotate(attempt(session, 0)).verdict is Verdict.REUSED
    before = row(session)
    assert rotate(attempt(session, 0)).verdict is Verdict.ENDED
    assert row(session) == before


def test_a_replay_that_loses_to_another_replay_is_not_reported_as_reuse(session: Session) -> None:
    overtaking = [lambda: store.end(session.pk, user_id=session.user_id, reason="reuse")]

    def before_writing(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and overtaking:
            overtaking.pop()()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(before_writing):
        assert rotate(attempt(session, 0)).verdict is Verdict.ENDED
    assert not overtaking


def test_a_grace_period_of_zero_makes_every_retry_a_replay(session: Session) -> None:
    refresh = replace(attempt(session, 4), grace=timedelta(0))
    assert rotate(refresh).verdict is Verdict.REUSED


# Refused attempts ----------------------------------------------------------------------------


def test_a_session_that_does_not_exist_counts_as_ended(user: Any) -> None:
    unsaved = Session(id=store.new_id(0), user=user)
    result = rotate(attempt(unsaved))
    assert (result.verdict, result.session) == (Verdict.ENDED, None)


@pytest.mark.parametrize("generation", [3, 4, 5, 6, 7])
def test_an_ended_session_accepts_no_generation(session: Session, generation: int) -> None:
    """Guard against bug #1816 of django-oauth-toolkit: the grace period revived ended sessions."""
    store.end(session.pk, user_id=session.user_id, reason=EndReason.LOGOUT)
    before = row(session)
    assert rotate(attempt(session, generation)).verdict is Verdict.ENDED
    assert row(session) == before


@pytest.mark.parametrize("generation", [3, 4, 5, 6, 7])
def test_an_expired_session_accepts_no_generation(session: Session, generation: int) -> None:
    """Refuse an expired session even if the clean-up command has not deleted its row."""
    expire(session)
    before = row(session)
    assert rotate(attempt(session, generation)).verdict is Verdict.ENDED
    assert row(session) == before


@pytest.mark.parametrize("generation", [7, 5 + 2**20])
def test_a_token_more_than_one_generation_ahead_is_invalid_and_does_not_end_the_session(
    session: Session, generation: int
) -> None:
    assert outcome(attempt(session, generation)) == (Verdict.INVALID, None, "", 5)


@pytest.mark.parametrize("generation", [0, 5])
@pytest.mark.parametrize("stamp", [{}, {"password_stamp": "of another"}])
def test_a_token_from_another_transport_is_invalid_and_does_not_end_the_session(
    session: Session, generation: int, stamp: dict[str, str]
) -> None:
    set_row(session, transport=Transport.COOKIE, **stamp)
    assert outcome(attempt(session, generation)) == (Verdict.INVALID, None, "", 5)


@pytest.mark.parametrize("generation", [0, 5])
def test_a_token_of_another_user_is_invalid_and_does_not_end_the_session(
    session: Session, generation: int
) -> None:
    refresh = replace(attempt(session, generation), belongs_to=lambda user: False)
    assert outcome(refresh) == (Verdict.INVALID, None, "", 5)


def test_a_session_of_a_deleted_user_has_ended(session: Session) -> None:
    get_user_model().objects.get().delete()
    assert outcome(attempt(session)) == (Verdict.ENDED, None, EndReason.USER_DELETED, 5)


def test_a_refresh_ends_the_session_of_a_user_whose_row_was_deleted_with_sql(
    session: Session,
) -> None:
    delete_row_of(session.user)
    assert outcome(attempt(session)) == (Verdict.ENDED, None, EndReason.USER_DELETED, 5)


def test_a_refresh_ends_the_session_of_a_deactivated_user(session: Session) -> None:
    """Guard against django-allauth CVE-2025-65430: deactivated users could refresh tokens."""
    get_user_model().objects.update(is_active=False)
    assert outcome(attempt(session)) == (Verdict.INACTIVE, None, EndReason.USER_INACTIVE, 5)


def test_a_refresh_ends_the_session_after_a_changed_password(session: Session) -> None:
    change_password()
    assert outcome(attempt(session)) == (Verdict.ENDED, None, EndReason.PASSWORD_CHANGED, 5)


def test_a_replay_after_a_changed_password_is_not_reported_as_reuse(session: Session) -> None:
    change_password()
    assert outcome(attempt(session, 0)) == (Verdict.ENDED, None, EndReason.PASSWORD_CHANGED, 5)


def test_an_expired_session_of_a_deleted_user_has_ended(session: Session) -> None:
    expire(session)
    delete_row_of(session.user)
    assert outcome(attempt(session))[:2] == (Verdict.ENDED, None)


# Users that the project's default manager hides -------------------------------------------------


def among(session: Session, **conditions: Any) -> RefreshAttempt:
    """Return an attempt whose queryset contains only the users that match the conditions."""
    return replace(attempt(session), users=get_user_model().objects.filter(**conditions))


@pytest.mark.parametrize(("rotates", "statements"), [(True, 2), (False, 1)])
def test_a_refresh_among_some_of_the_users_takes_no_further_statement(
    session: Session,
    rotates: bool,
    statements: int,
    django_assert_num_queries: Callable[..., Any],
) -> None:
    refresh = replace(among(session, username="vitor"), rotates=rotates)
    with django_assert_num_queries(statements):
        assert rotate(refresh).verdict is (Verdict.ADVANCED if rotates else Verdict.KEPT)


def test_a_refresh_ends_the_session_of_a_hidden_user(session: Session) -> None:
    refresh = among(session, username="ana")
    assert outcome(refresh) == (Verdict.ENDED, None, EndReason.USER_DELETED, 5)
    assert row(session)["user_id"] == session.user_id


def test_a_replay_of_a_hidden_user_is_not_reported_as_reuse(session: Session) -> None:
    refresh = replace(among(session, username="ana"), generation=0)
    assert outcome(refresh)[:3] == (Verdict.ENDED, None, EndReason.USER_DELETED)


def test_each_refresh_queries_the_users_again(session: Session) -> None:
    """Query the users again at each refresh: a manager may filter by the tenant of the request."""
    for generation, name, verdict in (
        (5, "vitor", Verdict.ADVANCED),
        (6, "vitor", Verdict.ADVANCED),
        (7, "ana", Verdict.ENDED),
    ):
        assert rotate(replace(among(session, username=name), generation=generation)).verdict is (
            verdict
        )


def test_the_users_may_be_bound_to_another_database(session: Session) -> None:
    refresh = replace(attempt(session), users=get_user_model().objects.using("replica"))
    assert rotate(refresh).verdict is Verdict.ADVANCED


@pytest.mark.parametrize(("name", "found"), [("vitor", True), ("ana", False)])
def test_check_and_find_know_hidden_users(session: Session, name: str, found: bool) -> None:
    before = row(session)
    refresh = among(session, username=name)
    assert (rotation.check(refresh) is not None) is found
    read = rotation.find(refresh)
    assert read == session
    assert (rotation.user_of(read) == session.user) is found
    assert row(session) == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("hidden", "verdict"), [(0, Verdict.REPEATED), (1, Verdict.ENDED)])
def test_a_lost_race_inside_the_callers_transaction_sees_hidden_users(
    session: Session, hidden: int, verdict: Verdict
) -> None:
    refresh = among(session, first_name="")

    def lose(read: Session, generation: int) -> int:
        rotate(attempt(session))
        get_user_model().objects.update(first_name="x" * hidden)
        return generation

    with transaction.atomic():
        assert rotation.rotate(refresh, lose).verdict is verdict


# The password stamp of a session -------------------------------------------------------------


def test_a_stamp_of_a_fallback_secret_key_is_valid_and_renewed_by_the_rotation(
    session: Session, settings: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key, which is long enough for each of the algorithms"
    with django_assert_num_queries(2):
        assert rotate(attempt(session)).verdict is Verdict.ADVANCED
    assert row(session)["password_stamp"] == stamps.password_stamp(session.user)
    settings.SECRET_KEY_FALLBACKS = []
    assert rotate(attempt(session, 6)).verdict is Verdict.ADVANCED


def test_a_stamp_of_a_removed_secret_key_is_not_valid(session: Session, settings: Any) -> None:
    settings.SECRET_KEY = "another key, which is long enough for each of the algorithms"
    assert outcome(attempt(session))[2] == EndReason.PASSWORD_CHANGED


# Changes between the SELECT and the UPDATE of a refresh --------------------------------------


def interrupted(session: Session, *acts: Callable[[], object]) -> Rotation[int]:
    """Rotate; after each read of the row, call the next of the given functions."""
    remaining = list(acts)

    def prepare(read: Session, generation: int) -> int:
        if remaining:
            remaining.pop(0)()
        return generation

    return rotation.rotate(attempt(session), prepare)


def test_a_lost_race_gets_the_same_successor_as_the_winner(session: Session) -> None:
    """Guard against the check-then-write race in Keycloak (CVE-2026-1035) and simplejwt (#985)."""
    winners = []
    result = interrupted(session, lambda: winners.append(rotate(attempt(session))))
    assert (winners[0].verdict, winners[0].prepared) == (Verdict.ADVANCED, 6)
    assert (result.verdict, result.prepared) == (Verdict.REPEATED, 6)
    assert row(session)["generation"] == 6


def test_a_lost_race_is_a_replay_if_the_session_has_rotated_twice(session: Session) -> None:
    result = interrupted(
        session, lambda: [rotate(attempt(session, generation)) for generation in (5, 6)]
    )
    assert result.verdict is Verdict.REUSED


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(
            lambda session: store.end(session.pk, user_id=session.user_id, reason=EndReason.LOGOUT),
            id="logout",
        ),
        pytest.param(lambda session: get_user_model().objects.all().delete(), id="user deleted"),
        pytest.param(lambda session: Session.objects.all().delete(), id="row cleared"),
    ],
)
def test_an_end_between_reading_and_writing_refuses_the_refresh(
    session: Session, act: Callable[[Session], object]
) -> None:
    """Guard against bug #51312 of Keycloak: a refresh during a revocation returned tokens."""
    result = interrupted(session, lambda: act(session))
    assert (result.verdict, result.prepared) == (Verdict.ENDED, None)
    assert not Session.objects.filter(end_reason="").exists()


def test_a_password_changed_between_reading_and_writing_ends_the_session_at_the_next_refresh(
    session: Session,
) -> None:
    assert interrupted(session, change_password).verdict is Verdict.ADVANCED
    assert rotate(attempt(session, 6)).verdict is Verdict.ENDED


def test_a_token_stays_valid_after_its_refresh_was_busy(session: Session) -> None:
    """Change the row before each UPDATE. In production, only repeated failovers can cause this."""
    steps = [-1, 1] * ATTEMPTS

    def flip() -> None:
        Session.objects.update(generation=F("generation") + steps.pop())

    set_row(session, generation=4)
    with pytest.raises(Busy):
        interrupted(session, *[flip] * ATTEMPTS)
    assert rotate(attempt(session)).verdict is Verdict.ADVANCED


@pytest.mark.django_db(transaction=True)
def test_a_lost_race_inside_the_callers_transaction_reads_the_row_again(session: Session) -> None:
    with transaction.atomic():
        result = interrupted(session, lambda: rotate(attempt(session)))
    assert (result.verdict, result.prepared) == (Verdict.REPEATED, 6)


# Checking a refresh token without refreshing -------------------------------------------------


@pytest.mark.parametrize(
    ("generation", "accepted"), [(3, False), (4, True), (5, True), (6, True), (7, False)]
)
def test_check_predicts_the_refresh_and_does_not_change_the_row(
    session: Session,
    generation: int,
    accepted: bool,
    django_assert_num_queries: Callable[..., Any],
) -> None:
    before = row(session)
    with django_assert_num_queries(1):
        assert bool(rotation.check(attempt(session, generation))) is accepted
    assert row(session) == before
