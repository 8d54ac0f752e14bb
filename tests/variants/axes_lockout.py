"""Test the login with django-axes: lockout works, and no request causes a server error.

`test_variants` runs this module.
"""

from __future__ import annotations

from typing import Any

import pytest
from axes.models import AccessAttempt  # type: ignore[import-untyped]
from axes.utils import reset  # type: ignore[import-untyped]

import drf_signet
from tests.conftest import PASSWORD
from tests.support.endpoint_table import LOGOUT, OBTAIN, REFRESH, VERIFY

RIGHT = {"username": "vitor", "password": PASSWORD}
WRONG = {"username": "vitor", "password": "not the password"}
FORM = "application/x-www-form-urlencoded"


def login(client, credentials: dict[str, str], **extra: Any) -> int:
    status: int = client.post(OBTAIN.url, credentials, **extra).status_code
    return status


@pytest.fixture(
    params=["database.AxesDatabaseHandler", "cache.AxesCacheHandler", "dummy.AxesDummyHandler"]
)
def handler(request, settings):
    """Run the test with each handler of django-axes; return database, cache or dummy."""
    settings.AXES_HANDLER = f"axes.handlers.{request.param}"
    return request.param.split(".")[0]


@pytest.mark.parametrize("body_format", ["json", "multipart"])
def test_user_is_locked_out_after_three_failures(client, user, handler, body_format) -> None:
    statuses = [login(client, WRONG, format=body_format) for _ in range(4)]
    after = login(client, RIGHT, format=body_format)
    if handler == "dummy":
        assert [*statuses, after] == [401, 401, 401, 401, 200]
    else:
        assert [*statuses, after] == [401, 401, 429, 429, 429]


def test_other_users_are_not_locked_out(client, user, make_user) -> None:
    make_user(username="ana")
    for _ in range(3):
        login(client, WRONG)
    assert login(client, {**RIGHT, "username": "ana"}) == 200


def test_lockout_can_be_lifted(client, user) -> None:
    for _ in range(3):
        login(client, WRONG)
    assert login(client, RIGHT) == 429
    reset(username="vitor")
    assert login(client, RIGHT) == 200


def test_success_resets_the_count_if_axes_reset_on_success_is_set(client, user, settings) -> None:
    settings.AXES_RESET_ON_SUCCESS = True
    for _ in range(2):
        assert [login(client, credentials) for credentials in (WRONG, WRONG, RIGHT)] == [
            401,
            401,
            200,
        ]


def test_lockout_without_the_middleware_looks_like_a_wrong_password(client, user, settings) -> None:
    settings.MIDDLEWARE = settings.MIDDLEWARE[:-1]
    wrong_password = client.post(OBTAIN.url, WRONG)
    for _ in range(3):
        login(client, WRONG)
    locked_out = client.post(OBTAIN.url, RIGHT)
    assert (locked_out.status_code, locked_out.content) == (401, wrong_password.content)
    assert locked_out.json()["code"] == "no_active_account"


def test_tokens_of_a_locked_out_user_stay_valid(client, user) -> None:
    pair = drf_signet.issue(user)
    for _ in range(3):
        login(client, WRONG)
    assert client.post(REFRESH.url, {"refresh": pair.refresh}).status_code == 200
    assert client.post(VERIFY.url, {"token": pair.access}).status_code == 200
    assert client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {pair.access}").status_code == 200
    assert client.post(LOGOUT.url, {"refresh": pair.refresh}).status_code == 204


@pytest.mark.parametrize("content_type", ["application/json", FORM])
def test_recorded_attempt_contains_no_password(client, user, content_type) -> None:
    body = '{"username":"vitor","password":"hunter22"}'
    if content_type == FORM:
        body = "username=vitor&password=hunter22"
    client.generic("POST", OBTAIN.url, body, content_type)
    attempt = AccessAttempt.objects.values().get()
    assert attempt["username"] == "vitor"
    assert "hunter22" not in str(attempt)


@pytest.mark.parametrize("accept", ["application/json", "text/html", "garbage"])
def test_lockout_is_never_a_server_error_for_any_accept_header(client, user, accept) -> None:
    statuses = {login(client, WRONG, HTTP_ACCEPT=accept) for _ in range(5)}
    assert statuses <= {401, 406, 429}


@pytest.mark.parametrize("body", ["", "null", "[]", "{", '{"username":"\\u0000","password":"x"}'])
def test_malformed_login_is_not_recorded_as_an_attempt(client, db, body) -> None:
    response = client.generic("POST", OBTAIN.url, body, "application/json")
    assert response.status_code == 400
    assert not AccessAttempt.objects.exists()


def test_login_throttle_applies_before_axes_if_its_limit_is_lower(client, user, settings) -> None:
    settings.SIGNET = {"LOGIN_THROTTLE": {"username": "2/min"}}
    for _ in range(5):
        login(client, WRONG)
    assert AccessAttempt.objects.get().failures_since_start == 2


def test_issue_without_a_request_is_not_blocked_by_axes(user) -> None:
    assert drf_signet.issue(user).access
