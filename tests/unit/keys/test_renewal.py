"""Test when a process asks its key provider again, and what it does if the provider fails."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError
from django.views.debug import ExceptionReporter

from drf_signet import runtime
from drf_signet.errors import BadSignature, KeysUnavailable, UnknownKey
from drf_signet.jose.claims import Rules
from drf_signet.jose.keys import Key
from drf_signet.keys import Keys
from drf_signet.keys.renewal import Cache, RenewedKeys
from tests.support.token_forge import NOW, signer

ES256 = signer("ES256")
OLD, NEW = ES256.key(kid="old"), ES256.key(kid="new")
CLAIMS = {"iat": NOW, "exp": NOW + 300}


class Provider:
    """A provider whose keys, and whose failures, a test sets."""

    def __init__(self, *keys: Key, fresh_for: float = 1.0) -> None:
        self.current, self.fresh_for = keys, fresh_for
        self.asked = 0
        self.error: Exception | None = None
        self.lifetimes: list[float] = []

    def keys(self) -> Keys:
        self.asked += 1
        if self.error:
            raise self.error
        return Keys(keys=self.current, fresh_for=self.fresh_for)

    def sign(self, key: Key, signing_input: bytes, *, lifetime: float) -> bytes:
        if self.error:
            raise self.error
        self.lifetimes.append(lifetime)
        return ES256.sign(signing_input)


class Clock:
    """A monotonic clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider() -> Provider:
    return Provider(OLD)


def renewed(provider: Any, clock: Clock) -> RenewedKeys:
    rules = Rules(user_key=str)
    return RenewedKeys(provider, rules, max_staleness=60, cache=Cache(), clock=clock)


@pytest.fixture
def keys(provider: Provider, clock: Clock) -> RenewedKeys:
    return renewed(provider, clock)


def sign(keys: RenewedKeys) -> str:
    return keys.profiles.encode(CLAIMS, now=NOW)


def is_accepted(keys: RenewedKeys, kid: str) -> bool:
    try:
        keys.profiles.decode(ES256.sign_claims(CLAIMS, kid=kid), None, now=NOW)
    except UnknownKey:
        return False
    return True


class TestAsking:
    def test_provider_is_asked_again_when_its_answer_is_no_longer_fresh(
        self, keys: RenewedKeys, provider: Provider, clock: Clock
    ) -> None:
        assert keys.is_due()
        assert is_accepted(keys, "old")
        provider.current = (NEW, OLD)
        assert not keys.is_due()
        assert not is_accepted(keys, "new")
        assert provider.asked == 1
        clock.now += 1
        assert keys.is_due()
        assert is_accepted(keys, "new")
        assert provider.asked == 2

    def test_provider_is_not_asked_in_a_loop_if_its_answer_is_fresh_for_no_time(
        self, clock: Clock
    ) -> None:
        provider = Provider(OLD, fresh_for=0)
        keys = renewed(provider, clock)
        for _ in range(3):
            assert is_accepted(keys, "old")
        assert provider.asked == 1

    def test_verified_tokens_are_forgotten_when_the_keys_change_and_kept_otherwise(
        self, keys: RenewedKeys, provider: Provider, clock: Clock
    ) -> None:
        first = keys.verified
        clock.now += 1
        assert keys.verified is first
        provider.current = (NEW,)
        clock.now += 1
        assert keys.verified is not first

    def test_keys_are_not_asked_for_on_the_event_loop_unless_none_are_known(
        self, keys: RenewedKeys, provider: Provider, clock: Clock
    ) -> None:
        async def use() -> None:
            assert is_accepted(keys, "old")

        asyncio.run(use())
        clock.now += 1
        asyncio.run(use())
        assert provider.asked == 1
        assert keys.is_due()


class TestThreads:
    def test_other_threads_use_the_known_keys_while_one_thread_asks(self, clock: Clock) -> None:
        asking, answer = threading.Event(), threading.Event()

        class Slow(Provider):
            def keys(self) -> Keys:
                if self.asked:
                    asking.set()
                    assert answer.wait(10)
                return super().keys()

        provider = Slow(OLD)
        keys = renewed(provider, clock)
        assert is_accepted(keys, "old")
        clock.now += 1
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(is_accepted, keys, "old")
            assert asking.wait(10)
            assert is_accepted(keys, "old")
            clock.now += 1  # two intervals have passed: wait a little, then go on
            assert is_accepted(keys, "old")
            answer.set()
            assert first.result()
        assert provider.asked == 2

    def test_first_requests_of_a_process_wait_for_one_answer(self, clock: Clock) -> None:
        asking = threading.Event()

        class Slow(Provider):
            def keys(self) -> Keys:
                asking.set()
                threading.Event().wait(0.01)
                return super().keys()

        provider = Slow(OLD)
        keys = renewed(provider, clock)
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(is_accepted, [keys] * 4, ["old"] * 4))
        assert provider.asked == 1


class TestFailures:
    def test_last_keys_are_used_for_max_staleness_then_the_keys_are_unavailable(
        self, keys: RenewedKeys, provider: Provider, clock: Clock, caplog: Any
    ) -> None:
        assert is_accepted(keys, "old")
        provider.error = OSError("the service is away")
        for _ in range(60):
            clock.now += 1
            assert is_accepted(keys, "old")
        clock.now += 1.5
        with pytest.raises(KeysUnavailable):
            is_accepted(keys, "old")
        assert caplog.text.count("could not be asked") == 1
        provider.error = None
        clock.now += 1
        assert is_accepted(keys, "old")

    def test_keys_are_unavailable_if_the_first_answer_fails(
        self, keys: RenewedKeys, provider: Provider
    ) -> None:
        provider.error = OSError()
        with pytest.raises(KeysUnavailable):
            sign(keys)

    def test_unusable_keys_do_not_replace_usable_keys(
        self, keys: RenewedKeys, provider: Provider, clock: Clock
    ) -> None:
        assert is_accepted(keys, "old")
        provider.current = ()
        clock.now += 1
        assert is_accepted(keys, "old")

    def test_report_of_unusable_keys_contains_no_key(
        self, keys: RenewedKeys, provider: Provider, caplog: Any
    ) -> None:
        secret = "the secret of this year, long enough: 0123456789abcdef"
        provider.current = (Key(algorithm="RS256", material=secret, kid="1"),)
        with pytest.raises(KeysUnavailable):
            sign(keys)
        (record,) = caplog.records
        reporter = ExceptionReporter(None, *record.exc_info)
        text = reporter.get_traceback_text() + reporter.get_traceback_html()
        assert "_ask" in text
        assert secret not in text

    def test_signature_that_fails_makes_the_keys_unavailable_except_for_known_errors(
        self, keys: RenewedKeys, provider: Provider, caplog: Any
    ) -> None:
        sign(keys)
        for error, raised in (
            (OSError(), KeysUnavailable),
            (OSError(), KeysUnavailable),
            (OperationalError(), OperationalError),
            (BadSignature(), BadSignature),
        ):
            provider.error = error
            with pytest.raises(raised):
                sign(keys)
        assert caplog.text.count("could not sign") == 1


class TestSigning:
    def test_provider_signs_with_a_public_key_and_learns_the_lifetime(self, clock: Clock) -> None:
        public = Key(algorithm="ES256", material=dict(ES256.public_jwk), kid="kms")
        provider = Provider(public)
        token = sign(renewed(provider, clock))
        assert provider.lifetimes == [300]
        assert renewed(provider, clock).profiles.decode(token, None, now=NOW) == CLAIMS

    def test_token_without_times_has_no_lifetime(
        self, keys: RenewedKeys, provider: Provider
    ) -> None:
        keys.profiles.encode({}, now=NOW)
        assert provider.lifetimes == [0]


@pytest.fixture
def _custom_provider(settings: Any) -> None:
    settings.SIGNET = {"KEY_PROVIDER": lambda configured: Provider(NEW)}


@pytest.mark.usefixtures("_custom_provider")
def test_runtime_uses_the_provider_of_the_setting() -> None:
    assert is_accepted(runtime.current().keys, "new")  # type: ignore[arg-type]
    assert runtime.current().verified is runtime.current().verified
