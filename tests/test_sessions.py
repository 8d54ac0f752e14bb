"""`drf_signet.sessions`: opened once, ended once, cleared when nobody can ask for them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from drf_signet import sessions
from drf_signet.models import EndReason, Session, Transport
from drf_signet.sessions import BATCH, KEPT_AFTER_END, Client
from tests.situations import delete_row_of, let_pass, open_session, set_row

pytestmark = pytest.mark.django_db

NOW = 1_800_000_000.25


def reasons() -> dict[uuid.UUID, str]:
    """Return the end reason of every session."""
    return dict(Session.objects.values_list("id", "end_reason"))


def end(session: Session, reason: str = EndReason.LOGOUT) -> bool:
    return sessions.end(session.pk, user_id=session.user_id, reason=reason)


class TestIds:
    def test_an_id_is_a_uuid_of_version_seven(self) -> None:
        made = sessions.new_id(NOW)
        assert (made.version, made.variant) == (7, uuid.RFC_4122)
        assert made.int >> 80 == int(NOW * 1000)

    def test_ids_are_all_different_even_of_one_instant(self) -> None:
        assert len({sessions.new_id(NOW) for _ in range(1000)}) == 1000

    def test_ids_sort_by_the_instant_they_were_made(self) -> None:
        made = [sessions.new_id(NOW + seconds / 1000) for seconds in range(100)]
        assert made == sorted(made)


class TestDraft:
    def test_a_draft_says_what_a_login_was_and_when_it_ends(self, user: Any) -> None:
        session = sessions.draft(
            id=sessions.new_id(NOW),
            user=user,
            now=NOW,
            lifetime=timedelta(days=30),
            transport=Transport.COOKIE,
            client=Client(user_agent="curl/8", ip_address="192.0.2.1"),
        )
        opened = datetime.fromtimestamp(NOW, UTC)
        assert session.created_at == session.auth_time == session.refreshed_at == opened
        assert session.expires_at == opened + timedelta(days=30)
        assert (session.generation, session.end_reason, session.ended_at) == (0, "", None)
        assert (session.transport, session.user_agent) == ("cookie", "curl/8")
        assert session.ip_address == "192.0.2.1"
        assert session.password_stamp == sessions.password_stamp(user)
        assert len(session.password_stamp) == 11

    def test_a_draft_is_not_written(
        self, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        with django_assert_num_queries(0):
            sessions.draft(id=sessions.new_id(NOW), user=user, now=NOW, lifetime=timedelta(1))

    def test_instants_are_naive_when_the_project_knows_no_time_zones(self, settings: Any) -> None:
        settings.USE_TZ = False
        instant = sessions.as_datetime(NOW)
        assert instant.tzinfo is None
        assert instant.timestamp() == NOW


class TestOpen:
    def test_opening_is_one_statement(
        self, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        with django_assert_num_queries(1):
            open_session(user)

    def test_an_open_session_has_the_clock_of_the_database(self, user: Any) -> None:
        session = sessions.draft(
            id=sessions.new_id(0), user=user, now=0, lifetime=timedelta(days=36_500)
        )
        sessions.open(session)
        assert session.refreshed_at == datetime.fromtimestamp(0, UTC)  # for whoever holds it
        assert Session.objects.live().get() == session

    def test_opening_one_id_twice_is_refused(self, user: Any) -> None:
        session = open_session(user)
        with pytest.raises(IntegrityError), transaction.atomic():
            sessions.open(session)

    def test_a_login_beyond_the_limit_ends_the_sessions_that_were_idle_longest(
        self, user: Any, make_user: Callable[..., Any]
    ) -> None:
        oldest, idle, active = (open_session(user) for _ in range(3))
        elsewhere = open_session(make_user())
        let_pass(oldest, seconds=10)
        let_pass(idle, seconds=20)
        newest = sessions.draft(
            id=sessions.new_id(time.time()), user=user, now=time.time(), lifetime=timedelta(1)
        )
        sessions.open(newest, limit=2)
        assert reasons() == {
            oldest.pk: EndReason.EVICTED,
            idle.pk: EndReason.EVICTED,
            active.pk: "",
            newest.pk: "",
            elsewhere.pk: "",
        }

    def test_a_login_within_the_limit_ends_nothing_and_ended_sessions_do_not_count(
        self, user: Any
    ) -> None:
        ended, expired, kept = (open_session(user) for _ in range(3))
        end(ended)
        set_row(expired, expires_at=datetime.fromtimestamp(0, UTC))
        newest = sessions.draft(
            id=sessions.new_id(time.time()), user=user, now=time.time(), lifetime=timedelta(1)
        )
        sessions.open(newest, limit=2)
        found = reasons()
        assert found[ended.pk] == EndReason.LOGOUT
        assert {found[one.pk] for one in (expired, kept, newest)} == {""}


class TestAdopt:
    @pytest.mark.parametrize("inside", [True, False])
    @pytest.mark.django_db(transaction=True)
    def test_adopting_writes_once_and_says_who_did(self, user: Any, inside: bool) -> None:
        def adopt() -> bool:
            session = sessions.draft(id=pk, user=user, now=NOW, lifetime=timedelta(days=1))
            if inside:
                with transaction.atomic():
                    return sessions.adopt(session) and Session.objects.exists()
            return sessions.adopt(session)

        pk = sessions.new_id(NOW)
        assert (adopt(), adopt()) == (True, False)
        assert Session.objects.get().pk == pk

    def test_a_lost_adoption_leaves_the_callers_transaction_usable(self, user: Any) -> None:
        session = open_session(user)
        assert not sessions.adopt(session)
        assert Session.objects.get() == session


class TestEnd:
    def test_ending_is_one_statement_that_marks_the_row(
        self, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        session, other = open_session(user), open_session(user)
        with django_assert_num_queries(1):
            assert end(session, EndReason.ENDED_BY_USER)
        row = Session.objects.get(pk=session.pk)
        assert row.end_reason == EndReason.ENDED_BY_USER
        assert row.ended_at is not None
        assert reasons()[other.pk] == ""

    def test_ending_twice_changes_nothing_the_second_time(self, user: Any) -> None:
        session = open_session(user)
        assert end(session, EndReason.LOGOUT)
        before = Session.objects.values().get()
        assert not end(session, EndReason.REUSE)
        assert Session.objects.values().get() == before

    def test_ending_what_does_not_exist_ends_nothing(self) -> None:
        assert not sessions.end(sessions.new_id(NOW), user_id=1, reason=EndReason.LOGOUT)

    def test_ending_all_is_two_statements_however_many_there_are(
        self,
        user: Any,
        make_user: Callable[..., Any],
        django_assert_num_queries: Callable[..., Any],
    ) -> None:
        """Ending a family row by row: django-oauth-toolkit #1809."""
        own = [open_session(user) for _ in range(20)]
        other = open_session(make_user())
        with django_assert_num_queries(2):
            assert sessions.end_all(user, reason=EndReason.LOGOUT_ALL) == 20
        found = reasons()
        assert {found[one.pk] for one in own} == {EndReason.LOGOUT_ALL}
        assert found[other.pk] == ""

    def test_ending_all_leaves_the_one_to_keep_and_what_had_ended_before(self, user: Any) -> None:
        kept, ended, other = (open_session(user) for _ in range(3))
        end(ended)
        assert sessions.end_all(user, reason=EndReason.LOGOUT_ALL, keep=kept.pk) == 1
        assert reasons() == {
            kept.pk: "",
            ended.pk: EndReason.LOGOUT,
            other.pk: EndReason.LOGOUT_ALL,
        }

    def test_ending_all_asks_no_more_when_there_are_none(
        self, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        with django_assert_num_queries(1):
            assert sessions.end_all(user, reason=EndReason.LOGOUT_ALL) == 0


class TestClearExpired:
    @staticmethod
    def at_end(user: Any, *, seconds_ago: float) -> Session:
        """Return a session that reached its absolute end so long ago."""
        session = open_session(user)
        set_row(session, expires_at=sessions.as_datetime(NOW - seconds_ago))
        return session

    def test_rows_are_deleted_when_they_are_past_their_absolute_end(self, user: Any) -> None:
        kept = KEPT_AFTER_END.total_seconds()
        self.at_end(user, seconds_ago=kept + 1)
        late = self.at_end(user, seconds_ago=kept - 1)
        alive = self.at_end(user, seconds_ago=-60)
        assert sessions.clear_expired(now=NOW) == 1
        assert reasons().keys() == {late.pk, alive.pk}

    def test_an_ended_session_is_kept_until_no_token_could_name_it(self, user: Any) -> None:
        """Flush brings ended tokens back within leeway: simplejwt."""
        session = self.at_end(user, seconds_ago=KEPT_AFTER_END.total_seconds() + 60)
        end(session)
        assert sessions.clear_expired(now=NOW, leeway=61) == 0
        assert sessions.clear_expired(now=NOW, leeway=59) == 1

    def test_rows_are_deleted_in_batches(
        self, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        drafts = [
            sessions.draft(id=sessions.new_id(0), user=user, now=0, lifetime=timedelta(days=1))
            for _ in range(BATCH + 1)
        ]
        Session.objects.bulk_create(drafts)
        with django_assert_num_queries(5):
            assert sessions.clear_expired(now=NOW) == BATCH + 1
        assert not Session.objects.exists()

    def test_clearing_stops_where_another_one_is_at_it(self, user: Any) -> None:
        """Its snapshot may go on showing the rows that the other has deleted."""
        self.at_end(user, seconds_ago=86_400)

        def miss(execute: Any, sql: str, *rest: Any) -> Any:
            none = sql.replace(" WHERE ", " WHERE 1 = 0 AND ")
            return execute(none if sql.startswith("DELETE") else sql, *rest)

        with connection.execute_wrapper(miss):
            assert sessions.clear_expired(now=NOW) == 0

    def test_clearing_again_finds_nothing(self) -> None:
        assert sessions.clear_expired(now=NOW) == 0

    def test_a_session_whose_user_is_gone_is_cleared_like_any_other(self, user: Any) -> None:
        self.at_end(user, seconds_ago=86_400)
        delete_row_of(user)
        assert sessions.clear_expired(now=NOW) == 1


class TestPasswordStamp:
    def test_the_stamp_changes_with_the_password(self, user: Any) -> None:
        before = sessions.password_stamp(user)
        user.set_password("another")
        assert len(before) == 11
        assert sessions.password_stamp(user) != before

    def test_the_stamps_of_former_secret_keys_count(self, user: Any, settings: Any) -> None:
        before = sessions.password_stamp(user)
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another key, which is long enough for every one of the algorithms"
        today, *fallbacks = sessions.password_stamps(user)
        assert today == sessions.password_stamp(user) != before
        assert fallbacks == [before]

    def test_a_user_without_a_password_has_an_empty_stamp(self) -> None:
        assert sessions.password_stamp(object()) == ""
        assert sessions.password_stamps(object()) == [""]
