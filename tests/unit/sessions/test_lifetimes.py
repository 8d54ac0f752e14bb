"""Test how long a session lasts: `issue`, the `LIFETIMES` setting, "remember me", the settings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers

import drf_signet
from drf_signet import Session, runtime, testing, tokens
from drf_signet.compat.simplejwt.tokens import AccessToken, RefreshToken, SlidingToken
from drf_signet.db.database import DbNow
from drf_signet.serializers import TokenObtainPairSerializer
from drf_signet.sessions import store
from drf_signet.testing import browser_client, token_for
from drf_signet.views_browser import CookieLoginView
from tests.conftest import PASSWORD
from tests.support.page_requests import ACCESS_COOKIE, REFRESH_COOKIE, cookie_of, send, with_cookie
from tests.support.session_states import (
    ADOPTING,
    ROTATING,
    backdate_rotation,
    legacy_token,
    post,
    set_row,
)
from tests.support.simplejwt_alias import alias, alias_tables

__all__ = ["alias", "alias_tables"]  # pytest finds these fixtures because they are imported

pytestmark = pytest.mark.django_db

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LOGIN = {"username": "vitor", "password": PASSWORD}
STAFF = (30 * MINUTE, 8 * HOUR)


def policy(user: Any, request: Any, transport: str) -> Any:
    """Return short lifetimes for staff, and nothing for other users."""
    return STAFF if user.is_staff else None


@pytest.fixture
def staff(make_user: Any) -> Any:
    """Return a user for whom `policy` returns `STAFF`."""
    return make_user(username="staff", is_staff=True)


def lasts(session: Session) -> timedelta:
    """Return the time from the login to the expiry of a session."""
    return session.expires_at - session.created_at


def life_of(token: Any) -> timedelta:
    """Return the time from now to the expiry of a token, rounded to minutes."""
    claims = tokens.verify(token, now=runtime.now())
    return timedelta(minutes=round((claims["exp"] - runtime.now()) / 60))


def log_in(username: str = "vitor", **fields: Any) -> Any:
    """Log in with a cookie, and return the client and the response."""
    client = browser_client()
    return client, send(client, "login", {**LOGIN, "username": username, **fields})


def age_of_cookie(answer: Any, name: str = REFRESH_COOKIE) -> timedelta | None:
    """Return the Max-Age of a cookie; None if the cookie ends with the browser."""
    morsel = answer.cookies[name]
    assert bool(morsel["max-age"]) == bool(morsel["expires"])
    return timedelta(seconds=morsel["max-age"]) if morsel["max-age"] else None


# "Remember me"


def test_login_without_remember_has_the_lifetimes_of_the_settings(user: Any) -> None:
    _, answer = log_in()
    session = Session.objects.get()
    assert (session.idle_seconds, lasts(session)) == (None, 30 * DAY)
    assert age_of_cookie(answer) == 14 * DAY


def test_remember_true_lasts_14_days_regardless_of_idle_lifetime(user: Any, settings: Any) -> None:
    settings.SIGNET = {"COOKIE": {"IDLE_LIFETIME": HOUR}}
    client, answer = log_in(remember=True)
    assert age_of_cookie(answer) == 14 * DAY
    assert life_of(cookie_of(client)) == 14 * DAY
    assert age_of_cookie(send(client, "refresh")) == 14 * DAY


def test_remember_false_sets_a_cookie_that_ends_with_the_browser_also_at_each_refresh(
    user: Any, settings: Any
) -> None:
    settings.SIGNET = {"COOKIE": {"ACCESS_NAME": "signet-access-token"}}
    client, answer = log_in(remember=False)
    for _ in range(3):
        for name in (REFRESH_COOKIE, ACCESS_COOKIE):
            assert age_of_cookie(answer, name) is None
            assert answer.cookies[name]["httponly"]
        assert life_of(cookie_of(client)) == 2 * HOUR
        assert answer.json()["expires_in"] == 300
        answer = send(client, "refresh")
    assert Session.objects.get().ends_with_browser


def test_remember_false_is_never_longer_than_idle_lifetime(user: Any, settings: Any) -> None:
    settings.SIGNET = {"COOKIE": {"IDLE_LIFETIME": HOUR}}
    client, _ = log_in(remember=False)
    assert life_of(cookie_of(client)) == HOUR


def test_remember_has_the_lifetimes_of_the_cookie_setting(user: Any, settings: Any) -> None:
    times = {"REMEMBERED_IDLE_LIFETIME": 3 * DAY, "UNREMEMBERED_IDLE_LIFETIME": 10 * MINUTE}
    settings.SIGNET = {"COOKIE": times}
    for remember, idle in [(True, 3 * DAY), (False, 10 * MINUTE)]:
        client, _ = log_in(remember=remember)
        assert life_of(cookie_of(client)) == idle


def test_remember_true_changes_nothing_if_the_project_forbids_it(user: Any, settings: Any) -> None:
    settings.SIGNET = {"COOKIE": {"REMEMBERED_IDLE_LIFETIME": None, "IDLE_LIFETIME": HOUR}}
    _, answer = log_in(remember=True)
    assert age_of_cookie(answer) == HOUR


def test_session_lifetime_limits_remember_true(user: Any, settings: Any) -> None:
    settings.SIGNET = {"SESSION_LIFETIME": 2 * DAY}
    client, answer = log_in(remember=True)
    assert age_of_cookie(answer) == 2 * DAY
    set_row(Session.objects.get(), expires_at=store.as_datetime(runtime.now() + 60))
    answer = send(client, "refresh")
    assert timedelta(seconds=50) < (age_of_cookie(answer) or DAY) <= MINUTE
    assert answer.json()["expires_in"] <= 60


@pytest.mark.parametrize("remember", ["true", "", 1, 0, None, [], {}, [True]], ids=repr)
@pytest.mark.parametrize("own_serializer", [False, True])
def test_remember_that_is_not_a_boolean_is_400(
    user: Any, remember: Any, own_serializer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if own_serializer:
        monkeypatch.setattr(CookieLoginView, "serializer_class", TokenObtainPairSerializer)
    _, answer = log_in(remember=remember)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert answer.json()["remember"]
    assert not Session.objects.exists()


def test_remember_takes_effect_with_the_serializer_of_a_project(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OwnSerializer(TokenObtainPairSerializer):
        code = serializers.CharField(required=False)

    monkeypatch.setattr(CookieLoginView, "serializer_class", OwnSerializer)
    _, answer = log_in(remember=False)
    assert age_of_cookie(answer) is None


def test_token_endpoint_ignores_remember(client: Any, user: Any) -> None:
    answer = post(client, "token_obtain_pair", **LOGIN, remember=False)
    assert answer.status_code == 200
    assert life_of(answer.data["refresh"]) == DAY


# `issue`


def test_issue_sets_idle_and_absolute_lifetime_and_never_that_of_the_access_token(
    user: Any, settings: Any
) -> None:
    settings.SIGNET = ROTATING
    pair = drf_signet.issue(user, idle=30 * MINUTE, lifetime=8 * HOUR)
    assert (pair.expires_in, pair.refresh_expires_in) == (300, 1800)
    assert (pair.session.idle_seconds, lasts(pair.session)) == (1800, 8 * HOUR)
    assert life_of(pair.refresh) == 30 * MINUTE
    stored = Session.objects.get()
    assert (stored.idle_seconds, lasts(stored)) == (1800, 8 * HOUR)


@pytest.mark.parametrize(
    ("rotates", "given", "refresh", "session"),
    [
        (True, {"idle": HOUR}, HOUR, 30 * DAY),
        (True, {"lifetime": 8 * HOUR}, 8 * HOUR, 8 * HOUR),
        (True, {"lifetime": 90 * DAY}, DAY, 90 * DAY),
        (True, {"idle": 60 * DAY}, 30 * DAY, 30 * DAY),
        (False, {}, DAY, DAY),
        (False, {"idle": HOUR}, HOUR, HOUR),
        (False, {"idle": 7 * DAY}, 7 * DAY, 7 * DAY),
        (False, {"lifetime": 90 * DAY}, 90 * DAY, 90 * DAY),
        (False, {"idle": HOUR, "lifetime": 8 * HOUR}, HOUR, 8 * HOUR),
    ],
)
def test_one_lifetime_determines_the_other_as_the_settings_do(
    user: Any, settings: Any, rotates: bool, given: Any, refresh: timedelta, session: timedelta
) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": rotates}
    pair = drf_signet.issue(user, **given)
    assert (life_of(pair.refresh), lasts(pair.session)) == (refresh, session)
    assert Session.objects.live().count() == 1


def test_access_token_does_not_outlive_a_short_session(user: Any) -> None:
    pair = drf_signet.issue(user, lifetime=MINUTE)
    assert (pair.expires_in, pair.refresh_expires_in) == (60, 60)


def test_fraction_of_a_second_is_rounded_up(user: Any) -> None:
    assert drf_signet.issue(user, idle=timedelta(microseconds=1)).session.idle_seconds == 1


@pytest.mark.parametrize("name", ["idle", "lifetime"])
@pytest.mark.parametrize("value", [timedelta(0), -HOUR, timedelta.max, 3600, "1 h"], ids=repr)
@pytest.mark.parametrize("transport", ["token", "cookie"])
def test_impossible_lifetime_is_a_value_error_that_names_it(
    user: Any, name: str, value: Any, transport: str
) -> None:
    with pytest.raises(ValueError, match=f"^{name}: "):
        drf_signet.issue(user, transport=transport, **{name: value})
    assert not Session.objects.exists()


def test_idle_lifetime_that_is_longer_than_the_lifetime_is_a_value_error(user: Any) -> None:
    with pytest.raises(ValueError, match="idle: it must not be longer than lifetime"):
        drf_signet.issue(user, idle=8 * HOUR, lifetime=HOUR)


def test_remember_without_a_cookie_is_a_value_error(user: Any) -> None:
    with pytest.raises(ValueError, match='remember needs transport="cookie"'):
        drf_signet.issue(user, remember=True)


def test_issue_remembers_for_a_cookie(user: Any) -> None:
    forgotten = drf_signet.issue(user, transport="cookie", remember=False)
    assert (forgotten.session.idle_seconds, forgotten.refresh_expires_in) == (-7200, 7200)
    assert forgotten.session.ends_with_browser
    remembered = drf_signet.issue(user, transport="cookie", remember=True)
    assert (remembered.session.idle_seconds, remembered.session.ends_with_browser) == (
        1_209_600,
        False,
    )


# LIFETIMES, and which source takes precedence


def test_policy_decides_for_its_users_at_every_login(
    client: Any, user: Any, staff: Any, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "LIFETIMES": policy}
    assert life_of(post(client, "token_obtain_pair", **LOGIN).data["refresh"]) == DAY
    answer = post(client, "token_obtain_pair", **{**LOGIN, "username": "staff"})
    assert life_of(answer.data["refresh"]) == 30 * MINUTE
    page, answer = log_in("staff", remember=True)
    assert age_of_cookie(answer) == 30 * MINUTE
    for token in (cookie_of(page), token_for(staff, token_type="refresh")):
        assert life_of(token) == 30 * MINUTE
    assert {lasts(one) for one in staff.signet_sessions.all()} == {8 * HOUR}


def test_session_of_a_policy_expires_although_it_is_in_use(
    client: Any, staff: Any, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "LIFETIMES": f"{__name__}.policy"}
    pair = drf_signet.issue(staff)
    set_row(pair.session, expires_at=store.as_datetime(runtime.now() + 600))
    refreshed = post(client, "token_refresh", refresh=pair.refresh).data
    assert life_of(refreshed["refresh"]) == 10 * MINUTE
    set_row(pair.session, expires_at=store.as_datetime(runtime.now() - 1))
    answer = post(client, "token_refresh", refresh=refreshed["refresh"])
    assert (answer.status_code, answer.data["reason"]) == (401, "ended")


def test_policy_receives_the_user_the_request_and_the_transport(user: Any, settings: Any) -> None:
    calls: list[Any] = []

    def note(*call: Any) -> None:
        calls.append(call)

    settings.SIGNET = {"LIFETIMES": note}
    drf_signet.issue(user)
    log_in()
    (issued, logged_in) = calls
    assert issued == (user, None, "token")
    assert (logged_in[0], logged_in[1].path, logged_in[2]) == (user, "/auth/login/", "cookie")
    assert type(logged_in[2]) is str


@pytest.mark.parametrize(
    ("arguments", "policed", "idle", "session"),
    [
        ({"idle": HOUR, "lifetime": DAY}, STAFF, 3600, DAY),
        ({"idle": HOUR}, STAFF, 3600, 8 * HOUR),
        ({"lifetime": DAY}, STAFF, 1800, DAY),
        ({"remember": True}, STAFF, 1800, 8 * HOUR),
        ({"remember": True}, (None, 8 * HOUR), 1_209_600, 8 * HOUR),
        ({"remember": True}, (30 * MINUTE, None), 1800, 30 * DAY),
        ({"remember": True, "idle": HOUR}, None, 3600, 30 * DAY),
        # With remember=False, the cookie still ends with the browser: only the time changes.
        ({"remember": False}, STAFF, -1800, 8 * HOUR),
        ({"remember": False, "idle": HOUR}, STAFF, -3600, 8 * HOUR),
        ({}, STAFF, 1800, 8 * HOUR),
        ({}, (None, None), None, 30 * DAY),
        ({}, [None, DAY], None, DAY),
    ],
)
def test_issue_precedes_the_policy_then_remember_then_the_settings(
    user: Any, settings: Any, arguments: Any, policed: Any, idle: Any, session: timedelta
) -> None:
    settings.SIGNET = {"LIFETIMES": lambda *login: policed}
    pair = drf_signet.issue(user, transport="cookie", **arguments)
    assert (pair.session.idle_seconds, lasts(pair.session)) == (idle, session)
    assert pair.expires_in == 300


INVALID_RETURN_VALUES = [
    30,
    HOUR,
    (HOUR,),
    (HOUR, DAY, DAY),
    (8 * HOUR, 30 * MINUTE),  # in the wrong order
    (0, 0),
    (timedelta(0), DAY),
    (HOUR, -DAY),
    (None, timedelta.max),
    {"idle": HOUR, "lifetime": DAY},
    "no",
    True,
]


@pytest.mark.parametrize("returned", INVALID_RETURN_VALUES, ids=repr)
@pytest.mark.parametrize("debug", [True, False])
def test_login_fails_and_opens_no_session_if_the_policy_returns_an_invalid_value(
    user: Any, settings: Any, client: Any, returned: Any, debug: bool
) -> None:
    settings.DEBUG, settings.SIGNET = debug, {"LIFETIMES": lambda *login: returned}
    with pytest.raises(ImproperlyConfigured, match=r"^SIGNET\['LIFETIMES'\] returned "):
        post(client, "token_obtain_pair", **LOGIN)
    with pytest.raises(ImproperlyConfigured):
        RefreshToken.for_user(user)
    assert not Session.objects.exists()


def test_login_fails_and_opens_no_session_if_the_policy_raises(user: Any, settings: Any) -> None:
    def fail(*login: Any) -> None:
        raise LookupError("no role")

    settings.SIGNET = {"LIFETIMES": fail}
    with pytest.raises(LookupError, match="no role"):
        log_in()
    assert not Session.objects.exists()


# What counts the idle lifetime of a session


def test_live_sessions_are_those_within_their_own_idle_lifetime(user: Any, settings: Any) -> None:
    settings.SIGNET = ROTATING
    short = drf_signet.issue(user, idle=10 * MINUTE).session
    long = drf_signet.issue(user, idle=20 * DAY).session
    cookie = drf_signet.issue(user, transport="cookie", remember=False).session
    default = drf_signet.issue(user).session
    for minutes, live in [
        (9, {short, long, cookie, default}),
        (11, {long, cookie, default}),
        (119, {long, cookie, default}),
        (121, {long, default}),
        (24 * 60 + 1, {long}),
        (20 * 24 * 60 + 1, set()),
    ]:
        Session.objects.update(refreshed_at=DbNow() - minutes * MINUTE)
        assert set(Session.objects.live()) == live, minutes
        # Negation must select exactly the other rows, also if the column is null.
        dead = Session.objects.exclude(pk__in=Session.objects.live().values("pk"))
        assert set(dead) == {short, long, cookie, default} - live, minutes


def test_changing_settings_does_not_change_the_lifetime_of_an_open_session(
    user: Any, settings: Any
) -> None:
    client, _ = log_in(remember=True)
    settings.SIGNET = {
        "COOKIE": {"IDLE_LIFETIME": MINUTE, "REMEMBERED_IDLE_LIFETIME": MINUTE},
        "LIFETIMES": lambda *login: (MINUTE, MINUTE),
    }
    backdate_rotation(Session.objects.get(), seconds=3600)
    assert Session.objects.live().count() == 1
    assert age_of_cookie(send(client, "refresh")) == 14 * DAY


def test_login_with_a_forgotten_cookie_ends_its_session(user: Any) -> None:
    client, _ = log_in(remember=False)
    assert send(client, "login", {**LOGIN, "remember": True}).status_code == 200
    ended, live = Session.objects.order_by("created_at")
    assert (ended.end_reason, live.end_reason, live.idle_seconds) == ("logout", "", 1_209_600)


def test_limit_of_sessions_does_not_count_sessions_that_have_been_idle_for_too_long(
    user: Any, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "MAX_SESSIONS_PER_USER": 2}
    idle, used = (drf_signet.issue(user, idle=10 * MINUTE).session for _ in range(2))
    set_row(idle, refreshed_at=DbNow() - 11 * MINUTE)
    drf_signet.issue(user)
    assert set(Session.objects.filter(end_reason="")) >= {idle, used}


def test_rows_are_cleared_after_the_lifetime_of_their_own_session(user: Any) -> None:
    drf_signet.issue(user, lifetime=HOUR)
    long = drf_signet.issue(user, lifetime=90 * DAY).session
    assert store.clear_expired(now=runtime.now() + 10 * 3600) == 1
    assert Session.objects.get() == long


def test_session_list_shows_a_session_until_its_idle_lifetime_has_passed(user: Any) -> None:
    other = drf_signet.issue(user, transport="cookie", remember=False)
    client, _ = log_in(remember=True)

    def listed() -> set[str]:
        return {one["id"] for one in client.get("/auth/sessions/").json()}

    assert str(other.session.pk) in listed()
    backdate_rotation(other.session, seconds=2 * 3600 + 1)
    assert str(other.session.pk) not in listed()


def test_refresh_within_the_grace_period_repeats_the_kind_of_the_cookie(user: Any) -> None:
    client, _ = log_in(remember=False)
    first = cookie_of(client)
    for _ in range(2):
        answer = send(with_cookie(first), "refresh")
        assert (answer.status_code, age_of_cookie(answer)) == (200, None)


@pytest.mark.parametrize(("remember", "statements"), [(None, 2), (True, 2), (False, 2)])
def test_refresh_runs_no_additional_statement(user: Any, remember: Any, statements: int) -> None:
    pair = drf_signet.issue(user, transport="cookie", remember=remember)
    client = with_cookie(pair.refresh)
    with CaptureQueriesContext(connection) as captured:
        assert send(client, "refresh").status_code == 200
    assert len(captured) <= statements


# The tokens of `testing` and of simplejwt's API


def test_expired_token_for_tests_is_expired_also_with_a_policy(
    client: Any, staff: Any, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "LIFETIMES": lambda *login: (3 * DAY, 30 * DAY)}
    token = testing.token_for(staff, token_type="refresh", expired=True)
    answer = post(client, "token_refresh", refresh=token)
    assert (answer.status_code, answer.data["reason"]) == (401, "expired")


@pytest.mark.parametrize("rotates", [True, False])
@pytest.mark.parametrize("returned", [STAFF, (3 * DAY, 90 * DAY), (None, 8 * HOUR)], ids=str)
def test_token_objects_of_simplejwt_expire_as_the_policy_requires(
    user: Any, settings: Any, rotates: bool, returned: Any
) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": rotates, "LIFETIMES": lambda *login: returned}
    refresh = RefreshToken.for_user(user)
    access = str(refresh.access_token)
    session = Session.objects.get()
    idle, lifetime = returned
    assert life_of(str(refresh)) == (idle or lifetime)
    assert life_of(access) == 5 * MINUTE
    if idle is None and not rotates:  # the only refresh token is valid until the session expires
        idle = lifetime
    assert session.idle_seconds == (None if idle is None else idle.total_seconds())
    assert lasts(session) == lifetime


def test_token_objects_of_simplejwt_keep_the_policy_at_each_refresh(
    alias: Any, client: Any, staff: Any, settings: Any
) -> None:
    settings.SIGNET = {**ROTATING, "LIFETIMES": policy}
    answer = client.post("/api/token/", {**LOGIN, "username": "staff"})
    for _ in range(3):
        assert life_of(answer.data["refresh"]) == 30 * MINUTE
        answer = client.post("/api/token/refresh/", {"refresh": answer.data["refresh"]})
    set_row(Session.objects.get(), expires_at=store.as_datetime(runtime.now() + 60))
    answer = client.post("/api/token/refresh/", {"refresh": answer.data["refresh"]})
    assert {life_of(answer.data[name]) for name in ("access", "refresh")} == {MINUTE}


def test_policy_receives_the_request_of_simplejwts_login(
    alias: Any, client: Any, user: Any, settings: Any
) -> None:
    paths: list[str] = []

    def note(user: Any, request: Any, transport: str) -> None:
        paths.append(request.path)

    settings.SIGNET = {"LIFETIMES": note}
    assert client.post("/api/token/", LOGIN).status_code == 200
    assert paths == ["/api/token/"]


def test_access_token_object_does_not_outlive_the_session_of_a_policy(
    user: Any, settings: Any
) -> None:
    settings.SIGNET = {"LIFETIMES": lambda *login: (None, MINUTE)}
    refresh = RefreshToken.for_user(user)
    assert {life_of(str(refresh)), life_of(str(refresh.access_token))} == {MINUTE}
    assert life_of(str(AccessToken.for_user(user))) == MINUTE
    assert {lasts(one) for one in Session.objects.all()} == {MINUTE}


def test_access_token_object_has_its_own_lifetime_with_a_longer_policy(
    user: Any, settings: Any
) -> None:
    settings.SIGNET = {"LIFETIMES": lambda *login: (2 * MINUTE, 90 * DAY)}
    assert life_of(str(AccessToken.for_user(user))) == 5 * MINUTE


def test_sliding_token_object_can_be_refreshed_as_the_policy_allows(
    user: Any, settings: Any
) -> None:
    settings.SIGNET = {"LIFETIMES": lambda *login: (3 * DAY, 90 * DAY)}
    token = SlidingToken.for_user(user)
    assert token["refresh_exp"] - token["iat"] == 3 * DAY.total_seconds()
    assert token["exp"] - token["iat"] == 300
    settings.SIGNET = {"LIFETIMES": lambda *login: (MINUTE, MINUTE)}
    token = SlidingToken.for_user(user)
    assert {token["refresh_exp"] - token["iat"], token["exp"] - token["iat"]} <= {59, 60}


def test_exp_that_a_project_sets_takes_precedence_over_the_policy(user: Any, settings: Any) -> None:
    settings.SIGNET = {"LIFETIMES": lambda *login: STAFF}
    token = RefreshToken.for_user(user)
    token.set_exp(lifetime=2 * DAY)
    assert life_of(str(token)) == 2 * DAY
    assert lasts(Session.objects.get()) >= 2 * DAY - MINUTE


def test_policy_does_not_lengthen_a_token_object_whose_user_was_set_by_hand(
    user: Any, settings: Any
) -> None:
    settings.SIGNET = {"LIFETIMES": lambda *login: (3 * DAY, 90 * DAY)}
    token = RefreshToken()
    token["user_id"] = str(user.pk)
    token.set_exp(lifetime=HOUR)
    assert life_of(str(token)) == HOUR
    settings.SIGNET = {"LIFETIMES": lambda *login: (MINUTE, DAY)}
    token = RefreshToken()
    token["user_id"] = str(user.pk)
    assert life_of(str(token)) == MINUTE


def test_adopted_session_has_the_lifetimes_of_the_policy_but_accepts_its_legacy_token(
    client: Any, staff: Any, settings: Any
) -> None:
    settings.SIGNET = {**ADOPTING, **ROTATING, "LIFETIMES": policy}
    token = legacy_token(staff, seconds=int(DAY.total_seconds()))
    answer = post(client, "token_refresh", refresh=token)
    assert life_of(answer.data["refresh"]) == 30 * MINUTE
    session = Session.objects.get()
    assert session.idle_seconds == 1800
    assert timedelta(hours=23) < lasts(session) <= DAY  # kept as long as the legacy token
