"""Detect clock jumps by comparing each clock with the monotonic clock."""

from __future__ import annotations

#: Jumps of at most this many seconds are ignored. The value must be less than `polls.OVERLAP`, the
#: number of seconds by which the periods of two polls overlap.
TOLERANCE = 5.0


class Clocks:
    """The wall clock and the clock of a source, as read during the polls of one process.

    If the source's clock jumps ahead, sessions that ended just before the jump seem to have ended
    long ago, so the next poll would not read them. If the wall clock jumps back, expired tokens
    become valid again, but the process may have forgotten that their sessions have ended. In both
    cases, the feed must also read sessions that ended earlier: the period that it reads becomes
    longer by the size of the jump.

    The sizes of several jumps are added, because a later jump may make even older tokens valid
    again.

    Args:
        keep: for how many seconds after a jump the longer period is read, by the wall clock.
    """

    def __init__(self, *, keep: float) -> None:
        self._keep = keep
        #: Seconds by which the source's clock and the wall clock are ahead of the monotonic clock.
        self._offsets: tuple[float, float] | None = None
        #: The sum of all jumps in seconds, and the time of the wall clock until which the longer
        #: period is read.
        self._jumped, self._until = 0.0, float("-inf")

    def further(self, wall: float) -> float:
        """Return by how many seconds the period that the feed reads must be longer than usual.

        Args:
            wall: the current time of the wall clock.
        """
        return self._jumped if wall < self._until else 0.0

    def compare(self, *, source: float, wall: float, began: float, ended: float) -> float:
        """Compare the clocks after a query; return the size of a new jump, or 0.

        The first call has no earlier values to compare with. It compares the wall clock with the
        source's clock. If they differ, it assumes that one of them has just jumped.

        Args:
            source: the time of the source's clock during the query.
            wall: the time of the wall clock after the query.
            began, ended: the times of the monotonic clock before and after the query.
        """
        took = ended - began
        if self._offsets is None:
            jump = _beyond(abs(source - wall) - took)
        else:
            of_source, of_wall = self._offsets
            jump = _beyond(abs(source - ended - of_source) - took)
            jump += _beyond(abs(wall - ended - of_wall))
        if self._offsets is None or jump:
            self._offsets = source - ended, wall - ended
        if jump:
            self._jumped += jump
            # If the wall clock was set back, up to `jump` seconds pass before it reaches the `iat`
            # of the newest tokens.
            self._until = max(self._until, wall + jump + self._keep)
        return jump


def _beyond(difference: float) -> float:
    return difference if difference > TOLERANCE else 0.0
