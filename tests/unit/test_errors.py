"""Test the error classes: their codes, reasons and messages."""

from __future__ import annotations

import inspect

import pytest

from drf_signet import errors
from drf_signet.errors import SignetError, TokenError

ALL = [
    error
    for _, error in inspect.getmembers(errors, inspect.isclass)
    if error.__module__ == errors.__name__
]
TOKEN_ERRORS = [error for error in ALL if issubclass(error, TokenError)]

#: The reasons that a client can see when its token is rejected.
REASONS = {"invalid", "expired", "wrong_type", "ended", "reused"}


@pytest.mark.parametrize("error", ALL)
def test_every_error_is_a_signet_error_with_a_docstring(error: type[Exception]) -> None:
    assert issubclass(error, SignetError)
    assert error.__doc__


def test_every_token_error_has_a_unique_code() -> None:
    codes = [error.code for error in TOKEN_ERRORS]
    assert sorted(codes) == sorted(set(codes))
    assert codes
    assert all(code.isidentifier() and code.islower() for code in codes)


def test_token_errors_have_only_the_five_public_reasons() -> None:
    assert {error.reason for error in TOKEN_ERRORS} == REASONS


@pytest.mark.parametrize("error", TOKEN_ERRORS)
def test_reason_of_a_token_error_is_invalid_or_its_code(error: type[TokenError]) -> None:
    assert error.reason in ("invalid", error.code)


def test_invalid_claim_holds_the_name_of_the_claim() -> None:
    error = errors.InvalidClaim("exp")
    assert (error.claim, str(error)) == ("exp", "exp")


def test_token_reused_holds_the_number_of_generations_behind() -> None:
    error = errors.TokenReused(behind=3)
    assert (error.behind, str(error)) == (3, "3")
