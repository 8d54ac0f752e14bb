"""What an error report, a log or a representation tells: never a token, a password or a secret."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.log import AdminEmailHandler
from django.views.debug import ExceptionReporter
from rest_framework.test import APIClient

import drf_signet
from drf_signet import Session
from drf_signet.views import TokenRefreshView
from tests.endpoints import LOGOUT, LOGOUT_ALL, OBTAIN, REFRESH, SESSIONS, VERIFY

PASSWORD = "tr0ub4dor-and-3-horses"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def anna(make_user):
    """Return a user with a password that is found nowhere else."""
    return make_user(username="anna", password=PASSWORD)


class Mails(AdminEmailHandler):
    """Keeps what would be mailed to the administrators, as text and as a page."""

    def __init__(self) -> None:
        super().__init__(include_html=True)
        self.sent: list[str] = []

    def send_mail(self, subject: Any, message: Any, *args: Any, **kwargs: Any) -> None:
        self.sent += [subject, message, kwargs["html_message"]]


@pytest.fixture
def report(settings):
    """Return a function that posts one request, and returns what is reported of its error."""
    assert not settings.DEBUG  # else nothing is hidden from anybody
    client = APIClient(raise_request_exception=False)
    logger = logging.getLogger("django.request")
    mails = Mails()
    logger.addHandler(mails)

    def post(url: str, **sent: Any) -> str:
        assert client.post(url, **sent).status_code == 500
        _, _, page = mails.sent
        assert "<html" in page
        return "\n".join(mails.sent)

    yield post
    logger.removeHandler(mails)


def failing(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("the hook failed")


def body(form: str, **fields: str) -> dict[str, Any]:
    if form == "json":
        return {"data": fields, "format": "json"}
    return {"data": urlencode(fields), "content_type": FORM}


def assert_tells_nothing(text: str, settings: Any, *secrets: str | None) -> None:
    assert "the hook failed" in text
    assert settings.SECRET_KEY not in text
    for secret in secrets:
        assert secret
        # Whole, or in parts: no segment of a token either.
        for part in [secret, *secret.split(".")]:
            if len(part) > 8 and not part.startswith("eyJ0eXAiOiJKV1QiLCJhbGciOi"):
                assert part not in text


every_form = pytest.mark.parametrize("form", ["json", "form"])


@every_form
def test_report_of_a_failed_login_tells_no_password(anna, report, settings, form) -> None:
    settings.SIGNET = {"CLAIMS": failing}
    text = report(OBTAIN.url, **body(form, username="anna", password=PASSWORD))
    assert_tells_nothing(text, settings, PASSWORD)
    assert not Session.objects.exists()


@every_form
def test_report_of_a_failed_refresh_tells_no_token(anna, report, settings, form) -> None:
    token = drf_signet.issue(anna).refresh
    settings.SIGNET = {"CLAIMS": failing, "ROTATE_REFRESH_TOKENS": True}
    before = list(Session.objects.values())
    text = report(REFRESH.url, **body(form, refresh=str(token)))
    assert_tells_nothing(text, settings, token)
    assert list(Session.objects.values()) == before


@pytest.mark.parametrize("endpoint", [REFRESH, VERIFY, LOGOUT], ids=str)
def test_report_of_a_failing_database_tells_no_token(anna, report, settings, endpoint) -> None:
    token = str(drf_signet.issue(anna).refresh)
    (field,) = endpoint.fields
    with connection.execute_wrapper(failing):
        text = report(endpoint.url, **body("json", **{field: token}))
    assert_tells_nothing(text, settings, token)


def test_report_of_a_failing_rule_tells_no_access_token(anna, report, settings) -> None:
    token = drf_signet.issue(anna).access
    settings.SIGNET = {"USER_AUTHENTICATION_RULE": failing, "USER_LOADING": "fresh"}
    text = report(LOGOUT_ALL.url, HTTP_AUTHORIZATION=f"Bearer {token}")
    assert_tells_nothing(text, settings, token)


def test_report_of_a_subclass_that_fails_tells_no_token(anna, rf, settings) -> None:
    class Failing(TokenRefreshView):
        def answer(self, request, data):
            copy = data["refresh"]
            return failing(copy)

    token = str(drf_signet.issue(anna).refresh)
    request = rf.post("/", {"refresh": token})
    with pytest.raises(RuntimeError) as caught:
        Failing.as_view()(request)
    below_us = caught.tb.tb_next
    reporter = ExceptionReporter(request, caught.type, caught.value, below_us)
    text = reporter.get_traceback_text() + reporter.get_traceback_html()
    assert_tells_nothing(text, settings, token)


def test_report_names_no_key_of_the_settings(anna, report, settings) -> None:
    key = "a key of SIGNET's own, long enough: 0123456789abcdef0123456789abcdef"
    settings.SIGNET = {
        "CLAIMS": failing,
        "KEYS": [{"kid": "1", "alg": "HS256", "key": key}],
    }
    text = report(OBTAIN.url, **body("json", username="anna", password=PASSWORD))
    assert_tells_nothing(text, settings, PASSWORD, key)


@contextmanager
def everything_logged(caplog):
    """Log all that can be, SQL with its parameters included."""
    caplog.set_level(logging.DEBUG)
    for name in ["drf_signet", "django", "django.db.backends", "django.request"]:
        caplog.set_level(logging.DEBUG, logger=name)
    with CaptureQueriesContext(connection):
        yield


def test_logs_of_all_flows_tell_no_token_and_no_password(client, anna, caplog, settings) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True, "ROTATION_GRACE_PERIOD": timedelta(0)}
    secrets = [PASSWORD, "not her password"]
    with everything_logged(caplog):
        client.post(OBTAIN.url, {"username": "anna", "password": secrets[1]})
        pair = client.post(OBTAIN.url, {"username": "anna", "password": PASSWORD}).json()
        successor = client.post(REFRESH.url, {"refresh": pair["refresh"]}).json()
        secrets += [*pair.values(), *successor.values()]
        header = {"HTTP_AUTHORIZATION": f"Bearer {pair['access']}"}
        forged = pair["access"][:-8] + "forgedAA"
        secrets.append("forgedAA")
        client.get("/hello/", **header)
        client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {forged}")
        client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {forged}, Bearer {forged}")
        client.get(SESSIONS.url, **header)
        for token in (pair["access"], pair["refresh"], forged, "x" * 9000):
            client.post(VERIFY.url, {"token": token})
            client.post(REFRESH.url, {"refresh": token})
            client.post(LOGOUT.url, {"refresh": token})
        client.post(LOGOUT_ALL.url, **header)
    text = "\n".join(map(repr, caplog.records)) + caplog.text
    assert "reused" in text
    assert "INSERT" in text
    parts = {part for secret in secrets for part in [secret, *secret.split(".")[1:]]}
    assert [part for part in parts if part in text] == []


def test_representations_tell_no_token(anna) -> None:
    pair = drf_signet.issue(anna)
    claims = drf_signet.flows.verify(pair.access)
    for text in (repr(pair), str(pair), repr(claims), str(claims), repr(pair.session)):
        assert str(pair.access) not in text
        assert str(pair.refresh) not in text


def test_report_of_a_failed_refresh_tells_no_cookie(anna, report, settings) -> None:
    pair = drf_signet.issue(anna, transport="cookie")
    settings.SIGNET = {
        "CLAIMS": failing,
        "COOKIE": {"ACCESS_NAME": "signet-access-token"},
    }
    cookie = f"__Host-signet-refresh-token={pair.refresh}; __Host-signet-access-token={pair.access}"
    page = {"HTTP_X_REQUESTED_WITH": "x", "HTTP_SEC_FETCH_SITE": "same-origin"}
    text = report("/auth/refresh/", **body("json"), HTTP_COOKIE=cookie, **page)
    assert_tells_nothing(text, settings, pair.refresh, pair.access)


@pytest.mark.parametrize("name", ["refresh", "logout", "logout/all"])
def test_report_of_a_failing_database_tells_no_cookie(anna, report, settings, name) -> None:
    token = drf_signet.issue(anna, transport="cookie").refresh
    page = {"HTTP_X_REQUESTED_WITH": "x", "HTTP_SEC_FETCH_SITE": "same-origin"}
    cookie = {"HTTP_COOKIE": f"__Host-signet-refresh-token={token}"}
    with connection.execute_wrapper(failing):
        text = report(f"/auth/{name}/", **body("json"), **cookie, **page)
    assert_tells_nothing(text, settings, token)


def test_report_of_a_failed_login_for_a_page_tells_no_password(anna, report, settings) -> None:
    settings.SIGNET = {"CLAIMS": failing}
    page = {"HTTP_X_REQUESTED_WITH": "x", "HTTP_SEC_FETCH_SITE": "same-origin"}
    text = report("/auth/login/", **body("json", username="anna", password=PASSWORD), **page)
    assert_tells_nothing(text, settings, PASSWORD)


def test_report_of_a_protected_view_tells_no_access_cookie(anna, report, settings) -> None:
    token = drf_signet.issue(anna).access
    settings.SIGNET = {
        "USER_AUTHENTICATION_RULE": failing,
        "USER_LOADING": "fresh",
        "COOKIE": {"ACCESS_NAME": "signet-access-token"},
    }
    page = {"HTTP_X_REQUESTED_WITH": "x", "HTTP_SEC_FETCH_SITE": "same-origin"}
    cookie = {"HTTP_COOKIE": f"__Host-signet-access-token={token}"}
    text = report(LOGOUT_ALL.url, **cookie, **page)
    assert_tells_nothing(text, settings, token)
