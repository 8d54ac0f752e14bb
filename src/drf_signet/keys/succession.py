"""The states of the keys in the table, which follow from times.

The newest key whose time has come signs. The keys before it verify until their last tokens have
expired. The times are read as seconds from the database's clock, so the clocks of the processes do
not matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from ..conf import settings as conf
from ..conf.providers import KeyRotation
from ..db.database import SecondsUntil, read_committed
from ..errors import SignetError
from ..models import write_database
from .models import CONFIGURED, KeyState, SigningKey

#: Seconds between two reads of the table in a process if REVOCATION_POLL_INTERVAL is None, or 0.
_UNPOLLED, _SHORTEST = 60.0, 1.0


class NotPossible(SignetError):
    """Raised if a key cannot be rotated or retired as requested. The message says what to do."""


class Row(NamedTuple):
    """A row of the table. The last two fields are seconds from now, by the database's clock."""

    id: int
    kid: str
    algorithm: str
    private_key: str
    token_lifetime: int
    created_at: datetime
    not_before: datetime
    signs_until: datetime | None
    retired_at: datetime | None
    starts_in: float
    stops_in: float | None


class Succession:
    """The keys of the table at one moment.

    Args:
        rows: the rows, in any order.
        margin: for how many seconds a key verifies after its last token has expired.
    """

    def __init__(self, rows: Sequence[Row], *, margin: float) -> None:
        self.rows, self._margin = rows, margin
        #: The key that signs now, if there is one.
        self.signer = max(
            filter(_may_sign, rows), key=lambda row: (row.starts_in, row.id), default=None
        )
        #: The key that signs next, if there is one.
        self.standby = next((r for r in rows if self.state(r) is KeyState.STANDBY), None)

    def verifies_for(self, row: Row) -> float:
        """Return for how many more seconds a key verifies, as far as is known."""
        if row.retired_at is not None:
            return -math.inf
        if row.stops_in is None:
            return math.inf
        return row.stops_in + row.token_lifetime + self._margin

    def state(self, row: Row) -> KeyState:
        """Return what a key is used for."""
        if self.verifies_for(row) <= 0:
            return KeyState.RETIRED
        if row is self.signer:
            return KeyState.SIGNING
        return KeyState.STANDBY if row.starts_in > 0 else KeyState.VERIFYING

    def in_use(self) -> list[Row]:
        """Return the keys that are not retired. The key that signs comes first."""
        used = [row for row in self.rows if self.state(row) is not KeyState.RETIRED]
        return sorted(used, key=lambda row: (row is not self.signer, -row.id))

    def changes_in(self) -> float:
        """Return after how many seconds the state of a key changes."""
        times = [t for row in self.in_use() for t in (row.starts_in, self.verifies_for(row))]
        return min((time for time in times if time > 0), default=math.inf)

    def rotates_in(self, rotation: KeyRotation) -> float:
        """Return after how many seconds the next key is due. The time may have passed."""
        if rotation.PERIOD is None or self.standby is not None:
            return math.inf
        if self.signer is None or self.signer.kid == CONFIGURED:
            return 0.0
        period = rotation.PERIOD - rotation.PUBLISHED_AHEAD
        return self.signer.starts_in + period.total_seconds()

    def find(self, kid: str) -> Row:
        """Return the key with this `kid`.

        Raises:
            NotPossible: there is no such key.
        """
        for row in self.rows:
            if row.kid == kid:
                return row
        raise NotPossible(f"There is no key {kid!r}. `manage.py signet_keys` lists the keys.")


def _may_sign(row: Row) -> bool:
    has_stopped = row.stops_in is not None and row.stops_in <= 0
    return row.starts_in <= 0 and row.retired_at is None and not has_stopped


def poll_interval() -> float:
    """Return for how many seconds a process may use the keys that it has read."""
    interval = conf.current().REVOCATION_POLL_INTERVAL
    return _UNPOLLED if interval is None else interval or _SHORTEST


def read() -> Succession:
    """Read the rows that are committed now, with one SELECT."""
    using = write_database()
    return build(read_committed(values(SigningKey.objects.using(using)), using=using))


def values(rows: QuerySet[SigningKey]) -> QuerySet[SigningKey, Any]:
    """Return a queryset of tuples with the fields of `Row`."""
    seconds = {"starts_in": SecondsUntil("not_before"), "stops_in": SecondsUntil("signs_until")}
    return rows.annotate(**seconds).values_list(*Row._fields)


def build(rows: Sequence[tuple[Any, ...]]) -> Succession:
    """Return the succession of rows that `values` has read.

    A process that cannot read the table goes on signing with its last key for
    REVOCATION_MAX_STALENESS, so a key verifies for that much longer.
    """
    settings = conf.current()
    margin = 2 * settings.LEEWAY + settings.REVOCATION_MAX_STALENESS + poll_interval()
    return Succession([Row(*row) for row in rows], margin=margin)
