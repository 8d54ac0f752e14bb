"""`drf_signet.flows`: login, refresh, verify and logout, and what each costs."""

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

from drf_signet import conf, flows, runtime, sessions, tokens
from drf_signet.database import ATTEMPTS
from drf_signet.errors import (
    CredentialsRefused,
    InvalidClaim,
    SessionEnded,
    TokenReused,
    UserInactive,
)
from drf_signet.models import EndReason, Session, Transport
from drf_signet.tokens import TokenPair
from drf_signet.views import TokenRefreshView
from tests.conftest import PASSWORD
from tests.situations import (
    ROTATING,
    delete_row_of,
    expire,
    generation_of,
    let_pass,
    open_session,
    post,
    refresh_token,
    set_row,
)

pytestmark = pytest.mark.django_db

Statements = Callable[..., Any]

#: A project that wraps the views of others in transactions of its own.
urlpatterns = [
    path("wrapped/refresh/", transaction.atomic(TokenRefreshView.as_view())),
    path("api/token/", include("drf_signet.urls")),
]


@pytest.fixture
def rotating(settings: Any) -> None:
    """Switch rotation on."""
    settings.SIGNET = ROTATING


@pytest.fixture
def session(user: Any) -> Session:
    """Return a session that was rotated five times."""
    return open_session(user, generation=5)


def refresh(client: APIClient, token: str | None) -> Any:
    return post(client, "token_refresh", refresh=token)


def claims_of(token: str | None) -> dict[str, Any]:
    return dict(tokens.verify_either(token, now=runtime.now()))


def end_reason(session: Session) -> str:
    return Session.objects.get(pk=session.pk).end_reason


# What each costs -----------------------------------------------------------------------------


def test_a_login_is_three_statements(
    client: APIClient, user: Any, django_assert_num_queries: Statements
) -> None:
    """The user, the session, and Django's `last_login`."""
    with django_assert_num_queries(3):
        post(client, "token_obtain_pair", username="vitor", password=PASSWORD)


def test_a_refresh_is_one_statement(
    client: APIClient, session: Session, django_assert_num_queries: Statements
) -> None:
    token = refresh_token(session, 5)
    with django_assert_num_queries(1):
        assert refresh(client, token).status_code == 200


@pytest.mark.usefixtures("rotating")
def test_a_rotating_refresh_is_two_statements_and_its_retry_one(
    client: APIClient, session: Session, django_assert_num_queries: Statements
) -> None:
    token = refresh_token(session, 5)
    with django_assert_num_queries(2):
        assert refresh(client, token).status_code == 200
    with django_assert_num_queries(1):
        assert refresh(client, token).status_code == 200


@pytest.mark.usefixtures("rotating")
def test_a_refusal_is_one_statement_and_one_more_when_it_ends_the_session(
    client: APIClient, session: Session, django_assert_num_queries: Statements
) -> None:
    with django_assert_num_queries(2):
        assert refresh(client, refresh_token(session, 0)).status_code == 401
    with django_assert_num_queries(1):
        assert refresh(client, refresh_token(session, 5)).status_code == 401


def test_a_logout_is_two_statements_and_its_repetition_one(
    client: APIClient, session: Session, django_assert_num_queries: Statements
) -> None:
    token = refresh_token(session)
    with django_assert_num_queries(2):
        assert post(client, "token_logout", refresh=token).status_code == 204
    with django_assert_num_queries(1):
        assert post(client, "token_logout", refresh=token).status_code == 204


def test_verifying_is_no_statement_for_an_access_token_and_one_for_a_refresh_token(
    client: APIClient, user: Any, token_for: Any, django_assert_num_queries: Statements
) -> None:
    access, refreshing = token_for(user), token_for(user, token_type="refresh")
    with django_assert_num_queries(0):
        assert post(client, "token_verify", token=access).status_code == 200
    with django_assert_num_queries(1):
        assert post(client, "token_verify", token=refreshing).status_code == 200


REFUSED = ["garbage", "forged", "expired", "access token"]
NOT_VALID = [(endpoint, why) for endpoint in ("token_refresh", "token_logout") for why in REFUSED]


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [*NOT_VALID, *[("token_verify", why) for why in REFUSED if why != "access token"]],
)
def test_a_token_that_is_not_valid_is_refused_without_a_statement(
    client: APIClient,
    user: Any,
    token_for: Any,
    endpoint: str,
    why: str,
    django_assert_num_queries: Statements,
) -> None:
    token = {
        "garbage": "garbage",
        "forged": token_for(user, token_type="refresh")[:-4] + "AAAA",
        "expired": token_for(user, token_type="refresh", expired=True),
        "access token": token_for(user),
    }[why]
    with django_assert_num_queries(0):
        answer = post(client, endpoint, refresh=token, token=token)
    assert answer.status_code == 401


# Login ---------------------------------------------------------------------------------------


def test_a_login_opens_a_session_of_what_the_request_tells(client: APIClient, user: Any) -> None:
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
def test_a_login_with_a_wrong_password_opens_nothing(
    rf: RequestFactory, user: Any, password: str
) -> None:
    with pytest.raises(CredentialsRefused):
        flows.login(rf.post("/"), {"username": "vitor", "password": password})
    assert not Session.objects.exists()


@pytest.mark.usefixtures("user")
def test_a_user_whom_the_rule_refuses_cannot_log_in(rf: RequestFactory, settings: Any) -> None:
    settings.SIGNET = {"USER_AUTHENTICATION_RULE": lambda user: user.is_staff}
    with pytest.raises(CredentialsRefused):
        flows.login(rf.post("/"), {"username": "vitor", "password": PASSWORD})
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    ("rotates", "lifetime"), [(False, timedelta(days=1)), (True, timedelta(days=30))]
)
def test_a_session_lasts_as_long_as_its_tokens_can_be_renewed(
    user: Any, settings: Any, rotates: bool, lifetime: timedelta
) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": rotates}
    session = flows.issue(user).session
    assert session.expires_at - session.created_at == lifetime


def test_a_login_beyond_the_limit_evicts_the_session_that_was_idle_longest(
    user: Any, settings: Any, client: APIClient
) -> None:
    settings.SIGNET = {"MAX_SESSIONS_PER_USER": 2}
    pairs = [flows.issue(user) for _ in range(2)]
    let_pass(pairs[1].session, seconds=60)
    post(client, "token_obtain_pair", username="vitor", password=PASSWORD)
    assert end_reason(pairs[1].session) == EndReason.EVICTED
    assert refresh(client, pairs[0].refresh).status_code == 200
    assert refresh(client, pairs[1].refresh).status_code == 401


def test_nothing_is_opened_when_the_tokens_cannot_be_made(user: Any) -> None:
    with pytest.raises(ValueError, match="sid"):
        flows.issue(user, claims={"sid": "of my own"})
    assert not Session.objects.exists()


def test_a_transport_that_is_none_is_refused(user: Any) -> None:
    with pytest.raises(ValueError, match="carrier pigeon"):
        flows.issue(user, transport="carrier pigeon")
    assert not Session.objects.exists()


# Refresh -------------------------------------------------------------------------------------


def test_without_rotation_a_refresh_token_serves_until_it_expires(
    client: APIClient, user: Any
) -> None:
    """The tutorial's mode."""
    pair = flows.issue(user)
    answers = [refresh(client, pair.refresh) for _ in range(3)]
    assert [set(answer.data) for answer in answers] == [{"access"}] * 3
    assert len({answer.data["access"] for answer in answers} | {pair.access}) == 4


@pytest.mark.usefixtures("rotating")
def test_with_rotation_a_refresh_hands_out_the_successor(
    client: APIClient, session: Session
) -> None:
    answer = refresh(client, refresh_token(session, 5))
    assert set(answer.data) == {"access", "refresh"}
    assert generation_of(answer.data["refresh"]) == (session.pk, 6)


@pytest.mark.usefixtures("rotating")
def test_a_retry_hands_out_the_same_successor(client: APIClient, session: Session) -> None:
    """Grace answers without the new token: the retry carries it again."""
    token = refresh_token(session, 5)
    answers = [refresh(client, token) for _ in range(3)]
    assert {generation_of(answer.data["refresh"]) for answer in answers} == {(session.pk, 6)}


@pytest.mark.usefixtures("rotating")
def test_the_previous_access_token_goes_on_after_a_refresh(client: APIClient, user: Any) -> None:
    """An old access token killed by a refresh: Zitadel #9331."""
    pair = flows.issue(user)
    refresh(client, pair.refresh)
    answer = client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    assert answer.status_code == 200


@pytest.mark.usefixtures("rotating")
def test_no_token_outlives_its_session(client: APIClient, session: Session) -> None:
    end = int(runtime.now()) + 100
    set_row(session, expires_at=sessions.as_datetime(end))
    for token in refresh(client, refresh_token(session, 5)).data.values():
        assert claims_of(token)["exp"] == end


def test_own_claims_are_computed_afresh_at_each_refresh(
    client: APIClient, user: Any, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "CLAIMS": lambda user, session: {"name": user.first_name}}
    pair = flows.issue(user)
    type(user).objects.update(first_name="Vitor")
    answer = refresh(client, pair.refresh)
    assert [claims_of(one)["name"] for one in (pair.access, answer.data["access"])] == ["", "Vitor"]


@pytest.mark.usefixtures("rotating")
def test_claims_of_a_login_are_not_inherited_by_later_tokens(client: APIClient, user: Any) -> None:
    """Parent fetches the successor after a step-up: what was stepped up stays with its login."""
    before, after = flows.issue(user), flows.issue(user, claims={"acr": "two factors"})
    for pair in (before, after, before):
        answer = refresh(client, pair.refresh)
        assert all("acr" not in claims_of(token) for token in answer.data.values())
        assert claims_of(answer.data["access"])["sid"] == str(pair.session.pk)


def test_a_failing_hook_costs_nobody_a_token(
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
    ("generation", "seconds"), [(4, 31), (3, 0)], ids=["n-1 after the grace", "n-2 inside it"]
)
def test_a_replay_is_401_and_ends_the_session_for_everyone(
    client: APIClient, session: Session, generation: int, seconds: float
) -> None:
    newest, stolen = refresh_token(session, 5), refresh_token(session, generation)
    let_pass(session, seconds=seconds)
    answer = refresh(client, stolen)
    assert (answer.status_code, answer.data["reason"]) == (401, "reused")
    assert end_reason(session) == EndReason.REUSE
    assert refresh(client, newest).data["reason"] == "ended"
    assert refresh(client, stolen).data["reason"] == "ended"


@pytest.mark.usefixtures("rotating")
def test_a_replay_is_told_to_the_log_without_the_token(
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
def test_a_replay_is_known_to_a_process_that_has_just_started(session: Session) -> None:
    """Restart forgets what was rotated: Keycloak CVE-2026-9802."""
    token = refresh_token(session, 5)
    assert isinstance(flows.refresh(token), TokenPair)
    let_pass(session, seconds=31)
    runtime.current.cache_clear()
    conf.current.cache_clear()
    assert isinstance(flows.refresh(token), TokenReused)


@pytest.mark.usefixtures("rotating")
@pytest.mark.parametrize("act", [expire, Session.delete], ids=["expired", "cleared"])
def test_a_retry_is_401_when_the_row_expired_or_was_cleared_in_between(
    client: APIClient, session: Session, act: Callable[[Session], object]
) -> None:
    """Clean-up between rotation and retry gives 500: django-oauth-toolkit #1687."""
    token = refresh_token(session, 5)
    assert refresh(client, token).status_code == 200
    act(session)
    assert refresh(client, token).data["reason"] == "ended"


@pytest.mark.usefixtures("rotating")
def test_a_token_that_a_failover_lost_is_served_and_one_further_ahead_is_not(
    client: APIClient, session: Session
) -> None:
    assert refresh(client, refresh_token(session, 7)).data["reason"] == "invalid"
    assert generation_of(refresh(client, refresh_token(session, 6)).data["refresh"])[1] == 7


def test_a_refresh_token_of_a_cookie_is_refused_in_a_body(
    client: APIClient, session: Session
) -> None:
    set_row(session, transport=Transport.COOKIE)
    for endpoint in ("token_refresh", "token_logout"):
        answer = post(client, endpoint, refresh=refresh_token(session, 5))
        assert (answer.status_code, answer.data["reason"]) == (401, "invalid")
    assert end_reason(session) == ""


def test_a_token_of_another_user_than_its_session_s_is_refused(
    client: APIClient, session: Session, make_user: Callable[..., Any]
) -> None:
    forged = Session(id=session.pk, user=make_user(), auth_time=session.auth_time)
    forged.expires_at = session.expires_at
    for endpoint in ("token_refresh", "token_logout"):
        answer = post(client, endpoint, refresh=refresh_token(forged, 5))
        assert (answer.status_code, answer.data["reason"]) == (401, "invalid")
    assert end_reason(session) == ""


def test_the_answer_is_503_when_a_race_was_lost_too_often_and_nothing_is_lost(
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


# What ends a session in the user's life ------------------------------------------------------


def test_a_deactivated_user_gets_nothing_more(client: APIClient, user: Any) -> None:
    """A deactivated user keeps tokens: django-allauth CVE-2025-65430."""
    pair = flows.issue(user)
    user.is_active = False
    user.save()
    answer = client.get("/hello/", HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    assert (answer.status_code, answer.data["reason"]) == (401, "ended")
    answer = refresh(client, pair.refresh)
    assert (answer.status_code, answer.data["reason"]) == (401, "ended")
    assert end_reason(pair.session) == EndReason.USER_INACTIVE


def test_a_reset_of_the_password_leaves_no_refresh_token(client: APIClient, user: Any) -> None:
    """The form is the one that Django's own reset view uses."""
    pair = flows.issue(user)
    form = SetPasswordForm(user, {"new_password1": "Tr0ub4dor", "new_password2": "Tr0ub4dor"})
    assert form.is_valid()
    form.save()
    assert refresh(client, pair.refresh).data["reason"] == "ended"
    assert end_reason(pair.session) == EndReason.PASSWORD_CHANGED


@pytest.mark.parametrize("delete", [User.delete, delete_row_of], ids=["model", "console"])
def test_a_deleted_user_is_401_at_every_endpoint_and_logged_out_without_a_fuss(
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
def test_a_logout_ends_the_session_by_a_token_of_any_generation(
    client: APIClient, session: Session, generation: int
) -> None:
    """Whoever holds one may end it: an old one, too, is proof enough for that."""
    token = refresh_token(session, generation)
    assert post(client, "token_logout", refresh=token).status_code == 204
    assert end_reason(session) == EndReason.LOGOUT
    assert refresh(client, refresh_token(session, 5)).status_code == 401


@pytest.mark.usefixtures("rotating")
def test_a_retry_within_the_grace_is_401_after_a_logout(
    client: APIClient, session: Session
) -> None:
    """Grace revives an ended session: django-oauth-toolkit #1816."""
    token = refresh_token(session, 5)
    newest = refresh(client, token).data["refresh"]
    post(client, "token_logout", refresh=newest)
    for one in (token, newest):
        assert refresh(client, one).data["reason"] == "ended"
    assert end_reason(session) == EndReason.LOGOUT


def test_a_logout_of_what_was_cleared_is_204(client: APIClient, session: Session) -> None:
    token = refresh_token(session)
    session.delete()
    assert post(client, "token_logout", refresh=token).status_code == 204


def test_logging_out_everywhere_ends_all_sessions_of_the_user_alone(
    client: APIClient, user: Any, make_user: Callable[..., Any]
) -> None:
    pairs = [flows.issue(user) for _ in range(3)]
    other = flows.issue(make_user())
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pairs[0].access}")
    assert client.post("/api/token/logout/all/").status_code == 204
    assert {refresh(client, pair.refresh).status_code for pair in pairs} == {401}
    assert refresh(client, other.refresh).status_code == 200
    assert {end_reason(pair.session) for pair in pairs} == {EndReason.LOGOUT_ALL}


def test_verifying_tells_whether_a_refresh_would_succeed_and_changes_nothing(
    session: Session, settings: Any
) -> None:
    settings.SIGNET = ROTATING
    before = Session.objects.values().get()
    assert flows.verify(refresh_token(session, 5)).session_id == session.pk
    with pytest.raises(SessionEnded):
        flows.verify(refresh_token(session, 0))
    assert Session.objects.values().get() == before


# Inside the transactions of others -----------------------------------------------------------


@pytest.fixture
def atomic_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the project wrap every view in a transaction, as many do."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


@pytest.mark.usefixtures("rotating", "atomic_requests")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("endpoint", ["/api/token/refresh/", "/wrapped/refresh/"])
@pytest.mark.urls("tests.test_flows")
def test_the_end_of_a_session_survives_its_401_inside_a_transaction(
    client: APIClient, session: Session, endpoint: str
) -> None:
    """The end rolled back with the error that reports it: Supabase, 2023."""
    answer = client.post(endpoint, {"refresh": refresh_token(session, 0)})
    assert (answer.status_code, answer.data["reason"]) == (401, "reused")
    assert end_reason(session) == EndReason.REUSE
    answer = client.post(endpoint, {"refresh": refresh_token(session, 5)})
    assert (answer.status_code, answer.data["reason"]) == (401, "ended")


@pytest.mark.usefixtures("rotating", "atomic_requests")
@pytest.mark.django_db(transaction=True)
def test_a_refusal_does_not_undo_what_the_callers_transaction_did(
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
def test_a_refresh_runs_in_no_transaction_even_where_every_view_does(
    client: APIClient, session: Session, settings: Any
) -> None:
    def claims(user: Any, session: Session) -> dict[str, Any]:
        return {"in_a_transaction": connection.in_atomic_block}

    settings.SIGNET = {**ROTATING, "CLAIMS": claims}
    answer = refresh(client, refresh_token(session, 5))
    assert claims_of(answer.data["access"])["in_a_transaction"] is False


def test_refusals_are_returned_and_what_was_never_read_is_raised(
    user: Any, settings: Any, make_user: Callable[..., Any]
) -> None:
    settings.SIGNET = ROTATING
    other = make_user()
    gone, inactive = flows.issue(other), flows.issue(user)
    other.delete()
    type(user).objects.update(is_active=False)
    assert isinstance(flows.refresh(gone.refresh), SessionEnded)
    assert isinstance(flows.refresh(inactive.refresh), UserInactive)
    with pytest.raises(InvalidClaim):
        flows.refresh(runtime.current().codec.encode({"exp": True}))


class Deleting(ModelBackend):
    """Stands for an administrator who deletes a user while a login is on its way."""

    def authenticate(self, *args: Any, **kwargs: Any) -> Any:
        user = super().authenticate(*args, **kwargs)
        User.objects.all().delete()
        return user


@pytest.mark.django_db(transaction=True)
def test_a_user_who_is_deleted_during_a_login_is_not_logged_in(
    client: APIClient, user: Any, settings: Any
) -> None:
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Deleting"]
    answer = client.post("/api/token/", {"username": "vitor", "password": PASSWORD})
    assert (answer.status_code, answer.data["code"]) == (401, "no_active_account")
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    "outside", [pytest.param(True, marks=pytest.mark.django_db(transaction=True)), False]
)
def test_a_failing_database_during_a_login_is_no_refusal(
    client: APIClient, user: Any, outside: bool
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
