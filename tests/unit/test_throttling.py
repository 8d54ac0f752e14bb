"""Test the login throttle, which counts failed logins per username and per address."""

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

from drf_signet.conf.parsers import Rate
from drf_signet.errors import CredentialsRefused
from drf_signet.throttling import Counter, LoginThrottle

#: The time at which the clock starts, in POSIX seconds. A minute begins at this time.
START = 1_800_000_000.0

LOCMEM = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
DUMMY = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}


class Clock:
    """A clock whose time changes only when a test sets `now`."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    """Return the clock that `fail` and `succeed` use."""
    return Clock()


def request(address: str = "203.0.113.7", **meta: str) -> HttpRequest:
    http_request = HttpRequest()
    http_request.META.update(REMOTE_ADDR=address, **meta)
    return http_request


def attempt(
    clock: Callable[[], float],
    *,
    raises: type[BaseException] | None,
    http_request: HttpRequest,
    name: str,
) -> float:
    """Attempt one login; return the seconds to wait, or 0 if the throttle allows the login."""
    expected = [raises] if raises else []
    try:
        with suppress(*expected), LoginThrottle(clock).attempt(http_request, name):
            raise_if_given(raises)
    except Throttled as error:
        throttled: Any = error
        return float(throttled.wait)
    return 0


def raise_if_given(raises: type[BaseException] | None) -> None:
    if raises is not None:
        raise raises


@pytest.fixture
def fail(clock):
    """Return a function that attempts a login with wrong credentials."""

    def fail(name: str = "vitor", address: str = "203.0.113.7", **meta: str) -> float:
        return attempt(
            clock, raises=CredentialsRefused, http_request=request(address, **meta), name=name
        )

    return fail


@pytest.fixture
def succeed(clock):
    """Return a function that makes one successful login attempt."""
    return lambda name="vitor": attempt(clock, raises=None, http_request=request(), name=name)


def test_eleventh_failure_in_a_minute_is_throttled(fail) -> None:
    assert [fail() for _ in range(10)] == [0] * 10
    assert fail() > 0


def test_throttled_attempts_are_not_counted(fail, clock) -> None:
    for _ in range(10):
        fail()
    waits = {fail() for _ in range(50)}
    assert len(waits) == 1


def test_throttled_attempt_does_not_run_the_login(fail, clock) -> None:
    for _ in range(10):
        fail()
    with pytest.raises(Throttled), LoginThrottle(clock).attempt(request(), "vitor"):
        pytest.fail("the login ran")


def test_successful_login_is_not_counted_but_is_throttled(succeed, fail) -> None:
    assert [succeed() for _ in range(30)] == [0] * 30
    for _ in range(10):
        fail()
    assert succeed() > 0


def test_successful_login_does_not_reset_the_count(succeed, fail) -> None:
    for _ in range(9):
        fail()
    assert succeed() == 0
    assert fail() == 0
    assert fail() > 0


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, GeneratorExit, ValueError])
def test_attempt_that_raises_another_error_is_not_counted(clock, error) -> None:
    for _ in range(30):
        assert attempt(clock, raises=error, http_request=request(), name="vitor") == 0


def test_usernames_are_counted_separately(fail) -> None:
    for _ in range(10):
        fail("vitor")
    assert fail("vitor") > 0
    assert fail("ana") == 0


def test_addresses_are_counted_separately(fail) -> None:
    for _ in range(10):
        fail()
    assert fail(address="203.0.113.8") == 0


def test_address_is_throttled_after_100_failures_for_any_usernames(fail) -> None:
    assert [fail(f"user-{number}") for number in range(100)] == [0] * 100
    assert fail("another") > 0
    assert fail("another", address="203.0.113.8") == 0


def test_attempts_for_a_throttled_username_are_not_counted_for_the_address(fail) -> None:
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
        "vi\x02tor",
        "vi\u200btor",
        "vitor\ufe0f",
        "vit\xf8r",
        "vitor ",
    ],
)
def test_spellings_of_a_username_are_counted_together(fail, spelling) -> None:
    for _ in range(10):
        fail("vitor")
    assert fail(spelling) > 0


@pytest.mark.parametrize(
    ("spelling", "other_spelling"), [("é", "e\u0301"), ("straße", "STRASSE"), ("ﬁ", "FI")]
)
def test_composed_and_decomposed_usernames_are_counted_together(
    fail, spelling, other_spelling
) -> None:
    for _ in range(10):
        fail(spelling)
    assert fail(other_spelling) > 0


@pytest.mark.parametrize("name", ["", "\0", "x" * 100_000, "漢字", "a:b c\n", "\u202e", "\ud800"])
def test_any_string_is_counted_as_a_username(fail, name) -> None:
    for _ in range(10):
        assert fail(name) == 0
    assert fail(name) > 0


def test_ipv6_addresses_of_one_64_network_are_counted_together(fail) -> None:
    for number in range(10):
        assert fail(address=f"2001:db8::{number:x}") == 0
    assert fail(address="2001:db8::ffff:ffff") > 0
    assert fail(address="2001:db8:0:1::1") == 0


def test_ipv4_address_and_its_ipv6_mapping_are_counted_together(fail) -> None:
    for _ in range(10):
        fail(address="203.0.113.7")
    assert fail(address="::ffff:203.0.113.7") > 0
    assert fail(address="::ffff:cb00:7107") > 0


#: Addresses that do not identify a client. Behind a Unix socket, the address is empty or "unix:".
#: Some proxies send "unknown".
UNKNOWN_ADDRESSES = ["", "unix:", "unknown"]


@pytest.mark.parametrize("address", UNKNOWN_ADDRESSES)
def test_clients_without_an_address_do_not_share_a_limit(fail, address) -> None:
    assert {fail(f"user-{number}", address=address) for number in range(300)} == {0}
    assert fail("another", address=address) == 0


def test_clients_without_an_address_are_counted_by_username(fail) -> None:
    for number in range(10):
        assert fail(address=UNKNOWN_ADDRESSES[number % 3]) == 0
    assert fail(address="") > 0
    assert fail("ana", address="") == 0


def test_limit_of_a_username_without_an_address_is_its_own(fail) -> None:
    for _ in range(10):
        fail(address="")
    assert fail(address="203.0.113.7") == 0
    for _ in range(9):
        fail(address="203.0.113.7")
    assert fail(address="203.0.113.7") > 0


def test_clients_without_an_address_are_not_limited_without_a_limit_of_usernames(
    fail, settings
) -> None:
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": None, "address": "3/min"}}
    assert {fail(address="") for _ in range(20)} == {0}


def test_ports_do_not_evade_the_throttle(fail, settings) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    for number in range(5):
        fail(HTTP_X_FORWARDED_FOR=f"198.51.100.7:{51000 + number}")
        fail(HTTP_X_FORWARDED_FOR="198.51.100.7")
    assert fail(HTTP_X_FORWARDED_FOR="198.51.100.7:51234") > 0
    assert fail(HTTP_X_FORWARDED_FOR="198.51.100.8:51234") == 0


def test_strangers_behind_a_proxy_that_appends_ports_do_not_share_a_limit(fail, settings) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    for address in ("198.51.100.7:51234", "[2001:db8::1]:51234"):
        for number in range(100):
            fail(f"user-{number}", HTTP_X_FORWARDED_FOR=address)
        assert fail("another", HTTP_X_FORWARDED_FOR=address) > 0
    assert fail("another", HTTP_X_FORWARDED_FOR="198.51.100.8:51234") == 0
    assert fail("another", HTTP_X_FORWARDED_FOR="[2001:db8:0:1::1]") == 0


def test_unknown_address_is_logged_once_per_interval(fail, caplog) -> None:
    for _ in range(3):
        fail(address="")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "NUM_PROXIES" in caplog.text


def test_forged_x_forwarded_for_does_not_evade_the_throttle(fail) -> None:
    for number in range(10):
        fail(HTTP_X_FORWARDED_FOR=f"198.51.100.{number}")
    assert fail(HTTP_X_FORWARDED_FOR="198.51.100.99") > 0


def test_forged_hop_before_the_hop_of_the_proxy_does_not_evade_the_throttle(fail, settings) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    for number in range(10):
        fail(HTTP_X_FORWARDED_FOR=f"192.0.2.{number}, 198.51.100.1")
    assert fail(HTTP_X_FORWARDED_FOR="192.0.2.99, 198.51.100.1") > 0
    assert fail(HTTP_X_FORWARDED_FOR="192.0.2.99, 198.51.100.2") == 0


def test_window_slides_with_the_clock(fail, clock) -> None:
    clock.now += 30
    for _ in range(10):
        fail()
    assert fail() == 36  # 36 seconds later, the ten failures count as nine
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


def test_bursts_before_and_after_the_turn_of_a_minute_are_counted_together(fail, clock) -> None:
    clock.now += 59
    assert [fail() for _ in range(10)] == [0] * 10
    clock.now += 1
    assert fail() > 0


@pytest.mark.parametrize("rates", [None, {"username": None, "address": None}])
def test_throttle_can_be_turned_off(fail, settings, rates) -> None:
    settings.SIGNET = {"LOGIN_THROTTLE": rates}
    assert {fail() for _ in range(200)} == {0}


def test_each_limit_can_be_turned_off(fail, settings) -> None:
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
def test_rates_come_from_the_settings(fail, clock, settings, rate, period) -> None:
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
@hypothesis_settings(max_examples=60)
def test_attempt_after_the_wait_is_allowed_and_no_period_exceeds_the_limit(
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
        assert sum(instant >= now - now % period for instant in allowed) <= limit


def test_parallel_attempts_do_not_exceed_the_limit(clock) -> None:
    allowed, throttled = [], []
    barrier = threading.Barrier(30)

    def attempt_login() -> None:
        barrier.wait()
        try:
            with suppress(CredentialsRefused), LoginThrottle(clock).attempt(request(), "vitor"):
                allowed.append(1)
                raise_if_given(CredentialsRefused)
        except Throttled:
            throttled.append(1)

    threads = [threading.Thread(target=attempt_login) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(allowed), len(throttled)) == (10, 20)


def test_running_attempts_are_counted_until_they_succeed(clock) -> None:
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(LoginThrottle(clock).attempt(request(), "vitor"))
        assert attempt(clock, raises=None, http_request=request(), name="vitor") > 0
    assert attempt(clock, raises=None, http_request=request(), name="vitor") == 0


@pytest.mark.parametrize("caches", [LOCMEM, DUMMY], ids=["LocMem", "Dummy"])
def test_logins_are_allowed_if_the_cache_loses_the_counts(clock, caches) -> None:
    class Forgetful(Clock):
        """A clock that empties the cache whenever the throttle reads the time before counting."""

        def __call__(self) -> float:
            cache.clear()
            return super().__call__()

    with override_settings(CACHES=caches):
        for raises in (CredentialsRefused, None):
            for _ in range(30):
                assert (
                    attempt(Forgetful(), raises=raises, http_request=request(), name="vitor") == 0
                )


@pytest.mark.parametrize("raises", [CredentialsRefused, None])
def test_login_is_allowed_if_the_cache_loses_the_count_during_an_attempt(clock, raises) -> None:
    expected = [raises] if raises else []
    with suppress(*expected), LoginThrottle(clock).attempt(request(), "vitor"):
        cache.clear()
        raise_if_given(raises)
    assert attempt(clock, raises=None, http_request=request(), name="vitor") == 0


def test_counts_expire_after_two_periods(fail) -> None:
    before = time.time()
    fail()
    after = time.time()
    backend: Any = cache
    expiries = list(backend._expire_info.values())
    assert len(expiries) == 2
    assert all(before + 120 <= expires <= after + 120 for expires in expiries)


def test_cache_keys_hold_no_username_and_no_address_and_suit_every_cache(fail) -> None:
    fail("vitor the great\n", address="203.0.113.7")
    backend: Any = cache
    for key in backend._cache:
        assert "vitor" not in key
        assert "203.0.113" not in key
        assert len(key) < 250
        assert key.isascii()
        assert key.isprintable()
        assert " " not in key


def test_username_that_contains_a_separator_is_counted_separately(fail, settings) -> None:
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": "1/min", "address": None}}
    assert fail("a\0b") == 0
    assert fail("b") == 0
