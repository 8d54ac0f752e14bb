"""The tutorial's way with a user model that is not Django's. Run by `test_variants`."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command

import drf_signet
from drf_signet import EndReason, Session
from drf_signet.claims import Claims
from tests.endpoints import LOGOUT, LOGOUT_ALL, NO_SESSION, OBTAIN, REFRESH, SESSIONS, VERIFY
from tests.oldtables import adopted, empty_tables, old_tables, outstand, put_on_blacklist
from tests.variants.settings import VARIANT

__all__ = ["empty_tables", "old_tables"]

PASSWORD = "correct horse"
NAME = get_user_model().USERNAME_FIELD


@pytest.fixture
def make(db):
    """Return a factory of users of the variant."""
    numbers = itertools.count(1)

    def make(**fields: Any) -> Any:
        number = next(numbers)
        fields.setdefault(NAME, f"vitor+{number}@example.com")
        return get_user_model().objects.create_user(password=PASSWORD, **fields)

    return make


@pytest.fixture
def user(make):
    """Return a user."""
    return make()


@pytest.fixture
def pair(client, user):
    """Log the user in."""
    response = client.post(OBTAIN.url, {NAME: getattr(user, NAME), "password": PASSWORD})
    assert response.status_code == 200
    return response.json()


def bearer(token: str) -> Any:
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def claims_of(token: str) -> Claims:
    return drf_signet.flows.verify(token)


def test_token_names_the_user_by_its_key(user, pair) -> None:
    claim = claims_of(pair["access"])["user_id"]
    assert claim == (user.pk if VARIANT == "inherited key" else str(user.pk))
    assert type(claim) is (int if VARIANT == "inherited key" else str)


def test_login_protected_view_refresh_and_logout(
    client, user, pair, settings, django_assert_num_queries
) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True}
    with django_assert_num_queries(0):
        assert client.get("/hello/", **bearer(pair["access"])).status_code == 200
    with django_assert_num_queries(2):
        answer = client.post(REFRESH.url, {"refresh": pair["refresh"]}).json()
    assert client.get("/hello/", **bearer(answer["access"])).status_code == 200
    assert client.post(VERIFY.url, {"token": answer["refresh"]}).status_code == 200
    assert client.post(LOGOUT.url, {"refresh": answer["refresh"]}).status_code == 204
    assert client.post(REFRESH.url, {"refresh": answer["refresh"]}).json()["reason"] == "ended"
    assert Session.objects.get().user == user


@pytest.mark.parametrize("missing", [NAME, "password"])
def test_login_asks_for_the_models_own_name(client, db, missing) -> None:
    body = {NAME: "x", "password": "x"}
    del body[missing]
    answer = client.post(OBTAIN.url, body).json()
    assert answer[missing] == ["This field is required."]
    assert answer["code"] == "invalid"


def test_form_of_the_web_interface_has_the_models_own_name(client) -> None:
    response = client.get(OBTAIN.url, headers={"Accept": "text/html"})
    assert f'<input name="{NAME}"' in response.content.decode()


def test_wrong_unknown_and_inactive_look_the_same(client, make) -> None:
    names = [getattr(make(), NAME), "nobody", getattr(make(is_active=False), NAME)]
    passwords = ["wrong", PASSWORD, PASSWORD]
    answers = {
        (response.status_code, response.content)
        for name, password in zip(names, passwords, strict=True)
        for response in [client.post(OBTAIN.url, {NAME: name, "password": password})]
    }
    assert len(answers) == 1


def test_failed_logins_are_throttled_by_that_name(client, user) -> None:
    wrong = {NAME: getattr(user, NAME), "password": "wrong"}
    assert [client.post(OBTAIN.url, wrong).status_code for _ in range(11)][-1] == 429
    assert client.post(OBTAIN.url, {**wrong, NAME: "another"}).status_code == 401


def test_sessions_are_listed_and_ended(client, make, pair) -> None:
    others = drf_signet.issue(make()).session
    header = bearer(pair["access"])
    (shown,) = client.get(SESSIONS.url, **header).json()
    assert shown["current"]
    assert client.delete(f"{SESSIONS.url}{others.pk}/", **header).status_code == 404
    assert client.delete(f"{SESSIONS.url}{NO_SESSION}/", **header).status_code == 404
    assert client.delete(f"{SESSIONS.url}{shown['id']}/", **header).status_code == 204
    assert Session.objects.get(pk=others.pk).end_reason == ""


def test_logout_everywhere_ends_the_users_sessions_alone(client, make, user, pair) -> None:
    others = drf_signet.issue(make()).session
    drf_signet.issue(user)
    assert client.post(LOGOUT_ALL.url, **bearer(pair["access"])).status_code == 204
    assert Session.objects.filter(end_reason=EndReason.LOGOUT_ALL).count() == 2
    assert Session.objects.get(pk=others.pk).end_reason == ""


def test_inactive_user_gets_no_new_token(client, user, pair) -> None:
    user.is_active = False
    user.save()
    assert client.post(REFRESH.url, {"refresh": pair["refresh"]}).json()["reason"] == "ended"
    assert client.get("/hello/", **bearer(pair["access"])).json()["reason"] == "ended"
    assert Session.objects.get().end_reason == EndReason.USER_INACTIVE


def test_change_of_the_password_ends_the_session(client, user, pair) -> None:
    user.set_password("another")
    user.save()
    assert client.get("/hello/", **bearer(pair["access"])).json()["reason"] == "ended"
    assert client.post(REFRESH.url, {"refresh": pair["refresh"]}).status_code == 401
    assert Session.objects.get().end_reason == EndReason.PASSWORD_CHANGED


@pytest.mark.parametrize("by", ["model", "queryset", "parent"])
def test_deleted_user_leaves_ended_sessions(client, user, pair, settings, by) -> None:
    settings.SIGNET = {
        "USER_LOADING": "fresh"
    }  # the feed, which tells of it, asks nothing in tests
    if by == "model":
        user.delete()
    elif by == "queryset":
        type(user).objects.filter(pk=user.pk).delete()
    else:
        parents = user._meta.parents
        model = next(iter(parents), type(user))
        model.objects.filter(pk=user.pk).delete()
    session = Session.objects.get()
    assert (session.user_id, session.end_reason) == (None, EndReason.USER_DELETED)
    assert client.get("/hello/", **bearer(pair["access"])).status_code == 401
    assert client.post(REFRESH.url, {"refresh": pair["refresh"]}).status_code == 401


HOSTILE_IDS: list[Any] = [None, True, 1.5, -1, 2**63 - 1, "", "1 ", "abc", "\0", "x" * 300, [], {}]
HOSTILE_IDS += [str(uuid.uuid4()).upper(), uuid.uuid4().hex, "\uff11"]


@pytest.mark.parametrize("user_id", HOSTILE_IDS, ids=repr)
def test_signed_token_with_an_odd_user_id_is_401(client, db, pair, settings, user_id) -> None:
    settings.SIGNET = {"USER_LOADING": "fresh"}  # some could be keys of users who are not there
    current = drf_signet.runtime.current()
    payload = {**claims_of(pair["access"]), "user_id": user_id}
    response = client.get("/hello/", **bearer(current.codec.encode(payload)))
    assert response.status_code == 401
    assert response.json()["code"] == "token_not_valid"


def test_models_and_migrations_agree_whatever_the_user_model(db) -> None:
    call_command("makemigrations", "drf_signet", check=True, dry_run=True, verbosity=0)


def test_tokens_of_simplejwt_are_imported_adopted_and_stay_dead(
    client, make, empty_tables, settings
) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True, "ADOPT_TOKENS_UNTIL": "2100-01-01T00:00:00Z"}
    imported, dead, new = (outstand(one, user_id=str(one.pk)) for one in (make(), make(), make()))
    put_on_blacklist(dead)
    new.delete()
    call_command("signet_migrate_from_simplejwt")
    sessions = [adopted(one) for one in (imported, dead, new)]
    assert [one and one.user for one in sessions] == [imported.user, None, None]
    tokens = [one.token for one in (imported, dead, new)]
    answers = [client.post(REFRESH.url, {"refresh": token}) for token in tokens]
    assert [answer.status_code for answer in answers] == [200, 401, 200]


def test_simplejwt_s_tokens_name_a_user_of_this_key(user):
    from drf_signet.compat.simplejwt.authentication import JWTAuthentication
    from drf_signet.compat.simplejwt.tokens import AccessToken, RefreshToken

    token = RefreshToken.for_user(user)
    access = AccessToken(str(token.access_token))
    assert access["user_id"] == str(user.pk)
    assert JWTAuthentication().get_user(access) == user
    by_hand = AccessToken()
    by_hand["user_id"] = str(user.pk)
    assert JWTAuthentication().get_user(AccessToken(str(by_hand))) == user
