"""The errors: what each tells, and whom."""

from __future__ import annotations

import inspect

import pytest

from drf_signet import errors
from drf_signet.errors import SignetError, TokenError

ALL = [
    one
    for _, one in inspect.getmembers(errors, inspect.isclass)
    if one.__module__ == errors.__name__
]
OF_TOKENS = [one for one in ALL if issubclass(one, TokenError)]

#: What a client may know (DESIGN.md §7).
REASONS = {"invalid", "expired", "wrong_type", "ended", "reused"}


@pytest.mark.parametrize("error", ALL)
def test_every_error_is_one_of_the_package(error: type[Exception]) -> None:
    assert issubclass(error, SignetError)
    assert error.__doc__


def test_every_refused_token_has_a_code_of_its_own() -> None:
    codes = [error.code for error in OF_TOKENS]
    assert sorted(codes) == sorted(set(codes))
    assert codes
    assert all(code.isidentifier() and code.islower() for code in codes)


def test_a_client_may_know_no_more_than_five_reasons() -> None:
    assert {error.reason for error in OF_TOKENS} == REASONS


@pytest.mark.parametrize("error", OF_TOKENS)
def test_a_reason_other_than_invalid_is_the_code_itself(error: type[TokenError]) -> None:
    assert error.reason in ("invalid", error.code)


@pytest.mark.parametrize("name", ["MalformedToken", "UnknownKey", "WrongAlgorithm", "BadSignature"])
def test_which_check_of_the_signature_failed_stays_inside(name: str) -> None:
    assert getattr(errors, name).reason == "invalid"


@pytest.mark.parametrize(
    "name", ["UnusableKey", "UserInactive", "CredentialsRefused", "MalformedHeader", "Busy"]
)
def test_what_is_not_about_a_token_is_no_token_error(name: str) -> None:
    assert not issubclass(getattr(errors, name), TokenError)


def test_an_invalid_claim_is_named() -> None:
    error = errors.InvalidClaim("exp")
    assert (error.claim, str(error)) == ("exp", "exp")


def test_a_reused_token_says_how_old_it_was() -> None:
    error = errors.TokenReused(behind=3)
    assert (error.behind, str(error)) == (3, "3")
