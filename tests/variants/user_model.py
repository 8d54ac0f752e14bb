"""Test the endpoints with a custom user model. `test_variants` runs this module."""

from __future__ import annotations

import itertools
import json
import re
import uuid
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

import drf_signet
from drf_signet import EndReason, Session
from drf_signet.jose.claims import Claims
from tests.support.endpoint_table import (
    LOGOUT,
    LOGOUT_ALL,
    OBTAIN,
    REFRESH,
    SESSIONS,
    UNKNOWN_SESSION_ID,
    VERIFY,
)
from tests.support.simplejwt_tables import (
    adopted_session,
    blacklist_tables,
    empty_tables,
    outstanding_token,
    put_on_blacklist,
)
from tests.variants.settings import VARIANT

__all__ = ["blacklist_tables", "empty_tables"]

PASSWORD = "correct horse"
USERNAME_FIELD = get_user_model().USERNAME_FIELD


@pytest.fixture
def make(db):
    """Return a function that creates a user of the variant's user model."""
    numbers = itertools.count(1)

    def make(**fields: Any) -> Any:
        number = next(numbers)
        fields.setdefault(USERNAME_FIELD, f"vitor+{number}@example.com")
        return get_user_model().objects.create_user(password=PASSWORD, **fields)

    return make


@pytest.fixture
def user(make):
    """Create a user."""
    return make()


@pytest.fixture
def pair(client, user):
    """Log the user in; return a dict with the access token and the refresh token."""
    response = client.post(
        OBTAIN.url, {USERNAME_FIELD: getattr(user, USERNAME_FIELD), "password": PASSWORD}
    )
    assert response.status_code == 200
    return response.json()


def bearer(token: str) -> Any:
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def claims_of(token: str) -> Claims:
    return drf_signet.flows.verify(token)


def test_user_id_claim_is_the_primary_key(user, pair) -> None:
    claim = claims_of(pair["access"])["user_id"]
    assert claim == (user.pk if VARIANT == "inherited key" else str(user.pk))
    assert type(claim) is (int if VARIANT == "inherited key" else str)


def test_login_view_refresh_verify_and_logout_work(
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


@pytest.mark.parametrize("missing", [USERNAME_FIELD, "password"])
def test_login_requires_the_username_field_of_the_model(client, db, missing) -> None:
    body = {USERNAME_FIELD: "x", "password": "x"}
    del body[missing]
    answer = client.post(OBTAIN.url, body).json()
    assert answer[missing] == ["This field is required."]
    assert answer["code"] == "invalid"


def test_web_interface_form_has_the_username_field_of_the_model(client) -> None:
    response = client.get(OBTAIN.url, headers={"Accept": "text/html"})
    assert f'<input name="{USERNAME_FIELD}"' in response.content.decode()


def test_wrong_password_unknown_user_and_inactive_user_get_the_same_answer(client, make) -> None:
    names = [
        getattr(make(), USERNAME_FIELD),
        "nobody",
        getattr(make(is_active=False), USERNAME_FIELD),
    ]
    passwords = ["wrong", PASSWORD, PASSWORD]
    answers = {
        (response.status_code, response.content)
        for name, password in zip(names, passwords, strict=True)
        for response in [client.post(OBTAIN.url, {USERNAME_FIELD: name, "password": password})]
    }
    assert len(answers) == 1


def test_failed_logins_are_throttled_by_the_username_field(client, user) -> None:
    wrong = {USERNAME_FIELD: getattr(user, USERNAME_FIELD), "password": "wrong"}
    assert [client.post(OBTAIN.url, wrong).status_code for _ in range(11)][-1] == 429
    assert client.post(OBTAIN.url, {**wrong, USERNAME_FIELD: "another"}).status_code == 401


def test_user_can_list_and_end_own_sessions_only(client, make, pair) -> None:
    other_session = drf_signet.issue(make()).session
    header = bearer(pair["access"])
    (session,) = client.get(SESSIONS.url, **header).json()
    assert session["current"]
    assert client.delete(f"{SESSIONS.url}{other_session.pk}/", **header).status_code == 404
    assert client.delete(f"{SESSIONS.url}{UNKNOWN_SESSION_ID}/", **header).status_code == 404
    assert client.delete(f"{SESSIONS.url}{session['id']}/", **header).status_code == 204
    assert Session.objects.get(pk=other_session.pk).end_reason == ""


def test_logout_everywhere_ends_only_the_user_s_sessions(client, make, user, pair) -> None:
    other_session = drf_signet.issue(make()).session
    drf_signet.issue(user)
    assert client.post(LOGOUT_ALL.url, **bearer(pair["access"])).status_code == 204
    assert Session.objects.filter(end_reason=EndReason.LOGOUT_ALL).count() == 2
    assert Session.objects.get(pk=other_session.pk).end_reason == ""


def test_inactive_user_is_rejected_and_the_session_ends(client, user, pair) -> None:
    user.is_active = False
    user.save()
    assert client.post(REFRESH.url, {"refresh": pair["refresh"]}).json()["reason"] == "ended"
    assert client.get("/hello/", **bearer(pair["access"])).json()["reason"] == "ended"
    assert Session.objects.get().end_reason == EndReason.USER_INACTIVE


def test_password_change_ends_the_session(client, user, pair) -> None:
    user.set_password("another")
    user.save()
    assert client.get("/hello/", **bearer(pair["access"])).json()["reason"] == "ended"
    assert client.post(REFRESH.url, {"refresh": pair["refresh"]}).status_code == 401
    assert Session.objects.get().end_reason == EndReason.PASSWORD_CHANGED


@pytest.mark.parametrize("by", ["model", "queryset", "parent"])
def test_deleting_the_user_ends_the_sessions(client, user, pair, settings, by) -> None:
    # In tests, the revocation feed does not query the database. So load the user on each request.
    settings.SIGNET = {"USER_LOADING": "fresh"}
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
def test_signed_token_with_an_invalid_user_id_is_rejected(
    client, db, pair, settings, user_id
) -> None:
    settings.SIGNET = {"USER_LOADING": "fresh"}  # some ids are valid, but belong to no user
    current = drf_signet.runtime.current()
    payload = {**claims_of(pair["access"]), "user_id": user_id}
    response = client.get("/hello/", **bearer(current.codec.encode(payload)))
    assert response.status_code == 401
    assert response.json()["code"] == "token_not_valid"


def test_models_need_no_further_migration_with_this_user_model(db) -> None:
    call_command("makemigrations", "drf_signet", check=True, dry_run=True, verbosity=0)


def test_simplejwt_tokens_are_imported_adopted_or_rejected(
    client, make, empty_tables, settings
) -> None:
    settings.SIGNET = {"ROTATE_REFRESH_TOKENS": True, "ADOPT_TOKENS_UNTIL": "2100-01-01T00:00:00Z"}
    rows = [outstanding_token(user, user_id=str(user.pk)) for user in (make(), make(), make())]
    imported, blacklisted, without_row = rows
    put_on_blacklist(blacklisted)
    without_row.delete()
    call_command("signet_migrate_from_simplejwt")
    sessions = [adopted_session(row) for row in rows]
    assert [session and session.user for session in sessions] == [imported.user, None, None]
    answers = [client.post(REFRESH.url, {"refresh": row.token}) for row in rows]
    assert [answer.status_code for answer in answers] == [200, 401, 200]


def test_alias_tokens_identify_a_user_by_the_primary_key_of_this_model(user):
    from drf_signet.compat.simplejwt.authentication import JWTAuthentication
    from drf_signet.compat.simplejwt.tokens import AccessToken, RefreshToken

    token = RefreshToken.for_user(user)
    access = AccessToken(str(token.access_token))
    assert access["user_id"] == str(user.pk)
    assert JWTAuthentication().get_user(access) == user
    token_by_hand = AccessToken()
    token_by_hand["user_id"] = str(user.pk)
    assert JWTAuthentication().get_user(AccessToken(str(token_by_hand))) == user


@pytest.fixture
def admin_client(make, monkeypatch):
    """Return a client of a user who may do everything in the admin."""
    for name, value in {"is_staff": True, "has_perm": allow, "has_module_perms": allow}.items():
        monkeypatch.setattr(get_user_model(), name, value, raising=False)
    client = Client()
    client.force_login(make())
    return client


def allow(*args: Any) -> bool:
    return True


def test_admin_finds_and_ends_the_sessions_of_a_user_of_this_model(
    admin_client, user, make, pair
) -> None:
    drf_signet.issue(make())
    url = reverse("admin:drf_signet_session_changelist")
    page = admin_client.get(url, {"q": getattr(user, USERNAME_FIELD)})
    session = page.context["cl"].result_list.get()
    assert session.user == user
    detail = admin_client.get(reverse("admin:drf_signet_session_change", args=[session.pk]))
    pattern = r'href="(/admin/drf_signet/session/end-all/\?user=[^"]+)"'
    (end_all,) = re.findall(pattern, detail.content.decode())
    listed = admin_client.post(end_all)["Location"]
    assert admin_client.get(listed).context["cl"].result_list.get() == session
    assert Session.objects.ended().get() == session


def test_commands_take_the_username_of_this_model(user, make, pair, capsys) -> None:
    drf_signet.issue(make())
    name = getattr(user, USERNAME_FIELD)
    call_command("signet_sessions", user=name, json=True)
    assert [row["user"] for row in json.loads(capsys.readouterr().out)] == [name]
    call_command("signet_end_sessions", user=name)
    assert Session.objects.ended().get().user == user
