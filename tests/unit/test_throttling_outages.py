"""Test logins while the cache fails: they are allowed, and one error per interval is logged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.urls import include, path
from django.views.debug import ExceptionReporter

from drf_signet.compat.simplejwt.views import TokenObtainPairView, TokenObtainSlidingView
from drf_signet.testing import browser_client
from tests.conftest import PASSWORD
from tests.support.simplejwt_alias import alias, alias_tables

__all__ = ["alias", "alias_tables"]  # pytest finds these fixtures because they are imported

urlpatterns = [
    path("token/", include("drf_signet.urls")),
    path("auth/", include("drf_signet.urls_browser")),
    path("alias/pair/", TokenObtainPairView.as_view()),
    path("alias/sliding/", TokenObtainSlidingView.as_view()),
]
PATHS = ["/token/", "/auth/login/", "/alias/pair/", "/alias/sliding/"]
CALLS = ["get", "add", "incr", "decr"]


class FailingCache(LocMemCache):
    """A cache whose calls fail if `failing` contains the method, or the method and the key."""

    #: Method names, or pairs of a method name and a key.
    failing: set[str | tuple[str, str]] = set()  # noqa: RUF012 - emptied by a fixture
    error: type[Exception] = ConnectionError
    #: The keys of all calls, in the order of the calls.
    keys: list[str] = []  # noqa: RUF012 - emptied by a fixture

    def _call(self, name: str, key: str) -> None:
        self.keys.append(key)
        if self.failing & {name, (name, key)}:
            raise self.error("the cache is down")

    def get(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        self._call("get", key)
        return super().get(key, *args, **kwargs)

    def add(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        self._call("add", key)
        return super().add(key, *args, **kwargs)

    def incr(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        self._call("decr" if args == (-1,) else "incr", key)
        return super().incr(key, *args, **kwargs)

    def decr(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        return self.incr(key, -1)


@pytest.fixture(autouse=True)
def failing(alias, user, settings):
    """Use the failing cache; yield the set that determines which calls fail."""
    settings.ROOT_URLCONF = __name__
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": "3/day", "address": "5/day"}}
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.FailingCache", "LOCATION": __name__}}
    yield FailingCache.failing
    FailingCache.failing.clear()
    FailingCache.keys.clear()
    FailingCache.error = ConnectionError
    cache.clear()


@pytest.fixture
def log_in():
    """Return a function that logs in at a path and returns the status of the response."""
    client = browser_client()

    def post(path: str = "/token/", password: str = "wrong", username: str = "vitor") -> int:
        credentials = {"username": username, "password": password}
        return int(client.post(path, credentials, format="json").status_code)

    return post


def counted_keys(log_in: Callable[[], int]) -> tuple[str, str]:
    """Return the cache keys that count failed logins per address and per username."""
    FailingCache.keys.clear()
    log_in()
    _, address_key, _, _, username_key, _ = FailingCache.keys  # three calls per key: get, add, incr
    cache.clear()
    return address_key, username_key


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("call", CALLS)
def test_login_succeeds_if_a_call_of_the_cache_fails(log_in, failing, caplog, path, call) -> None:
    failing.add(call)
    assert {log_in(path, PASSWORD) for _ in range(2)} == {200}
    assert [record.name for record in caplog.records].count("drf_signet") == 1


@pytest.mark.parametrize("path", PATHS)
def test_failed_logins_are_not_limited_while_the_cache_is_down(log_in, failing, path) -> None:
    failing.update(CALLS)
    assert {log_in(path) for _ in range(8)} == {401}
    failing.clear()
    assert [log_in(path) for _ in range(4)] == [401, 401, 401, 429]


@pytest.mark.parametrize("error", [OSError, ValueError, KeyError, TimeoutError, Exception])
@pytest.mark.parametrize("call", ["get", "add"])
def test_login_succeeds_regardless_of_the_exception_of_the_cache(
    log_in, failing, error, call
) -> None:
    FailingCache.error = error
    failing.add(call)
    assert [log_in(password="wrong"), log_in(password=PASSWORD)] == [401, 200]


def test_login_succeeds_if_the_cache_cannot_be_created(log_in, settings) -> None:
    settings.CACHES = {"default": {"BACKEND": "tests.no_such_module.Cache"}}
    assert [log_in(password="wrong"), log_in(password=PASSWORD)] == [401, 200]
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.FailingCache", "LOCATION": __name__}}


def test_other_errors_of_a_login_are_raised_while_the_cache_is_down(
    log_in, failing, settings
) -> None:
    failing.update(CALLS)
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.BrokenBackend"]
    with pytest.raises(LookupError):
        log_in()


class BrokenBackend:
    """An authentication backend that raises an unexpected exception."""

    def authenticate(self, request: Any, **credentials: Any) -> Any:
        raise LookupError


def test_attempt_that_could_not_be_counted_is_not_subtracted(log_in, failing) -> None:
    assert [log_in(), log_in()] == [401, 401]
    failing.update({"get", "add", "incr"})
    for _ in range(5):
        assert log_in(password=PASSWORD) == 200
    failing.clear()
    assert [log_in(), log_in()] == [401, 429]


def test_attempt_stays_counted_if_it_cannot_be_subtracted(log_in, failing) -> None:
    failing.add("decr")
    assert log_in(password=PASSWORD) == 200
    failing.clear()
    assert [log_in(), log_in(), log_in()] == [401, 401, 429]


def test_throttled_login_stays_throttled_if_it_cannot_be_subtracted(log_in, failing) -> None:
    for _ in range(3):
        log_in()
    failing.add("decr")
    assert log_in(password=PASSWORD) == 429


def test_other_limit_counts_if_the_cache_fails_for_one_key(log_in, failing) -> None:
    address_key, username_key = counted_keys(log_in)
    failing.update({("incr", address_key)})
    assert [log_in() for _ in range(4)] == [401, 401, 401, 429]
    cache.clear()
    failing.clear()
    failing.update({("incr", username_key)})
    assert [log_in() for _ in range(6)] == [401] * 5 + [429]


def test_attempt_is_subtracted_from_the_other_limit_if_the_cache_fails_for_one_key(
    log_in, failing
) -> None:
    address_key, _ = counted_keys(log_in)
    failing.update({("decr", address_key)})
    assert {log_in(password=PASSWORD) for _ in range(5)} == {200}
    assert [log_in() for _ in range(3)] == [429] * 3  # the five logins above are still counted
    failing.clear()
    cache.delete(address_key)
    assert [log_in() for _ in range(4)] == [401, 401, 401, 429]


def test_outage_is_logged_once_with_its_error_and_without_the_password(
    log_in, failing, caplog, rf
) -> None:
    failing.update(CALLS)
    for _ in range(3):
        log_in(password=PASSWORD)
    (record,) = (each for each in caplog.records if each.name == "drf_signet")
    assert (record.levelname, record.getMessage()) == (
        "ERROR",
        "the cache failed: failed logins are not counted",
    )
    assert isinstance(record.exc_info[1], ConnectionError)
    report = ExceptionReporter(rf.post("/token/"), *record.exc_info)
    frames = {
        name: value for frame in report.get_traceback_frames() for name, value in frame["vars"]
    }
    assert "key" in frames
    assert PASSWORD not in repr(frames)
