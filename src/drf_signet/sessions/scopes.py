"""Keep one revocation feed for each database and schema if a process serves several tenants.

Each tenant may have its own table of sessions. So each table has its own feed, which knows when the
table was last polled. A table is polled only during requests to its tenants. Session ids are unique
across all tables, so all feeds add ended sessions to the same set.

If there is a key provider, each of them also has its own keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import connections

from ..jose.profiles import Profiles
from ..jose.verified import VerifiedTokens
from ..keys.renewal import RenewedKeys
from ..models import write_database
from .revocation import Feed

T = TypeVar("T")

#: Maximum number of objects that are kept. Each scope has one object.
CAPACITY = 1000

#: The alias of a database, and the name of a schema. The name is None if the connection has no
#: attribute `schema_name`.
Scope = tuple[str, str | None]


def current_scope() -> Scope:
    """Return the database and the schema that contain the current table of sessions.

    Packages that give each tenant a schema, such as django-tenants, set the attribute `schema_name`
    of the connection.
    """
    using = write_database()
    return using, getattr(connections[using], "schema_name", None)


@dataclass(kw_only=True)
class _Used(Generic[T]):
    """An object of a scope, and the time of its last use."""

    own: T
    at: float


class Scoped(Generic[T]):
    """Keeps one object for each scope. Thread-safe.

    An object that has not been used for `keep` seconds is discarded, and the next call creates a
    new one. No lock is needed, because each access to the dict of objects is atomic. If several
    threads create an object for the same scope, only one of these objects is kept.

    Args:
        make: a function that creates an object.
        keep: for how many seconds to keep an object that is not used.
        clock: a monotonic clock, in seconds.
        scope: a function that returns the current scope.
    """

    def __init__(
        self,
        make: Callable[[], T],
        *,
        keep: float,
        clock: Callable[[], float] = time.monotonic,
        scope: Callable[[], Scope] = current_scope,
    ) -> None:
        self._make, self._keep, self._clock, self._scope = make, keep, clock, scope
        self._used: dict[Scope, _Used[T]] = {}

    def __len__(self) -> int:
        return len(self._used)

    def _current(self) -> T:
        scope, now = self._scope(), self._clock()
        used = self._used.get(scope)
        if used is None or now - used.at > self._keep:
            self._forget(now)
            used = self._used[scope] = _Used(own=self._make(), at=now)
        used.at = now
        return used.own

    def _forget(self, now: float) -> None:
        """Discard the objects that have not been used for `keep` seconds.

        If there is still no room for a new one, discard the least recently used object, too.
        """
        by_use = sorted(self._used.copy().items(), key=lambda item: item[1].at)
        excess = len(by_use) - CAPACITY + 1
        for number, (scope, used) in enumerate(by_use):
            if number < excess or now - used.at > self._keep:
                self._used.pop(scope, None)


class ScopedFeed(Scoped[Feed]):
    """Passes each call to the feed of the current scope. Has the methods of `Feed`.

    A new feed first reads all ended sessions whose access tokens may still be valid. `keep` is the
    `reach` of the feed: after that time, access tokens that were issued before its last poll are no
    longer valid.
    """

    def has_ended(self, key: int, *, ask: bool = True) -> bool:
        """Return whether a session is known to have ended; see `Feed.has_ended`."""
        return self._current().has_ended(key, ask=ask)

    def has_ended_for_long(self, key: int, *, ask: bool = True) -> bool:
        """Return whether the session of a long-lived token has ended.

        See `Feed.has_ended_for_long`.
        """
        return self._current().has_ended_for_long(key, ask=ask)

    def is_due(self, key: int | None = None) -> bool:
        """Return whether the next call may query the database; see `Feed.is_due`."""
        return self._current().is_due(key)


class ScopedKeys(Scoped[RenewedKeys]):
    """Passes each call to the keys of the current scope. Has the methods of `RenewedKeys`."""

    @property
    def profiles(self) -> Profiles:
        """The codecs for the keys that are in use now; see `RenewedKeys.profiles`."""
        return self._current().profiles

    @property
    def verified(self) -> VerifiedTokens:
        """The tokens that were verified before; see `RenewedKeys.verified`."""
        return self._current().verified

    def is_due(self) -> bool:
        """Return whether the next call may ask the provider; see `RenewedKeys.is_due`."""
        return self._current().is_due()
