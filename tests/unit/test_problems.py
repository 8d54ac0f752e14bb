"""Test the HTTP response to every error, and what is logged."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from rest_framework import exceptions
from rest_framework.response import Response

from drf_signet import errors, problems
from drf_signet.errors import SignetError, TokenError

INVALID = 'Bearer realm="api", error="invalid_token"'

#: Every error, with the status, code and reason of its response.
ANSWERS: list[tuple[SignetError, int, str, str | None]] = [
    (errors.MalformedToken("x"), 401, "token_not_valid", "invalid"),
    (errors.WrongTyp("x"), 401, "token_not_valid", "invalid"),
    (errors.UnknownKey(), 401, "token_not_valid", "invalid"),
    (errors.WrongAlgorithm(), 401, "token_not_valid", "invalid"),
    (errors.BadSignature(), 401, "token_not_valid", "invalid"),
    (errors.InvalidClaim("iss"), 401, "token_not_valid", "invalid"),
    (errors.TokenExpired(), 401, "token_not_valid", "expired"),
    (errors.WrongTokenType(), 401, "token_not_valid", "wrong_type"),
    (errors.SessionEnded("gone"), 401, "token_not_valid", "ended"),
    (errors.TokenReused(behind=3), 401, "token_not_valid", "reused"),
    (errors.UserInactive(), 401, "user_inactive", None),
    (errors.CredentialsRefused(), 401, "no_active_account", None),
    (errors.UserChanged(), 401, "no_active_account", None),
    (errors.MalformedHeader(), 400, "bad_authorization_header", None),
    (errors.CsrfFailed("cross_site", ""), 403, "csrf_failed", "cross_site"),
    (errors.Busy(), 503, "busy", None),
    (errors.DatabaseUnavailable(), 503, "service_unavailable", None),
    (errors.KeysUnavailable(), 503, "service_unavailable", None),
    (errors.RevocationUnknown(), 503, "service_unavailable", None),
]
#: Configuration errors. No response reports them, because a client cannot fix them.
CONFIGURATION_ERRORS = [
    errors.UnusableKey("too short"),
    errors.DuplicateKid("two keys share a kid"),
    errors.WrongKeyUse("the use must be 'sig'"),
    errors.WrongCurve("the curve must be P-256"),
    errors.ShortKey("too short"),
    errors.ShortSecret("too short"),
]


def _classes(root: type[SignetError]) -> set[type[SignetError]]:
    below = [_classes(child) for child in root.__subclasses__()]
    return {root}.union(*below)


def test_every_error_of_the_package_is_covered_by_this_module() -> None:
    covered = {type(error) for error, *_ in ANSWERS} | {
        type(error) for error in CONFIGURATION_ERRORS
    }
    defined = {each for each in _classes(SignetError) if each.__module__ == "drf_signet.errors"}
    assert defined - {SignetError, TokenError} == covered


@pytest.mark.parametrize(
    ("error", "status", "code", "reason"), ANSWERS, ids=[type(e).__name__ for e, *_ in ANSWERS]
)
def test_error_is_translated_to_its_status_code_and_reason(error, status, code, reason) -> None:
    problem: Any = problems.translate(error)
    assert problem.status_code == status
    assert problem.detail["detail"]
    assert problem.detail["code"] == code
    assert problem.detail.get("reason") == reason
    assert problem.detail.keys() <= {"detail", "code", "reason"}


@pytest.mark.parametrize(
    ("error", "status", "code", "reason"), ANSWERS, ids=[type(e).__name__ for e, *_ in ANSWERS]
)
def test_error_of_a_protected_view_is_translated_and_a_refused_token_has_messages(
    error, status, code, reason
) -> None:
    problem: Any = problems.translate_protected(error)
    assert (problem.status_code, problem.detail["code"]) == (status, code)
    assert problem.detail.get("reason") == reason
    assert ("messages" in problem.detail) == (code == "token_not_valid")


@pytest.mark.parametrize("error", CONFIGURATION_ERRORS, ids=repr)
def test_configuration_mistake_is_raised_and_not_translated(error) -> None:
    with pytest.raises(type(error)):
        problems.translate(error)
    with pytest.raises(type(error)):
        problems.translate_protected(error)


def test_responses_to_invalid_tokens_do_not_say_which_check_failed() -> None:
    details = {
        str(problems.translate(error).detail)
        for error, _, _, reason in ANSWERS
        if reason == "invalid"
    }
    assert len(details) == 1


def test_failed_check_is_logged(caplog) -> None:
    with caplog.at_level(logging.INFO, logger="drf_signet"):
        problems.translate(errors.InvalidClaim("iss"))
    (message,) = caplog.messages
    assert "invalid_claim" in message
    assert "iss" in message


def test_busy_problem_has_a_wait_for_retry_after() -> None:
    problem: Any = problems.translate(errors.Busy())
    assert problem.wait == problems.RETRY_AFTER


def test_problems_of_one_kind_share_no_mutable_detail() -> None:
    first, second = (problems.translate(errors.MalformedHeader()) for _ in range(2))
    assert isinstance(first.detail, dict)
    first.detail.clear()
    assert second.detail
    assert problems.translate(errors.MalformedHeader()).detail


def completed(error: Exception, data: Any) -> Any:
    response = Response(data)
    problems.complete(response, error)
    return response


def test_refused_token_adds_invalid_token_to_the_challenge() -> None:
    error = problems.translate(errors.TokenExpired())
    assert completed(error, error.detail).headers["WWW-Authenticate"] == INVALID


@pytest.mark.parametrize(
    "error", [errors.CredentialsRefused(), errors.Busy()], ids=lambda e: type(e).__name__
)
def test_refusal_without_a_token_does_not_set_the_challenge(error) -> None:
    problem = problems.translate(error)
    assert "WWW-Authenticate" not in completed(problem, problem.detail).headers


def test_field_errors_stay_beside_detail_and_code() -> None:
    error = exceptions.ValidationError({"username": ["No."]})
    assert completed(error, error.detail).data == {
        "username": ["No."],
        "detail": "Invalid input.",
        "code": "invalid",
    }


@pytest.mark.parametrize("given", ["No.", ["No."]])
def test_errors_without_a_field_become_non_field_errors(given) -> None:
    error = exceptions.ValidationError(given)
    assert completed(error, error.detail).data == {
        "non_field_errors": ["No."],
        "detail": "Invalid input.",
        "code": "invalid",
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (exceptions.NotFound(), "not_found"),
        (exceptions.ParseError(), "parse_error"),
        (exceptions.PermissionDenied("no", code="own"), "own"),
        (exceptions.Throttled(3), "throttled"),
    ],
    ids=repr,
)
def test_response_of_drf_gets_the_code_of_its_exception(error, code) -> None:
    assert completed(error, {"detail": error.detail}).data["code"] == code


@pytest.mark.parametrize(
    "data",
    [
        {"errors": [{"status": 404}]},
        {"detail": "Nothing here"},
        {"detail": {"text": "Nothing here"}},
        ["Nothing here"],
        "Nothing here",
        None,
        {},
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "error", [exceptions.NotFound(), exceptions.ValidationError("x"), KeyError("x")], ids=repr
)
def test_response_of_the_projects_exception_handler_keeps_its_shape(error, data) -> None:
    assert completed(error, data).data == data


def test_existing_code_in_a_response_is_kept() -> None:
    data = {"detail": exceptions.NotFound().detail, "code": 4711}
    assert completed(exceptions.NotFound(), data).data["code"] == 4711
