"""Tests of `drf_signet.conf.providers`: the settings KEY_PROVIDER and KEY_ROTATION."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from drf_signet.conf import providers
from drf_signet.conf.providers import KeyRotation
from drf_signet.keys.database import DatabaseKeys

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_empty_dict_gives_the_defaults() -> None:
    assert providers.parse({}) == KeyRotation()
    assert KeyRotation() == KeyRotation(PERIOD=30 * DAY, ALGORITHM="ES256", PUBLISHED_AHEAD=HOUR)


def test_period_may_be_none() -> None:
    assert providers.parse({"PERIOD": None, "PUBLISHED_AHEAD": 100 * DAY}).PERIOD is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "a dict"),
        ({"EVERY": DAY}, "no key 'EVERY'; there are PERIOD, ALGORITHM, PUBLISHED_AHEAD"),
        ({"PERIOD": 30}, "PERIOD: it must be a timedelta"),
        ({"PERIOD": timedelta(0)}, "PERIOD: it must be longer than 0"),
        ({"PERIOD": 3651 * DAY}, "PERIOD: it must be at most 3650 days"),
        ({"ALGORITHM": "none"}, "ALGORITHM: 'none' is not one of"),
        ({"PUBLISHED_AHEAD": None}, "PUBLISHED_AHEAD: it must be a timedelta"),
        ({"PERIOD": HOUR}, "PERIOD must be longer than PUBLISHED_AHEAD"),
    ],
)
def test_invalid_value_is_an_error_that_names_the_key(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        providers.parse(given)


def test_provider_is_a_callable_or_its_path_or_the_database() -> None:
    assert providers.provider("database") is DatabaseKeys
    assert providers.provider("drf_signet.keys.database.DatabaseKeys") is DatabaseKeys
    assert providers.provider(dict) is dict
    with pytest.raises(ValueError, match="callable"):
        providers.provider(1)
