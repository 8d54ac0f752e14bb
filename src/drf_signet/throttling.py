"""Failed logins, counted in Django's cache: per address and username, and per address.

An attempt is counted before the password is looked at and taken back unless it fails, so that
parallel attempts cannot slip past the limit. Whether the user exists plays no part.
"""

from __future__ import annotations

import hashlib
import math
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from django.core.cache import cache
from django.http import HttpRequest
from rest_framework.exceptions import Throttled

from . import clients, runtime
from .errors import CredentialsRefused
from .values import Rate


@dataclass(frozen=True, kw_only=True)
class Counter:
    """A sliding window: this period's count, and that part of the last one's still inside it."""

    key: str
    rate: Rate
    now: float

    def take(self) -> float:
        """Count one event; return 0, or the seconds to wait if it was one too many."""
        before, count = cache.get(self._bucket(-1), 0), self._increment()
        elapsed = self.now % self.rate.period
        if count + before * (1 - elapsed / self.rate.period) <= self.rate.limit:
            return 0
        self.give_back()
        return max(1, math.ceil(self._wait(before, count - 1, elapsed)))

    def give_back(self) -> None:
        """Take one counted event back."""
        with suppress(ValueError):  # the cache has dropped it
            cache.decr(self._bucket(0))

    def _increment(self) -> int:
        bucket = self._bucket(0)
        cache.add(bucket, 0, timeout=2 * self.rate.period)
        try:
            return cache.incr(bucket)
        except ValueError:  # dropped in between
            return 1

    def _wait(self, before: int, count: int, elapsed: float) -> float:
        period, limit = self.rate.period, self.rate.limit
        room = limit - count - 1
        if room >= 0:  # until enough of the last period has slid out
            return period * (1 - room / before) - elapsed
        return period - elapsed + period * (1 - (limit - 1) / count)

    def _bucket(self, offset: int) -> str:
        return f"{self.key}:{int(self.now // self.rate.period) + offset}"


class LoginThrottle:
    """The limits of `LOGIN_THROTTLE`.

    Args:
        timer: the clock, in POSIX seconds.
    """

    #: Before every key in the cache.
    namespace = "signet:login"

    def __init__(self, timer: Callable[[], float] = time.time) -> None:
        self._timer = timer

    @contextmanager
    def attempt(self, request: HttpRequest, username: str) -> Iterator[None]:
        """Run one login; it counts if it raises `CredentialsRefused`.

        Raises:
            Throttled: there were too many; the block was not entered.
        """
        taken: list[Counter] = []
        for counter in self._counters(request, username):
            if wait := counter.take():
                _give_back(taken)
                raise Throttled(wait)
            taken.append(counter)
        try:
            yield
        except CredentialsRefused:
            raise
        except BaseException:
            _give_back(taken)
            raise
        _give_back(taken)

    def _counters(self, request: HttpRequest, username: str) -> Iterator[Counter]:
        rates = runtime.current().settings.LOGIN_THROTTLE
        if rates is None:
            return
        address, now = clients.network(request), self._timer()
        if rates.address:
            yield Counter(key=self._key(address), rate=rates.address, now=now)
        if rates.username:
            counted = self._key(address, _folded(username))
            yield Counter(key=counted, rate=rates.username, now=now)

    def _key(self, *parts: str) -> str:
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return f"{self.namespace}:{digest[:32]}"


def _give_back(counters: list[Counter]) -> None:
    for counter in counters:
        counter.give_back()


def _folded(name: str) -> str:
    """Return a name without case and accents: MariaDB takes `vitor` for `VÍTOR`."""
    letters = unicodedata.normalize("NFKD", name)
    return "".join(one for one in letters if not unicodedata.combining(one)).casefold()
