"""Parsers of settings: what each takes, and what it says of the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from drf_signet import values
from drf_signet.keys import ALGORITHMS
from drf_signet.values import Rate, ThrottleRates

DAY = timedelta(days=1)
NOTHING = timedelta(0)
PEM = "-----BEGIN PUBLIC KEY-----"


def rule(user: Any) -> bool:
    return True


Taken = tuple[Callable[[Any], Any], Any, Any]
Refused = tuple[Callable[[Any], Any], str, list[Any]]

TAKEN: list[Taken] = [
    (values.boolean, True, True),
    (values.boolean, False, False),
    (values.positive_integer, 1, 1),
    (values.positive_integer, 10**9, 10**9),
    (values.duration_or_zero, NOTHING, NOTHING),
    (values.duration_or_zero, DAY, DAY),
    (values.duration, timedelta(microseconds=1), timedelta(microseconds=1)),
    (values.duration, 1000 * DAY, 1000 * DAY),
    (values.lifetime, DAY, DAY),
    (values.lifetime, 400 * DAY, 400 * DAY),
    (values.seconds, 0, 0.0),
    (values.seconds, 1.5, 1.5),
    (values.seconds, 3599, 3599.0),
    (values.seconds, timedelta(minutes=1), 60.0),
    (values.text, "a", "a"),
    (values.texts, None, ()),
    (values.texts, "a", ("a",)),
    (values.texts, ["a", "b"], ("a", "b")),
    (values.texts, ("a",), ("a",)),
    (values.texts, [], ()),
    (values.some_texts, "Bearer", ("Bearer",)),
    (values.some_texts, ["Bearer", "JWT"], ("Bearer", "JWT")),
    *((values.algorithm, name, name) for name in ALGORITHMS),
    (values.key_material, "secret", "secret"),
    (values.key_material, b"secret", b"secret"),
    (values.key_material, {"kty": "oct"}, {"kty": "oct"}),
    (values.key_ring, [], ()),
    (values.key_ring, [{"key": "k"}], ({"kid": None, "alg": None, "key": "k"},)),
    (
        values.key_ring,
        ({"kid": "1", "alg": "EdDSA", "key": PEM}, {"kid": None, "alg": None, "key": b"k"}),
        ({"kid": "1", "alg": "EdDSA", "key": PEM}, {"kid": None, "alg": None, "key": b"k"}),
    ),
    (values.importable, rule, rule),
    (values.importable, "datetime.datetime", datetime),
    (values.instant, None, 0.0),
    (values.instant, datetime(2030, 1, 1, tzinfo=UTC), 1893456000.0),
    (values.instant, datetime(2030, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), 1893456000.0),
    (values.instant, "2030-01-01T00:00:00+00:00", 1893456000.0),
    (values.instant, "2030-01-01T00:00:00Z", 1893456000.0),
    (values.throttle_rates, None, None),
    (values.throttle_rates, {}, ThrottleRates()),
    (
        values.throttle_rates,
        {"username": "3/s", "address": "20/hour"},
        ThrottleRates(username=Rate(limit=3, period=1), address=Rate(limit=20, period=3600)),
    ),
    (
        values.throttle_rates,
        {"username": "1/m"},
        ThrottleRates(username=Rate(limit=1, period=60), address=ThrottleRates().address),
    ),
    (
        values.throttle_rates,
        {"username": None, "address": "1000/day"},
        ThrottleRates(username=None, address=Rate(limit=1000, period=86400)),
    ),
]

REFUSED: list[Refused] = [
    (values.boolean, "True or False", [1, 0, "True", "", None, []]),
    (values.positive_integer, "at least 1", [0, -1, True, 1.0, "1", None]),
    (values.duration_or_zero, "not negative", [-DAY, 5, 0, "5", None]),
    (values.duration, "longer than 0", [NOTHING]),
    (values.duration, "not negative", [-DAY, 5, None]),
    (values.lifetime, "longer than 0", [NOTHING]),
    (values.lifetime, "at most 400 days", [400 * DAY + timedelta(microseconds=1)]),
    (values.lifetime, "timedelta", [300]),
    (values.seconds, "seconds", [-1, 3600, True, "1", None, DAY, -DAY]),
    (values.seconds, "seconds", [float("nan"), float("inf"), float("-inf")]),
    (values.text, "text that is not empty", ["", None, 1, b"a", ["a"]]),
    (values.texts, "text that is not empty", ["", [""], ["a", 1], [None], b"a"]),
    (values.some_texts, "at least one", [None, [], ()]),
    (values.some_texts, "text that is not empty", [""]),
    (values.algorithm, "is not one of", ["none", "hs256", "", None, ["HS256"]]),
    (values.key_material, "not empty", ["", b"", {}, None, 1, ["k"]]),
    (values.key_ring, "list of keys", ["k", b"k", {"key": "k"}, None, {1}]),
    (values.key_ring, "each key is", [["k"], [None], [{}], [{"kid": "1"}], [{"key": "k", "x": 1}]]),
    (values.key_ring, "not empty", [[{"key": ""}], [{"key": "k", "kid": ""}]]),
    (values.key_ring, "text that is not empty", [[{"key": "k", "kid": 1}]]),
    (values.key_ring, "is not one of", [[{"key": "k", "alg": "none"}]]),
    (values.importable, "callable or its dotted path", [None, 1, b"a.b", "datetime.UTC"]),
    (values.instant, "time zone", ["2030-01-01T00:00:00", "2030-01-01", 1893456000, DAY]),
    (values.instant, "time zone", [datetime(2030, 1, 1)]),  # noqa: DTZ001 - the mistake in question
    (values.instant, "isoformat", ["soon", ""]),
    (values.throttle_rates, '"10/min"', ["10/min", 10, [], {"user": "1/s"}]),
    *(
        (values.throttle_rates, "is not a rate", [{"username": rate}, {"address": rate}])
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
    shown = getattr(value, "__name__", repr(value))
    return f"{parser.__name__}-{number}-{shown:.40}"


@pytest.mark.parametrize(
    ("parse", "value", "kept"), TAKEN, ids=[_case(p, v, i) for i, (p, v, _) in enumerate(TAKEN)]
)
def test_a_good_value_is_taken(parse: Callable[[Any], Any], value: Any, kept: Any) -> None:
    found = parse(value)
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("parse", "text", "bad"), REFUSED, ids=[_case(p, v, i) for i, (p, _, v) in enumerate(REFUSED)]
)
def test_a_bad_value_is_refused_with_what_it_must_be(
    parse: Callable[[Any], Any], text: str, bad: list[Any]
) -> None:
    for value in bad:
        with pytest.raises(ValueError, match=text):
            parse(value)


@pytest.mark.parametrize("value", [1, 1.5, object])
def test_what_cannot_be_gone_through_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        values.texts(value)


@pytest.mark.parametrize("path", ["nowhere", "drf_signet.nowhere", "no.such.module", ""])
def test_a_path_that_leads_nowhere_is_an_import_error(path: str) -> None:
    with pytest.raises(ImportError):
        values.importable(path)


@pytest.mark.parametrize("parse", [values.text, values.positive_integer, values.key_material])
def test_an_optional_value_may_be_none_and_nothing_else(parse: Callable[[Any], Any]) -> None:
    parse_optional = values.optional(parse)
    assert parse_optional(None) is None
    for bad in (0, "" if parse is not values.positive_integer else "1", False):
        with pytest.raises(ValueError, match=r"."):
            parse_optional(bad)


def test_a_choice_takes_what_it_names_and_names_it_when_it_refuses() -> None:
    choose = values.one_of("lazy", "fresh")
    assert choose("fresh") == "fresh"
    for bad in ("", "Lazy", None, 1, ["lazy"]):
        with pytest.raises(ValueError, match="'lazy', 'fresh'"):
            choose(bad)


def test_every_parser_is_tried_with_good_and_with_bad_values() -> None:
    public = {
        one
        for name, one in vars(values).items()
        if callable(one) and not name.startswith("_") and one.__module__ == values.__name__
    }
    parsers = {one for one in public if not isinstance(one, type)} - {
        values.optional,
        values.one_of,
    }
    assert parsers == {parse for parse, _, _ in TAKEN} == {parse for parse, _, _ in REFUSED}


def test_a_secret_stands_in_no_message() -> None:
    for entry in ({"key": "hunter2", "oops": 1}, {"key": "hunter2", "kid": 1}):
        with pytest.raises(ValueError, match=r".") as caught:
            values.key_ring([entry])
        assert "hunter2" not in str(caught.value)


def test_rates_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Rate(limit=1, period=1).limit = 2  # type: ignore[misc]
