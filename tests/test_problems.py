"""From what went wrong to the answer: every error of the package, and what the log is told."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from rest_framework import exceptions
from rest_framework.response import Response

from drf_signet import errors, problems
from drf_signet.errors import SignetError, TokenError

INVALID = 'Bearer realm="api", error="invalid_token"'

#: Every refusal → status, code, reason, error of the challenge.
ANSWERS: list[tuple[SignetError, int, str, str | None]] = [
    (errors.MalformedToken("x"), 401, "token_not_valid", "invalid"),
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
    (errors.MalformedHeader(), 400, "bad_authorization_header", None),
    (errors.CsrfFailed("cross_site", ""), 403, "csrf_failed", "cross_site"),
    (errors.Busy(), 503, "busy", None),
    (errors.RevocationUnknown(), 503, "service_unavailable", None),
]
#: Mistakes of the configuration, which are none of the client's.
OURS = [errors.UnusableKey("too short")]


def _classes(root: type[SignetError]) -> set[type[SignetError]]:
    below = {one for child in root.__subclasses__() for one in _classes(child)}
    return below | {root}


def test_every_error_is_covered_here() -> None:
    covered = {type(error) for error, *_ in ANSWERS} | {type(error) for error in OURS}
    ours = {one for one in _classes(SignetError) if one.__module__ == "drf_signet.errors"}
    assert ours - {SignetError, TokenError} == covered


@pytest.mark.parametrize(
    ("error", "status", "code", "reason"), ANSWERS, ids=[type(e).__name__ for e, *_ in ANSWERS]
)
def test_error_has_its_answer(error, status, code, reason) -> None:
    problem: Any = problems.translate(error)
    assert problem.status_code == status
    assert problem.detail["detail"]
    assert problem.detail["code"] == code
    assert problem.detail.get("reason") == reason
    assert problem.detail.keys() <= {"detail", "code", "reason"}


@pytest.mark.parametrize(
    ("error", "status", "code", "reason"), ANSWERS, ids=[type(e).__name__ for e, *_ in ANSWERS]
)
def test_error_of_a_protected_view_has_its_answer(error, status, code, reason) -> None:
    problem: Any = problems.translate_protected(error)
    assert (problem.status_code, problem.detail["code"]) == (status, code)
    assert problem.detail.get("reason") == reason
    assert ("messages" in problem.detail) == isinstance(error, TokenError)


@pytest.mark.parametrize("error", OURS, ids=repr)
def test_mistake_of_the_configuration_is_raised_again(error) -> None:
    with pytest.raises(type(error)):
        problems.translate(error)
    with pytest.raises(type(error)):
        problems.translate_protected(error)


def test_answer_tells_no_more_than_the_reason() -> None:
    shown = {
        str(problems.translate(error).detail)
        for error, _, _, reason in ANSWERS
        if reason == "invalid"
    }
    assert len(shown) == 1


def test_failed_check_is_in_the_log(caplog) -> None:
    with caplog.at_level(logging.INFO, logger="drf_signet"):
        problems.translate(errors.InvalidClaim("iss"))
    (message,) = caplog.messages
    assert "invalid_claim" in message
    assert "iss" in message


def test_busy_answer_says_when_to_come_again() -> None:
    problem: Any = problems.translate(errors.Busy())
    assert problem.wait == problems.RETRY_AFTER


def test_answers_of_one_kind_share_nothing_that_can_change() -> None:
    first, second = (problems.translate(errors.MalformedHeader()) for _ in range(2))
    assert isinstance(first.detail, dict)
    first.detail.clear()
    assert second.detail
    assert problems.translate(errors.MalformedHeader()).detail


def completed(error: Exception, data: Any) -> Any:
    response = Response(data)
    problems.complete(response, error)
    return response


def test_refused_token_completes_the_challenge() -> None:
    error = problems.translate(errors.TokenExpired())
    assert completed(error, error.detail).headers["WWW-Authenticate"] == INVALID


@pytest.mark.parametrize(
    "error", [errors.CredentialsRefused(), errors.Busy()], ids=lambda e: type(e).__name__
)
def test_other_refusals_leave_the_challenge_as_it_is(error) -> None:
    problem = problems.translate(error)
    assert "WWW-Authenticate" not in completed(problem, problem.detail).headers


def test_errors_of_fields_stay_beside_detail_and_code() -> None:
    error = exceptions.ValidationError({"username": ["No."]})
    assert completed(error, error.detail).data == {
        "username": ["No."],
        "detail": "Invalid input.",
        "code": "invalid",
    }


@pytest.mark.parametrize("given", ["No.", ["No."]])
def test_errors_of_no_field_get_a_name(given) -> None:
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
def test_answer_of_drf_gets_its_code(error, code) -> None:
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
def test_answer_of_the_project_keeps_its_shape(error, data) -> None:
    assert completed(error, data).data == data


def test_code_that_is_there_already_is_kept() -> None:
    data = {"detail": exceptions.NotFound().detail, "code": 4711}
    assert completed(exceptions.NotFound(), data).data["code"] == 4711
