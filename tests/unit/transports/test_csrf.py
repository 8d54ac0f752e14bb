"""Tests of `drf_signet.transports.csrf`, with the vectors in `tests/vectors/csrf.toml`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.middleware.csrf import CsrfViewMiddleware
from django.test import RequestFactory, override_settings
from django.urls import reverse
from rest_framework.test import APIClient

from drf_signet import Session
from drf_signet.errors import CsrfFailed
from drf_signet.transports import csrf
from tests.conftest import PASSWORD
from tests.support.endpoint_table import UNKNOWN_SESSION_ID
from tests.support.page_requests import REFRESH_COOKIE, cookie_of, log_in
from tests.support.vector_files import load


@dataclass(frozen=True, kw_only=True)
class Vector:
    """A request, and the expected result of its CSRF check.

    Args:
        meta: entries of `request.META`, in addition to those of `headers`.
        settings: the Django settings of the test.
        reason: why the request is refused if its method is unsafe; empty if it is accepted.
        safe: why the request is refused if its method is safe; None means the same as `reason`.
        hint: a string that the response contains if DEBUG is on.
    """

    name: str
    meta: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    safe: str | None = None
    hint: str = ""

    def __str__(self) -> str:
        return self.name

    @property
    def headers(self) -> dict[str, Any]:
        return {
            "HTTP_HOST": "api.example",
            "HTTP_X_REQUESTED_WITH": "XMLHttpRequest",
            "wsgi.url_scheme": "https",
            **self.meta,
        }

    @property
    def is_decided_by_origin(self) -> bool:
        decided = self.meta.get("HTTP_SEC_FETCH_SITE") in ("same-origin", "cross-site")
        return "HTTP_ORIGIN" in self.meta and bool(self.headers["HTTP_X_REQUESTED_WITH"]) > decided

    @property
    def is_for_an_allowed_host(self) -> bool:
        # Django itself refuses a host that is not in ALLOWED_HOSTS, with a 400.
        return not str(self.headers["HTTP_HOST"]).startswith("evil")

    @property
    def reason_if_safe(self) -> str:
        return self.reason if self.safe is None else self.safe


VECTORS = load(Vector, "csrf")
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=str)

ENDPOINTS = [
    ("POST", "login"),
    ("POST", "refresh"),
    ("POST", "logout"),
    ("POST", "logout_all"),
    ("GET", "session_list"),
    ("DELETE", "session_detail"),
]


@pytest.fixture(autouse=True)
def _hosts(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["api.example", "10.0.0.1", "www.example", "testserver"]


def verdict(request: Any) -> str:
    try:
        csrf.check(request)
    except CsrfFailed as error:
        return error.reason
    return ""


@each_vector
def test_check_follows_the_vector_for_unsafe_and_safe_methods(vector) -> None:
    with override_settings(**vector.settings):
        assert verdict(RequestFactory().post("/", **vector.headers)) == vector.reason
        for method in ("GET", "HEAD"):
            request = RequestFactory().generic(method, "/", **vector.headers)
            assert verdict(request) == vector.reason_if_safe


@pytest.mark.parametrize(
    "vector", [vector for vector in VECTORS if vector.is_decided_by_origin], ids=str
)
def test_origin_is_checked_as_in_django(vector) -> None:
    with override_settings(**vector.settings):
        request = RequestFactory().post("/", **vector.headers)
        rule: Any = CsrfViewMiddleware(lambda request: None)  # type: ignore[arg-type]
        trusted = rule._origin_verified(request)
    assert vector.reason == ("" if trusted else "origin_untrusted")


def test_the_get_response_of_the_django_middleware_raises_if_it_is_called(rf) -> None:
    with pytest.raises(NotImplementedError):
        csrf._no_response(rf.get("/"))


@pytest.mark.parametrize(("method", "name"), ENDPOINTS)
def test_every_endpoint_refuses_every_bad_vector_before_it_changes_anything(
    user, method, name, settings
) -> None:
    token = cookie_of(log_in(HTTP_HOST="api.example"))
    before = list(Session.objects.values())
    url = reverse(
        f"signet_browser:{name}", args=[UNKNOWN_SESSION_ID] if name == "session_detail" else []
    )
    for vector in VECTORS:
        reason = vector.reason_if_safe if method == "GET" else vector.reason
        if not reason or not vector.is_for_an_allowed_host:
            continue
        client: Any = APIClient()
        client.cookies[REFRESH_COOKIE] = token
        body = json.dumps({"username": "vitor", "password": PASSWORD})
        with override_settings(**vector.settings):
            answer = client.generic(method, url, body, "application/json", **vector.headers)
        assert (answer.status_code, answer["Cache-Control"]) == (403, "no-store"), vector
        assert answer.json() == {
            "detail": "The request may come from another site",
            "code": "csrf_failed",
            "reason": reason,
        }, vector
        assert answer.cookies == {}, vector
    assert list(Session.objects.values()) == before


@pytest.mark.parametrize(("method", "name"), ENDPOINTS)
def test_every_endpoint_accepts_a_page_of_a_trusted_origin(user, method, name, settings) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://app.example"]
    client: Any = APIClient()
    client.cookies[REFRESH_COOKIE] = cookie_of(log_in(HTTP_HOST="api.example"))
    url = reverse(
        f"signet_browser:{name}", args=[UNKNOWN_SESSION_ID] if name == "session_detail" else []
    )
    page = {"HTTP_ORIGIN": "https://app.example", "HTTP_SEC_FETCH_SITE": "same-site"}
    answer = client.generic(method, url, "", "application/json", HTTP_X_REQUESTED_WITH="x", **page)
    assert answer.status_code == {"login": 400, "session_detail": 404}.get(
        name, 200 if name in ("refresh", "session_list") else 204
    )


@pytest.mark.parametrize(
    "vector",
    [
        vector
        for vector in VECTORS
        if vector.reason == "origin_untrusted" and vector.is_for_an_allowed_host
    ],
    ids=str,
)
def test_the_answer_under_debug_contains_the_setting(vector, settings) -> None:
    settings.DEBUG = True
    client: Any = APIClient()
    with override_settings(**vector.settings):
        answer = client.generic(
            "POST", reverse("signet_browser:refresh"), "", "application/json", **vector.headers
        )
    assert answer.status_code == 403
    assert (vector.hint or "CSRF_TRUSTED_ORIGINS") in answer.json()["detail"]


def test_the_answer_to_another_site_under_debug_suggests_no_setting(settings) -> None:
    settings.DEBUG = True
    answer = APIClient().post(
        reverse("signet_browser:refresh"),
        format="json",
        HTTP_X_REQUESTED_WITH="x",
        HTTP_SEC_FETCH_SITE="cross-site",
        HTTP_HOST="api.example",
    )
    assert "one site" in answer.json()["detail"]
