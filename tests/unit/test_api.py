"""Test `drf_signet.api`: `issue`, `end` and `end_all`."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import RequestFactory

import drf_signet
from drf_signet import EndReason, Session, runtime, tokens
from tests.support.session_states import open_session

pytestmark = pytest.mark.django_db


def reasons(*sessions: Session) -> list[str]:
    """Return the end reason of each session."""
    return [Session.objects.get(pk=session.pk).end_reason for session in sessions]


def test_issue_opens_a_session_and_returns_both_tokens_without_a_request(user: Any) -> None:
    pair = drf_signet.issue(user, claims={"via": "activation link"})
    assert Session.objects.live().get() == pair.session
    assert pair.expires_in == 300
    for token in (pair.access, pair.refresh):
        claims = tokens.verify(token, now=runtime.now())
        assert (claims["sid"], claims["via"]) == (str(pair.session.pk), "activation link")
    assert user.last_login is None


def test_issue_with_a_request_records_the_client_and_the_last_login(
    rf: RequestFactory, user: Any
) -> None:
    pair = drf_signet.issue(user, rf.get("/", HTTP_USER_AGENT="curl/8"))
    assert pair.session.user_agent == "curl/8"
    assert user.last_login is not None


def test_repr_of_a_token_pair_does_not_show_the_tokens(user: Any) -> None:
    pair = drf_signet.issue(user)
    assert pair.access not in repr(pair)
    assert str(pair.refresh) not in repr(pair)


@pytest.mark.parametrize(
    "identify",
    [lambda session: session, lambda session: session.pk, lambda session: str(session.pk)],
    ids=["row", "id", "sid"],
)
def test_end_accepts_a_session_its_id_and_its_sid(
    user: Any, identify: Callable[[Session], Any]
) -> None:
    session, other = open_session(user), open_session(user)
    assert drf_signet.end(identify(session)) is True
    assert drf_signet.end(identify(session)) is False
    assert reasons(session, other) == [EndReason.LOGOUT, ""]


def test_end_stores_the_given_reason(user: Any) -> None:
    session = open_session(user)
    drf_signet.end(session, reason="ended_by_admin")
    assert reasons(session) == [EndReason.ENDED_BY_ADMIN]


def test_end_takes_one_statement_by_row_and_two_by_id(
    user: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    by_row, by_id = open_session(user), open_session(user)
    with django_assert_num_queries(1):
        drf_signet.end(by_row)
    with django_assert_num_queries(2):
        drf_signet.end(by_id.pk)


def test_end_of_an_unknown_session_returns_false() -> None:
    assert drf_signet.end(uuid.uuid4()) is False


@pytest.mark.parametrize("session_id", ["", "no uuid"])
def test_end_with_an_invalid_id_raises_value_error(session_id: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        drf_signet.end(session_id)


def test_end_and_end_all_with_an_unknown_reason_raise_and_end_no_session(user: Any) -> None:
    session = open_session(user)
    with pytest.raises(ValueError, match="whim"):
        drf_signet.end(session, reason="whim")
    with pytest.raises(ValueError, match="whim"):
        drf_signet.end_all(user, reason="whim")
    assert reasons(session) == [""]


@pytest.mark.parametrize(
    "identify", [lambda session: session, lambda session: session.pk], ids=["row", "id"]
)
def test_end_all_keeps_the_session_given_as_keep(
    user: Any, identify: Callable[[Session], Any]
) -> None:
    kept, other = open_session(user), open_session(user)
    assert drf_signet.end_all(user, keep=identify(kept)) == 1
    assert reasons(kept, other) == ["", EndReason.LOGOUT_ALL]


def test_end_all_does_not_end_sessions_of_other_users(
    user: Any, make_user: Callable[..., Any]
) -> None:
    own, other = [open_session(user) for _ in range(2)], open_session(make_user())
    assert drf_signet.end_all(user, reason=EndReason.PASSWORD_CHANGED) == 2
    assert reasons(*own, other) == [*[EndReason.PASSWORD_CHANGED] * 2, ""]
