"""Test hostile requests to the browser endpoints: test vectors, and random requests."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.urls import reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

import drf_signet
from drf_signet import Session
from drf_signet.testing import browser_client
from tests.support.endpoint_table import OBTAIN, UNKNOWN_SESSION_ID, Endpoint
from tests.support.page_requests import REFRESH_COOKIE
from tests.unit.test_requests_hostile import (
    BODIES,
    IDS,
    JSON,
    LATIN_1,
    MEMBERS,
    assert_refused,
    requests,
)

NAMES = ["login", "refresh", "logout", "logout_all", "logout_others"]
NAMES += ["session_list", "session_detail"]
LOGIN = Endpoint(name="signet_browser:login", fields=OBTAIN.fields)

PAGE = {"HTTP_X_REQUESTED_WITH": "x", "HTTP_SEC_FETCH_SITE": "same-origin"}


def is_json(body: Any) -> bool:
    content_type = body.meta.get("CONTENT_TYPE", body.type)
    return bool(content_type.partition(";")[0].strip().lower() == JSON)


@pytest.mark.parametrize("vector", BODIES, ids=str)
def test_hostile_body_of_a_login_is_refused_before_the_database(vector) -> None:
    statuses = vector.statuses if is_json(vector) else [413, 415]
    assert_refused(vector.send(browser_client(), LOGIN), *statuses)


@pytest.mark.parametrize("vector", MEMBERS, ids=str)
def test_hostile_member_of_a_login_is_refused(request, vector) -> None:
    statuses = vector.login if isinstance(vector.login, list) else [vector.login]
    if 401 in statuses:
        request.getfixturevalue("db")
    for name in LOGIN.fields:
        client: Any = browser_client()
        answer = client.generic("POST", LOGIN.url, vector.body(LOGIN, name), JSON)
        assert_refused(answer, *statuses, why=name)


COOKIES = st.sampled_from(["", "$token", "x", "a.b.c", "$token; {name}=x"]) | LATIN_1
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "HTTP_X_REQUESTED_WITH": st.sampled_from(["x", ""]) | LATIN_1,
        "HTTP_SEC_FETCH_SITE": st.sampled_from(["same-origin", "same-site", "cross-site"])
        | LATIN_1,
        "HTTP_ORIGIN": st.sampled_from(["http://testserver", "null", "https://[", "://"]) | LATIN_1,
    },
)


@given(
    name=st.sampled_from(NAMES),
    session_id=IDS.filter(bool),
    value=COOKIES,
    sent=requests(),
    headers=HEADERS | st.just(PAGE),
)
@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_request_is_never_a_server_error(
    user, name, session_id, value, sent, headers
) -> None:
    cache.clear()
    Session.objects.all().delete()
    token = str(drf_signet.issue(user, transport="cookie").refresh)
    url = reverse(
        f"signet_browser:{name}", args=[UNKNOWN_SESSION_ID] if name == "session_detail" else []
    )
    if name == "session_detail":
        url = url.replace(str(UNKNOWN_SESSION_ID), session_id)
    cookie = value.replace("$token", token).replace("{name}", REFRESH_COOKIE)
    sent |= {"HTTP_COOKIE": f"{REFRESH_COOKIE}={cookie}", **headers}
    before = list(Session.objects.values())
    client: Any = APIClient()
    answer = client.generic(path=url, **sent)
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert list(Session.objects.values()) == before
        if sent["method"] != "HEAD" and hasattr(answer, "accepted_renderer"):
            assert_refused(answer, answer.status_code)


def test_password_that_is_too_long_to_hash_is_refused() -> None:
    body = {"username": "vitor", "password": "x" * 1_000_000}
    assert_refused(browser_client().post(LOGIN.url, body), 400)
