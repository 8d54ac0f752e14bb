"""Simulate the feeds of several processes, a database and their clocks, in virtual time.

Sessions end in transactions that commit late, in any order, or not at all. A process may die after
the commit, before it writes `ended_at` again. Clocks jump and stand still, the database fails over
to a replica that lacks the latest updates, and processes pause and restart. Each process has a
different lifetime for access tokens. Throughout, each process is asked about sessions whose access
tokens have not expired.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import OperationalError

from drf_signet.errors import RevocationUnknown
from drf_signet.sessions import revocation
from drf_signet.sessions.ended import EndedSessions
from drf_signet.sessions.revocation import Feed
from drf_signet.sessions.sources import Page
from tests.contracts.revocation_source import MemorySource

INTERVAL = 1.0
#: Maximum time between two requests to a process that is not paused, in seconds.
STEP = 1.5
#: Maximum time after which a process must refuse an ended session, in seconds.
AT_ONCE = 2 * INTERVAL + STEP
#: The limits in docs/concepts/protected.md, in seconds. If a transaction takes a few seconds, the
#: next poll reads the sessions that the transaction has ended. If the transaction takes longer (up
#: to `LATE`), and the process dies after the commit without writing `ended_at` again, a poll within
#: `LATE_EVERY` reads these sessions. If the database's clock jumps or stops during the transaction,
#: a poll within `WHOLE_EVERY` reads them.
LATE, LATE_EVERY, WHOLE_EVERY = 300.0, 15.0, 60.0
#: The lifetime of access tokens in each process, in seconds.
LIFETIMES = (120.0, 900.0)
SECONDS = 1800.0
#: Maximum number of sessions that a process is asked about at a time.
REQUESTS = 12


@dataclass
class Clock:
    """A clock that may differ from the time of the model, and that may stop."""

    world: World
    offset: float = 0.0
    still_since: float | None = None

    def __call__(self) -> float:
        at = self.world.now if self.still_since is None else self.still_since
        return at + self.offset

    def stop(self) -> None:
        self.still_since = self.world.now

    def go_on(self, *, correct: bool) -> None:
        """Start the clock again.

        If not `correct`, the clock stays behind by the time for which it was stopped.
        """
        assert self.still_since is not None
        if not correct:
            self.offset -= self.world.now - self.still_since
        self.still_since = None


@dataclass
class End:
    """How and when one session ends.

    Args:
        stamp: the value of `ended_at`, read from the database's clock.
        commits_at: when the transaction commits; infinity if it is rolled back.
        stamped_twice: whether the process writes `ended_at` again after the commit.
        issued_at, lifetime: the time of issue and the lifetime of the session's access token.
        within: the number of seconds after the commit within which every process must begin to
            refuse the token.
        lost: whether the database has lost the update of the session in a failover.
    """

    session_id: uuid.UUID
    stamp: float
    commits_at: float
    stamped_twice: bool
    issued_at: float
    lifetime: float
    within: float
    is_committed: bool = False
    lost: bool = False


@dataclass
class Process:
    """A process with its own clocks, its set of ended sessions and its feed."""

    world: World
    lifetime: float
    #: The time from which the process gets requests again after a pause.
    pauses_until: float = 0.0
    #: The last time at which a clock or an outage of the database disturbed the feed.
    disturbed_at: float = 0.0
    refused: set[uuid.UUID] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.wall, self.monotonic = Clock(self.world), Clock(self.world)
        self.start()

    def start(self) -> None:
        self.refused.clear()
        self.ended = EndedSessions(self.monotonic)
        self.reach = revocation.reach(access_lifetime=self.lifetime, leeway=0)
        self.longest = revocation.remembered_lifetime(access_lifetime=self.lifetime)
        self.feed = Feed(
            self.world.database,
            interval=INTERVAL,
            max_staleness=60,
            reach=self.reach,
            ended=self.ended,
            clock=self.monotonic,
            wall=self.wall,
        )

    def refuses(self, end: End) -> bool | None:
        """Return whether the process refuses the session's token; None if it responds with 503."""
        remembered = end.lifetime <= self.longest
        has_ended = self.feed.has_ended if remembered else self.feed.has_ended_for_long
        try:
            return has_ended(end.session_id.int)
        except RevocationUnknown:
            return None

    def accepts_time_of(self, end: End) -> bool:
        return end.issued_at <= self.wall() < end.issued_at + end.lifetime


class Database(MemorySource):
    """The database, which may be unavailable for some time."""

    def has_ended(self, session_id: uuid.UUID) -> bool:
        self.queries.clear()
        super().has_ended(session_id)
        return session_id in self.ended

    def ended_within(self, seconds: float) -> Page:
        self.queries.clear()
        return super().ended_within(seconds)


class World:
    """The model. Its times are in seconds of virtual time, except the times read from a `Clock`."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 1_000_000.0
        self.clock = Clock(self)
        self.database = Database(clock=self.clock, page=10, before_answer=self.take_time)
        self.processes = [Process(self, lifetime) for lifetime in LIFETIMES]
        self.ends: list[End] = []
        #: The scheduled events, each as a tuple: a time, and the function to call at that time.
        self.later: list[tuple[float, Any]] = []
        self.clock_changed_at = 0.0
        #: 1 if the database's clock only jumps ahead, -1 if it only jumps back. Jumps in both
        #: directions could cancel each other out while a process gets no requests, and the process
        #: could not notice them.
        self.jumps = self.random.choice([-1, 1])

    def run(self) -> Iterator[str]:
        """Run the model, and yield a message for each wrong answer of a process."""
        until, trouble_at = self.now + SECONDS, self.now + 30
        while self.now < until:
            self.now += self.random.uniform(0.1, STEP)
            for due in sorted(
                (one for one in self.later if one[0] <= self.now), key=lambda o: o[0]
            ):
                self.later.remove(due)
                due[1]()
            if self.database.error is None and self.random.random() < 0.1:
                self.begin_end()
            if self.now >= trouble_at:
                trouble_at = self.now + self.random.uniform(20, 180)
                self.random.choice(TROUBLES)(self)
            for process in self.processes:
                if self.now >= process.pauses_until:
                    yield from self.check(process)

    def take_time(self) -> None:
        self.now += self.random.uniform(0, 0.1)

    def begin_end(self) -> None:
        kind = self.random.choice(["alone", "in a transaction", "crash", "rollback"])
        longest = {"alone": 5.0, "in a transaction": 900.0, "crash": LATE - LATE_EVERY - 2 * STEP}
        delay = self.random.choice([0.0, 1.0]) * self.random.uniform(0, longest.get(kind, 60))
        end = End(
            session_id=uuid.UUID(int=self.random.getrandbits(128)),
            stamp=self.clock(),
            commits_at=float("inf") if kind == "rollback" else self.now + delay,
            stamped_twice=kind == "in a transaction",
            issued_at=self.now + delay - self.random.uniform(0, 100),
            lifetime=self.random.choice(LIFETIMES),
            within=AT_ONCE + (LATE_EVERY + AT_ONCE if kind == "crash" and delay > 5 else 0),
        )
        self.ends.append(end)
        began_at = self.now

        def commit() -> None:
            if self.database.error:
                end.commits_at = float("inf")  # the connection was lost
                return
            end.is_committed, end.commits_at = True, self.now
            if end.stamped_twice:
                end.stamp = self.clock()
            elif self.clock_changed_at >= began_at - INTERVAL:
                end.within = WHOLE_EVERY + AT_ONCE  # `ended_at` may be from before the change
            self.database.ended[end.session_id] = end.stamp

        if end.commits_at == self.now:
            commit()
        elif end.commits_at < float("inf"):
            self.later.append((end.commits_at, commit))

    def check(self, process: Process) -> Iterator[str]:
        valid = [end for end in self.ends if process.accepts_time_of(end)]
        for end in self.random.sample(valid, min(REQUESTS, len(valid))):
            asked_at, refused = self.now, process.refuses(end)
            # A failover can undo the update of an ended session. A feed that has already read the
            # update still refuses the session, for `reach` seconds. But if the session is looked
            # up in the database, it is alive again.
            is_kept = end.lifetime <= process.longest and self.now < end.commits_at + process.reach
            told = f"{self.now - 1_000_000:.1f} s: {end}, lifetime {process.lifetime}"
            if refused is None:
                if not self.database.error and self.now > process.disturbed_at + AT_ONCE:
                    yield f"503, {told}"
                continue
            if refused and not end.is_committed:
                yield f"refused before the commit, or after a rollback, {told}"
            if not refused and (is_kept or not end.lost) and end.session_id in process.refused:
                yield f"forgotten, {told}"
            expected = max(end.commits_at, process.disturbed_at) + end.within
            is_in_table = end.is_committed and not end.lost and not self.database.error
            if not refused and is_in_table and asked_at > expected:
                yield f"missed, {told}"
            if end.session_id.int in process.ended.ended:
                process.refused.add(end.session_id)

    # Events that disturb the processes, the database or the clocks.

    def database_jumps(self) -> None:
        self.clock_changed_at = self.now
        self.clock.offset += self.jumps * self.random.uniform(6, 7200)

    def database_clock_stands_still(self) -> None:
        if self.clock.still_since is None:
            self.clock_changed_at = self.now
            self.clock.stop()
            seconds, correct = self.random.uniform(1, 100), self.random.random() < 0.5

            def go_on() -> None:
                self.clock_changed_at = self.now
                self.clock.go_on(correct=correct)

            self.later.append((self.now + seconds, go_on))

    def wall_jumps(self) -> None:
        process = self.random.choice(self.processes)
        process.wall.offset += self.random.choice([-1, 1]) * self.random.uniform(6, 1800)
        process.disturbed_at = max(process.disturbed_at, self.now)

    def wall_is_corrected(self) -> None:
        for process in self.processes:
            process.wall.offset = 0.0
            process.disturbed_at = max(process.disturbed_at, self.now)

    def wall_stands_still(self) -> None:
        wall, correct = self.random.choice(self.processes).wall, self.random.random() < 0.5
        if wall.still_since is None:
            wall.stop()
            seconds = self.random.uniform(1, 900)
            self.later.append((self.now + seconds, lambda: wall.go_on(correct=correct)))

    def process_is_suspended(self) -> None:
        """Suspend a process's machine: its monotonic clock stops, but the other clocks continue."""
        process = self.random.choice(self.processes)
        if process.pauses_until <= self.now:
            seconds = self.random.uniform(1, 900)
            process.monotonic.offset -= seconds
            process.pauses_until = process.disturbed_at = self.now + seconds

    def process_gets_no_request(self) -> None:
        process = self.random.choice(self.processes)
        if process.pauses_until <= self.now:
            process.pauses_until = self.now + self.random.uniform(5, self.random.choice([20, 900]))

    def process_restarts(self) -> None:
        self.random.choice(self.processes).start()

    def database_fails_over(self) -> None:
        """Fail over to a replica that lacks the latest updates. Its clock differs slightly."""
        since = self.now - self.random.uniform(0, 30)
        for end in self.ends:
            if end.is_committed and end.commits_at >= since:
                self.database.ended.pop(end.session_id, None)
                end.lost = True
        self.clock.offset += self.random.uniform(-2, 2)

    def database_is_down(self) -> None:
        if self.database.error is None:
            self.database.error = OperationalError()
            self.later.append((self.now + self.random.uniform(1, 50), self.database_is_up))

    def database_is_up(self) -> None:
        self.database.error = None
        for process in self.processes:
            process.disturbed_at = max(process.disturbed_at, self.now)


TROUBLES = [
    World.database_jumps,
    World.database_clock_stands_still,
    World.wall_jumps,
    World.wall_jumps,
    World.wall_is_corrected,
    World.wall_stands_still,
    World.process_is_suspended,
    World.process_gets_no_request,
    World.process_restarts,
    World.database_fails_over,
    World.database_is_down,
]


@pytest.mark.parametrize("seed", range(10))
def test_no_end_is_missed_for_longer_than_promised_and_none_is_forgotten(seed: int) -> None:
    assert list(World(seed).run()) == []
