"""What a project does to its users, and what becomes of their sessions; with no wiring at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AdminPasswordChangeForm, PasswordChangeForm, SetPasswordForm
from django.contrib.auth.hashers import (
    MD5PasswordHasher,
    PBKDF2PasswordHasher,
    identify_hasher,
    make_password,
)
from django.contrib.auth.models import Group, User
from django.core import serializers
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

import drf_signet
from drf_signet import revocation, runtime, sessions
from drf_signet.database import DbNow
from drf_signet.lazyuser import lazy_user
from drf_signet.models import EndReason, Session
from drf_signet.tokens import TokenPair

from . import usermodels
from .conftest import PASSWORD
from .situations import NewHasher, hashed_before
from .usermodels.models import Employee, Staff

NEW = "a new password, long enough for every validator"

Change = Callable[[Any, pytest.MonkeyPatch], object]


@pytest.fixture(scope="module", autouse=True)
def _installed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), usermodels.installed():
        yield


@pytest.fixture
def pair(user: Any) -> TokenPair:
    """Return the tokens of a session of `user`."""
    return drf_signet.issue(user)


def refused(pair: TokenPair) -> bool:
    """Tell whether an access token is refused, in this process and now."""
    answer = APIClient().get("/hello/", headers={"authorization": f"Bearer {pair.access}"})
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer.data["reason"]) == (401, "ended")
    return True


def refreshed(pair: TokenPair) -> Any:
    return APIClient().post("/api/token/refresh/", {"refresh": pair.refresh})


def reason(pair: TokenPair) -> str:
    return Session.objects.get(pk=pair.session.pk).end_reason


# Changes of the password


def by_set_password(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.set_password(NEW)
    user.save()


def by_set_password_and_save_of_it(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.set_password(NEW)
    user.save(update_fields=["password"])


def by_set_password_of_an_async_view(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.set_password(NEW)
    async_to_sync(user.asave)()


def by_set_password_of_a_lazy_user(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = lazy_user(User, user.pk, lambda: User.objects.get(pk=user.pk))
    lazy.set_password(NEW)
    lazy.save()


def by_a_hash(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.password = make_password(NEW)
    user.save(update_fields=["password"])


def by_a_hash_after_set_password(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the same traces in the instance as a hash that was made anew."""
    user.set_password(PASSWORD)
    user.save()
    Session.objects.update(end_reason="", ended_at=None, password_stamp=stamp(user))
    user.password = make_password(NEW)
    user.save(update_fields=["password"])


def by_no_password(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.set_unusable_password()
    user.save(update_fields=["password"])


def by_password_change_form(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    submit(PasswordChangeForm(user, data))


def by_set_password_form(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(SetPasswordForm(user, {"new_password1": NEW, "new_password2": NEW}))


def by_admin_form(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(AdminPasswordChangeForm(user, {"password1": NEW, "password2": NEW}))


def by_admin_page(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    page = reverse("admin:auth_user_password_change", args=[user.pk])
    data = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    assert administrator().post(page, data).status_code == 302


def by_command(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda **prompt: NEW)
    call_command("changepassword", user.username, verbosity=0)


def submit(form: Any) -> None:
    assert form.is_valid(), form.errors
    form.save()


def administrator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("administrator"))
    return client


def stamp(user: Any) -> str:
    return sessions.password_stamp(user)


PASSWORD_CHANGES: list[Change] = [
    by_set_password,
    by_set_password_and_save_of_it,
    by_set_password_of_an_async_view,
    by_set_password_of_a_lazy_user,
    by_a_hash,
    by_a_hash_after_set_password,
    by_no_password,
    by_password_change_form,
    by_set_password_form,
    by_admin_form,
    by_admin_page,
    by_command,
]


@pytest.mark.parametrize("change", PASSWORD_CHANGES)
def test_a_change_of_the_password_ends_the_users_sessions_at_once(
    change: Change,
    user: Any,
    pair: TokenPair,
    make_user: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    second, others = drf_signet.issue(user), drf_signet.issue(make_user())
    change(user, monkeypatch)
    assert refused(pair)
    assert refused(second)
    assert not refused(others)
    assert reason(pair) == reason(second) == EndReason.PASSWORD_CHANGED
    assert refreshed(pair).status_code == 401
    user.refresh_from_db()
    assert not refused(drf_signet.issue(user))


def test_the_end_is_signalled_with_its_reason(
    user: Any, pair: TokenPair, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[Any] = []

    def hear(*, session_id: Any, user_id: Any, reason: str, **sent: Any) -> None:
        heard.append((session_id, user_id, reason))

    drf_signet.session_ended.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            user.set_password(NEW)
            user.save()
    finally:
        drf_signet.session_ended.disconnect(hear)
    assert heard == [(pair.session.pk, user.pk, EndReason.PASSWORD_CHANGED)]


def test_a_password_that_is_set_but_not_saved_ends_nothing(user: Any, pair: TokenPair) -> None:
    user.set_password(NEW)
    assert not refused(pair)


def test_a_password_that_a_queryset_wrote_is_noticed_at_the_next_refresh(
    user: Any, pair: TokenPair
) -> None:
    User.objects.filter(pk=user.pk).update(password=make_password(NEW))
    assert not refused(pair)
    assert refreshed(pair).data["reason"] == "ended"
    assert refused(pair)
    assert reason(pair) == EndReason.PASSWORD_CHANGED


# Deactivation


def by_save(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.is_active = False
    user.save()


def by_save_of_it(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.is_active = False
    user.save(update_fields=["is_active"])


def by_change_page(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = administrator()
    page = reverse("admin:auth_user_change", args=[user.pk])
    form = client.get(page).context["adminform"].form
    data = {
        "username": user.username,
        "date_joined_0": form.initial["date_joined"].date().isoformat(),
        "date_joined_1": form.initial["date_joined"].time().isoformat("seconds"),
    }
    answer = client.post(page, data)
    assert answer.status_code == 302, answer.context["errors"]


@pytest.mark.parametrize("change", [by_save, by_save_of_it, by_change_page])
def test_a_deactivation_ends_the_users_sessions_at_once(
    change: Change,
    user: Any,
    pair: TokenPair,
    make_user: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = drf_signet.issue(make_user())
    change(user, monkeypatch)
    assert not User.objects.get(pk=user.pk).is_active
    assert refused(pair)
    assert not refused(others)
    assert reason(pair) == EndReason.USER_INACTIVE
    User.objects.update(is_active=True)
    assert refused(pair)
    assert refreshed(pair).status_code == 401


def test_whoever_may_not_authenticate_by_the_projects_rule_is_ended(
    user: Any, pair: TokenPair, settings: Any
) -> None:
    settings.SIGNET = {"USER_AUTHENTICATION_RULE": lambda user: user.is_active and user.email}
    user.save()
    assert refused(pair)
    assert reason(pair) == EndReason.USER_INACTIVE


def test_a_deactivation_that_a_queryset_wrote_is_noticed_at_the_next_refresh(
    user: Any, pair: TokenPair
) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert not refused(pair)
    assert refreshed(pair).data["code"] == "user_inactive"
    assert refused(pair)
    assert reason(pair) == EndReason.USER_INACTIVE


# Deletion


def by_delete(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user.delete()


def by_delete_of_an_async_view(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async_to_sync(user.adelete)()


def by_delete_page(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    page = reverse("admin:auth_user_delete", args=[user.pk])
    client = administrator()
    assert client.get(page).status_code == 200
    assert client.post(page, {"post": "yes"}).status_code == 302


@pytest.mark.parametrize("change", [by_delete, by_delete_of_an_async_view, by_delete_page])
def test_a_deletion_ends_the_users_sessions_at_once(
    change: Change,
    user: Any,
    pair: TokenPair,
    make_user: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = drf_signet.issue(make_user())
    change(user, monkeypatch)
    assert refused(pair)
    assert not refused(others)
    assert reason(pair) == EndReason.USER_DELETED
    assert refreshed(pair).status_code == 401


def test_the_page_that_asks_before_a_deletion_ends_nothing(user: Any, pair: TokenPair) -> None:
    assert administrator().get(reverse("admin:auth_user_delete", args=[user.pk])).status_code == 200
    assert not refused(pair)


def test_a_deletion_leaves_the_end_of_an_ended_session_as_it_was(
    user: Any, pair: TokenPair
) -> None:
    drf_signet.end(pair.session)
    user.delete()
    assert reason(pair) == EndReason.LOGOUT


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [by_delete, by_set_password, by_save])
def test_a_change_that_is_rolled_back_ends_nothing(
    change: Change, user: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    revocation.own_endings.alone = False
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": None}
    pair = drf_signet.issue(user)
    with transaction.atomic():
        change(user, monkeypatch)
        transaction.set_rollback(True)
    assert not refused(pair)
    assert reason(pair) == ""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [by_delete, by_set_password, by_save])
def test_a_change_in_a_transaction_is_known_at_its_commit(
    change: Change, user: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    revocation.own_endings.alone = False
    settings.SIGNET = {"REVOCATION_POLL_INTERVAL": None}
    pair = drf_signet.issue(user)
    with transaction.atomic():
        change(user, monkeypatch)
        assert not runtime.current().feed.has_ended(str(pair.session.pk))
    assert refused(pair)


def statements(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        act()
    return len(captured)


def test_many_users_are_deleted_with_no_statement_more_for_each(
    make_user: Callable[..., Any],
) -> None:
    def delete(number: int) -> int:
        users = [make_user() for _ in range(number)]
        for user in users:
            drf_signet.issue(user)
        rows = User.objects.filter(pk__in=[user.pk for user in users])
        return statements(rows.delete)

    assert delete(2) == delete(12)
    assert set(Session.objects.values_list("end_reason", flat=True)) == {EndReason.USER_DELETED}


def test_other_models_are_deleted_as_fast_as_without_us(
    user: Any, django_assert_num_queries: Any
) -> None:
    for _ in range(3):
        drf_signet.issue(user)
    with django_assert_num_queries(1):
        Session.objects.filter(user=user).delete()


# What costs nothing and ends nothing


@pytest.mark.parametrize("names", [["last_login"], ["first_name", "email"]])
def test_a_save_of_other_fields_costs_no_statement(
    names: list[str], user: Any, pair: TokenPair, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        user.save(update_fields=names)
    assert not refused(pair)


def test_a_save_of_everything_costs_one_statement_and_ends_nothing(
    user: Any, pair: TokenPair, django_assert_num_queries: Any
) -> None:
    user.first_name = "Ada"
    with django_assert_num_queries(2):
        user.save()
    assert not refused(pair)


def test_a_new_user_costs_no_statement(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        User.objects.create_user("ada", password=PASSWORD)


def test_a_save_of_something_else_costs_no_statement(
    db: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        Group(name="readers").save()


def test_a_new_secret_key_ends_nothing_while_the_old_one_counts(
    user: Any, pair: TokenPair, settings: Any
) -> None:
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another".ljust(80, "x"), [old]
    user.save()
    assert not refused(pair)
    settings.SECRET_KEY_FALLBACKS = []
    user.save()
    assert reason(pair) == EndReason.PASSWORD_CHANGED


def test_a_fixture_ends_nothing_by_itself(user: Any, pair: TokenPair, tmp_path: Path) -> None:
    """It is loaded raw: its other half may not be there yet."""
    user.set_password(NEW)
    fixture = tmp_path / "users.json"
    fixture.write_text(serializers.serialize("json", [user]), encoding="utf-8")
    assert json.loads(fixture.read_text(encoding="utf-8"))[0]["model"] == "auth.user"
    call_command("loaddata", fixture, verbosity=0)
    assert User.objects.get().check_password(NEW)
    assert not refused(pair)
    assert refreshed(pair).status_code == 401
    assert refused(pair)


# Heirs of the user model


@pytest.fixture(params=[Staff, Employee], ids=["a proxy", "a child"])
def heir(request: pytest.FixtureRequest, user: Any) -> Any:
    """Return the same user as an instance of a model that inherits from the user's."""
    if request.param is Employee:
        Employee(account=user, **{f.attname: getattr(user, f.attname) for f in _own(user)}).save()
    return request.param.objects.get(pk=user.pk)


def _own(user: Any) -> list[Any]:
    return [field for field in user._meta.concrete_fields if not field.primary_key]


@pytest.mark.parametrize("change", [by_set_password, by_a_hash, by_save, by_save_of_it, by_delete])
def test_a_change_of_an_heir_ends_the_users_sessions(
    change: Change, user: Any, heir: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = drf_signet.issue(user)
    assert not refused(pair)
    change(heir, monkeypatch)
    assert refused(pair)


def test_a_save_of_an_heirs_own_field_costs_nothing(
    user: Any, heir: Any, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        heir.save(update_fields=["desk"] if isinstance(heir, Employee) else ["email"])


# The same password, hashed anew


class FewIterations(PBKDF2PasswordHasher):
    iterations = 1


class MoreIterations(PBKDF2PasswordHasher):
    iterations = 2


UPGRADES: dict[str, Any] = {
    "another algorithm": (MD5PasswordHasher, [NewHasher, MD5PasswordHasher]),
    "more iterations": (FewIterations, [MoreIterations]),
}


@pytest.fixture(params=UPGRADES.values(), ids=list(UPGRADES))
def upgraded(request: pytest.FixtureRequest, settings: Any, make_user: Any) -> Any:
    """Return a user whose hash Django replaces at the next login."""
    old, preferred = request.param
    user = hashed_before(settings, make_user, old=old, preferred=preferred)
    assert identify_hasher(user.password).must_update(user.password) or old is MD5PasswordHasher
    return user


def by_check(user: Any) -> None:
    assert user.check_password(PASSWORD)


def by_async_check(user: Any) -> None:
    assert async_to_sync(user.acheck_password)(PASSWORD)


def by_check_of_a_lazy_user(user: Any) -> None:
    lazy = lazy_user(User, user.pk, lambda: User.objects.get(pk=user.pk))
    assert lazy.check_password(PASSWORD)


def by_check_of_an_heir(user: Any) -> None:
    assert Staff.objects.get(pk=user.pk).check_password(PASSWORD)


def by_login(user: Any) -> None:
    data = {"username": user.username, "password": PASSWORD}
    assert APIClient().post("/api/token/", data).status_code == 200


def by_django_login(user: Any) -> None:
    assert Client().login(username=user.username, password=PASSWORD)


@pytest.mark.parametrize(
    "check",
    [
        by_check,
        by_async_check,
        by_check_of_a_lazy_user,
        by_check_of_an_heir,
        by_login,
        by_django_login,
    ],
)
def test_the_same_password_hashed_anew_ends_nothing(
    check: Callable[[Any], None], upgraded: Any
) -> None:
    pairs = [drf_signet.issue(upgraded) for _ in range(2)]
    old = upgraded.password
    check(upgraded)
    stored = get_user_model().objects.get(pk=upgraded.pk)
    assert stored.password != old
    assert stored.check_password(PASSWORD)
    for pair in pairs:
        assert not refused(pair)
        assert refreshed(pair).status_code == 200
        assert Session.objects.get(pk=pair.session.pk).password_stamp == stamp(stored)


def test_a_hash_made_anew_under_an_older_secret_key_ends_nothing(
    upgraded: Any, settings: Any
) -> None:
    pair = drf_signet.issue(upgraded)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another".ljust(80, "x")
    by_check(upgraded)
    assert not refused(pair)
    assert refreshed(pair).status_code == 200


def test_sessions_of_an_older_password_are_not_carried_over(upgraded: Any) -> None:
    outdated, current = drf_signet.issue(upgraded), drf_signet.issue(upgraded)
    Session.objects.filter(pk=outdated.session.pk).update(password_stamp="of another")
    by_check(upgraded)
    assert refused(outdated)
    assert reason(outdated) == EndReason.PASSWORD_CHANGED
    assert not refused(current)


def test_a_wrong_password_hashes_nothing_anew(
    upgraded: Any, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert not upgraded.check_password(NEW)


def test_a_new_password_ends_the_sessions_though_the_hash_was_due_for_replacement(
    upgraded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = drf_signet.issue(upgraded)
    by_a_hash(upgraded, monkeypatch)
    assert refused(pair)


def test_of_two_logins_that_hash_the_same_password_anew_the_first_counts(upgraded: Any) -> None:
    """Else the second would end the sessions that go by the hash of the first."""
    pair = drf_signet.issue(upgraded)
    first, second = (User.objects.get(pk=upgraded.pk) for _ in range(2))
    by_check(first)
    by_check(second)
    stored = User.objects.get(pk=upgraded.pk)
    assert stored.password == first.password == second.password
    for one in (pair, drf_signet.issue(first), drf_signet.issue(second)):
        assert refreshed(one).status_code == 200
        assert not refused(one)


def test_a_login_that_is_overtaken_before_it_writes_follows_the_faster_one(upgraded: Any) -> None:
    pair = drf_signet.issue(upgraded)
    faster, slower = (User.objects.get(pk=upgraded.pk) for _ in range(2))

    def overtake(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith("UPDATE") and faster.password != slower.password and not overtaken:
            overtaken.append(sql)
            by_check(faster)
        return execute(sql, *args)

    overtaken: list[str] = []
    with connection.execute_wrapper(overtake):
        by_check(slower)
    assert overtaken
    assert User.objects.get(pk=upgraded.pk).password == faster.password == slower.password
    assert refreshed(pair).status_code == 200


def test_an_old_password_hashed_anew_does_not_undo_a_new_one(upgraded: Any) -> None:
    """Django alone would: whoever logs in with the old one at that moment writes it back."""
    stale = User.objects.get(pk=upgraded.pk)
    upgraded.set_password(NEW)
    upgraded.save()
    by_check(stale)
    stored = User.objects.get(pk=upgraded.pk)
    assert stored.check_password(NEW)
    assert not stored.check_password(PASSWORD)


def test_a_new_users_second_password_is_not_taken_for_the_first_hashed_anew(db: None) -> None:
    user = User(username="ada")
    user.set_password(PASSWORD)
    user.save()
    pair = drf_signet.issue(user)
    user.password = make_password(NEW)
    user.save(update_fields=["password"])
    assert User.objects.get().check_password(NEW)
    assert refused(pair)


def test_no_password_at_all_is_not_the_same_one_hashed_anew(upgraded: Any) -> None:
    pair = drf_signet.issue(upgraded)
    upgraded._password = None
    upgraded.set_unusable_password()
    upgraded.save(update_fields=["password"])
    assert refused(pair)


def test_a_hash_that_nobody_can_read_is_not_one_to_be_replaced(user: Any, pair: TokenPair) -> None:
    User.objects.update(password="nonsense")
    user.set_password(NEW)
    user._password = None
    user.save(update_fields=["password"])
    assert reason(pair) == EndReason.PASSWORD_CHANGED


def test_the_check_of_a_user_who_is_gone_fails_as_without_us(upgraded: Any) -> None:
    User.objects.filter(pk=upgraded.pk)._raw_delete("default")
    with pytest.raises(DatabaseError), transaction.atomic():
        upgraded.check_password(PASSWORD)


def test_the_clock_of_the_database_says_when(user: Any, pair: TokenPair) -> None:
    user.set_password(NEW)
    user.save()
    ended = Session.objects.filter(ended_at__lte=DbNow(), ended_at__gt=pair.session.created_at)
    assert ended.exists()
