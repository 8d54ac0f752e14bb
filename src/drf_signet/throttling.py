"""Limit failed logins: per combination of address and username, and per address.

The counters are in Django's cache. An attempt is counted before the password is checked, and
subtracted again if the login does not fail, so that parallel attempts cannot exceed the limit.
Attempts with unknown usernames count, too.

If a client's address is unknown, its failed logins are counted only per username. Otherwise, all
clients with an unknown address would share the limit of a single address. While the cache raises
errors, logins are not limited.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from django.core.cache import cache
from django.http import HttpRequest
from rest_framework.exceptions import Throttled

from . import runtime
from .conf.parsers import Rate
from .db.outages import reports
from .errors import CredentialsRefused
from .transports import clients
from .users import usernames

logger = logging.getLogger("drf_signet")


@dataclass(frozen=True, kw_only=True)
class Counter:
    """A counter of events in a sliding window.

    The count is that of the current period plus a share of the count of the previous period.
    """

    key: str
    rate: Rate
    now: float

    def take(self) -> float:
        """Count one event and return 0. If the event exceeds the rate, return the seconds to wait.

        An event that exceeds the rate is not counted.

        Raises:
            Exception: the cache failed before the event was counted.
        """
        previous, count = cache.get(self._bucket(-1), 0), self._increment()
        elapsed = self.now % self.rate.period
        if count + previous * (1 - elapsed / self.rate.period) <= self.rate.limit:
            return 0
        self.give_back()
        return max(1, math.ceil(self._wait(previous, count - 1, elapsed)))

    def give_back(self) -> None:
        """Subtract one counted event. If the cache fails, only log the error."""
        try:
            with suppress(ValueError):  # the cache has evicted the counter
                cache.decr(self._bucket(0))
        except Exception as error:
            _report_cache_error(error)

    def _increment(self) -> int:
        bucket = self._bucket(0)
        cache.add(bucket, 0, timeout=2 * self.rate.period)
        try:
            return cache.incr(bucket)
        except ValueError:  # the cache evicted the counter after `add`
            return 1

    def _wait(self, previous: int, count: int, elapsed: float) -> float:
        period, limit = self.rate.period, self.rate.limit
        room = limit - count - 1
        if room >= 0:  # wait until the share of the previous period is small enough
            return period * (1 - room / previous) - elapsed
        return period - elapsed + period * (1 - (limit - 1) / count)

    def _bucket(self, offset: int) -> str:
        return f"{self.key}:{int(self.now // self.rate.period) + offset}"


class LoginThrottle:
    """A throttle for failed logins, with the rates of the LOGIN_THROTTLE setting.

    Args:
        timer: returns the current time, in POSIX seconds.
    """

    #: The prefix of all keys in the cache.
    namespace = "signet:login"

    def __init__(self, timer: Callable[[], float] = time.time) -> None:
        self._timer = timer

    @contextmanager
    def attempt(self, request: HttpRequest, username: str) -> Iterator[None]:
        """Run a login in a `with` block. Only a login that raises `CredentialsRefused` is counted.

        Raises:
            Throttled: there were too many failed logins; the block does not run.
        """
        taken = self._take(request, username)
        try:
            yield
        except CredentialsRefused:
            raise
        except BaseException:
            _give_back(taken)
            raise
        _give_back(taken)

    def _take(self, request: HttpRequest, username: str) -> list[Counter]:
        """Count a login attempt, and return the counters that have counted it."""
        taken: list[Counter] = []
        for counter in self._counters(request, username):
            try:
                wait = counter.take()
            except Exception as error:
                _report_cache_error(error)
                continue
            if wait:
                _give_back(taken)
                raise Throttled(wait)
            taken.append(counter)
        return taken

    def _counters(self, request: HttpRequest, username: str) -> Iterator[Counter]:
        rates = runtime.current().settings.LOGIN_THROTTLE
        if rates is None:
            return
        address, now = clients.network(request), self._timer()
        tenant = _tenant_parts(request)
        if address is None:
            _report_unknown_address()
        elif rates.address:
            yield Counter(key=self._key(*tenant, address), rate=rates.address, now=now)
        if rates.username:
            key = self._key(*tenant, address or "", usernames.fold(username))
            yield Counter(key=key, rate=rates.username, now=now)

    def _key(self, *parts: str) -> str:
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return f"{self.namespace}:{digest[:32]}"


def _tenant_parts(request: HttpRequest) -> tuple[str, ...]:
    """Return the parts of a counter's key that name the tenant; empty if there are no tenants."""
    tenant_of = runtime.current().tenant_of
    return () if tenant_of is None else ("tenant", tenant_of(request) or "")


def _give_back(counters: list[Counter]) -> None:
    for counter in counters:
        counter.give_back()


def _report_cache_error(error: Exception) -> None:
    if reports.is_due("cache"):
        logger.error("the cache failed: failed logins are not counted", exc_info=error)


def _report_unknown_address() -> None:
    if reports.is_due("address"):
        logger.warning(
            "the address of a client is unknown: its failed logins are counted only by "
            "username; set NUM_PROXIES in REST_FRAMEWORK if there is a proxy"
        )
