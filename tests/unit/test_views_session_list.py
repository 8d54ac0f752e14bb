"""Test the maximum length of the session list, at the token and browser endpoints."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import chain
from typing import Any
from uuid import UUID

import pytest
from django.urls import reverse
from django.utils import timezone

import drf_signet
from drf_signet import EndReason, Session
from drf_signet.sessions import store
from drf_signet.testing import browser_client
from tests.support.endpoint_table import UNKNOWN_SESSION_ID
from tests.support.session_states import set_row

LISTED = 100


class Caller:
    """A client of the token endpoint or the browser endpoint, with its current session."""

    def __init__(self, client: Any, url: str, current: Session) -> None:
        self.client, self.url, self.current = client, url, current

    def get(self, **query: str) -> Any:
        return self.client.get(self.url, query)

    def ids(self, **query: str) -> list[UUID]:
        response = self.get(**query)
        assert response.status_code == 200
        return [UUID(session["id"]) for session in response.json()]

    def walk(self) -> list[list[UUID]]:
        """Return all pages of the list: each page begins after the last id of the previous page."""
        pages = [self.ids()]
        while pages[-1] and len(pages) < 10:
            pages.append(self.ids(before=str(pages[-1][-1])))
        return pages[:-1]


@pytest.fixture(params=["session_list", "signet_browser:session_list"])
def caller(request: pytest.FixtureRequest, user: Any, client: Any) -> Caller:
    """Return a logged-in caller of the token endpoint or of the browser endpoint."""
    if request.param == "session_list":
        pair = drf_signet.issue(user)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair.access}")
        return Caller(client, reverse(request.param), pair.session)
    browser = browser_client(user)
    return Caller(browser, reverse(request.param), Session.objects.get())


@pytest.fixture
def open_many(user: Any) -> Callable[..., list[UUID]]:
    """Return a function that opens sessions and returns their ids, most recently used first."""

    def open_sessions(number: int, *, owner: Any = user) -> list[UUID]:
        now = timezone.now()
        drafts = []
        for place in range(number):
            opened = now.timestamp() - place
            session = store.draft(
                id=store.new_id(opened), user=owner, now=opened, lifetime=timedelta(days=1)
            )
            # Give each group of three sessions the same time of last use.
            session.refreshed_at = now.replace(microsecond=5000) - timedelta(minutes=1 + place // 3)
            drafts.append(session)
        Session.objects.bulk_create(drafts)
        by_use = Session.objects.filter(pk__in=[session.pk for session in drafts])
        return list(by_use.order_by("-refreshed_at", "-id").values_list("id", flat=True))

    return open_sessions


def make_oldest(session: Session) -> None:
    set_row(session, refreshed_at=timezone.now() - timedelta(hours=20))


def test_list_contains_the_hundred_sessions_used_last(caller, open_many) -> None:
    others = open_many(150)
    assert caller.ids() == [caller.current.pk, *others[: LISTED - 1]]


def test_lists_after_the_last_id_contain_every_session_once(caller, open_many) -> None:
    others = open_many(250)
    pages = caller.walk()
    assert [len(page) for page in pages] == [100, 100, 51]
    assert list(chain(*pages)) == [caller.current.pk, *others]


def test_current_session_is_in_the_first_list_even_if_it_is_the_oldest(caller, open_many) -> None:
    others = open_many(150)
    make_oldest(caller.current)
    listed = caller.get().json()
    assert [session["id"] for session in listed] == [
        str(caller.current.pk),
        *map(str, others[: LISTED - 1]),
    ]
    assert [session["current"] for session in listed] == [True] + [False] * (LISTED - 1)


def test_lists_contain_every_session_once_if_the_current_one_is_the_oldest(
    caller, open_many
) -> None:
    others = open_many(150)
    make_oldest(caller.current)
    assert list(chain(*caller.walk())) == [caller.current.pk, *others]


@pytest.mark.parametrize("number", [LISTED - 1, LISTED])
def test_list_is_sorted_if_the_current_session_is_among_the_newest(
    caller, open_many, number
) -> None:
    others = open_many(number)
    set_row(caller.current, refreshed_at=timezone.now() - timedelta(seconds=90))
    assert caller.ids() == [*others[:3], caller.current.pk, *others[3:]][:LISTED]


def test_list_after_the_last_session_is_empty(caller, open_many) -> None:
    others = open_many(3)
    assert caller.ids(before=str(others[-1])) == []


def test_an_ended_session_can_be_the_last_of_the_previous_list(caller, open_many) -> None:
    """Test a session that ended after the client received it in a list."""
    others = open_many(5)
    Session.objects.filter(pk=others[1]).update(end_reason=EndReason.LOGOUT)
    assert caller.ids(before=str(others[1])) == others[2:]


def test_later_lists_omit_ended_sessions_and_sessions_of_other_users(
    caller, open_many, make_user
) -> None:
    others = open_many(5)
    open_many(5, owner=make_user())
    Session.objects.filter(pk=others[3]).update(end_reason=EndReason.LOGOUT)
    assert caller.ids(before=str(others[0])) == [others[1], others[2], others[4]]


@pytest.mark.parametrize("later", [False, True], ids=["first list", "later list"])
@pytest.mark.parametrize("oldest", [False, True], ids=["current is new", "current is old"])
def test_list_takes_two_statements_that_read_at_most_a_hundred_rows(
    caller, open_many, django_assert_max_num_queries, later, oldest
) -> None:
    others = open_many(250)
    if oldest:
        make_oldest(caller.current)
    query = {"before": str(others[0])} if later else {}
    reads_cookie = caller.url == reverse("signet_browser:session_list")
    with django_assert_max_num_queries(2 + reads_cookie) as captured:
        assert len(caller.ids(**query)) == LISTED
    by_time = [query["sql"] for query in captured if "ORDER BY" in query["sql"]]
    assert [sql.rpartition(" LIMIT ")[2] for sql in by_time if "DESC" in sql] == [str(LISTED)]


@pytest.mark.parametrize(
    "before",
    [
        *("", "1", "null", "0" * 31, "g" * 32, "\x00", "\ud7ff" * 32, "../", "x" * 4000, "'--"),
        str(UNKNOWN_SESSION_ID),
    ],
)
def test_malformed_or_unknown_id_is_404(caller, before) -> None:
    response = caller.get(before=before)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert response["Cache-Control"] == "no-store"


def test_bytes_that_are_not_utf_8_are_404(caller) -> None:
    response = caller.client.get(f"{caller.url}?before=%ff%ed%a0%80")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_id_of_another_user_is_answered_like_an_unknown_id(caller, open_many, make_user) -> None:
    (foreign,) = open_many(1, owner=make_user())
    response = caller.get(before=str(foreign))
    unknown = caller.get(before=str(UNKNOWN_SESSION_ID))
    assert response.status_code == 404
    assert (response.json(), dict(response.headers)) == (unknown.json(), dict(unknown.headers))


def test_last_of_several_ids_counts(caller, open_many) -> None:
    others = open_many(3)
    response = caller.client.get(f"{caller.url}?before=nothing&before={others[1]}")
    assert [session["id"] for session in response.json()] == [str(others[2])]


def test_list_without_a_current_session_has_the_hundred_used_last(client, user, open_many) -> None:
    others = open_many(150)
    client.force_authenticate(user)
    url = reverse("session_list")
    assert [UUID(listed["id"]) for listed in client.get(url).json()] == others[:LISTED]
    later = client.get(url, {"before": str(others[LISTED - 1])}).json()
    assert [UUID(listed["id"]) for listed in later] == others[LISTED:]
