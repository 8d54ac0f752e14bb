"""Tests that every source of the revocation feed must pass, and an in-memory source."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from drf_signet.sessions.sources import Page, Source


@dataclass(kw_only=True)
class MemorySource:
    """An in-memory `Source` that records its queries.

    Args:
        clock: returns the time of the source, in seconds.
        page: the maximum number of sessions on a page.
        alive: the ids of the sessions that have not ended.
        ended: the id of an ended session → the time at which the session ended.
        queries: one item for each query: the argument of `ended_within` or `has_ended`, or "page"
            for `page_after`.
        error: an exception to raise instead of returning an answer.
        before_answer: a function to call before each answer.
    """

    clock: Callable[[], float]
    page: int = 1000
    alive: set[uuid.UUID] = field(default_factory=set)
    ended: dict[uuid.UUID, float] = field(default_factory=dict)
    queries: list[float | uuid.UUID | str] = field(default_factory=list)
    error: Exception | None = None
    before_answer: Callable[[], object] = lambda: None

    def open(self) -> uuid.UUID:
        """Open a session; return its id."""
        session_id = uuid.uuid4()
        self.alive.add(session_id)
        return session_id

    def end(self, session_id: uuid.UUID, *, seconds_ago: float = 0) -> None:
        """Mark a session as ended `seconds_ago` seconds ago."""
        self.alive.discard(session_id)
        self.ended[session_id] = self.clock() - seconds_ago

    def ended_within(self, seconds: float) -> Page:
        self._record(seconds)
        return self._page(self.clock() - seconds, (float("inf"), uuid.UUID(int=0)))

    def page_after(self, following: Any) -> Page:
        self._record("page")
        return self._page(*following)

    def has_ended(self, session_id: uuid.UUID) -> bool:
        self._record(session_id)
        return session_id not in self.alive

    def _page(self, since: float, before: tuple[float, uuid.UUID]) -> Page:
        rows = sorted(((at, pk) for pk, at in self.ended.items() if at > since), reverse=True)
        rows = [row for row in rows if row < before][: self.page]
        page = Page(ids=b"".join(pk.bytes for _, pk in rows), now=self.clock())
        if len(rows) < self.page:
            return page
        return replace(page, covers=self.clock() - rows[-1][0], following=(since, rows[-1]))

    def _record(self, query: float | uuid.UUID | str) -> None:
        self.queries.append(query)
        self.before_answer()
        if self.error:
            raise self.error


def ids(page: Page) -> list[uuid.UUID]:
    """Return the ids of the sessions on a page."""
    return [uuid.UUID(int=key) for key in page.each()]


def every_id(source: Source, seconds: float) -> list[uuid.UUID]:
    """Read all pages of sessions that ended in the last `seconds` seconds; return their ids."""
    page = source.ended_within(seconds)
    found = ids(page)
    while page.following:
        page = source.page_after(page.following)
        found += ids(page)
    return found


class SourceContract:
    """Tests for a source. A subclass provides the fixtures below."""

    @pytest.fixture
    def source(self) -> Source:
        raise NotImplementedError

    @pytest.fixture
    def pages_of_three(self) -> Source:
        """Return a source with the same sessions, but at most three sessions on a page."""
        raise NotImplementedError

    @pytest.fixture
    def opened(self) -> Any:
        """Return a function that opens a session and returns its id."""
        raise NotImplementedError

    @pytest.fixture
    def end(self) -> Any:
        """Return a function that marks a session as ended `seconds_ago` seconds ago."""
        raise NotImplementedError

    def test_a_session_that_ended_within_the_period_is_returned(
        self, source: Source, opened: Any, end: Any
    ) -> None:
        session_id = opened()
        end(session_id, seconds_ago=5)
        assert ids(source.ended_within(10)) == [session_id]

    def test_a_session_that_ended_before_the_period_is_not_returned(
        self, source: Source, opened: Any, end: Any
    ) -> None:
        end(opened(), seconds_ago=20)
        assert ids(source.ended_within(10)) == []

    def test_a_live_session_is_not_returned(self, source: Source, opened: Any) -> None:
        opened()
        assert ids(source.ended_within(3600)) == []

    def test_a_repeated_query_returns_the_same_sessions(
        self, source: Source, opened: Any, end: Any
    ) -> None:
        ended = {opened() for _ in range(3)}
        for session_id in ended:
            end(session_id)
        assert set(ids(source.ended_within(60))) == set(ids(source.ended_within(60))) == ended

    def test_sessions_that_ended_last_are_returned_first(
        self, source: Source, opened: Any, end: Any
    ) -> None:
        ended = [opened() for _ in range(4)]
        for session_id, seconds_ago in zip(ended, (5, 1, 30, 12), strict=True):
            end(session_id, seconds_ago=seconds_ago)
        assert ids(source.ended_within(60)) == [ended[1], ended[0], ended[3], ended[2]]

    def test_a_session_that_ended_in_the_future_is_returned(
        self, source: Source, opened: Any, end: Any
    ) -> None:
        """This can happen if the source's clock is set back after the session has ended."""
        session_id = opened()
        end(session_id, seconds_ago=-3600)
        assert ids(source.ended_within(10)) == [session_id]

    def test_sessions_on_several_pages_are_all_returned_once(
        self, pages_of_three: Source, opened: Any, end: Any
    ) -> None:
        ended = [opened() for _ in range(9)]
        for number, session_id in enumerate(ended):
            end(session_id, seconds_ago=number)
        end(opened(), seconds_ago=70)
        assert every_id(pages_of_three, 60) == ended

    def test_a_page_tells_how_far_back_it_goes(
        self, pages_of_three: Source, opened: Any, end: Any
    ) -> None:
        for number in range(4):
            end(opened(), seconds_ago=10 * number)
        page = pages_of_three.ended_within(60)
        assert 19.9 < page.covers < 29
        assert pages_of_three.page_after(page.following).covers == float("inf")

    def test_a_page_has_the_time_of_the_source(self, source: Source) -> None:
        before, after = source.ended_within(60).now, source.ended_within(60).now
        assert 0 <= after - before < 60

    def test_a_session_that_ended_long_ago_has_ended(
        self, source: Source, opened: Any, end: Any
    ) -> None:
        session_id = opened()
        end(session_id, seconds_ago=100_000)
        assert source.has_ended(session_id)

    def test_a_live_session_has_not_ended(self, source: Source, opened: Any) -> None:
        assert not source.has_ended(opened())

    def test_a_session_that_does_not_exist_has_ended(self, source: Source) -> None:
        assert source.has_ended(uuid.uuid4())
