"""What the revocation feed relies on in a source, whatever it is; and a source in memory."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from drf_signet.revocation import Source


@dataclass(kw_only=True)
class MemorySource:
    """A `Source` in memory, which remembers what it was asked.

    Args:
        clock: its own clock, in seconds.
    """

    clock: Callable[[], float]
    alive: set[uuid.UUID] = field(default_factory=set)
    ended: dict[uuid.UUID, float] = field(default_factory=dict)
    #: Seconds of each question about many, session of each question about one.
    asked: list[float | uuid.UUID] = field(default_factory=list)
    #: Raised instead of an answer.
    trouble: Exception | None = None
    #: Called before an answer is given.
    before_answer: Callable[[], object] = lambda: None

    def open(self) -> uuid.UUID:
        """Open a session."""
        session_id = uuid.uuid4()
        self.alive.add(session_id)
        return session_id

    def end(self, session_id: uuid.UUID, *, seconds_ago: float = 0) -> None:
        """End a session; as one that was ended earlier, by a transaction that commits now."""
        self.alive.discard(session_id)
        self.ended[session_id] = self.clock() - seconds_ago

    def ended_within(self, seconds: float) -> Iterable[uuid.UUID]:
        self._ask(seconds)
        since = self.clock() - seconds
        return [session_id for session_id, at in self.ended.items() if at > since]

    def has_ended(self, session_id: uuid.UUID) -> bool:
        self._ask(session_id)
        return session_id not in self.alive

    def _ask(self, question: float | uuid.UUID) -> None:
        self.asked.append(question)
        self.before_answer()
        if self.trouble:
            raise self.trouble


class SourceContract:
    """Subclasses give `source`, `opened` and `end`."""

    @pytest.fixture
    def source(self) -> Source:
        raise NotImplementedError

    @pytest.fixture
    def opened(self) -> Any:
        """Return a function that opens a session and returns its id."""
        raise NotImplementedError

    @pytest.fixture
    def end(self) -> Any:
        """Return a function that ends a session, a number of seconds ago."""
        raise NotImplementedError

    def test_a_session_that_ended_within_the_seconds_is_named(
        self, source: Source, opened: Any, end: Any
    ) -> None:
        session_id = opened()
        end(session_id, seconds_ago=5)
        assert list(source.ended_within(10)) == [session_id]

    def test_a_session_that_ended_before_is_not_named(
        self, source: Source, opened: Any, end: Any
    ) -> None:
        end(opened(), seconds_ago=20)
        assert list(source.ended_within(10)) == []

    def test_a_live_session_is_not_named(self, source: Source, opened: Any) -> None:
        opened()
        assert list(source.ended_within(3600)) == []

    def test_the_same_question_gets_the_same_answer(
        self, source: Source, opened: Any, end: Any
    ) -> None:
        ended = {opened() for _ in range(3)}
        for session_id in ended:
            end(session_id)
        assert set(source.ended_within(60)) == set(source.ended_within(60)) == ended

    def test_a_session_has_ended_however_long_ago(
        self, source: Source, opened: Any, end: Any
    ) -> None:
        session_id = opened()
        end(session_id, seconds_ago=100_000)
        assert source.has_ended(session_id)

    def test_a_live_session_has_not_ended(self, source: Source, opened: Any) -> None:
        assert not source.has_ended(opened())

    def test_a_session_that_is_not_there_has_ended(self, source: Source) -> None:
        assert source.has_ended(uuid.uuid4())
