"""Test `drf_signet.sessions.endings`: end many sessions with few statements and little memory."""

from __future__ import annotations

import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

import drf_signet
from drf_signet import runtime
from drf_signet.db.database import DbNow
from drf_signet.models import EndReason, Session, Transport
from drf_signet.sessions import endings, store
from drf_signet.sessions.ended import ended_sessions
from drf_signet.sessions.sources import DatabaseSource
from drf_signet.testing import auth_client, browser_client
from tests.contracts.revocation_source import ids
from tests.support.page_requests import send
from tests.support.session_states import open_session

pytestmark = pytest.mark.django_db(transaction=True)

#: The maximum number of sessions that are ended by their ids.
FEW = endings.BATCH
#: A larger number of sessions, which are not ended by their ids.
MANY = FEW + 5


@pytest.fixture(autouse=True)
def _no_polling(settings: Any) -> None:
    """Turn polling off, so that this process knows only the sessions that it has ended itself."""
    ended_sessions.alone = False
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": None}


@pytest.fixture
def received() -> Iterator[list[tuple[Any, Any, str]]]:
    """Return a list of the session id, user id and reason of each `session_ended` signal."""
    sent: list[tuple[Any, Any, str]] = []

    def receive(*, session_id: Any, user_id: Any, reason: str, **kwargs: Any) -> None:
        sent.append((session_id, user_id, reason))

    drf_signet.session_ended.connect(receive)
    yield sent
    drf_signet.session_ended.disconnect(receive)


def open_many(user: Any, number: int = MANY, **fields: Any) -> list[uuid.UUID]:
    now = time.time()
    drafts = [
        store.draft(id=store.new_id(now), user=user, now=now, lifetime=timedelta(days=1))
        for _ in range(number)
    ]
    for draft in drafts:
        for name, value in fields.items():
            setattr(draft, name, value)
    Session.objects.bulk_create(drafts)
    return [draft.pk for draft in drafts]


def in_transaction(act: Callable[[], object]) -> None:
    with transaction.atomic():
        act()


def directly(act: Callable[[], object]) -> None:
    act()


def statements(act: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        act()
    return [query["sql"] for query in captured if not query["sql"].startswith(("BEGIN", "COMMIT"))]


def known(session_ids: list[uuid.UUID]) -> set[bool]:
    """Return {True} if all these sessions are known to have ended, {False} if none of them is."""
    return {session_id.int in ended_sessions.ended for session_id in session_ids}


def reasons(session_ids: list[uuid.UUID]) -> set[str]:
    wanted = set(session_ids)
    rows = Session.objects.values_list("id", "end_reason")
    return {reason for pk, reason in rows if pk in wanted}


# Functions that end many sessions of a user, each in a different way


def by_end_all(user: Any) -> EndReason:
    drf_signet.end_all(user)
    return EndReason.LOGOUT_ALL


def by_logout_all(user: Any) -> EndReason:
    assert auth_client(user).post(reverse("token_logout_all")).status_code == 204
    return EndReason.LOGOUT_ALL


def by_browser_logout_all(user: Any) -> EndReason:
    assert send(browser_client(user), "logout_all").status_code == 204
    return EndReason.LOGOUT_ALL


def by_password_change(user: Any) -> EndReason:
    user.set_password("a new password")
    user.save()
    return EndReason.PASSWORD_CHANGED


def by_deactivation(user: Any) -> EndReason:
    user.is_active = False
    user.save(update_fields=["is_active"])
    return EndReason.USER_INACTIVE


def by_eviction(user: Any) -> EndReason:
    now = time.time()
    draft = store.draft(id=store.new_id(now), user=user, now=now, lifetime=timedelta(days=1))
    store.open(draft, limit=1)
    return EndReason.EVICTED


def by_admin(user: Any) -> EndReason:
    client = Client()
    administrator = type(user).objects.filter(username="root").first()
    client.force_login(
        administrator or type(user).objects.create_superuser("root", "root@example.com", "x")
    )
    pk = (Session.objects.filter(user=user).first() or open_session(user)).pk
    data = {
        "action": "end_selected",
        "_selected_action": [pk],
        "select_across": "1",
        "confirmed": "yes",
    }
    url = reverse("admin:drf_signet_session_changelist")
    assert client.post(f"{url}?user__id__exact={user.pk}", data).status_code == 302
    return EndReason.ENDED_BY_ADMIN


WAYS = [
    by_end_all,
    by_logout_all,
    by_browser_logout_all,
    by_password_change,
    by_deactivation,
    by_eviction,
    by_admin,
]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_end_many_sessions_takes_a_constant_number_of_statements(
    way: Callable[[Any], EndReason], user: Any, make_user: Any, received: list[Any]
) -> None:
    other = open_session(make_user())
    way(make_user())  # the first call may create an administrator
    counts = []
    for owner, number in ((user, MANY), (make_user(), 2 * MANY)):
        ended = open_many(owner, number)
        received.clear()
        with CaptureQueriesContext(connection) as captured:
            reason = way(owner)
        counts.append(len(captured))
        assert reasons(ended) == {reason}
        assert known(ended) == {True}
        wanted = set(ended)
        sent = [sent for sent in received if sent[0] in wanted]
        assert sorted(sent) == sorted((pk, owner.pk, reason) for pk in ended)
    assert counts[0] == counts[1]
    assert reasons([other.pk]) == {""}
    assert known([other.pk]) == {False}


@pytest.mark.parametrize(
    ("number", "within", "listening", "expected"),
    [
        (0, directly, True, ["SELECT"]),
        (3, directly, True, ["SELECT", "UPDATE"]),
        (3, in_transaction, True, ["SELECT", "UPDATE", "UPDATE"]),
        (FEW, directly, True, ["SELECT", "UPDATE"]),
        (MANY, directly, False, ["SELECT", "UPDATE", "SELECT"]),
        (MANY, directly, True, ["SELECT", "UPDATE", "SELECT", "SELECT"]),
        (MANY, in_transaction, False, ["SELECT", "UPDATE", "SELECT", "UPDATE"]),
    ],
)
def test_end_all_sends_these_statements(
    number: int,
    within: Callable[[Callable[[], object]], None],
    listening: bool,
    expected: list[str],
    user: Any,
    request: pytest.FixtureRequest,
) -> None:
    if listening:
        request.getfixturevalue("received")
    open_many(user, number)
    sent = statements(lambda: within(lambda: drf_signet.end_all(user)))
    if within is in_transaction and connection.vendor == "postgresql":
        expected = [*expected[:2], "SHOW", *expected[2:]]  # SHOW reads the isolation level
    assert [sql.split()[0] for sql in sent] == expected


def test_many_sessions_are_ended_by_one_short_update(user: Any, received: list[Any]) -> None:
    ended = open_many(user)
    sent = statements(lambda: drf_signet.end_all(user))
    assert [sql.split()[0] for sql in sent] == ["SELECT", "UPDATE", "SELECT", "SELECT"]
    assert max(map(len, sent)) < 1000
    assert len(received) == len(ended) == MANY


def end_in_pages(user: Any, page: int) -> int:
    return endings.end_selected(user.signet_sessions, reason=EndReason.LOGOUT_ALL, page=page)


@pytest.mark.parametrize("within", [directly, in_transaction])
def test_sessions_on_several_pages_are_all_announced_once(
    within: Callable[[Callable[[], object]], None],
    user: Any,
    received: list[Any],
) -> None:
    ended = open_many(user)
    within(lambda: end_in_pages(user, MANY // 5))  # five full pages
    assert sorted(pk for pk, *_ in received) == sorted(ended)
    assert known(ended) == {True}


@pytest.mark.parametrize("within", [directly, in_transaction])
def test_memory_does_not_grow_with_the_number_of_sessions(
    within: Callable[[Callable[[], object]], None],
    make_user: Any,
    received: list[Any],
) -> None:
    """Measure the peak memory without the ids of ended sessions, which the feed has to keep."""

    def peak(number: int) -> int:
        user = make_user()
        open_many(user, number)
        ended_sessions.ended.clear()
        received.clear()
        tracemalloc.start()
        within(lambda: end_in_pages(user, 300))
        kept, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(received) == number
        return most - kept

    peak(MANY)  # the first call fills caches of Django and Python
    assert peak(2 * MANY) < 1.3 * peak(MANY)


def test_end_all_leaves_the_kept_session_and_ended_sessions_among_many(
    user: Any, received: list[Any]
) -> None:
    before = open_session(user)
    drf_signet.end(before)
    kept, *ended = open_many(user)
    received.clear()
    assert drf_signet.end_all(user, keep=kept) == len(ended)
    assert reasons([kept]) == {""}
    assert known([kept]) == {False}
    assert reasons([before.pk]) == {EndReason.LOGOUT}
    assert {pk for pk, *_ in received} == set(ended)


def test_a_password_change_leaves_sessions_with_the_new_password_among_many(user: Any) -> None:
    ended = open_many(user)
    user.set_password("a new password")
    kept = open_many(user, 2)
    user.save()
    assert reasons(ended) == {EndReason.PASSWORD_CHANGED}
    assert reasons(kept) == {""}


def test_a_poll_finds_many_sessions_that_have_ended(user: Any) -> None:
    ended = open_many(user)
    drf_signet.end_all(user)
    assert set(ids(DatabaseSource().ended_within(10))) == set(ended)


def test_many_sessions_ended_in_a_transaction_are_known_after_the_commit(
    user: Any, received: list[Any]
) -> None:
    ended = open_many(user)
    with transaction.atomic():
        drf_signet.end_all(user)
        assert known(ended) == {False}
        assert received == []
    assert known(ended) == {True}
    assert {pk for pk, *_ in received} == set(ended)


def test_ended_at_of_many_sessions_is_set_again_at_the_commit(user: Any) -> None:
    open_many(user)
    with transaction.atomic():
        drf_signet.end_all(user)
        (before,) = set(Session.objects.values_list("ended_at", flat=True))
    (after,) = set(Session.objects.values_list("ended_at", flat=True))
    assert before is not None
    assert after is not None
    assert after > before


def test_ended_at_is_set_again_after_a_slow_update(user: Any, received: list[Any]) -> None:
    """Test a slow UPDATE: if `ended_at` were not renewed, polls would miss the sessions."""
    ended = open_many(user)
    started = store.as_datetime(time.time() - 60)
    alive = Session.objects.filter(user=user, end_reason="")
    assert endings.end_together(alive, reason=EndReason.LOGOUT_ALL, now=started) == len(ended)
    assert set(ids(DatabaseSource().ended_within(10))) == set(ended)
    assert sorted(pk for pk, *_ in received) == sorted(ended)


def test_an_end_of_many_sessions_that_is_rolled_back_is_neither_known_nor_announced(
    user: Any, received: list[Any]
) -> None:
    ended = open_many(user)
    with transaction.atomic():
        with transaction.atomic():
            drf_signet.end_all(user)
            transaction.set_rollback(True)
        assert reasons(ended) == {""}
    assert known(ended) == {False}
    assert received == []


def test_many_sessions_of_a_user_deleted_in_the_same_transaction_are_announced(
    user: Any, received: list[Any]
) -> None:
    ended = open_many(user)
    with transaction.atomic():
        drf_signet.end_all(user)
        user.delete()
    assert known(ended) == {True}
    assert {(pk, reason) for pk, _, reason in received} == {
        (pk, EndReason.LOGOUT_ALL) for pk in ended
    }


def by_delete(user: Any) -> None:
    user.delete()


def by_queryset_delete(user: Any) -> None:
    type(user).objects.filter(pk=user.pk).delete()


@pytest.mark.parametrize("within", [directly, in_transaction])
@pytest.mark.parametrize("delete", [by_delete, by_queryset_delete])
def test_sessions_of_a_deleted_user_are_ended_by_one_update_that_is_renewed_after_the_commit(
    delete: Callable[[Any], None], within: Callable[[Callable[[], object]], None], user: Any
) -> None:
    ended = open_many(user)
    updates = [sql for sql in statements(lambda: within(lambda: delete(user))) if "ended_at" in sql]
    first, *_, last = [sql for sql in updates if sql.startswith("UPDATE")]
    assert "end_reason" in first.split("WHERE")[0]
    assert max(map(len, updates)) < 1000
    assert last.startswith("UPDATE")
    assert known(ended) == {True}
    assert reasons(ended) == {EndReason.USER_DELETED}
    assert len(set(Session.objects.values_list("ended_at", flat=True))) == 1


@pytest.mark.parametrize("delete", [by_delete, by_queryset_delete])
def test_ended_at_of_the_sessions_of_a_deleted_user_is_new_after_a_long_transaction(
    delete: Callable[[Any], None], user: Any
) -> None:
    pair = drf_signet.issue(user)
    with transaction.atomic():
        delete(user)
        assert known([pair.session.pk]) == {False}
        Session.objects.update(refreshed_at=DbNow())
        (written,) = Session.objects.values_list("ended_at", flat=True)
    (renewed,) = Session.objects.values_list("ended_at", flat=True)
    assert written
    assert renewed
    assert renewed > written
    assert known([pair.session.pk]) == {True}


@pytest.mark.parametrize("delete", [by_delete, by_queryset_delete])
def test_a_deletion_of_a_user_that_is_rolled_back_ends_no_session(
    delete: Callable[[Any], None], user: Any
) -> None:
    pair = drf_signet.issue(user)
    with transaction.atomic():
        delete(user)
        transaction.set_rollback(True)
    assert known([pair.session.pk]) == {False}
    assert reasons([pair.session.pk]) == {""}


WAYS_TO_END = [by_end_all, by_password_change, by_deactivation, by_admin, by_delete]


@pytest.mark.parametrize("end", WAYS_TO_END)
def test_expired_sessions_are_not_ended(end: Callable[[Any], object], user: Any) -> None:
    """Their tokens have expired, so these sessions need not be ended."""
    now = time.time()
    expired = open_many(user, 3, expires_at=store.as_datetime(now - 61))
    just_expired = open_many(user, 1, expires_at=store.as_datetime(now - 30))
    end(user)
    assert reasons(expired) == {""}
    assert known(expired) == {False}
    assert reasons(just_expired) != {""}
    assert known(just_expired) == {True}


@pytest.mark.parametrize("within", [directly, in_transaction])
def test_an_expired_session_counts_as_endable_for_the_leeway_of_two_clocks(
    within: Callable[[Callable[[], object]], None], user: Any, settings: Any
) -> None:
    settings.SIGNET = {**settings.SIGNET, "LEEWAY": 600}
    (expired,) = open_many(user, 1, expires_at=store.as_datetime(time.time() - 1200))
    within(lambda: drf_signet.end_all(user))
    assert reasons([expired]) == {EndReason.LOGOUT_ALL}


def test_a_second_timestamp_that_cannot_be_written_is_logged_and_breaks_no_request(
    user: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The session has ended anyway, but other processes may find this out later."""
    pair = drf_signet.issue(user)

    updates: list[str] = []

    def fail_second_update(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith("UPDATE"):
            updates.append(sql)
        if len(updates) == 2:
            raise OperationalError("gone away")
        return execute(sql, *args)

    with connection.execute_wrapper(fail_second_update), transaction.atomic():
        drf_signet.end(pair.session)
    assert known([pair.session.pk]) == {True}
    assert reasons([pair.session.pk]) == {EndReason.LOGOUT}
    assert "_mark_and_renew" in caplog.text


def test_a_poll_in_a_transaction_that_has_ended_a_session_does_not_read_that_end(
    user: Any, settings: Any
) -> None:
    """If the transaction is rolled back, the feed must not refuse the tokens of the session."""
    if connection.vendor == "sqlite":
        pytest.skip("a separate connection cannot read a SQLite database in memory")
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": timedelta(microseconds=1)}
    pair = drf_signet.issue(user)
    feed = runtime.current().feed
    with transaction.atomic():
        drf_signet.end(pair.session)
        assert not feed.has_ended(pair.session.pk.int)
        transaction.set_rollback(True)
    assert not feed.has_ended(pair.session.pk.int)


def test_inside_deterministic_many_sessions_are_known_before_the_commit(user: Any) -> None:
    ended_sessions.alone = True
    ended = open_many(user)
    with transaction.atomic():
        drf_signet.end_all(user)
        assert known(ended) == {True}


def test_a_receiver_that_raises_does_not_stop_the_others(user: Any, received: list[Any]) -> None:
    def fail(**kwargs: Any) -> None:
        raise RuntimeError

    ended = open_many(user)
    drf_signet.session_ended.connect(fail)
    try:
        assert drf_signet.end_all(user) == len(ended)
    finally:
        drf_signet.session_ended.disconnect(fail)
    assert {pk for pk, *_ in received} == set(ended)


def test_eviction_of_many_sessions_keeps_those_used_last(user: Any) -> None:
    evicted = open_many(user, refreshed_at=store.as_datetime(time.time() - 3600))
    cookies = open_many(user, 3, transport=Transport.COOKIE)
    idle = open_many(user, 2, refreshed_at=store.as_datetime(time.time() - 90_000))
    now = time.time()
    newest = store.draft(id=store.new_id(now), user=user, now=now, lifetime=timedelta(days=1))
    store.open(newest, limit=4)
    assert reasons(evicted) == {EndReason.EVICTED}
    assert known(evicted) == {True}
    assert reasons([*cookies, *idle, newest.pk]) == {""}


def test_eviction_keeps_the_limit_among_sessions_of_the_same_time(user: Any) -> None:
    now = store.as_datetime(int(time.time()))
    open_many(user, refreshed_at=now)
    Session.objects.update(refreshed_at=DbNow())
    by_eviction(user)
    assert Session.objects.live().count() == 1


def test_many_sessions_that_another_process_has_ended_are_not_announced(
    user: Any, received: list[Any]
) -> None:
    """Send signals only for the sessions that this process ended; another process ended three."""
    ended = open_many(user)
    alive = Session.objects.filter(user=user, end_reason="")
    Session.objects.filter(pk__in=ended[:3]).update(ended_at=DbNow(), end_reason="logout")
    now = store.as_datetime(time.time())
    assert endings.end_together(alive, reason=EndReason.LOGOUT_ALL, now=now) == len(ended) - 3
    assert {pk for pk, *_ in received} == set(ended[3:])
    received.clear()
    assert endings.end_together(alive, reason=EndReason.LOGOUT_ALL, now=now) == 0
