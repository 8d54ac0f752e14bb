"""Test that error reports of the simplejwt alias contain no token and no password."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory

from drf_signet import end
from drf_signet.compat.simplejwt.authentication import JWTAuthentication
from drf_signet.compat.simplejwt.tokens import AccessToken, RefreshToken, SlidingToken
from tests.support.simplejwt_alias import alias, alias_tables
from tests.unit.test_error_reports import (
    PASSWORD,
    anna,
    assert_no_secret_in,
    body,
    every_form,
    failing,
    report,
)

__all__ = ["alias", "alias_tables", "anna", "report"]  # imported so that pytest finds these

pytestmark = pytest.mark.usefixtures("alias")

#: Tools that collect errors hide the value of a variable whose name contains one of these words.
HIDDEN = ("token", "secret", "password")


def live(token: AccessToken) -> str:
    return str(token)


def ended(token: AccessToken) -> str:
    raw_token = str(token)
    end(token["sid"])
    return raw_token


def long(token: AccessToken) -> str:
    """Sign a token whose lifetime is so long that its session is looked up in the database."""
    token.set_exp(lifetime=timedelta(days=300))
    return str(token)


states = pytest.mark.parametrize("state", [live, ended, long])


@states
def test_report_of_a_failed_lookup_contains_no_access_token(anna, report, settings, state) -> None:
    token = state(AccessToken.for_user(anna))
    with connection.execute_wrapper(failing):
        text = report("/hello/", HTTP_AUTHORIZATION=f"Bearer {token}")
    assert_no_secret_in(text, settings, token)


@states
def test_access_token_is_only_in_variables_that_collectors_hide(anna, state) -> None:
    token = state(AccessToken.for_user(anna))
    request: Any = RequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {token}")
    with connection.execute_wrapper(failing), pytest.raises(RuntimeError) as caught:
        JWTAuthentication().authenticate(request)
    # Leave out the first frame. It is the frame of this test, so it contains the token.
    frames = [frame for error in chain(caught.value) for frame in frames_of(error)][1:]
    assert [where for frame in frames for where in places(frame, token)] == []


def test_user_lookup_of_a_valid_token_holds_no_raw_token(anna) -> None:
    token = live(AccessToken.for_user(anna))
    request: Any = RequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {token}")
    with connection.execute_wrapper(failing), pytest.raises(RuntimeError) as caught:
        JWTAuthentication().authenticate(request)
    frames = [frame for error in chain(caught.value) for frame in frames_of(error)][1:]
    assert [where for frame in frames for where in places(frame, token, hidden=())] == []


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, and the exceptions that led to it. A report shows all of them."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def frames_of(error: BaseException) -> list[Any]:
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


def places(frame: Any, secret: str, hidden: tuple[str, ...] = HIDDEN) -> Iterator[str]:
    """Yield the names of local variables that contain a secret, unless tools hide the variable."""
    for name, value in frame.f_locals.items():
        if secret in repr(value) and not any(word in name for word in hidden):
            yield f"{frame.f_code.co_qualname}: {name}"


@every_form
@pytest.mark.parametrize(
    ("path", "field", "token_class"),
    [
        ("/api/token/refresh/", "refresh", RefreshToken),
        ("/api/token/verify/", "token", RefreshToken),
        ("/api/token/blacklist/", "refresh", RefreshToken),
        ("/api/sliding/refresh/", "token", SlidingToken),
    ],
)
def test_report_of_an_endpoint_contains_no_token(
    anna, report, settings, form, path, field, token_class
) -> None:
    token = str(token_class.for_user(anna))
    with connection.execute_wrapper(failing):
        text = report(path, **body(form, **{field: token}))
    assert_no_secret_in(text, settings, token)


@every_form
@pytest.mark.parametrize("path", ["/api/token/", "/api/sliding/"])
def test_report_of_a_login_contains_no_password(anna, report, settings, form, path) -> None:
    settings.SIGNET = {"CLAIMS": failing}
    text = report(path, **body(form, username="anna", password=PASSWORD))
    assert_no_secret_in(text, settings, PASSWORD)
