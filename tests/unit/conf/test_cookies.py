"""Tests of `drf_signet.conf.cookies`: parsing the COOKIE setting, and the names of the cookies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from drf_signet.conf import cookies
from drf_signet.conf.cookies import Cookies


def test_an_empty_dict_gives_the_defaults() -> None:
    assert cookies.parse({}) == Cookies()
    assert Cookies().refresh_name == "__Host-signet-refresh-token"
    assert Cookies().access_name is None


@pytest.mark.parametrize(
    ("given", "refresh", "access"),
    [
        ({"ACCESS_NAME": "a-token"}, "__Host-signet-refresh-token", "__Host-a-token"),
        ({"NAME": "TOKEN_7"}, "__Host-TOKEN_7", None),
        (
            {"PATH": "/auth/", "ACCESS_NAME": "a-token"},
            "__Secure-signet-refresh-token",
            "__Host-a-token",
        ),
        ({"SECURE": False, "ACCESS_NAME": "a-token"}, "signet-refresh-token", "a-token"),
        ({"SECURE": False, "PATH": "/auth"}, "signet-refresh-token", None),
    ],
)
def test_the_prefix_of_the_names_depends_on_secure_and_path(given, refresh, access) -> None:
    parsed = cookies.parse(given)
    assert (parsed.refresh_name, parsed.access_name) == (refresh, access)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "must be a dict"),
        ([], "must be a dict"),
        ({"DOMAIN": "example.com"}, "no key 'DOMAIN'; there are NAME, SECURE"),
        ({7: 7}, "no key 7"),
        ({"NAME": ""}, "NAME: it must be the name of a cookie"),
        ({"NAME": None}, "NAME: it must be the name of a cookie"),
        ({"NAME": "a token"}, "NAME: it must be the name"),
        ({"NAME": "token;"}, "NAME: it must be the name"),
        ({"NAME": "token" * 20}, "NAME: it must be the name"),
        ({"NAME": "__Host-token"}, "NAME: it must be without a prefix"),
        ({"NAME": "refresh"}, 'NAME: it must contain "token"'),
        ({"ACCESS_NAME": "access"}, 'ACCESS_NAME: it must contain "token"'),
        ({"ACCESS_NAME": "signet-refresh-token"}, "NAME and ACCESS_NAME must differ"),
        ({"REMEMBERED_IDLE_LIFETIME": 5}, "REMEMBERED_IDLE_LIFETIME: it must be a timedelta"),
        ({"UNREMEMBERED_IDLE_LIFETIME": None}, "UNREMEMBERED_IDLE_LIFETIME: it must be"),
        ({"SECURE": 1}, "SECURE: it must be True or False"),
        ({"SAMESITE": "None"}, "SAMESITE: it must be one of 'Strict', 'Lax'"),
        ({"SAMESITE": "strict"}, "SAMESITE: it must be one of"),
        ({"PATH": "auth/"}, "PATH: it must be a path"),
        ({"PATH": ""}, "PATH: it must be a path"),
        ({"PATH": "/a;Domain=b"}, "PATH: it must be a path"),
        ({"PATH": "/a\r\nb"}, "PATH: it must be a path"),
        ({"PATH": None}, "PATH: it must be a path"),
        ({"IDLE_LIFETIME": 7}, "IDLE_LIFETIME: it must be a timedelta"),
        ({"IDLE_LIFETIME": timedelta(days=401)}, "IDLE_LIFETIME: a token lives at most 400 days"),
    ],
)
def test_an_invalid_value_is_refused_with_the_reason(given: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the next lines test the message
        cookies.parse(given)
    assert message in str(caught.value)
