"""The tables of docs/reference, asserted against the code. One fact, one place: the code."""

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
    claims,
    codec,
    conf,
    database,
    errors,
    flows,
    issue,
    keys,
    problems,
    revocation,
    runtime,
    serializers,
    sessions,
    shared,
    signals,
    strictjson,
    urls,
    urls_browser,
    verified,
    views,
)
from drf_signet.cookies import Cookies
from drf_signet.errors import SignetError, TokenError
from drf_signet.management.commands.signet_clear_expired import Command
from drf_signet.models import EndReason
from drf_signet.testing import auth_client, token_for
from drf_signet.values import ThrottleRates
from tests.docs.pages import DOCS, table

REFERENCE = DOCS / "reference"
PACKAGE = Path(drf_signet.__file__).parent


def code(cell: str) -> str:
    """Return what a cell has in code, without what stands around it."""
    return cell.split("`")[1] if "`" in cell else cell


# Settings


def shown(name: str, value: Any) -> str:
    """Write a default as a person would."""
    if isinstance(value, timedelta):
        return duration(int(value.total_seconds()))
    if isinstance(value, ThrottleRates):
        return '`{"username": "10/min", "address": "100/min"}`'
    if value is conf.default_user_authentication_rule:
        return "an active user"
    if isinstance(value, Cookies):
        return "[below](#cookies)"
    if name == "ADOPT_TOKENS_UNTIL":
        return "`None`"
    return f"{value:g}" if isinstance(value, float) else f"`{value!r}`".replace("'", '"')


def duration(seconds: int) -> str:
    units = {"day": 86400, "minute": 60, "second": 1}
    unit, size = next((name, size) for name, size in units.items() if seconds % size == 0)
    return f"{seconds // size} {unit}" + ("s" if seconds > size else "")


def test_settings_are_those_of_the_code():
    expected = [
        {
            "setting": f"`{one.name}`",
            "default": shown(one.name, one.default),
            "meaning": one.metadata["doc"],
        }
        for one in fields(conf.Settings)
    ]
    assert table(REFERENCE / "settings.md", "All settings") == expected


def test_keys_of_cookie_are_those_of_the_code():
    expected = [
        {
            "key": f"`{one.name}`",
            "default": shown(one.name, one.default),
            "meaning": one.metadata["doc"],
        }
        for one in fields(Cookies)
    ]
    assert table(REFERENCE / "settings.md", "Cookies") == expected


def test_names_of_the_cookie_are_those_of_the_code():
    rows = table(REFERENCE / "settings.md", "Cookies")
    text = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    assert rows
    for secure, path in ((True, "/"), (True, "/auth/"), (False, "/"), (False, "/auth/")):
        shown_path = '`"/"`' if path == "/" and secure else "another" if secure else "any"
        name = Cookies(SECURE=secure, PATH=path).refresh_name
        assert f"| `{secure}` | {shown_path} | `{name}` |" in text


def test_the_default_rates_are_those_of_the_table():
    rates = conf.parse({"LOGIN_THROTTLE": {"username": "10/min", "address": "100/min"}}, {})
    assert ThrottleRates() == rates.LOGIN_THROTTLE


def test_settings_shared_with_simplejwt_are_those_of_the_code():
    text = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    named = text.split("Read from both:")[1].split(".\n")[0]
    assert set(re.findall(r"`(\w+)`", named)) == shared.SHARED_WITH_SIMPLE_JWT


def test_settings_that_are_not_there_yet_are_refused():
    text = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    named = text.split("## Not there yet")[1].split("They are refused")[0]
    for name in re.findall(r"`([A-Z_]+)`", named):
        with pytest.raises(Exception, match=f"no setting '{name}'"):
            conf.parse({name: None}, {})


def test_algorithms_are_those_of_the_code():
    rows = table(REFERENCE / "settings.md", "Keys")
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row["`ALGORITHM`"])]
    assert named == list(keys.ALGORITHMS)
    assert rows[0]["key"].endswith("32, 48, 64 bytes")
    assert list(keys.MIN_SECRET_BYTES.values()) == [32, 48, 64]
    assert str(keys.MIN_RSA_BITS) in rows[1]["key"]


# Endpoints


def endpoints(patterns, prefix, namespace=""):
    """Return the rows of a table of endpoints, as the code has them."""
    verbs = ("get", "post", "delete")
    return [
        {
            "method": next(verb.upper() for verb in verbs if hasattr(route.callback.cls, verb)),
            "path": f"`{prefix}{route.pattern}`".replace("<str:session_id>", "<id>"),
            "name": f"`{namespace}{route.name}`",
            "view": f"`{route.callback.cls.__name__}`",
        }
        for route in patterns
    ]


def test_endpoints_are_those_of_the_code():
    expected = endpoints(urls.urlpatterns, "api/token/")
    assert table(REFERENCE / "endpoints.md", "Endpoints") == expected


def test_endpoints_for_pages_are_those_of_the_code():
    expected = endpoints(urls_browser.urlpatterns, "auth/", f"{urls_browser.app_name}:")
    assert table(REFERENCE / "browser.md", "Endpoints for pages") == expected


# Errors


def answers() -> list[dict[str, str]]:
    return table(REFERENCE / "errors.md", "Answers")


def row_of(status: int, data: Any) -> tuple[str, str, str]:
    return str(status), data["code"], data.get("reason", "")


def made() -> Iterator[SignetError]:
    """Yield one error of each class."""
    for one in vars(errors).values():
        if isinstance(one, type) and issubclass(one, SignetError):
            if one is errors.InvalidClaim:
                yield errors.InvalidClaim("exp")
            elif one is errors.CsrfFailed:
                yield errors.CsrfFailed("cross_site", "")
            elif one is errors.TokenReused:
                yield errors.TokenReused(behind=1)
            elif one not in (SignetError, TokenError):
                yield one()


def test_every_error_of_the_code_is_in_the_table_of_reasons():
    rows = {code(row["error"]): row for row in table(REFERENCE / "errors.md", "Reasons")}
    assert rows.keys() == {type(error).__name__ for error in made()}
    for error in made():
        row = rows[type(error).__name__]
        if isinstance(error, TokenError):
            assert (code(row["in the log"]), code(row["`reason`"])) == (error.code, error.reason)
        if not isinstance(error, errors.UnusableKey):
            answer: Any = problems.translate(error)
            said = f"{answer.status_code} `{answer.detail['code']}`"
            assert row["status and `code`"] == said


def fail(*statement: Any) -> Any:
    raise OperationalError


class Provoked:
    """Requests that are answered with an error, one for each row of the table."""

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
        old = issue(self.user).refresh
        assert self.refresh(old).status_code == 200
        return self.refresh(old)

    def user_inactive(self):
        token = token_for(self.user, token_type="refresh")
        type(self.user).objects.update(is_active=False)  # saved, it would end the session
        return self.refresh(token)

    def csrf_failed_header_missing(self):
        return self.client.post("/auth/refresh/", format="json")

    def csrf_failed_cross_site(self):
        return self.from_a_page(HTTP_SEC_FETCH_SITE="cross-site")

    def csrf_failed_origin_untrusted(self):
        return self.from_a_page(HTTP_ORIGIN="https://other.example")

    def csrf_failed_origin_missing(self):
        return self.from_a_page()

    def from_a_page(self, **headers: Any) -> Any:
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
        revocation.own_endings.alone = False  # the fixture of every test says how it was
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
def test_every_answer_in_the_table_of_errors_is_given(row, user, client, settings):
    expected = row["status"], code(row["`code`"]), code(row["`reason`"])
    provoke = getattr(Provoked(user, client, settings), "_".join(expected[1:]).strip("_"))
    answer = provoke()
    assert row_of(answer.status_code, answer.json()) == expected
    assert answer.json()["detail"]
    waits = "Retry-After" in row["what a client does"]
    assert ("Retry-After" in answer.headers) is waits


def test_busy_is_answered_as_the_table_of_errors_says():
    answer = views.TokenVerifyView(headers={}, request=None).handle_exception(errors.Busy())
    expected = next(row for row in answers() if code(row["`code`"]) == "busy")
    assert row_of(answer.status_code, answer.data) == (expected["status"], "busy", "")
    assert answer["Retry-After"] == str(problems.RETRY_AFTER)


# Checks


def test_checks_are_those_of_the_code():
    ids = {
        found
        for path in PACKAGE.rglob("*.py")
        for found in re.findall(r"signet\.[EWI]\d{3}", path.read_text(encoding="utf-8"))
    }
    named = [code(row["id"]) for row in table(REFERENCE / "checks.md", "System checks")]
    assert sorted(named) == sorted(ids)
    assert len(named) == len(set(named))


# Signals


@pytest.fixture
def sent() -> Iterator[dict[str, set[str]]]:
    """Return the arguments with which each signal has been sent, by its name."""
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


def test_signals_are_sent_with_the_arguments_that_the_table_names(
    sent, user, settings, django_capture_on_commit_callbacks
):
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True, "ROTATION_GRACE_PERIOD": timedelta(0)}
    with django_capture_on_commit_callbacks(execute=True):
        pair = issue(user)
        flows.refresh(pair.refresh)
        flows.refresh(pair.refresh)
    rows = table(REFERENCE / "signals.md", "Signals")
    named = {code(row["signal"]): set(re.findall(r"`(\w+)`", row["arguments"])) for row in rows}
    assert sent == named


# Everything else


def test_every_public_name_is_in_the_reference_of_python():
    text = (REFERENCE / "python.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\w+", text))
    assert [name for name in drf_signet.__all__ if name not in named] == []


def test_the_fields_of_a_session_are_those_of_the_model():
    rows = table(REFERENCE / "python.md", "Sessions")
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row["field"])]
    assert sorted(named) == sorted(one.name for one in drf_signet.Session._meta.fields)


def test_reasons_of_ends_are_those_of_the_model():
    rows = table(DOCS / "concepts" / "sessions.md", "What ends a session")
    named = {code(row["`end_reason`"]) for row in rows} - {""}
    assert named == set(EndReason.values)


def test_reserved_claims_are_those_of_the_code():
    text = (DOCS / "howto" / "own-claims.md").read_text(encoding="utf-8")
    named = text.split("are reserved:")[1].split("and the name in")[0]
    assert set(re.findall(r"`(\w+)`", named)) == claims.RESERVED


def test_the_command_prints_what_its_page_shows(db, capsys):
    Command().handle()
    printed = capsys.readouterr().out.strip()
    assert printed
    assert printed in (REFERENCE / "command.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("reference/endpoints.md", f"at most {serializers.MAX_USERNAME_LENGTH} characters"),
        ("reference/endpoints.md", f"password at most {serializers.MAX_PASSWORD_LENGTH}"),
        ("reference/command.md", "more than two hours"),
        ("reference/command.md", "a thousand at a time"),
        ("howto/own-claims.md", f"at most {codec.MAX_TOKEN_LENGTH} characters"),
        ("concepts/tokens.md", f"at most {codec.MAX_TOKEN_LENGTH} characters"),
        ("concepts/tokens.md", f"at most {strictjson.MAX_DEPTH} deep"),
        ("concepts/tokens.md", f"at most {claims.MAX_LIFETIME // 86400} days away"),
        ("concepts/sessions.md", "After five lost races"),
        ("concepts/protected.md", f"up to {verified.CAPACITY} tokens"),
        ("concepts/protected.md", f"and {revocation.OVERLAP:g} seconds more"),
        ("concepts/protected.md", f"one every {revocation.FULL_EVERY:g} seconds"),
        ("concepts/protected.md", f"{conf.Settings.REVOCATION_MAX_STALENESS:g} seconds, and asks"),
    ],
)
def test_limits_are_said_as_they_are(page, said):
    assert said in " ".join((DOCS / page).read_text(encoding="utf-8").split())
    assert (timedelta(hours=2), 1000) == (sessions.KEPT_AFTER_END, sessions.BATCH)
    assert database.ATTEMPTS == 5
    assert (revocation.LEAST_LIFETIME, revocation.MARGIN, revocation.WAIT) == (3600, 60, 0.25)
    assert conf.Settings.REVOCATION_POLL_INTERVAL == 1


def test_the_names_of_the_client_are_those_of_its_types():
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

    def named(heading: str) -> list[str]:
        rows = table(page, heading)
        return [re.findall(r"\w+", next(iter(row.values())))[0] for row in rows]

    assert named("Names") == ["createAuth", "AuthError", *members["Auth"]]
    assert set(named("Options")) == set(members["Options"])
    assert list(table(page, "State")[0]) == [f"`{name}`" for name in members["Present"]]
    assert named("Errors") == [*members["AuthError"], "cause"]
