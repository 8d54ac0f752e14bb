"""Tests of `drf_signet.sessions.store`: opening, adopting, ending and deleting sessions."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from drf_signet.models import EndReason, Session, Transport
from drf_signet.sessions import stamps, store
from drf_signet.sessions.store import BATCH, KEPT_AFTER_END, Client
from tests.support.session_states import backdate_rotation, delete_row_of, open_session, set_row

pytestmark = pytest.mark.django_db

NOW = 1_800_000_000.25


def reasons() -> dict[uuid.UUID, str]:
    """Return the end reason of every session, keyed by session id."""
    return dict(Session.objects.values_list("id", "end_reason"))


def end(session: Session, reason: str = EndReason.LOGOUT) -> bool:
    return store.end(session.pk, user_id=session.user_id, reason=reason)


class TestIds:
    def test_an_id_is_a_uuid_of_version_seven(self) -> None:
        session_id = store.new_id(NOW)
        assert (session_id.version, session_id.variant) == (7, uuid.RFC_4122)
        assert session_id.int >> 80 == int(NOW * 1000)

    def test_ids_of_the_same_moment_are_unique(self) -> None:
        assert len({store.new_id(NOW) for _ in range(1000)}) == 1000

    def test_ids_sort_by_their_time(self) -> None:
        ids = [store.new_id(NOW + milliseconds / 1000) for milliseconds in range(100)]
        assert ids == sorted(ids)


class TestDraft:
    def test_a_draft_contains_the_login_and_its_expiry(self, user: Any) -> None:
        session = store.draft(
            id=store.new_id(NOW),
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
        assert session.password_stamp == stamps.password_stamp(user)
        assert len(session.password_stamp) == 11

    def test_a_draft_sends_no_statement(
        self, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        with django_assert_num_queries(0):
            store.draft(id=store.new_id(NOW), user=user, now=NOW, lifetime=timedelta(1))

    def test_datetimes_are_naive_without_use_tz(self, settings: Any) -> None:
        settings.USE_TZ = False
        naive = store.as_datetime(NOW)
        assert naive.tzinfo is None
        assert naive.timestamp() == NOW


class TestOpen:
    def test_opening_a_session_takes_one_statement(
        self, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        with django_assert_num_queries(1):
            open_session(user)

    def test_an_open_session_has_the_time_of_the_database(self, user: Any) -> None:
        session = store.draft(id=store.new_id(0), user=user, now=0, lifetime=timedelta(days=36_500))
        store.open(session)
        assert session.refreshed_at == datetime.fromtimestamp(0, UTC)  # not changed by `open`
        assert Session.objects.live().get() == session

    def test_opening_the_same_id_twice_is_an_integrity_error(self, user: Any) -> None:
        session = open_session(user)
        with pytest.raises(IntegrityError), transaction.atomic():
            store.open(session)

    def test_a_login_over_the_limit_ends_the_sessions_idle_for_longest(
        self, user: Any, make_user: Callable[..., Any]
    ) -> None:
        oldest, idle, active = (open_session(user) for _ in range(3))
        session_of_other_user = open_session(make_user())
        backdate_rotation(oldest, seconds=10)
        backdate_rotation(idle, seconds=20)
        newest = store.draft(
            id=store.new_id(time.time()), user=user, now=time.time(), lifetime=timedelta(1)
        )
        store.open(newest, limit=2)
        assert reasons() == {
            oldest.pk: EndReason.EVICTED,
            idle.pk: EndReason.EVICTED,
            active.pk: "",
            newest.pk: "",
            session_of_other_user.pk: "",
        }

    def test_ended_and_expired_sessions_do_not_count_towards_the_limit(self, user: Any) -> None:
        ended, expired, kept = (open_session(user) for _ in range(3))
        end(ended)
        set_row(expired, expires_at=datetime.fromtimestamp(0, UTC))
        newest = store.draft(
            id=store.new_id(time.time()), user=user, now=time.time(), lifetime=timedelta(1)
        )
        store.open(newest, limit=2)
        reason_of = reasons()
        assert reason_of[ended.pk] == EndReason.LOGOUT
        assert {reason_of[session.pk] for session in (expired, kept, newest)} == {""}


class TestAdopt:
    @pytest.mark.parametrize("inside", [True, False])
    @pytest.mark.django_db(transaction=True)
    def test_adopting_the_same_id_twice_inserts_one_row_and_returns_true_once(
        self, user: Any, inside: bool
    ) -> None:
        def adopt() -> bool:
            session = store.draft(id=pk, user=user, now=NOW, lifetime=timedelta(days=1))
            if inside:
                with transaction.atomic():
                    return store.adopt(session) and Session.objects.exists()
            return store.adopt(session)

        pk = store.new_id(NOW)
        assert (adopt(), adopt()) == (True, False)
        assert Session.objects.get().pk == pk

    def test_a_lost_adoption_leaves_the_callers_transaction_usable(self, user: Any) -> None:
        session = open_session(user)
        assert not store.adopt(session)
        assert Session.objects.get() == session


class TestEnd:
    def test_ending_a_session_takes_one_statement_and_marks_its_row(
        self, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        session, other = open_session(user), open_session(user)
        with django_assert_num_queries(1):
            assert end(session, EndReason.ENDED_BY_USER)
        row = Session.objects.get(pk=session.pk)
        assert row.end_reason == EndReason.ENDED_BY_USER
        assert row.ended_at is not None
        assert reasons()[other.pk] == ""

    def test_ending_an_ended_session_does_not_change_its_row(self, user: Any) -> None:
        session = open_session(user)
        assert end(session, EndReason.LOGOUT)
        before = Session.objects.values().get()
        assert not end(session, EndReason.REUSE)
        assert Session.objects.values().get() == before

    def test_ending_a_session_that_does_not_exist_returns_false(self) -> None:
        assert not store.end(store.new_id(NOW), user_id=1, reason=EndReason.LOGOUT)

    def test_ending_all_sessions_takes_two_statements_for_any_number(
        self,
        user: Any,
        make_user: Callable[..., Any],
        django_assert_num_queries: Callable[..., Any],
    ) -> None:
        """Guard against bug #1809 of django-oauth-toolkit: tokens were revoked one by one."""
        own = [open_session(user) for _ in range(20)]
        other = open_session(make_user())
        with django_assert_num_queries(2):
            assert store.end_all(user, reason=EndReason.LOGOUT_ALL) == 20
        reason_of = reasons()
        assert {reason_of[session.pk] for session in own} == {EndReason.LOGOUT_ALL}
        assert reason_of[other.pk] == ""

    def test_ending_all_sessions_leaves_the_kept_session_and_ended_sessions(
        self, user: Any
    ) -> None:
        kept, ended, other = (open_session(user) for _ in range(3))
        end(ended)
        assert store.end_all(user, reason=EndReason.LOGOUT_ALL, keep=kept.pk) == 1
        assert reasons() == {
            kept.pk: "",
            ended.pk: EndReason.LOGOUT,
            other.pk: EndReason.LOGOUT_ALL,
        }

    def test_ending_all_sessions_takes_one_statement_if_there_are_none(
        self, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        with django_assert_num_queries(1):
            assert store.end_all(user, reason=EndReason.LOGOUT_ALL) == 0


class TestClearExpired:
    @staticmethod
    def expired(user: Any, *, seconds_ago: float) -> Session:
        """Open a session that expired the given number of seconds before NOW."""
        session = open_session(user)
        set_row(session, expires_at=store.as_datetime(NOW - seconds_ago))
        return session

    def test_rows_are_deleted_some_time_after_their_session_expired(self, user: Any) -> None:
        kept = KEPT_AFTER_END.total_seconds()
        self.expired(user, seconds_ago=kept + 1)
        late = self.expired(user, seconds_ago=kept - 1)
        alive = self.expired(user, seconds_ago=-60)
        assert store.clear_expired(now=NOW) == 1
        assert reasons().keys() == {late.pk, alive.pk}

    def test_an_ended_session_is_kept_while_its_tokens_could_be_accepted(self, user: Any) -> None:
        """Guard against a flaw in simplejwt, whose clean-up makes revoked tokens valid again.

        Within the leeway, an expired token is accepted if its blacklist entry has been deleted.
        """
        session = self.expired(user, seconds_ago=KEPT_AFTER_END.total_seconds() + 60)
        end(session)
        assert store.clear_expired(now=NOW, leeway=61) == 0
        assert store.clear_expired(now=NOW, leeway=59) == 1

    def test_rows_are_deleted_in_batches(
        self, user: Any, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        drafts = [
            store.draft(id=store.new_id(0), user=user, now=0, lifetime=timedelta(days=1))
            for _ in range(BATCH + 1)
        ]
        Session.objects.bulk_create(drafts)
        with django_assert_num_queries(5):
            assert store.clear_expired(now=NOW) == BATCH + 1
        assert not Session.objects.exists()

    def test_clearing_stops_when_another_process_deletes_the_rows(self, user: Any) -> None:
        """Simulate another process that deletes the rows between the SELECT and the DELETE."""
        self.expired(user, seconds_ago=86_400)

        def match_no_rows(execute: Any, sql: str, *rest: Any) -> Any:
            no_rows = sql.replace(" WHERE ", " WHERE 1 = 0 AND ")
            return execute(no_rows if sql.startswith("DELETE") else sql, *rest)

        with connection.execute_wrapper(match_no_rows):
            assert store.clear_expired(now=NOW) == 0

    def test_clearing_an_empty_table_deletes_nothing(self) -> None:
        assert store.clear_expired(now=NOW) == 0

    def test_an_expired_session_of_a_deleted_user_is_deleted(self, user: Any) -> None:
        self.expired(user, seconds_ago=86_400)
        delete_row_of(user)
        assert store.clear_expired(now=NOW) == 1


class TestPasswordStamp:
    def test_the_stamp_changes_with_the_password(self, user: Any) -> None:
        before = stamps.password_stamp(user)
        user.set_password("another")
        assert len(before) == 11
        assert stamps.password_stamp(user) != before

    def test_stamps_include_those_of_fallback_secret_keys(self, user: Any, settings: Any) -> None:
        before = stamps.password_stamp(user)
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another key, which is long enough for each of the algorithms"
        current, *fallbacks = stamps.password_stamps(user)
        assert current == stamps.password_stamp(user) != before
        assert fallbacks == [before]

    def test_a_user_without_a_password_has_an_empty_stamp(self) -> None:
        assert stamps.password_stamp(object()) == ""
        assert stamps.password_stamps(object()) == [""]
