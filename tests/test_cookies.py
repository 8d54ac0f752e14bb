"""The setting COOKIE: what may be written, and which names follow from it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from drf_signet import cookies
from drf_signet.cookies import Cookies


def test_defaults_are_those_of_an_empty_dict() -> None:
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
def test_prefix_follows_from_secure_and_path(given, refresh, access) -> None:
    found = cookies.parse(given)
    assert (found.refresh_name, found.access_name) == (refresh, access)


@pytest.mark.parametrize(
    ("given", "said"),
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
def test_what_cannot_be_right_is_refused(given: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text is what is tested
        cookies.parse(given)
    assert said in str(caught.value)
