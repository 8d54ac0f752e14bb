"""The ended sessions that this process knows. Each process has one set of them."""

from __future__ import annotations

import os
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat

#: How often old ids are removed. The interval is this fraction of the time for which an id is kept.
_SWEEP = 1 / 16


class EndedSessions:
    """The sessions that are known to have ended. Thread-safe.

    The set contains the sessions that this process has ended and the sessions that its feeds have
    read. The time for which an id must be kept begins again each time the id is added. After that
    time, the id is removed.

    If `alone` is True, feeds do not poll, and a session is added as soon as it ends, even if the
    transaction is not committed yet. This is for tests; see `drf_signet.testing.deterministic`.

    Args:
        clock: a monotonic clock, in seconds. A wall clock may jump.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.alone = False
        self._clock = clock
        #: The time at which each session was last added, read from `clock`. The key is the
        #: session's id as an int, because an int takes less memory than 16 `bytes`. Readers do not
        #: acquire the lock, so a known id must not be missing, even for a moment.
        self.ended: dict[int, float] = {}
        self._swept_at = clock()
        self._removed = 0
        #: One lock per process id. A lock held during a fork would stay held in the child.
        self._locks: dict[int, threading.Lock] = {}

    def mark(self, session_ids: Iterable[uuid.UUID], *, keep: float) -> None:
        """Add sessions, and keep them for at least `keep` seconds."""
        self.add((session_id.int for session_id in session_ids), keep=keep)

    def add(self, keys: Iterable[int], *, keep: float) -> None:
        """Add sessions, given their ids as ints, and keep them for at least `keep` seconds."""
        now = self._clock()
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            self.ended.update(zip(keys, repeat(now), strict=False))
            if now - self._swept_at >= keep * _SWEEP:
                self._swept_at = now
                self._sweep(before=now - keep)

    def _sweep(self, *, before: float) -> None:
        """Remove the ids that were last added before the time `before`."""
        for key in [key for key, at in self.ended.items() if at < before]:
            del self.ended[key]
            self._removed += 1
        # A dict keeps its memory when keys are removed. A copy takes only the memory it needs.
        if self._removed > len(self.ended) / 2:
            self.ended, self._removed = dict(self.ended), 0


def unpack(ids: bytes) -> Iterator[int]:
    """Return an iterator over concatenated ids of sessions, 16 bytes each, as ints."""
    return map(int.from_bytes, chain.from_iterable(struct.iter_unpack("16s", ids)))


#: The ended sessions that this process knows. They are kept when settings change.
ended_sessions = EndedSessions()
