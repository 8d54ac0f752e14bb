"""Ask a key provider for its keys again and again, so that all processes use the same keys."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import Error
from django.views.decorators.debug import sensitive_variables

from ..db.outages import reports
from ..errors import KeysUnavailable, SignetError
from ..jose.claims import Rules
from ..jose.codec import Codec
from ..jose.keys import Key, KeyRing
from ..jose.profiles import Profiles
from ..jose.verified import VerifiedTokens
from .provider import KeyProvider, Keys

logger = logging.getLogger("drf_signet")

#: Minimum number of seconds between two questions to the provider.
PAUSE = 0.05
#: Seconds until a provider that has failed is asked again.
RETRY = 1.0
#: Maximum number of seconds that a thread waits while another thread asks the provider: `WAIT`, or
#: `LONG_WAIT` if there are no keys that are recent enough.
WAIT, LONG_WAIT = 0.25, 5.0


@dataclass(kw_only=True)
class Cache:
    """The verified tokens of this process. They are forgotten when the keys change."""

    tokens: VerifiedTokens = field(default_factory=VerifiedTokens)


@dataclass(kw_only=True)
class ConfiguredKeys:
    """The codecs for the keys of the settings, which change only with the time."""

    profiles: Profiles
    verified: VerifiedTokens = field(default_factory=VerifiedTokens)

    def is_due(self) -> bool:
        """Return False: no provider has to be asked."""
        return False


class RenewedKeys:
    """The codecs for the keys that a provider returned last. Thread-safe.

    The provider is asked when a token is signed or verified, not in the background. One thread
    asks. The other threads go on with the keys that they have.

    Args:
        provider: the provider.
        rules: see `Profiles`.
        max_staleness: for how many seconds the last keys are used if the provider fails.
        cache: where the verified tokens are.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        provider: KeyProvider,
        rules: Rules,
        *,
        max_staleness: float,
        cache: Cache,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider, self._rules = provider, rules
        self._max_staleness, self._cache, self._clock = max_staleness, cache, clock
        self._keys: tuple[Key, ...] = ()
        self._profiles: Profiles | None = None
        self._asked_at = self._due_at = -math.inf
        self._fresh_for = 0.0
        #: Process id → lock. In a forked child, the parent's lock might never be released.
        self._locks: dict[int, threading.Lock] = {}

    @property
    def profiles(self) -> Profiles:
        """The codecs for the keys that are in use now.

        Raises:
            KeysUnavailable: the provider failed, and the last keys are too old.
        """
        if self._clock() >= self._due_at:
            self._renew()
        if self._profiles is None or self._age() > self._max_staleness + self._fresh_for:
            raise KeysUnavailable("the key provider fails")
        return self._profiles

    @property
    def verified(self) -> VerifiedTokens:
        """The tokens that were verified with the keys that are in use now.

        Read it before `profiles`: tokens that are verified with former keys then never enter it.
        """
        if self._clock() >= self._due_at:
            self._renew()
        return self._cache.tokens

    def is_due(self) -> bool:
        """Return whether the next call may ask the provider."""
        return self._clock() >= self._due_at

    def _age(self) -> float:
        return self._clock() - self._asked_at

    def _renew(self) -> None:
        if self._profiles is not None and _in_event_loop():
            return  # the provider may block; the next request asks in a thread, see `is_due`
        # `setdefault` is atomic: all threads get the same lock.
        lock = self._locks.setdefault(os.getpid(), threading.Lock())
        if lock.acquire(timeout=self._patience()):
            try:
                if self._clock() >= self._due_at:
                    self._ask()
            finally:
                lock.release()

    def _patience(self) -> float:
        """Return how many seconds to wait for another thread that asks the provider."""
        if self._profiles is None or self._age() > self._max_staleness:
            return LONG_WAIT
        return 0.0 if self._age() < 2 * self._fresh_for else WAIT

    @sensitive_variables()  # hides keys in the variables of all functions that are called, too
    def _ask(self) -> None:
        began = self._clock()
        try:
            answer = self._provider.keys()
            self._use(answer)
        except Exception:
            if reports.is_due("key provider"):
                logger.exception("the key provider could not be asked")
            self._due_at = began + RETRY
            return
        self._asked_at = began
        self._due_at = began + max(answer.fresh_for, PAUSE)

    def _use(self, answer: Keys) -> None:
        first = self._profiles is None
        if first or answer.keys != self._keys:
            codec = Codec(KeyRing(keys=answer.keys), sign=self._sign)
            self._profiles, self._keys = Profiles(codec, self._rules), answer.keys
            if not first:
                self._cache.tokens = VerifiedTokens()  # after the codecs: see `verified`
        self._fresh_for = max(answer.fresh_for, PAUSE)

    @sensitive_variables()
    def _sign(self, key: Key, signing_input: bytes, *, lifetime: float) -> bytes:
        try:
            return self._provider.sign(key, signing_input, lifetime=lifetime)
        except (SignetError, Error):  # `problems` knows what to do with them
            raise
        except Exception as error:
            if reports.is_due("signature of the key provider"):
                logger.exception("the key provider could not sign")
            raise KeysUnavailable("the key provider could not sign") from error


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
