"""Test that error reports, logs and `repr()` strings contain no token, password or secret."""

from __future__ import annotations

import html
import logging
import re
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.log import AdminEmailHandler
from django.views.debug import ExceptionReporter
from joserfc import jwk
from rest_framework.test import APIClient, APIRequestFactory

import drf_signet
from drf_signet import Session
from drf_signet.conf import settings as conf
from drf_signet.views import TokenRefreshView
from tests.support.endpoint_table import LOGOUT, LOGOUT_ALL, OBTAIN, REFRESH, SESSIONS, VERIFY
from tests.support.token_forge import signer

PASSWORD = "tr0ub4dor-and-3-horses"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def anna(make_user):
    """Return a user with a password that cannot occur in the reports by chance."""
    return make_user(username="anna", password=PASSWORD)


class Mails(AdminEmailHandler):
    """Log handler that stores the error emails to administrators instead of sending them."""

    def __init__(self) -> None:
        super().__init__(include_html=True)
        self.sent: list[str] = []

    def send_mail(self, subject: Any, message: Any, *args: Any, **kwargs: Any) -> None:
        self.sent += [subject, message, kwargs["html_message"]]


@pytest.fixture
def report(settings):
    """Return a function that sends a failing request and returns the error report."""
    assert not settings.DEBUG  # with DEBUG, Django would not hide secrets
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


#: The line break that an error report inserts into long `bytes`, but not into a long token.
LINE_BREAK_IN_BYTES = re.compile(r"(?:'|&#x27;)\s+b(?:'|&#x27;)")


def assert_no_secret_in(text: str, settings: Any, *secrets: str | None) -> None:
    text = LINE_BREAK_IN_BYTES.sub("", text)
    assert "the hook failed" in text
    assert settings.SECRET_KEY not in text
    for secret in secrets:
        assert secret
        # Search for the whole token and for its segments, except the header, which is not secret.
        for part in [secret, *secret.split(".")]:
            if len(part) > 8 and not part.startswith("eyJ0eXAiOiJKV1QiLCJhbGciOi"):
                assert part not in text


every_form = pytest.mark.parametrize("form", ["json", "form"])


@every_form
def test_report_of_a_failed_login_contains_no_password(anna, report, settings, form) -> None:
    settings.SIGNET = {"CLAIMS": failing}
    text = report(OBTAIN.url, **body(form, username="anna", password=PASSWORD))
    assert_no_secret_in(text, settings, PASSWORD)
    assert not Session.objects.exists()


@every_form
def test_report_of_a_failed_refresh_contains_no_token(anna, report, settings, form) -> None:
    token = drf_signet.issue(anna).refresh
    settings.SIGNET = {"CLAIMS": failing, "ROTATE_REFRESH_TOKENS": True}
    before = list(Session.objects.values())
    text = report(REFRESH.url, **body(form, refresh=str(token)))
    assert_no_secret_in(text, settings, token)
    assert list(Session.objects.values()) == before


@pytest.mark.parametrize("endpoint", [REFRESH, VERIFY, LOGOUT], ids=str)
def test_report_of_a_database_error_contains_no_token(anna, report, settings, endpoint) -> None:
    token = str(drf_signet.issue(anna).refresh)
    (field,) = endpoint.fields
    with connection.execute_wrapper(failing):
        text = report(endpoint.url, **body("json", **{field: token}))
    assert_no_secret_in(text, settings, token)


def test_report_of_a_failing_authentication_rule_contains_no_access_token(
    anna, report, settings
) -> None:
    token = drf_signet.issue(anna).access
    settings.SIGNET = {"USER_AUTHENTICATION_RULE": failing, "USER_LOADING": "fresh"}
    text = report(LOGOUT_ALL.url, HTTP_AUTHORIZATION=f"Bearer {token}")
    assert_no_secret_in(text, settings, token)


@pytest.mark.parametrize("endpoint", [REFRESH, VERIFY, LOGOUT], ids=str)
def test_report_of_a_failing_tenant_hook_contains_no_token(
    anna, report, settings, endpoint
) -> None:
    pair = drf_signet.issue(anna)
    settings.SIGNET = {"TENANT": failing}
    (field,) = endpoint.fields
    text = report(endpoint.url, **body("json", **{field: str(pair.refresh)}))
    assert_no_secret_in(text, settings, pair.refresh)


@pytest.mark.parametrize("warm", [False, True], ids=["new", "cached"])
def test_report_of_a_failing_tenant_hook_contains_no_access_token(
    anna, report, settings, warm
) -> None:
    names = ["a"]
    settings.SIGNET = {"TENANT": lambda request: names[0] if names else failing()}
    token = drf_signet.issue(anna).access
    header: Any = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    if warm:
        assert APIClient().get(SESSIONS.url, **header).status_code == 200
    names.clear()
    assert_no_secret_in(report(LOGOUT_ALL.url, **header), settings, token)


def test_report_of_a_failing_subclass_contains_no_token(anna, rf, settings) -> None:
    class Failing(TokenRefreshView):
        def answer(self, request, data):
            token_copy = data["refresh"]
            return failing(token_copy)

    token = str(drf_signet.issue(anna).refresh)
    request = rf.post("/", {"refresh": token})
    with pytest.raises(RuntimeError) as caught:
        Failing.as_view()(request)
    # Skip the first frame: it is this test function, whose local variables contain the token.
    traceback = caught.tb.tb_next
    reporter = ExceptionReporter(request, caught.type, caught.value, traceback)
    text = reporter.get_traceback_text() + reporter.get_traceback_html()
    assert_no_secret_in(text, settings, token)


@pytest.mark.parametrize("verb", ["INSERT", "SAVEPOINT"])
def test_report_of_a_failed_issue_contains_no_password_hash(anna, rf, settings, verb) -> None:
    def fail(execute: Any, sql: str, *args: Any) -> Any:
        return failing() if sql.startswith(verb) else execute(sql, *args)

    settings.SIGNET = {"USER_AUTHENTICATION_RULE": bool} if verb == "SAVEPOINT" else {}
    with connection.execute_wrapper(fail), pytest.raises(RuntimeError) as caught:
        drf_signet.issue(anna)
    reporter = ExceptionReporter(rf.post("/"), caught.type, caught.value, caught.tb)
    text = reporter.get_traceback_text() + reporter.get_traceback_html()
    assert_no_secret_in(text, settings, anna.password)


def test_report_contains_no_key_of_the_settings(anna, report, settings) -> None:
    secret_key = "a key of SIGNET's own, long enough: 0123456789abcdef0123456789abcdef"
    settings.SIGNET = {
        "CLAIMS": failing,
        "KEYS": [{"kid": "1", "alg": "HS256", "key": secret_key}],
    }
    text = report(OBTAIN.url, **body("json", username="anna", password=PASSWORD))
    assert_no_secret_in(text, settings, PASSWORD, secret_key)


@contextmanager
def debug_logging(caplog):
    """Log everything at level DEBUG, including SQL with its parameters."""
    caplog.set_level(logging.DEBUG)
    for name in ["drf_signet", "django", "django.db.backends", "django.request"]:
        caplog.set_level(logging.DEBUG, logger=name)
    with CaptureQueriesContext(connection):
        yield


def test_logs_of_all_flows_contain_no_token_and_no_password(client, anna, caplog, settings) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True, "ROTATION_GRACE_PERIOD": timedelta(0)}
    secrets = [PASSWORD, "not her password"]
    with debug_logging(caplog):
        client.post(OBTAIN.url, {"username": "anna", "password": secrets[1]})
        pair = client.post(OBTAIN.url, {"username": "anna", "password": PASSWORD}).json()
        successor = client.post(REFRESH.url, {"refresh": pair["refresh"]}).json()
        secrets += [*pair.values(), *successor.values()]
        header = {"HTTP_AUTHORIZATION": f"Bearer {pair['access']}"}
        forged_token = pair["access"][:-8] + "forgedAA"
        secrets.append("forgedAA")
        client.get("/hello/", **header)
        client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {forged_token}")
        client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {forged_token}, Bearer {forged_token}")
        client.get(SESSIONS.url, **header)
        for token in (pair["access"], pair["refresh"], forged_token, "x" * 9000):
            client.post(VERIFY.url, {"token": token})
            client.post(REFRESH.url, {"refresh": token})
            client.post(LOGOUT.url, {"refresh": token})
        client.post(LOGOUT_ALL.url, **header)
    text = "\n".join(map(repr, caplog.records)) + caplog.text
    assert "reused" in text
    assert "INSERT" in text
    parts = {part for secret in secrets for part in [secret, *secret.split(".")[1:]]}
    assert [part for part in parts if part in text] == []


def test_representations_contain_no_token(anna) -> None:
    pair = drf_signet.issue(anna)
    claims = drf_signet.flows.verify(pair.access)
    for text in (repr(pair), str(pair), repr(claims), str(claims), repr(pair.session)):
        assert str(pair.access) not in text
        assert str(pair.refresh) not in text


def test_report_of_a_failed_refresh_contains_no_cookie(anna, report, settings) -> None:
    pair = drf_signet.issue(anna, transport="cookie")
    settings.SIGNET = {
        "CLAIMS": failing,
        "COOKIE": {"ACCESS_NAME": "signet-access-token"},
    }
    cookie = f"__Host-signet-refresh-token={pair.refresh}; __Host-signet-access-token={pair.access}"
    page_headers = {"HTTP_X_REQUESTED_WITH": "x", "HTTP_SEC_FETCH_SITE": "same-origin"}
    text = report("/auth/refresh/", **body("json"), HTTP_COOKIE=cookie, **page_headers)
    assert_no_secret_in(text, settings, pair.refresh, pair.access)


@pytest.mark.parametrize("name", ["refresh", "logout", "logout/all"])
def test_report_of_a_database_error_contains_no_cookie(anna, report, settings, name) -> None:
    token = drf_signet.issue(anna, transport="cookie").refresh
    page_headers = {"HTTP_X_REQUESTED_WITH": "x", "HTTP_SEC_FETCH_SITE": "same-origin"}
    cookie = {"HTTP_COOKIE": f"__Host-signet-refresh-token={token}"}
    with connection.execute_wrapper(failing):
        text = report(f"/auth/{name}/", **body("json"), **cookie, **page_headers)
    assert_no_secret_in(text, settings, token)


def test_report_of_a_failed_browser_login_contains_no_password(anna, report, settings) -> None:
    settings.SIGNET = {"CLAIMS": failing}
    page_headers = {"HTTP_X_REQUESTED_WITH": "x", "HTTP_SEC_FETCH_SITE": "same-origin"}
    text = report(
        "/auth/login/", **body("json", username="anna", password=PASSWORD), **page_headers
    )
    assert_no_secret_in(text, settings, PASSWORD)


def test_report_of_a_protected_view_contains_no_access_cookie(anna, report, settings) -> None:
    token = drf_signet.issue(anna).access
    settings.SIGNET = {
        "USER_AUTHENTICATION_RULE": failing,
        "USER_LOADING": "fresh",
        "COOKIE": {"ACCESS_NAME": "signet-access-token"},
    }
    page_headers = {"HTTP_X_REQUESTED_WITH": "x", "HTTP_SEC_FETCH_SITE": "same-origin"}
    cookie = {"HTTP_COOKIE": f"__Host-signet-access-token={token}"}
    text = report(LOGOUT_ALL.url, **cookie, **page_headers)
    assert_no_secret_in(text, settings, token)


@pytest.mark.parametrize(
    ("name", "invalid"),
    [
        ("TOKEN_REVOCATION_BROKER", f"redis://:{PASSWORD}/@redis.example"),
        ("KEYS", [{"key": PASSWORD, "kid": 1}]),
        ("KEYS", {"key": PASSWORD}),
        ("SIGNING_KEY", [PASSWORD]),
    ],
)
def test_error_report_of_an_invalid_setting_contains_no_secret(settings, name, invalid):
    settings.SIGNET = {name: invalid}
    del invalid  # the report contains the variables of this function
    with pytest.raises(ImproperlyConfigured, match=name) as caught:
        conf.current()
    reporter = ExceptionReporter(
        APIRequestFactory().get("/"), caught.type, caught.value, caught.tb.tb_next
    )
    for report in (reporter.get_traceback_text(), reporter.get_traceback_html()):
        assert name in report
        assert PASSWORD not in report


#: What the error reports of the tests below must not contain.
ES256 = signer("ES256").jwk
PRIVATE_PEM = jwk.ECKey.import_key(dict(ES256)).as_pem(private=True).decode()
REVERSED = {"not_before": "2026-02-01T00:00Z", "not_after": "2026-01-01T00:00Z"}
SECRET_IN_JWK = {"kty": "oct", "k": "c2hvcnQtYnV0LXNlY3JldA"}


@pytest.mark.parametrize(
    "signet",
    [
        {"ALGORITHM": "EdDSA", "SIGNING_KEY": PRIVATE_PEM},
        {"ALGORITHM": "EdDSA", "VERIFYING_KEY": PRIVATE_PEM},
        {"ALGORITHM": "ES384", "SIGNING_KEY": PRIVATE_PEM},
        {"SIGNING_KEY": PRIVATE_PEM},
        {"SIGNING_KEY": PASSWORD},
        {"SIGNING_KEY": f"\udc80{PASSWORD}"},
        {"KEYS": [{"key": PASSWORD}]},
        {"KEYS": [{"key": SECRET_IN_JWK}]},
        {"KEYS": [{"alg": "EdDSA", "key": PRIVATE_PEM}]},
        {"KEYS": [{"alg": "ES256", "key": {**ES256, "use": "enc"}}]},
        {"KEYS": [{"alg": "ES256", "key": PRIVATE_PEM, **REVERSED}]},
    ],
)
def test_error_report_of_an_unusable_key_contains_no_key(anna, report, settings, signet) -> None:
    settings.SIGNET = signet
    text = report(OBTAIN.url, **body("json", username="anna", password="-"))
    text = html.unescape(LINE_BREAK_IN_BYTES.sub("", text))
    assert "UnusableKey" in text or "ShortSecret" in text or "Wrong" in text
    for secret in (PASSWORD, ES256["d"], PRIVATE_PEM.splitlines()[1], SECRET_IN_JWK["k"]):
        assert secret not in text
