"""Failed logins are counted, whoever they are for; the clock is an argument."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpRequest
from django.test import override_settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework.exceptions import Throttled

from drf_signet.errors import CredentialsRefused
from drf_signet.throttling import Counter, LoginThrottle
from drf_signet.values import Rate

#: The start of a minute.
START = 1_800_000_000.0

LOCMEM = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
DUMMY = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    """Return the clock of `fail` and `succeed`."""
    return Clock()


def request(address: str = "203.0.113.7", **meta: str) -> HttpRequest:
    made = HttpRequest()
    made.META.update(REMOTE_ADDR=address, **meta)
    return made


def attempt(
    clock: Callable[[], float], *, raises: type[BaseException] | None, who: HttpRequest, name: str
) -> float:
    """Make one attempt; return the seconds to wait, 0 if it was allowed."""
    expected = [raises] if raises else []
    try:
        with suppress(*expected), LoginThrottle(clock).attempt(who, name):
            end(raises)
    except Throttled as error:
        throttled: Any = error
        return float(throttled.wait)
    return 0


def end(raises: type[BaseException] | None) -> None:
    if raises is not None:
        raise raises


@pytest.fixture
def fail(clock):
    """Return what makes one failing attempt."""

    def fail(name: str = "vitor", address: str = "203.0.113.7", **meta: str) -> float:
        return attempt(clock, raises=CredentialsRefused, who=request(address, **meta), name=name)

    return fail


@pytest.fixture
def succeed(clock):
    """Return what makes one attempt that does not fail."""
    return lambda name="vitor": attempt(clock, raises=None, who=request(), name=name)


def test_ten_failures_in_a_minute_are_allowed_and_no_more(fail) -> None:
    assert [fail() for _ in range(10)] == [0] * 10
    assert fail() > 0


def test_refused_attempts_are_not_counted(fail, clock) -> None:
    for _ in range(10):
        fail()
    waits = {fail() for _ in range(50)}
    assert len(waits) == 1


def test_refused_attempt_does_not_run(fail, clock) -> None:
    for _ in range(10):
        fail()
    with pytest.raises(Throttled), LoginThrottle(clock).attempt(request(), "vitor"):
        pytest.fail("it ran")


def test_success_is_not_counted_but_needs_room(succeed, fail) -> None:
    assert [succeed() for _ in range(30)] == [0] * 30
    for _ in range(10):
        fail()
    assert succeed() > 0


def test_success_does_not_forgive_failures(succeed, fail) -> None:
    for _ in range(9):
        fail()
    assert succeed() == 0
    assert fail() == 0
    assert fail() > 0


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, GeneratorExit, ValueError])
def test_attempt_that_breaks_is_not_counted(clock, error) -> None:
    for _ in range(30):
        assert attempt(clock, raises=error, who=request(), name="vitor") == 0


def test_names_are_counted_apart(fail) -> None:
    for _ in range(10):
        fail("vitor")
    assert fail("vitor") > 0
    assert fail("ana") == 0


def test_addresses_are_counted_apart(fail) -> None:
    for _ in range(10):
        fail()
    assert fail(address="203.0.113.8") == 0


def test_hundred_failures_of_an_address_are_allowed_whoever_they_are_for(fail) -> None:
    assert [fail(f"user-{number}") for number in range(100)] == [0] * 100
    assert fail("another") > 0
    assert fail("another", address="203.0.113.8") == 0


def test_throttled_name_costs_its_address_nothing(fail) -> None:
    for _ in range(200):
        fail("vitor")
    assert [fail(f"user-{number}") for number in range(90)] == [0] * 90
    assert fail("another") > 0


@pytest.mark.parametrize(
    "spelling",
    [
        "vitor",
        "VITOR",
        "Vitor",
        "\uff36itor",  # a full-width V
        "\U0001d42fitor",  # a mathematical bold v
        "\u2174itor",  # a Roman numeral five
        "v\u00edtor",
        "vi\u0301to\u0308R\u0323",
    ],
)
def test_spellings_of_a_name_are_one_name(fail, spelling) -> None:
    for _ in range(10):
        fail("vitor")
    assert fail(spelling) > 0


@pytest.mark.parametrize(("one", "other"), [("é", "e\u0301"), ("straße", "STRASSE"), ("ﬁ", "FI")])
def test_composed_and_decomposed_names_are_one_name(fail, one, other) -> None:
    for _ in range(10):
        fail(one)
    assert fail(other) > 0


@pytest.mark.parametrize("name", ["", "\0", "x" * 100_000, "漢字", "a:b c\n", "\u202e"])
def test_any_name_is_counted(fail, name) -> None:
    for _ in range(10):
        assert fail(name) == 0
    assert fail(name) > 0


def test_addresses_of_one_network_are_one_address(fail) -> None:
    for number in range(10):
        assert fail(address=f"2001:db8::{number:x}") == 0
    assert fail(address="2001:db8::ffff:ffff") > 0
    assert fail(address="2001:db8:0:1::1") == 0


def test_mapped_address_is_the_address(fail) -> None:
    for _ in range(10):
        fail(address="203.0.113.7")
    assert fail(address="::ffff:203.0.113.7") > 0
    assert fail(address="::ffff:cb00:7107") > 0


def test_unknown_addresses_are_one_address(fail) -> None:
    for _ in range(10):
        fail(address="")
    assert fail(address="unix:") > 0


def test_forged_forwarding_does_not_help(fail) -> None:
    for number in range(10):
        fail(HTTP_X_FORWARDED_FOR=f"198.51.100.{number}")
    assert fail(HTTP_X_FORWARDED_FOR="198.51.100.99") > 0


def test_forged_hop_before_the_proxys_own_does_not_help(fail, settings) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    for number in range(10):
        fail(HTTP_X_FORWARDED_FOR=f"192.0.2.{number}, 198.51.100.1")
    assert fail(HTTP_X_FORWARDED_FOR="192.0.2.99, 198.51.100.1") > 0
    assert fail(HTTP_X_FORWARDED_FOR="192.0.2.99, 198.51.100.2") == 0


def test_window_slides(fail, clock) -> None:
    clock.now += 30
    for _ in range(10):
        fail()
    assert fail() == 36  # six seconds into the next minute a tenth of the last has slid out
    clock.now += 30
    assert fail() == 6
    clock.now += 5
    assert fail() == 1
    clock.now += 1
    assert fail() == 0
    assert fail() > 0


def test_window_is_empty_two_periods_later(fail, clock) -> None:
    for _ in range(10):
        fail()
    clock.now += 120
    assert [fail() for _ in range(10)] == [0] * 10


def test_two_bursts_around_the_turn_of_a_minute_are_one(fail, clock) -> None:
    clock.now += 59
    assert [fail() for _ in range(10)] == [0] * 10
    clock.now += 1
    assert fail() > 0


@pytest.mark.parametrize("rates", [None, {"username": None, "address": None}])
def test_throttle_can_be_switched_off(fail, settings, rates) -> None:
    settings.SIGNET = {"LOGIN_THROTTLE": rates}
    assert {fail() for _ in range(200)} == {0}


def test_each_limit_can_be_switched_off(fail, settings) -> None:
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": None, "address": "3/min"}}
    assert [fail(f"user-{number}") for number in range(4)][:3] == [0, 0, 0]
    assert fail("another") > 0
    cache.clear()
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": "3/min", "address": None}}
    assert {fail(f"user-{number}") for number in range(200)} == {0}
    for _ in range(3):
        fail()
    assert fail() > 0


@pytest.mark.parametrize(
    ("rate", "period"), [("1/s", 1), ("2/m", 60), ("2/hour", 3600), ("1000/day", 86_400)]
)
def test_rates_are_those_of_the_settings(fail, clock, settings, rate, period) -> None:
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": rate, "address": None}}
    for _ in range(int(rate.split("/")[0])):
        assert fail() == 0
    assert 1 <= fail() <= 2 * period
    clock.now += 2 * period
    assert fail() == 0


@given(
    limit=st.integers(1, 12),
    period=st.sampled_from([1, 60, 3600]),
    steps=st.lists(st.integers(0, 90), max_size=40),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_who_waits_as_told_is_let_in_and_no_period_holds_more_than_the_limit(
    limit, period, steps
) -> None:
    cache.clear()
    now, allowed = START, []
    for step in steps:
        now += step * period / 60
        counter = Counter(key="x", rate=Rate(limit=limit, period=period), now=now)
        if wait := counter.take():
            now += wait
            later = Counter(key="x", rate=Rate(limit=limit, period=period), now=now)
            assert later.take() == 0
        allowed.append(now)
        assert sum(one >= now - now % period for one in allowed) <= limit


def test_parallel_attempts_get_no_more_than_the_limit(clock) -> None:
    inside, outside = [], []
    both = threading.Barrier(30)

    def one() -> None:
        both.wait()
        try:
            with suppress(CredentialsRefused), LoginThrottle(clock).attempt(request(), "vitor"):
                inside.append(1)
                end(CredentialsRefused)
        except Throttled:
            outside.append(1)

    crew = [threading.Thread(target=one) for _ in range(30)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert (len(inside), len(outside)) == (10, 20)


def test_attempts_that_have_not_ended_hold_their_place(clock) -> None:
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(LoginThrottle(clock).attempt(request(), "vitor"))
        assert attempt(clock, raises=None, who=request(), name="vitor") > 0
    assert attempt(clock, raises=None, who=request(), name="vitor") == 0


@pytest.mark.parametrize("caches", [LOCMEM, DUMMY], ids=["LocMem", "Dummy"])
def test_cache_that_forgets_lets_in_rather_than_break(clock, caches) -> None:
    class Forgetful(Clock):
        """Empties the cache whenever it is looked at, and so before the count."""

        def __call__(self) -> float:
            cache.clear()
            return super().__call__()

    with override_settings(CACHES=caches):
        for raises in (CredentialsRefused, None):
            for _ in range(30):
                assert attempt(Forgetful(), raises=raises, who=request(), name="vitor") == 0


@pytest.mark.parametrize("raises", [CredentialsRefused, None])
def test_cache_that_forgets_during_an_attempt_breaks_nothing(clock, raises) -> None:
    expected = [raises] if raises else []
    with suppress(*expected), LoginThrottle(clock).attempt(request(), "vitor"):
        cache.clear()
        end(raises)
    assert attempt(clock, raises=None, who=request(), name="vitor") == 0


def test_counts_are_kept_for_two_periods_and_no_longer(fail) -> None:
    before = time.time()
    fail()
    after = time.time()
    backend: Any = cache
    expiries = list(backend._expire_info.values())
    assert len(expiries) == 2
    assert all(before + 120 <= expires <= after + 120 for expires in expiries)


def test_keys_hold_neither_name_nor_address_and_suit_every_cache(fail) -> None:
    fail("vitor the great\n", address="203.0.113.7")
    backend: Any = cache
    for key in backend._cache:
        assert "vitor" not in key
        assert "203.0.113" not in key
        assert len(key) < 250
        assert key.isascii()
        assert key.isprintable()
        assert " " not in key


def test_names_and_addresses_are_not_confused(fail, settings) -> None:
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": "1/min", "address": None}}
    assert fail("a\0b") == 0
    assert fail("b") == 0
