"""Test login, refresh, verify and logout, and count the SQL statements of each."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import user_logged_in
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.test import RequestFactory
from django.urls import include, path
from rest_framework.test import APIClient

from drf_signet import flows, runtime, tokens
from drf_signet.conf import settings as conf
from drf_signet.db.database import ATTEMPTS
from drf_signet.errors import (
    CredentialsRefused,
    InvalidClaim,
    SessionEnded,
    TokenReused,
    UserInactive,
)
from drf_signet.models import EndReason, Session, Transport
from drf_signet.sessions import store
from drf_signet.tokens import TokenPair
from drf_signet.views import TokenRefreshView
from tests.conftest import PASSWORD
from tests.support.session_states import (
    ROTATING,
    backdate_rotation,
    delete_row_of,
    expire,
    generation_of,
    open_session,
    post,
    refresh_token,
    set_row,
)

pytestmark = pytest.mark.django_db

Statements = Callable[..., Any]

#: URL patterns of a project that wraps the package's views in its own transactions.
urlpatterns = [
    path("wrapped/refresh/", transaction.atomic(TokenRefreshView.as_view())),
    path("api/token/", include("drf_signet.urls")),
]


@pytest.fixture
def rotating(settings: Any) -> None:
    """Turn on the rotation of refresh tokens."""
    settings.SIGNET = ROTATING


@pytest.fixture
def session(user: Any) -> Session:
    """Open a session with generation 5, as if it had been rotated five times."""
    return open_session(user, generation=5)


def refresh(client: APIClient, token: str | None) -> Any:
    return post(client, "token_refresh", refresh=token)


def claims_of(token: str | None) -> dict[str, Any]:
    return dict(tokens.verify(token, now=runtime.now()))


def end_reason(session: Session) -> str:
    return Session.objects.get(pk=session.pk).end_reason


# SQL statements ------------------------------------------------------------------------------


def test_login_takes_three_statements(
    client: APIClient, user: Any, django_assert_num_queries: Statements
) -> None:
    """Count the statements: read the user, insert the session, update `last_login`."""
    with django_assert_num_queries(3):
        post(client, "token_obtain_pair", username="vitor", password=PASSWORD)


def test_refresh_takes_one_statement_without_rotation(
    client: APIClient, session: Session, django_assert_num_queries: Statements
) -> None:
    token = refresh_token(session, 5)
    with django_assert_num_queries(1):
        assert refresh(client, token).status_code == 200


@pytest.mark.usefixtures("rotating")
def test_rotating_refresh_takes_two_statements_and_its_retry_takes_one(
    client: APIClient, session: Session, django_assert_num_queries: Statements
) -> None:
    token = refresh_token(session, 5)
    with django_assert_num_queries(2):
        assert refresh(client, token).status_code == 200
    with django_assert_num_queries(1):
        assert refresh(client, token).status_code == 200


@pytest.mark.usefixtures("rotating")
def test_refused_refresh_takes_one_statement_and_one_more_to_end_the_session(
    client: APIClient, session: Session, django_assert_num_queries: Statements
) -> None:
    with django_assert_num_queries(2):
        assert refresh(client, refresh_token(session, 0)).status_code == 401
    with django_assert_num_queries(1):
        assert refresh(client, refresh_token(session, 5)).status_code == 401


def test_logout_takes_two_statements_and_its_repetition_takes_one(
    client: APIClient, session: Session, django_assert_num_queries: Statements
) -> None:
    token = refresh_token(session)
    with django_assert_num_queries(2):
        assert post(client, "token_logout", refresh=token).status_code == 204
    with django_assert_num_queries(1):
        assert post(client, "token_logout", refresh=token).status_code == 204


def test_verify_takes_no_statement_for_an_access_token_and_one_for_a_refresh_token(
    client: APIClient, user: Any, token_for: Any, django_assert_num_queries: Statements
) -> None:
    token = token_for(user)
    with django_assert_num_queries(0):
        assert post(client, "token_verify", token=token).status_code == 200
    token = token_for(user, token_type="refresh")
    with django_assert_num_queries(1):
        assert post(client, "token_verify", token=token).status_code == 200


KINDS = ["garbage", "forged", "expired", "access token"]
INVALID = [(endpoint, kind) for endpoint in ("token_refresh", "token_logout") for kind in KINDS]


@pytest.mark.parametrize(
    ("endpoint", "kind"),
    [*INVALID, *[("token_verify", kind) for kind in KINDS if kind != "access token"]],
)
def test_invalid_token_is_refused_without_a_statement(
    client: APIClient,
    user: Any,
    token_for: Any,
    endpoint: str,
    kind: str,
    django_assert_num_queries: Statements,
) -> None:
    token = {
        "garbage": "garbage",
        "forged": token_for(user, token_type="refresh")[:-4] + "AAAA",
        "expired": token_for(user, token_type="refresh", expired=True),
        "access token": token_for(user),
    }[kind]
    with django_assert_num_queries(0):
        answer = post(client, endpoint, refresh=token, token=token)
    assert answer.status_code == 401


# Login ---------------------------------------------------------------------------------------


def test_login_opens_a_session_with_the_client_and_address_of_the_request(
    client: APIClient, user: Any
) -> None:
    answer = client.post(
        "/api/token/",
        {"username": "vitor", "password": PASSWORD},
        HTTP_USER_AGENT="curl/8",
        REMOTE_ADDR="192.0.2.1",
    )
    session = Session.objects.get()
    assert generation_of(answer.data["refresh"]) == (session.pk, 0)
    assert claims_of(answer.data["access"])["sid"] == str(session.pk)
    assert (session.user, session.transport) == (user, Transport.TOKEN)
    assert (session.user_agent, session.ip_address) == ("curl/8", "192.0.2.1")


@pytest.mark.parametrize("password", ["wrong", " " + PASSWORD])
def test_login_with_a_wrong_password_opens_no_session(
    rf: RequestFactory, user: Any, password: str
) -> None:
    with pytest.raises(CredentialsRefused):
        flows.login(rf.post("/"), {"username": "vitor", "password": password})
    assert not Session.objects.exists()


@pytest.mark.usefixtures("user")
def test_login_is_refused_if_the_user_authentication_rule_refuses_the_user(
    rf: RequestFactory, settings: Any
) -> None:
    settings.SIGNET = {"USER_AUTHENTICATION_RULE": lambda user: user.is_staff}
    with pytest.raises(CredentialsRefused):
        flows.login(rf.post("/"), {"username": "vitor", "password": PASSWORD})
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    ("rotates", "lifetime"), [(False, timedelta(days=1)), (True, timedelta(days=30))]
)
def test_session_expires_with_its_refresh_token_or_after_session_lifetime_if_rotating(
    user: Any, settings: Any, rotates: bool, lifetime: timedelta
) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": rotates}
    session = flows.issue(user).session
    assert session.expires_at - session.created_at == lifetime


def test_login_beyond_max_sessions_per_user_evicts_the_session_idle_longest(
    user: Any, settings: Any, client: APIClient
) -> None:
    settings.SIGNET = {"MAX_SESSIONS_PER_USER": 2}
    pairs = [flows.issue(user) for _ in range(2)]
    backdate_rotation(pairs[1].session, seconds=60)
    post(client, "token_obtain_pair", username="vitor", password=PASSWORD)
    assert end_reason(pairs[1].session) == EndReason.EVICTED
    assert refresh(client, pairs[0].refresh).status_code == 200
    assert refresh(client, pairs[1].refresh).status_code == 401


def test_issue_opens_no_session_if_minting_the_tokens_fails(user: Any) -> None:
    with pytest.raises(ValueError, match="sid"):
        flows.issue(user, claims={"sid": "of my own"})
    assert not Session.objects.exists()


def test_issue_refuses_an_unknown_transport(user: Any) -> None:
    with pytest.raises(ValueError, match="carrier pigeon"):
        flows.issue(user, transport="carrier pigeon")
    assert not Session.objects.exists()


# Refresh -------------------------------------------------------------------------------------


def test_refresh_without_rotation_can_be_repeated_with_the_same_token(
    client: APIClient, user: Any
) -> None:
    """Refresh repeatedly with one refresh token, as the client in the tutorial does."""
    pair = flows.issue(user)
    answers = [refresh(client, pair.refresh) for _ in range(3)]
    assert [set(answer.data) for answer in answers] == [{"access"}] * 3
    assert len({answer.data["access"] for answer in answers} | {pair.access}) == 4


@pytest.mark.usefixtures("rotating")
def test_rotating_refresh_returns_the_successor(client: APIClient, session: Session) -> None:
    answer = refresh(client, refresh_token(session, 5))
    assert set(answer.data) == {"access", "refresh"}
    assert generation_of(answer.data["refresh"]) == (session.pk, 6)


@pytest.mark.usefixtures("rotating")
def test_retried_refresh_returns_the_same_successor_within_the_grace_period(
    client: APIClient, session: Session
) -> None:
    """Send the new refresh token again to a client that did not receive the first response."""
    token = refresh_token(session, 5)
    answers = [refresh(client, token) for _ in range(3)]
    assert {generation_of(answer.data["refresh"]) for answer in answers} == {(session.pk, 6)}


@pytest.mark.usefixtures("rotating")
def test_previous_access_token_stays_valid_after_a_refresh(client: APIClient, user: Any) -> None:
    """Guard against bug #9331 in Zitadel: a refresh revoked the previous access token."""
    pair = flows.issue(user)
    refresh(client, pair.refresh)
    answer = client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    assert answer.status_code == 200


@pytest.mark.usefixtures("rotating")
def test_refreshed_tokens_expire_with_their_session_at_the_latest(
    client: APIClient, session: Session
) -> None:
    end = int(runtime.now()) + 100
    set_row(session, expires_at=store.as_datetime(end))
    for token in refresh(client, refresh_token(session, 5)).data.values():
        assert claims_of(token)["exp"] == end


def test_claims_hook_is_called_again_at_each_refresh(
    client: APIClient, user: Any, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "CLAIMS": lambda user, session: {"name": user.first_name}}
    pair = flows.issue(user)
    type(user).objects.update(first_name="Vitor")
    answer = refresh(client, pair.refresh)
    names = [claims_of(token)["name"] for token in (pair.access, answer.data["access"])]
    assert names == ["", "Vitor"]


@pytest.mark.usefixtures("rotating")
def test_extra_claims_of_a_login_are_absent_after_a_refresh(client: APIClient, user: Any) -> None:
    """A refresh does not copy the claim of a two-factor login to the new tokens."""
    before, after = flows.issue(user), flows.issue(user, claims={"acr": "two factors"})
    for pair in (before, after, before):
        answer = refresh(client, pair.refresh)
        assert all("acr" not in claims_of(token) for token in answer.data.values())
        assert claims_of(answer.data["access"])["sid"] == str(pair.session.pk)


def test_failing_claims_hook_leaves_the_refresh_token_valid(
    client: APIClient, session: Session, settings: Any
) -> None:
    def fail(user: Any, session: Session) -> dict[str, Any]:
        raise LookupError("the service of the claims is away")

    token, before = refresh_token(session, 5), Session.objects.values().get()
    settings.SIGNET = {**ROTATING, "CLAIMS": fail}
    with pytest.raises(LookupError):
        refresh(client, token)
    assert Session.objects.values().get() == before
    settings.SIGNET = ROTATING
    assert generation_of(refresh(client, token).data["refresh"]) == (session.pk, 6)


@pytest.mark.usefixtures("rotating")
@pytest.mark.parametrize(
    ("generation", "seconds"), [(4, 31), (3, 0)], ids=["n-1 after grace", "n-2 within grace"]
)
def test_replayed_token_is_401_and_ends_the_session_for_every_client(
    client: APIClient, session: Session, generation: int, seconds: float
) -> None:
    newest_token, stolen_token = refresh_token(session, 5), refresh_token(session, generation)
    backdate_rotation(session, seconds=seconds)
    answer = refresh(client, stolen_token)
    assert (answer.status_code, answer.data["reason"]) == (401, "reused")
    assert end_reason(session) == EndReason.REUSE
    assert refresh(client, newest_token).data["reason"] == "ended"
    assert refresh(client, stolen_token).data["reason"] == "ended"


@pytest.mark.usefixtures("rotating")
def test_replay_is_logged_without_the_token(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    token = refresh_token(session, 2)
    with caplog.at_level(logging.WARNING, logger="drf_signet"):
        refused = flows.refresh(token)
    assert isinstance(refused, TokenReused)
    assert refused.behind == 3
    assert str(session.pk) in caplog.text
    assert "3 generations" in caplog.text
    assert not any(part in caplog.text for part in token.split("."))


@pytest.mark.usefixtures("rotating")
def test_replay_is_detected_by_a_process_that_has_just_started(session: Session) -> None:
    """Guard against Keycloak CVE-2026-9802: a restart lost the record of rotated tokens."""
    token = refresh_token(session, 5)
    assert isinstance(flows.refresh(token), TokenPair)
    backdate_rotation(session, seconds=31)
    runtime.current.cache_clear()
    conf.current.cache_clear()
    assert isinstance(flows.refresh(token), TokenReused)


@pytest.mark.usefixtures("rotating")
@pytest.mark.parametrize("act", [expire, Session.delete], ids=["expired", "deleted"])
def test_retried_refresh_is_401_if_the_session_expired_or_was_deleted_meanwhile(
    client: APIClient, session: Session, act: Callable[[Session], object]
) -> None:
    """Guard against bug #1687 in django-oauth-toolkit: a clean-up before the retry caused a 500."""
    token = refresh_token(session, 5)
    assert refresh(client, token).status_code == 200
    act(session)
    assert refresh(client, token).data["reason"] == "ended"


@pytest.mark.usefixtures("rotating")
def test_token_one_generation_ahead_is_accepted_and_a_token_two_ahead_is_refused(
    client: APIClient, session: Session
) -> None:
    assert refresh(client, refresh_token(session, 7)).data["reason"] == "invalid"
    assert generation_of(refresh(client, refresh_token(session, 6)).data["refresh"])[1] == 7


def test_refresh_token_of_a_cookie_session_is_refused_in_a_body(
    client: APIClient, session: Session
) -> None:
    set_row(session, transport=Transport.COOKIE)
    for endpoint in ("token_refresh", "token_logout"):
        answer = post(client, endpoint, refresh=refresh_token(session, 5))
        assert (answer.status_code, answer.data["reason"]) == (401, "invalid")
    assert end_reason(session) == ""


def test_token_whose_user_differs_from_the_user_of_its_session_is_refused(
    client: APIClient, session: Session, make_user: Callable[..., Any]
) -> None:
    same_id_other_user = Session(id=session.pk, user=make_user(), auth_time=session.auth_time)
    same_id_other_user.expires_at = session.expires_at
    for endpoint in ("token_refresh", "token_logout"):
        answer = post(client, endpoint, refresh=refresh_token(same_id_other_user, 5))
        assert (answer.status_code, answer.data["reason"]) == (401, "invalid")
    assert end_reason(session) == ""


def test_refresh_that_loses_every_race_is_503_and_leaves_the_token_valid(
    client: APIClient, session: Session, settings: Any
) -> None:
    generations = [4, 5] * ATTEMPTS

    def compete(user: Any, read: Session) -> dict[str, Any]:
        set_row(session, generation=generations.pop(0))
        return {}

    token = refresh_token(session, 5)
    settings.SIGNET = {**ROTATING, "CLAIMS": compete}
    answer = refresh(client, token)
    assert (answer.status_code, answer.data["code"]) == (503, "busy")
    assert answer["Retry-After"] == "1"
    settings.SIGNET = ROTATING
    assert refresh(client, token).status_code == 200


# Changes to a user that end sessions ---------------------------------------------------------


def test_tokens_of_a_deactivated_user_are_refused(client: APIClient, user: Any) -> None:
    """Guard against django-allauth CVE-2025-65430: tokens of deactivated users stayed valid."""
    pair = flows.issue(user)
    user.is_active = False
    user.save()
    answer = client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    assert (answer.status_code, answer.data["reason"]) == (401, "ended")
    answer = refresh(client, pair.refresh)
    assert (answer.status_code, answer.data["reason"]) == (401, "ended")
    assert end_reason(pair.session) == EndReason.USER_INACTIVE


def test_password_reset_ends_the_session(client: APIClient, user: Any) -> None:
    """Save the form that Django's password reset view uses."""
    pair = flows.issue(user)
    form = SetPasswordForm(user, {"new_password1": "Tr0ub4dor", "new_password2": "Tr0ub4dor"})
    assert form.is_valid()
    form.save()
    assert refresh(client, pair.refresh).data["reason"] == "ended"
    assert end_reason(pair.session) == EndReason.PASSWORD_CHANGED


@pytest.mark.parametrize("delete", [User.delete, delete_row_of], ids=["model", "raw SQL"])
def test_tokens_of_a_deleted_user_are_401_except_at_logout(
    client: APIClient, user: Any, delete: Callable[[Any], object]
) -> None:
    pair = flows.issue(user)
    delete(user)
    assert post(client, "token_verify", token=pair.refresh).status_code == 401
    assert post(client, "token_logout", refresh=pair.refresh).status_code == 204
    assert refresh(client, pair.refresh).status_code == 401
    answer = client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    assert answer.status_code == 401
    assert not Session.objects.filter(end_reason="").exists()


# Logout and verify ---------------------------------------------------------------------------


@pytest.mark.usefixtures("rotating")
@pytest.mark.parametrize("generation", [0, 4, 5])
def test_logout_accepts_a_refresh_token_of_any_generation(
    client: APIClient, session: Session, generation: int
) -> None:
    """Accept an old refresh token: it still proves that its holder may end the session."""
    token = refresh_token(session, generation)
    assert post(client, "token_logout", refresh=token).status_code == 204
    assert end_reason(session) == EndReason.LOGOUT
    assert refresh(client, refresh_token(session, 5)).status_code == 401


@pytest.mark.usefixtures("rotating")
def test_retried_refresh_within_the_grace_period_is_401_after_a_logout(
    client: APIClient, session: Session
) -> None:
    """Guard against bug #1816 in django-oauth-toolkit: the grace period revived ended sessions."""
    token = refresh_token(session, 5)
    newest_token = refresh(client, token).data["refresh"]
    post(client, "token_logout", refresh=newest_token)
    for ended_token in (token, newest_token):
        assert refresh(client, ended_token).data["reason"] == "ended"
    assert end_reason(session) == EndReason.LOGOUT


def test_logout_of_a_deleted_session_is_204(client: APIClient, session: Session) -> None:
    token = refresh_token(session)
    session.delete()
    assert post(client, "token_logout", refresh=token).status_code == 204


def test_logout_everywhere_ends_all_sessions_of_the_user_and_no_others(
    client: APIClient, user: Any, make_user: Callable[..., Any]
) -> None:
    pairs = [flows.issue(user) for _ in range(3)]
    other = flows.issue(make_user())
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pairs[0].access}")
    assert client.post("/api/token/logout/all/").status_code == 204
    assert {refresh(client, pair.refresh).status_code for pair in pairs} == {401}
    assert refresh(client, other.refresh).status_code == 200
    assert {end_reason(pair.session) for pair in pairs} == {EndReason.LOGOUT_ALL}


def test_verify_succeeds_if_a_refresh_would_succeed_and_changes_nothing(
    session: Session, settings: Any
) -> None:
    settings.SIGNET = ROTATING
    before = Session.objects.values().get()
    assert flows.verify(refresh_token(session, 5)).session_id == session.pk
    with pytest.raises(SessionEnded):
        flows.verify(refresh_token(session, 0))
    assert Session.objects.values().get() == before


# Views inside a transaction of the project ---------------------------------------------------


@pytest.fixture
def atomic_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrap every view in a transaction, as many projects do."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


@pytest.mark.usefixtures("rotating", "atomic_requests")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("endpoint", ["/api/token/refresh/", "/wrapped/refresh/"])
@pytest.mark.urls("tests.unit.test_flows")
def test_end_by_reuse_is_committed_despite_the_401_inside_a_transaction(
    client: APIClient, session: Session, endpoint: str
) -> None:
    """Guard against a bug in Supabase in 2023: the error response rolled back the revocation."""
    answer = client.post(endpoint, {"refresh": refresh_token(session, 0)})
    assert (answer.status_code, answer.data["reason"]) == (401, "reused")
    assert end_reason(session) == EndReason.REUSE
    answer = client.post(endpoint, {"refresh": refresh_token(session, 5)})
    assert (answer.status_code, answer.data["reason"]) == (401, "ended")


@pytest.mark.usefixtures("rotating", "atomic_requests")
@pytest.mark.django_db(transaction=True)
def test_refused_refresh_does_not_roll_back_the_callers_transaction(
    client: APIClient, session: Session, user: Any
) -> None:
    with transaction.atomic():
        type(user).objects.update(first_name="Vitor")
        assert refresh(client, refresh_token(session, 0)).status_code == 401
    user.refresh_from_db()
    assert user.first_name == "Vitor"
    assert end_reason(session) == EndReason.REUSE


@pytest.mark.usefixtures("atomic_requests")
@pytest.mark.django_db(transaction=True)
def test_refresh_runs_outside_a_transaction_under_atomic_requests(
    client: APIClient, session: Session, settings: Any
) -> None:
    def claims(user: Any, session: Session) -> dict[str, Any]:
        return {"in_a_transaction": connection.in_atomic_block}

    settings.SIGNET = {**ROTATING, "CLAIMS": claims}
    answer = refresh(client, refresh_token(session, 5))
    assert claims_of(answer.data["access"])["in_a_transaction"] is False


def test_refresh_returns_refusals_and_raises_for_an_invalid_token(
    user: Any, settings: Any, make_user: Callable[..., Any]
) -> None:
    settings.SIGNET = ROTATING
    other = make_user()
    pair_of_deleted, pair_of_inactive = flows.issue(other), flows.issue(user)
    other.delete()
    type(user).objects.update(is_active=False)
    assert isinstance(flows.refresh(pair_of_deleted.refresh), SessionEnded)
    assert isinstance(flows.refresh(pair_of_inactive.refresh), UserInactive)
    with pytest.raises(InvalidClaim):
        flows.refresh(runtime.current().codec.encode({"exp": True}))


class Deleting(ModelBackend):
    """An authentication backend that deletes the user after checking the password."""

    def authenticate(self, *args: Any, **kwargs: Any) -> Any:
        user = super().authenticate(*args, **kwargs)
        User.objects.all().delete()
        return user


@pytest.mark.django_db(transaction=True)
def test_login_of_a_user_deleted_meanwhile_is_401(
    client: APIClient, user: Any, settings: Any
) -> None:
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Deleting"]
    answer = client.post("/api/token/", {"username": "vitor", "password": PASSWORD})
    assert (answer.status_code, answer.data["code"]) == (401, "no_active_account")
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    "autocommit", [pytest.param(True, marks=pytest.mark.django_db(transaction=True)), False]
)
def test_database_error_during_a_login_is_raised_and_opens_no_session(
    client: APIClient, user: Any, autocommit: bool
) -> None:
    def fail(**kwargs: Any) -> None:
        raise DatabaseError("out of order")

    user_logged_in.connect(fail)
    try:
        with pytest.raises(DatabaseError, match="out of order"):
            client.post("/api/token/", {"username": "vitor", "password": PASSWORD})
    finally:
        user_logged_in.disconnect(fail)
    assert not Session.objects.exists()
