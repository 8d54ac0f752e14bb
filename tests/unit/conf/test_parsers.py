"""Tests of `drf_signet.conf.parsers`: the values that each parser accepts or refuses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from drf_signet.conf import keys, parsers
from drf_signet.conf.parsers import Rate, ThrottleRates
from drf_signet.jose.keys import ALGORITHMS

DAY = timedelta(days=1)
NOTHING = timedelta(0)


def rule(user: Any) -> bool:
    return True


Accepted = tuple[Callable[[Any], Any], Any, Any]
Refused = tuple[Callable[[Any], Any], str, list[Any]]

ACCEPTED: list[Accepted] = [
    (parsers.boolean, True, True),
    (parsers.boolean, False, False),
    (parsers.positive_integer, 1, 1),
    (parsers.positive_integer, 10**9, 10**9),
    (parsers.duration_or_zero, NOTHING, NOTHING),
    (parsers.duration_or_zero, DAY, DAY),
    (parsers.duration, timedelta(microseconds=1), timedelta(microseconds=1)),
    (parsers.duration, 1000 * DAY, 1000 * DAY),
    (parsers.session_lifetime, 36_525 * DAY, 36_525 * DAY),
    (parsers.lifetime, DAY, DAY),
    (parsers.lifetime, 400 * DAY, 400 * DAY),
    (parsers.seconds, 0, 0.0),
    (parsers.seconds, 1.5, 1.5),
    (parsers.seconds, 3599, 3599.0),
    (parsers.seconds, timedelta(minutes=1), 60.0),
    (parsers.string, "a", "a"),
    *(
        (parsers.meta_key, key, key)
        for key in [
            "HTTP_AUTHORIZATION",
            "HTTP_X_TOKEN_2",
            "REDIRECT_HTTP_AUTHORIZATION",
            "REDIRECT_REDIRECT_HTTP_AUTHORIZATION",
        ]
    ),
    *(
        (parsers.broker_url, url, url)
        for url in [
            "redis://127.0.0.1:6379/0",
            "redis://redis.example",
            "rediss://user:p%2Fss@redis.example:6380/1?ssl_cert_reqs=none",
            "unix:///run/redis.sock?db=2",
            "valkey://[::1]:6379",
            "valkeys://valkey.example",
        ]
    ),
    (parsers.strings, None, ()),
    (parsers.strings, "a", ("a",)),
    (parsers.strings, ["a", "b"], ("a", "b")),
    (parsers.strings, ("a",), ("a",)),
    (parsers.strings, [], ()),
    (parsers.one_or_more_strings, "Bearer", ("Bearer",)),
    (parsers.one_or_more_strings, ["Bearer", "JWT"], ("Bearer", "JWT")),
    *((parsers.algorithm, name, name) for name in ALGORITHMS),
    (parsers.importable, rule, rule),
    (parsers.importable, "datetime.datetime", datetime),
    (parsers.instant, None, 0.0),
    (parsers.instant, datetime(2030, 1, 1, tzinfo=UTC), 1893456000.0),
    (parsers.instant, datetime(2030, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), 1893456000.0),
    (parsers.instant, "2030-01-01T00:00:00+00:00", 1893456000.0),
    (parsers.instant, "2030-01-01T00:00:00Z", 1893456000.0),
    (parsers.throttle_rates, None, None),
    (parsers.throttle_rates, {}, ThrottleRates()),
    (
        parsers.throttle_rates,
        {"username": "3/s", "address": "20/hour"},
        ThrottleRates(username=Rate(limit=3, period=1), address=Rate(limit=20, period=3600)),
    ),
    (
        parsers.throttle_rates,
        {"username": "1/m"},
        ThrottleRates(username=Rate(limit=1, period=60), address=ThrottleRates().address),
    ),
    (
        parsers.throttle_rates,
        {"username": None, "address": "1000/day"},
        ThrottleRates(username=None, address=Rate(limit=1000, period=86400)),
    ),
]

REFUSED: list[Refused] = [
    (parsers.boolean, "True or False", [1, 0, "True", "", None, []]),
    (parsers.positive_integer, "at least 1", [0, -1, True, 1.0, "1", None]),
    (parsers.duration_or_zero, "not negative", [-DAY, 5, 0, "5", None]),
    (parsers.duration, "longer than 0", [NOTHING]),
    (parsers.session_lifetime, "at most 100 years", [36_526 * DAY, timedelta.max]),
    (parsers.session_lifetime, "longer than 0", [NOTHING]),
    (parsers.duration, "not negative", [-DAY, 5, None]),
    (parsers.lifetime, "longer than 0", [NOTHING]),
    (parsers.lifetime, "at most 400 days", [400 * DAY + timedelta(microseconds=1)]),
    (parsers.lifetime, "timedelta", [300]),
    (parsers.seconds, "seconds", [-1, 3600, True, "1", None, DAY, -DAY]),
    (parsers.seconds, "seconds", [float("nan"), float("inf"), float("-inf")]),
    (parsers.string, "string that is not empty", ["", None, 1, b"a", ["a"]]),
    (
        parsers.broker_url,
        "it must be a URL such as redis://127.0.0.1:6379/0",
        [
            *("", None, 1, b"redis://a", "127.0.0.1:6379", "http://a", "redis://", "redis:///0"),
            *("unix://", "redis://a:0", "redis://a:x", "redis://[a", "redis://:12/34@a"),
            *("redis://:pass/word@a", "redis://:pass#word@a", "redis://:pass?word@a"),
        ],
    ),
    (parsers.meta_key, "string that is not empty", ["", None, 1, b"HTTP_X", ["HTTP_X"]]),
    *(
        (parsers.meta_key, f"such as '{key}'", names)
        for key, names in {
            "HTTP_AUTHORIZATION": [
                "Authorization",
                "AUTHORIZATION",
                "authorization",
                "http_authorization",
                "HTTP-AUTHORIZATION",
                "HTTP_AUTHORIZATION ",
                "HTTP_AUTHORIZATION\n",
                "-",
            ],
            "HTTP_X_ACCESS_TOKEN": [
                "X-Access-Token",
                "x_access_token",
                "HTTP_X-ACCESS-TOKEN",
                "HTTP_X_ACCESS_TOKEN:",
            ],
            "HTTP_CONTENT_TYPE": ["CONTENT_TYPE"],
            "HTTP_REMOTE_USER": ["REMOTE_USER"],
        }.items()
    ),
    (parsers.strings, "string that is not empty", ["", [""], ["a", 1], [None], b"a"]),
    (parsers.one_or_more_strings, "at least one", [None, [], ()]),
    (parsers.one_or_more_strings, "string that is not empty", [""]),
    (parsers.algorithm, "is not one of", ["none", "hs256", "", None, ["HS256"]]),
    (parsers.importable, "callable or its dotted path", [None, 1, b"a.b", "datetime.UTC"]),
    (parsers.instant, "time zone", ["2030-01-01T00:00:00", "2030-01-01", 1893456000, DAY]),
    (parsers.instant, "time zone", [datetime(2030, 1, 1)]),  # noqa: DTZ001 - naive on purpose
    (parsers.instant, "isoformat", ["soon", ""]),
    (parsers.throttle_rates, '"10/min"', ["10/min", 10, [], {"user": "1/s"}]),
    *(
        (parsers.throttle_rates, "is not a rate", [{"username": rate}, {"address": rate}])
        for rate in [
            "0/s",
            "-1/s",
            "10",
            "10/",
            "10/w",
            "1.5/s",
            "10/S",
            "10/month",
            "10/minutes",
            " 1/s",
            "1/s ",
            10,
            b"1/s",
        ]
    ),
]


def _case(parser: Callable[[Any], Any], value: Any, number: int) -> str:
    text = getattr(value, "__name__", repr(value))
    return f"{parser.__name__}-{number}-{text:.40}"


@pytest.mark.parametrize(
    ("parse", "value", "parsed"),
    ACCEPTED,
    ids=[_case(p, v, i) for i, (p, v, _) in enumerate(ACCEPTED)],
)
def test_a_valid_value_is_parsed(parse: Callable[[Any], Any], value: Any, parsed: Any) -> None:
    result = parse(value)
    assert result == parsed
    assert type(result) is type(parsed)


@pytest.mark.parametrize(
    ("parse", "message", "invalid"),
    REFUSED,
    ids=[_case(p, v, i) for i, (p, _, v) in enumerate(REFUSED)],
)
def test_an_invalid_value_is_refused_with_the_reason(
    parse: Callable[[Any], Any], message: str, invalid: list[Any]
) -> None:
    for value in invalid:
        with pytest.raises(ValueError, match=message):
            parse(value)


def test_error_of_a_broker_url_does_not_contain_its_password() -> None:
    with pytest.raises(ValueError, match="encode special characters") as caught:
        parsers.broker_url("redis://:pass/word@redis.example")
    assert "pass" not in str(caught.value).replace("password", "")
    assert "redis.example" not in str(caught.value)
    assert caught.value.__context__ is None  # the error of `urlsplit` contains the password


@pytest.mark.parametrize("value", [1, 1.5, object])
def test_a_value_that_is_not_iterable_raises_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        parsers.strings(value)


@pytest.mark.parametrize("path", ["nowhere", "drf_signet.nowhere", "no.such.module", ""])
def test_a_wrong_dotted_path_raises_an_import_error(path: str) -> None:
    with pytest.raises(ImportError):
        parsers.importable(path)


@pytest.mark.parametrize("parse", [parsers.string, parsers.positive_integer, keys.key_material])
def test_an_optional_parser_also_accepts_none_but_no_other_empty_value(
    parse: Callable[[Any], Any],
) -> None:
    parse_optional = parsers.optional(parse)
    assert parse_optional(None) is None
    for invalid in (0, "" if parse is not parsers.positive_integer else "1", False):
        with pytest.raises(ValueError, match=r"."):
            parse_optional(invalid)


def test_one_of_accepts_its_choices_and_lists_them_when_it_refuses() -> None:
    choose = parsers.one_of("lazy", "fresh")
    assert choose("fresh") == "fresh"
    for invalid in ("", "Lazy", None, 1, ["lazy"]):
        with pytest.raises(ValueError, match="'lazy', 'fresh'"):
            choose(invalid)


def test_every_parser_has_examples_of_valid_and_invalid_values() -> None:
    public = {
        member
        for name, member in vars(parsers).items()
        if callable(member) and not name.startswith("_") and member.__module__ == parsers.__name__
    }
    functions = {member for member in public if not isinstance(member, type)} - {
        parsers.optional,
        parsers.one_of,
    }
    assert functions == {parse for parse, _, _ in ACCEPTED} == {parse for parse, _, _ in REFUSED}


def test_rates_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Rate(limit=1, period=1).limit = 2  # type: ignore[misc]
