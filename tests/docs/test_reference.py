"""Test that the tables, lists and limits in the documentation agree with the code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.dispatch import Signal
from rest_framework.test import APIClient

import drf_signet
from drf_signet import (
    answers as openapi_answers,
)
from drf_signet import (
    errors,
    flows,
    issue,
    problems,
    runtime,
    serializers,
    signals,
    urls,
    urls_browser,
    views,
)
from drf_signet.compat.simplejwt import shared_settings
from drf_signet.conf import hooks
from drf_signet.conf import settings as conf
from drf_signet.conf.cookies import Cookies
from drf_signet.conf.parsers import ThrottleRates
from drf_signet.conf.providers import KeyRotation
from drf_signet.db import database
from drf_signet.errors import SignetError, TokenError
from drf_signet.jose import checks as jose_checks
from drf_signet.jose import claims, codec, keys, strictjson, verified
from drf_signet.management.commands.signet_clear_expired import Command
from drf_signet.models import EndReason
from drf_signet.sessions import clocks, endings, polls, revocation, sources, store
from drf_signet.sessions.ended import ended_sessions
from drf_signet.testing import auth_client, token_for
from tests.docs.pages import DOCS, table

REFERENCE = DOCS / "reference"
PACKAGE = Path(drf_signet.__file__).parent


def code(cell: str) -> str:
    """Return the first text in backticks in a table cell, or the whole cell if it has none."""
    return cell.split("`")[1] if "`" in cell else cell


# Tests of docs/reference/settings.md


def default_as_text(name: str, value: Any) -> str:
    """Return the default of a setting as the tables in the documentation show it."""
    if isinstance(value, timedelta):
        return duration(int(value.total_seconds()))
    if isinstance(value, ThrottleRates):
        return '`{"username": "10/min", "address": "100/min"}`'
    if value is hooks.default_user_authentication_rule:
        return "an active user"
    if isinstance(value, Cookies):
        return "[below](#cookies)"
    if isinstance(value, KeyRotation):
        return "[below](#rotation-of-keys)"
    if name in {"ADOPT_TOKENS_UNTIL", "BOTH_PROFILES_UNTIL"}:
        return "`None`"
    return f"{value:g}" if isinstance(value, float) else f"`{value!r}`".replace("'", '"')


def duration(seconds: int) -> str:
    units = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
    unit, size = next((name, size) for name, size in units.items() if seconds % size == 0)
    return f"{seconds // size} {unit}" + ("s" if seconds > size else "")


def test_table_of_settings_agrees_with_the_code():
    expected = [
        {
            "setting": f"`{setting.name}`",
            "default": default_as_text(setting.name, setting.default),
            "meaning": setting.metadata["doc"],
        }
        for setting in fields(conf.Settings)
    ]
    assert table(REFERENCE / "settings.md", "All settings") == expected


@pytest.mark.parametrize(
    ("settings_class", "section"), [(Cookies, "Cookies"), (KeyRotation, "Rotation of keys")]
)
def test_table_of_keys_of_a_dict_agrees_with_the_code(settings_class, section):
    expected = [
        {
            "key": f"`{key.name}`",
            "default": default_as_text(key.name, key.default),
            "meaning": key.metadata["doc"],
        }
        for key in fields(settings_class)
    ]
    assert table(REFERENCE / "settings.md", section) == expected


def test_table_of_cookie_names_agrees_with_the_code():
    rows = table(REFERENCE / "settings.md", "Cookies")
    text = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    assert rows
    for secure, path in ((True, "/"), (True, "/auth/"), (False, "/"), (False, "/auth/")):
        shown_path = '`"/"`' if path == "/" and secure else "another" if secure else "any"
        name = Cookies(SECURE=secure, PATH=path).refresh_name
        assert f"| `{secure}` | {shown_path} | `{name}` |" in text


def test_default_throttle_rates_agree_with_the_table():
    rates = conf.parse({"LOGIN_THROTTLE": {"username": "10/min", "address": "100/min"}}, {})
    assert ThrottleRates() == rates.LOGIN_THROTTLE


def test_list_of_settings_shared_with_simplejwt_agrees_with_the_code():
    text = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    listed = text.split("Read from both:")[1].split(".\n")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == shared_settings.SHARED


def test_planned_settings_are_rejected():
    text = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    listed = text.split("## Not there yet")[1].split("It is rejected")[0]
    for name in re.findall(r"`([A-Z_]+)`", listed):
        with pytest.raises(Exception, match=f"no setting '{name}'"):
            conf.parse({name: None}, {})


def test_table_of_algorithms_agrees_with_the_code():
    rows = table(REFERENCE / "settings.md", "Keys")
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row["`ALGORITHM`"])]
    assert listed == list(keys.ALGORITHMS)
    assert rows[0]["key"].endswith("32, 48, 64 bytes")
    assert list(keys.MIN_SECRET_BYTES.values()) == [32, 48, 64]
    assert str(keys.MIN_RSA_BITS) in rows[1]["key"]


# Tests of the tables of endpoints


def endpoints(patterns, prefix, namespace=""):
    """Return the rows that the documentation must contain for these URL patterns."""
    verbs = ("get", "post", "patch", "delete")
    return [
        {
            "method": ", ".join(
                verb.upper() for verb in verbs if hasattr(route.callback.cls, verb)
            ),
            "path": f"`{prefix}{route.pattern}`".replace("<str:session_id>", "<id>"),
            "name": f"`{namespace}{route.name}`",
            "view": f"`{route.callback.cls.__name__}`",
        }
        for route in patterns
    ]


def test_table_of_endpoints_agrees_with_the_code():
    expected = endpoints(urls.urlpatterns, "api/token/")
    assert table(REFERENCE / "endpoints.md", "Endpoints") == expected


def test_table_of_browser_endpoints_agrees_with_the_code():
    expected = endpoints(urls_browser.urlpatterns, "auth/", f"{urls_browser.app_name}:")
    assert table(REFERENCE / "browser.md", "Endpoints for pages") == expected


# Tests of docs/reference/errors.md


def answers() -> list[dict[str, str]]:
    return table(REFERENCE / "errors.md", "Answers")


def row_of(status: int, data: Any) -> tuple[str, str, str]:
    return str(status), data["code"], data.get("reason", "")


def all_errors() -> Iterator[SignetError]:
    """Yield an instance of each error class, except the base classes."""
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, SignetError):
            if value is errors.InvalidClaim:
                yield errors.InvalidClaim("exp")
            elif value is errors.CsrfFailed:
                yield errors.CsrfFailed("cross_site", "")
            elif value is errors.TokenReused:
                yield errors.TokenReused(behind=1)
            elif value not in (SignetError, TokenError):
                yield value()


def test_table_of_reasons_lists_every_error_of_the_code():
    rows = {code(row["error"]): row for row in table(REFERENCE / "errors.md", "Reasons")}
    assert rows.keys() == {type(error).__name__ for error in all_errors()}
    for error in all_errors():
        row = rows[type(error).__name__]
        if isinstance(error, TokenError):
            assert (code(row["in the log"]), code(row["`reason`"])) == (error.code, error.reason)
        if not isinstance(error, errors.UnusableKey):
            answer: Any = problems.translate(error)
            expected = f"{answer.status_code} `{answer.detail['code']}`"
            assert row["status and `code`"] == expected


def fail(*query: Any) -> Any:
    raise OperationalError


class FailingRequests:
    """Methods that send failing requests, named after the `code` and `reason` of the response."""

    def __init__(self, user: Any, client: APIClient, settings: Any) -> None:
        self.user, self.client, self.settings = user, client, settings

    def invalid(self):
        return self.client.post("/api/token/", {"username": "vitor"})

    def parse_error(self):
        return self.client.post("/api/token/", "{", content_type="application/json")

    def bad_authorization_header(self):
        return self.client.get("/hello/", HTTP_AUTHORIZATION="Bearer a, Bearer b")

    def no_active_account(self):
        return self.client.post("/api/token/", {"username": "vitor", "password": "no"})

    def not_authenticated(self):
        return self.client.get("/api/token/sessions/")

    def token_not_valid_expired(self):
        return self.hello(token_for(self.user, expired=True))

    def token_not_valid_invalid(self):
        return self.hello("x")

    def token_not_valid_wrong_type(self):
        return self.hello(token_for(self.user, token_type="refresh"))

    def token_not_valid_ended(self):
        pair = issue(self.user)
        drf_signet.end(pair.session)
        return self.refresh(pair.refresh)

    def token_not_valid_reused(self):
        self.settings.SIGNET = {
            "ROTATE_REFRESH_TOKENS": True,
            "ROTATION_GRACE_PERIOD": timedelta(0),
        }
        token = issue(self.user).refresh
        assert self.refresh(token).status_code == 200
        return self.refresh(token)

    def user_inactive(self):
        token = token_for(self.user, token_type="refresh")
        # update() sends no signal, so the session stays valid. save() would end the session.
        type(self.user).objects.update(is_active=False)
        return self.refresh(token)

    def csrf_failed_header_missing(self):
        return self.client.post("/auth/refresh/", format="json")

    def csrf_failed_cross_site(self):
        return self.post_from_page(HTTP_SEC_FETCH_SITE="cross-site")

    def csrf_failed_origin_untrusted(self):
        return self.post_from_page(HTTP_ORIGIN="https://other.example")

    def csrf_failed_origin_missing(self):
        return self.post_from_page()

    def post_from_page(self, **headers: Any) -> Any:
        return self.client.post(
            "/auth/refresh/", format="json", HTTP_X_REQUESTED_WITH="x", **headers
        )

    def not_found(self):
        return auth_client(self.user).delete("/api/token/sessions/4711/")

    def method_not_allowed(self):
        return self.client.get("/api/token/refresh/")

    def not_acceptable(self):
        return self.client.get("/api/token/sessions/", HTTP_ACCEPT="image/png")

    def request_too_large(self):
        self.settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
        return self.invalid()

    def unsupported_media_type(self):
        return self.client.post("/api/token/", "x", content_type="text/plain")

    def throttled(self):
        self.settings.SIGNET = {"LOGIN_THROTTLE": {"username": "1/day"}}
        assert self.no_active_account().status_code == 401
        return self.no_active_account()

    def service_unavailable(self):
        # Make the feed query the database. The fixture signet_deterministic restores `alone`.
        ended_sessions.alone = False
        runtime.current.cache_clear()
        token = token_for(self.user)
        with connection.execute_wrapper(fail):
            return self.hello(token)

    def hello(self, token: str) -> Any:
        return self.client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {token}")

    def refresh(self, token: str | None) -> Any:
        return self.client.post("/api/token/refresh/", {"refresh": token})


@pytest.mark.parametrize(
    "row",
    [row for row in answers() if code(row["`code`"]) != "busy"],
    ids=lambda row: f"{code(row['`code`'])}_{code(row['`reason`'])}".strip("_"),
)
def test_each_row_of_the_table_of_errors_agrees_with_the_response(row, user, client, settings):
    expected = row["status"], code(row["`code`"]), code(row["`reason`"])
    send = getattr(FailingRequests(user, client, settings), "_".join(expected[1:]).strip("_"))
    answer = send()
    assert row_of(answer.status_code, answer.json()) == expected
    assert answer.json()["detail"]
    has_retry_after = "Retry-After" in row["what a client does"]
    assert ("Retry-After" in answer.headers) is has_retry_after


def test_codes_and_reasons_in_openapi_agree_with_the_table_of_errors():
    tables = [value for name, value in vars(openapi_answers).items() if name.isupper()]
    bodies = [
        (status, body)
        for methods in tables
        if isinstance(methods, dict) and methods.keys() <= {"GET", "POST", "DELETE"}
        for status, body in next(iter(methods.values())).items()
        if status >= 400
    ]
    described = {
        (str(status), code) for status, body in bodies for code in codes_of(body().fields["code"])
    }
    assert described == {(row["status"], code(row["`code`"])) for row in answers()}
    reasons = {(row["status"], code(row["`reason`"])) for row in answers() if code(row["`reason`"])}
    assert reasons == {
        *(("401", reason) for reason in openapi_answers.TOKEN_REASONS),
        *(("403", reason) for reason in openapi_answers.CSRF_REASONS),
    }


def codes_of(field: Any) -> Any:
    (described,) = field.describe({})["allOf"]
    return described["enum"]


def test_row_of_busy_in_the_table_of_errors_agrees_with_the_response():
    answer = views.TokenVerifyView(headers={}, request=None).handle_exception(errors.Busy())
    expected = next(row for row in answers() if code(row["`code`"]) == "busy")
    assert row_of(answer.status_code, answer.data) == (expected["status"], "busy", "")
    assert answer["Retry-After"] == str(problems.RETRY_AFTER)


# Tests of docs/reference/checks.md


def test_table_of_system_checks_agrees_with_the_code():
    ids = {
        check_id
        for path in PACKAGE.rglob("*.py")
        for check_id in re.findall(r"signet\.[EWI]\d{3}", path.read_text(encoding="utf-8"))
    }
    listed = [code(row["id"]) for row in table(REFERENCE / "checks.md", "System checks")]
    assert sorted(listed) == sorted(ids)
    assert len(listed) == len(set(listed))


# Tests of docs/reference/signals.md


@pytest.fixture
def sent() -> Iterator[dict[str, set[str]]]:
    """Yield a dict that maps the name of each sent signal to the names of its arguments."""
    seen: dict[str, set[str]] = {}
    receivers: list[tuple[Signal, Callable[..., None]]] = []
    for name, signal in vars(signals).items():
        if isinstance(signal, Signal):

            def receive(*, signal: Signal, sender: Any, name: str = name, **more: Any) -> None:
                seen[name] = set(more)

            signal.connect(receive)
            receivers.append((signal, receive))
    yield seen
    for signal, receive in receivers:
        signal.disconnect(receive)


def test_table_of_signals_agrees_with_the_arguments_sent(
    sent, user, settings, django_capture_on_commit_callbacks
):
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True, "ROTATION_GRACE_PERIOD": timedelta(0)}
    with django_capture_on_commit_callbacks(execute=True):
        pair = issue(user)
        flows.refresh(pair.refresh)
        flows.refresh(pair.refresh)
    rows = table(REFERENCE / "signals.md", "Signals")
    listed = {code(row["signal"]): set(re.findall(r"`(\w+)`", row["arguments"])) for row in rows}
    assert sent == listed


# Tests of other pages


def test_python_reference_contains_every_public_name():
    text = (REFERENCE / "python.md").read_text(encoding="utf-8")
    words = set(re.findall(r"\w+", text))
    assert [name for name in drf_signet.__all__ if name not in words] == []


def test_table_of_session_fields_agrees_with_the_model():
    rows = table(REFERENCE / "python.md", "Sessions")
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row["field"])]
    assert sorted(listed) == sorted(field.name for field in drf_signet.Session._meta.fields)


def test_table_of_end_reasons_agrees_with_the_model():
    rows = table(DOCS / "concepts" / "sessions.md", "What ends a session")
    listed = {code(row["`end_reason`"]) for row in rows} - {""}
    assert listed == set(EndReason.values)


def test_list_of_reserved_claims_agrees_with_the_code():
    text = (DOCS / "howto" / "own-claims.md").read_text(encoding="utf-8")
    listed = text.split("are reserved:")[1].split("and the name in")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == claims.RESERVED


def test_command_prints_the_output_that_its_page_shows(db, capsys):
    Command().handle()
    printed = capsys.readouterr().out.strip()
    assert printed
    assert printed in (REFERENCE / "command.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("reference/endpoints.md", f"at most {serializers.MAX_USERNAME_LENGTH} characters"),
        ("reference/endpoints.md", f"password at most {serializers.MAX_PASSWORD_LENGTH}"),
        ("reference/command.md", "more than two hours"),
        ("reference/command.md", "a thousand at a time"),
        ("howto/own-claims.md", f"at most {codec.MAX_TOKEN_LENGTH} characters"),
        ("concepts/tokens.md", f"at most {codec.MAX_TOKEN_LENGTH} characters"),
        ("concepts/tokens.md", f"at most {strictjson.MAX_DEPTH} deep"),
        ("concepts/tokens.md", f"at most {jose_checks.MAX_LIFETIME // 86400} days away"),
        ("concepts/sessions.md", "After five lost races"),
        ("concepts/protected.md", f"up to {verified.CAPACITY} tokens"),
        ("concepts/protected.md", f"and {polls.OVERLAP:g} seconds more"),
        ("concepts/protected.md", f"Every {polls.LATE_EVERY:g} seconds a poll reads"),
        ("concepts/protected.md", f"Every {polls.WHOLE_EVERY:g} seconds a poll begins"),
        ("concepts/protected.md", f"more than {clocks.TOLERANCE:g} seconds: then"),
        ("concepts/protected.md", f"in pages of {sources.PAGE}, for at most {polls.BUDGET:g}"),
        ("concepts/protected.md", f"and {revocation.MARGIN:g} seconds more, counted"),
        ("concepts/protected.md", f"at most {polls.WAIT:g} seconds. If the set is too old"),
        ("concepts/protected.md", f"for up to {polls.LONG_WAIT:g} seconds"),
        ("concepts/protected.md", f"{conf.Settings.REVOCATION_MAX_STALENESS:g} seconds, and polls"),
    ],
)
def test_limits_in_the_pages_agree_with_the_code(page, sentence):
    assert sentence in " ".join((DOCS / page).read_text(encoding="utf-8").split())
    assert (timedelta(hours=2), 1000) == (store.KEPT_AFTER_END, store.BATCH)
    assert database.ATTEMPTS == 5
    assert (timedelta(seconds=5), 300) == (endings.SLOW, polls.LATE)
    assert conf.Settings.REVOCATION_POLL_INTERVAL == 1


def test_client_reference_agrees_with_the_type_declarations():
    types = (Path(drf_signet.__file__).parent / "static/drf_signet/auth.d.ts").read_text("utf-8")
    members = {
        name: re.findall(r"^  (?:readonly )?(\w+)\??: ", body, re.MULTILINE)
        for name, body in re.findall(
            r"^export (?:interface|class) (\w+)[^{\n]*(?:\{\})?[^{\n]*\{\n(.*?)^\}",
            types,
            re.DOTALL | re.MULTILINE,
        )
    }
    page = REFERENCE / "client.md"

    def names_below(heading: str) -> list[str]:
        rows = table(page, heading)
        return [re.findall(r"\w+", next(iter(row.values())))[0] for row in rows]

    assert names_below("Names") == ["createAuth", "AuthError", *members["Auth"]]
    assert set(names_below("Options")) == set(members["Options"])
    assert list(table(page, "State")[0]) == [f"`{name}`" for name in members["Present"]]
    assert names_below("Errors") == [*members["AuthError"], "cause"]


# Tests of docs/howto/redis.md


def test_failure_table_of_redis_lists_only_tests_that_exist():
    rows = table(DOCS / "howto" / "redis.md", "When the server fails")
    tests = Path(__file__).parents[1]
    files = {"": "broker/test_processes.py", "a": "broker/test_adapter.py"} | {
        "u": "unit/sessions/test_broadcast.py",
        "e": "e2e/test_workers.py",
    }
    listed = [
        (name, mark)
        for row in rows
        for name, mark in re.findall(r"`(test_\w+)`(?: \(`\w+`\))?(?: \*(\w)\*)?", row["test"])
    ]
    assert len(listed) >= len(rows)
    for name, mark in listed:
        assert f"def {name}(" in (tests / files[mark]).read_text(encoding="utf-8")


def test_page_of_errors_says_that_there_is_no_catalogue_while_there_is_none():
    page = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    catalogues = [*PACKAGE.rglob("*.mo"), *PACKAGE.rglob("*.po")]
    assert ("This package has no translations" in page) == (not catalogues)
