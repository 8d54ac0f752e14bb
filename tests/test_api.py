"""`drf_signet.api`, and what else the package offers by its own name."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import RequestFactory

import drf_signet
from drf_signet import EndReason, Session, runtime, tokens
from tests.situations import open_session

pytestmark = pytest.mark.django_db


def reasons(*sessions: Session) -> list[str]:
    """Return the end reason of each session."""
    return [Session.objects.get(pk=session.pk).end_reason for session in sessions]


def test_the_package_offers_what_its_list_of_names_says() -> None:
    assert [getattr(drf_signet, name).__name__ for name in drf_signet.__all__[:8]] == [
        "issue",
        "end",
        "end_all",
        "set_cookie",
        "delete_cookie",
        "Session",
        "EndReason",
        "TokenPair",
    ]
    assert {type(getattr(drf_signet, name)).__name__ for name in drf_signet.__all__[8:]} == {
        "Signal"
    }


def test_the_package_has_nothing_by_any_other_name() -> None:
    with pytest.raises(AttributeError, match=r"drf_signet.*revoke"):
        _ = drf_signet.revoke


def test_issuing_logs_a_user_in_from_anywhere(user: Any) -> None:
    pair = drf_signet.issue(user, claims={"via": "activation link"})
    assert Session.objects.live().get() == pair.session
    assert pair.expires_in == 300
    for token in (pair.access, pair.refresh):
        claims = tokens.verify_either(token, now=runtime.now())
        assert (claims["sid"], claims["via"]) == (str(pair.session.pk), "activation link")
    assert user.last_login is None


def test_issuing_with_a_request_is_a_login_to_django(rf: RequestFactory, user: Any) -> None:
    pair = drf_signet.issue(user, rf.get("/", HTTP_USER_AGENT="curl/8"))
    assert pair.session.user_agent == "curl/8"
    assert user.last_login is not None


def test_a_pair_does_not_show_its_tokens(user: Any) -> None:
    pair = drf_signet.issue(user)
    assert pair.access not in repr(pair)
    assert str(pair.refresh) not in repr(pair)


@pytest.mark.parametrize(
    "name", [lambda one: one, lambda one: one.pk, lambda one: str(one.pk)], ids=["row", "id", "sid"]
)
def test_a_session_is_ended_by_whatever_names_it(user: Any, name: Callable[[Session], Any]) -> None:
    session, other = open_session(user), open_session(user)
    assert drf_signet.end(name(session)) is True
    assert drf_signet.end(name(session)) is False
    assert reasons(session, other) == [EndReason.LOGOUT, ""]


def test_a_session_is_ended_for_the_reason_that_was_given(user: Any) -> None:
    session = open_session(user)
    drf_signet.end(session, reason="ended_by_admin")
    assert reasons(session) == [EndReason.ENDED_BY_ADMIN]


def test_ending_is_one_statement_by_row_and_two_by_id(
    user: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    by_row, by_id = open_session(user), open_session(user)
    with django_assert_num_queries(1):
        drf_signet.end(by_row)
    with django_assert_num_queries(2):
        drf_signet.end(by_id.pk)


def test_ending_what_does_not_exist_ends_nothing() -> None:
    assert drf_signet.end(uuid.uuid4()) is False


@pytest.mark.parametrize("name", ["", "no uuid"])
def test_ending_by_what_is_no_id_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        drf_signet.end(name)


def test_ending_for_no_known_reason_is_an_error_and_ends_nothing(user: Any) -> None:
    session = open_session(user)
    for act in (lambda: drf_signet.end(session, reason="whim"), lambda: end_all_on_a_whim(user)):
        with pytest.raises(ValueError, match="whim"):
            act()
    assert reasons(session) == [""]


def end_all_on_a_whim(user: Any) -> None:
    drf_signet.end_all(user, reason="whim")


@pytest.mark.parametrize("name", [lambda one: one, lambda one: one.pk], ids=["row", "id"])
def test_logging_out_everywhere_else_keeps_one_session(
    user: Any, name: Callable[[Session], Any]
) -> None:
    kept, other = open_session(user), open_session(user)
    assert drf_signet.end_all(user, keep=name(kept)) == 1
    assert reasons(kept, other) == ["", EndReason.LOGOUT_ALL]


def test_logging_out_everywhere_leaves_others_alone(
    user: Any, make_user: Callable[..., Any]
) -> None:
    own, other = [open_session(user) for _ in range(2)], open_session(make_user())
    assert drf_signet.end_all(user, reason=EndReason.PASSWORD_CHANGED) == 2
    assert reasons(*own, other) == [*[EndReason.PASSWORD_CHANGED] * 2, ""]
