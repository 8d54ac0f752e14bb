"""Test the endpoints under ASGI, where Django reads the body and headers in a different way."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.handlers.asgi import ASGIRequest
from django.test import AsyncClient

from drf_signet.authentication import JWTAuthentication
from tests.conftest import PASSWORD
from tests.support.endpoint_table import LOGOUT, OBTAIN, REFRESH, SESSIONS

JSON = "application/json"


def post(url: str, body: Any, content_type: str = JSON) -> Any:
    sent = body if isinstance(body, bytes) else json.dumps(body)
    return async_to_sync(AsyncClient().post)(url, sent, content_type=content_type)


def get(url: str, **headers: str) -> Any:
    return async_to_sync(AsyncClient().get)(url, headers=headers)


def test_login_refresh_list_and_logout_work_under_asgi(user) -> None:
    pair = post(OBTAIN.url, {"username": "vitor", "password": PASSWORD}).json()
    access_token = post(REFRESH.url, {"refresh": pair["refresh"]}).json()["access"]
    (listed,) = get(SESSIONS.url, authorization=f"Bearer {access_token}").json()
    assert listed["current"]
    assert post(LOGOUT.url, {"refresh": pair["refresh"]}).status_code == 204
    assert post(REFRESH.url, {"refresh": pair["refresh"]}).json()["reason"] == "ended"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b"x" * 3_000_000, JSON, 413),
        (b"{}", "text/plain", 415),
        (b"a=1&" * 2000, "application/x-www-form-urlencoded", 400),
    ],
    ids=["empty", "deep", "large", "text", "fields"],
)
def test_hostile_body_is_refused_before_the_database(body, content_type, status) -> None:
    response = post(REFRESH.url, body, content_type)
    assert response.status_code == status
    assert response.json()["code"]
    assert response["Cache-Control"] == "no-store"


def test_two_authorization_headers_are_400() -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer a"), (b"Authorization", b"Bearer b")],
    }
    request: Any = ASGIRequest(scope, io.BytesIO())
    with pytest.raises(Exception, match="more than one token") as refused:
        JWTAuthentication().authenticate(request)
    assert vars(type(refused.value))["status_code"] == 400
